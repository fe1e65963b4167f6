"""What a journal's directory holds: opening it after a crash, and looking at it while another process writes to it."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from headgate.ledger.segment import SegmentName, find_segments, scan

DAMAGED = ".damaged"


class Damage(msgspec.Struct, frozen=True):
    """Bytes of a segment, from `start` to before `end`, that hold no record."""

    segment: str
    start: int
    end: int

    def in_words(self) -> str:
        return (
            f"{self.segment} is damaged: {self.end - self.start} bytes from {self.start} on hold no readable entry; "
            f"every entry before and after them is kept, and a copy of the file is {self.segment}{DAMAGED}"
        )


class Findings(msgspec.Struct, kw_only=True):
    """What was found on opening a journal, and while it was read.

    `torn` are (segment, bytes) of last records that were never written to their end, and were cut off.
    """

    records: int = 0
    torn: list[tuple[str, int]] = []
    damaged: list[Damage] = []

    def lines(self) -> list[str]:
        """What an operator should know, a line each; nothing when all is well."""
        return [
            *(f"{name} ended in the middle of an entry; its {size} bytes are cut off" for name, size in self.torn),
            *(damage.in_words() for damage in self.damaged),
        ]


class Segment(msgspec.Struct, eq=False):
    """An open segment. `size` is where its sound end is; only the thread that appends raises it."""

    name: SegmentName
    path: Path
    descriptor: int
    size: int
    opened_s: float


def recover(directory: Path) -> tuple[list[Segment], Findings]:
    """Open every segment that is left, oldest first: a torn last record is cut off, a damaged file is copied.

    Raises OSError; then nothing stays open.
    """
    findings = Findings()
    segments: list[Segment] = []
    try:
        for name, path in find_segments(directory):
            descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
            segments.append(Segment(name, path, descriptor, 0, time.monotonic()))
            segments[-1].size = _examine(segments[-1], findings)
    except OSError:
        for segment in segments:
            os.close(segment.descriptor)
        raise
    return segments, findings


def _examine(segment: Segment, findings: Findings) -> int:
    """The size of a segment without a torn last record."""
    data = _all(segment.descriptor)
    found = scan(data, segment.name.salt)
    findings.records += len(found.payloads)
    if found.damaged:
        copy_damaged(segment.path)
        findings.damaged += [Damage(segment.path.name, start, end) for start, end in found.damaged]
    if found.torn is None:
        return len(data)
    findings.torn.append((segment.path.name, len(data) - found.torn))
    os.ftruncate(segment.descriptor, found.torn)
    return found.torn


def _all(descriptor: int) -> bytes:
    pieces: list[bytes] = []
    offset = 0
    while piece := os.pread(descriptor, 2**24, offset):
        pieces.append(piece)
        offset += len(piece)
    return b"".join(pieces)


def copy_damaged(path: Path) -> None:
    """Keep a damaged segment as it is beside the journal, once. Raises OSError."""
    kept = path.with_name(path.name + DAMAGED)
    if kept.exists():
        return
    # Written beside and renamed, so that half a copy never passes for the whole.
    fresh = kept.with_suffix(".copying")
    shutil.copyfile(path, fresh)
    fresh.chmod(0o600)
    fresh.replace(kept)


def damaged_copies(directory: Path) -> list[Path]:
    """The damaged segments that were kept."""
    return sorted(directory.glob(f"*{DAMAGED}"))


def survey(directory: Path, findings: Findings) -> Iterator[list[bytes]]:
    """The payloads of every segment, a list for each, oldest first, while another process may write and delete there.

    Nothing is changed. A record that is just being written counts as torn. Raises OSError.
    """
    for name, path in find_segments(directory):
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            # Shipped and deleted in the meantime.
            continue
        found = scan(data, name.salt)
        findings.records += len(found.payloads)
        findings.damaged += [Damage(path.name, start, end) for start, end in found.damaged]
        if found.torn is not None:
            findings.torn.append((path.name, len(data) - found.torn))
        yield found.payloads
