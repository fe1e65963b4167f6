"""Segments of the journal: how records lie in a file, and how they are found again in a damaged one.

A record is `HGj1`, the payload's length and its CRC-32 (both 32 bits, little-endian), and the payload. The CRC starts
from a random salt that stands in the file's name: bytes that a client managed to place inside a payload cannot pass
for a record when the search goes through damaged bytes.
"""

from __future__ import annotations

import re
import secrets
import struct
from pathlib import Path
from zlib import crc32

import msgspec

MAGIC = b"HGj1"
HEADER = struct.Struct("<4sII")
MAX_PAYLOAD = 2**20
"""Bytes; a longer length in a file is damage."""

_NAME = re.compile(r"(\d{10})-([0-9a-f]{8})\.log")
_pack = HEADER.pack
_unpack_from = HEADER.unpack_from


class Scan(msgspec.Struct):
    """What was found in a stretch of bytes.

    `end` is where to read on. `damaged` are stretches (from, to) that hold no record. `torn` is where an unfinished
    last record begins, None when there is none.
    """

    payloads: list[bytes]
    end: int
    damaged: list[tuple[int, int]]
    torn: int | None = None


class SegmentName(msgspec.Struct, frozen=True, order=True):
    """The number and the salt in the name of a segment's file; segments are read in the order of their numbers."""

    number: int
    salt: int

    @property
    def text(self) -> str:
        return f"{self.number:010d}-{self.salt:08x}.log"


def fresh_name(number: int) -> SegmentName:
    return SegmentName(number, secrets.randbits(32))


def find_segments(directory: Path) -> list[tuple[SegmentName, Path]]:
    """The segments in a directory, oldest first; none when there is no such directory. Raises OSError."""
    try:
        names = [(_NAME.fullmatch(path.name), path) for path in directory.iterdir()]
    except FileNotFoundError:
        return []
    return sorted((SegmentName(int(match[1]), int(match[2], 16)), path) for match, path in names if match)


def frame(payload: bytes, salt: int) -> bytes:
    """A payload as a record."""
    return _pack(MAGIC, len(payload), crc32(payload, salt)) + payload


def scan(data: bytes, salt: int, *, limit: int | None = None, whole: bool = True) -> Scan:
    """Read records from the start of `data` until its end, or until there are `limit` of them.

    With `whole` the data goes to the end of the file: what is no record is damaged or torn. Without, it stops before
    whatever is no record within the data, which may go on beyond it.
    """
    found = Scan([], 0, [])
    at, size = 0, len(data)
    while at < size and (limit is None or len(found.payloads) < limit):
        payload = _record(data, salt, at)
        if payload is not None:
            found.payloads.append(payload)
            at += HEADER.size + len(payload)
            continue
        if not whole:
            break
        after = _next_record(data, salt, at + 1)
        if after is None and _is_torn(data, at):
            found.torn = at
            break
        end = size if after is None else after
        found.damaged.append((at, end))
        at = end
    found.end = at
    return found


def _record(data: bytes, salt: int, at: int) -> bytes | None:
    """The payload of the record that begins at `at`; None when none does."""
    start = at + HEADER.size
    if start > len(data):
        return None
    magic, length, crc = _unpack_from(data, at)
    if magic != MAGIC or length > MAX_PAYLOAD or start + length > len(data):
        return None
    payload = data[start : start + length]
    return payload if crc32(payload, salt) == crc else None


def _is_torn(data: bytes, at: int) -> bool:
    """Whether what stands at `at` is the beginning of a record whose end was never written."""
    if len(data) - at < HEADER.size:
        return MAGIC.startswith(data[at : at + len(MAGIC)])
    magic, length, _ = _unpack_from(data, at)
    return bool(magic == MAGIC and length <= MAX_PAYLOAD and at + HEADER.size + length > len(data))


def _next_record(data: bytes, salt: int, at: int) -> int | None:
    """Where the next sound record begins, at `at` or later."""
    while (at := data.find(MAGIC, at)) >= 0:
        if _record(data, salt, at) is not None:
            return at
        at += 1
    return None
