"""The journal: entries as they are made, in files that outlive the process; it is also the queue into the database.

One thread appends, another reads and retires. Every start begins a new segment, so an old one is never written again.
What has been handed to `write` survives the end of the process by any signal; a power cut may take the last seconds.
Where the reader was is kept nowhere: inserting is harmless to repeat, so it begins with the oldest segment.
"""

from __future__ import annotations

import fcntl
import logging
import os
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

from headgate.ledger.recovery import Damage, Segment, copy_damaged, recover
from headgate.ledger.segment import HEADER, MAGIC, MAX_PAYLOAD, fresh_name, scan

SEGMENT_BYTES = 16 * 2**20
SPOOL_BYTES = 2**30
IDLE_S = 3600.0
"""A segment whose entries are all in the database goes after this long, even when it is not full."""

LOCK = "lock"
DIRECTORY = "journal"
"""What the journal's directory is called in the data directory."""
_CHUNK = 256 * 1024
_pack = HEADER.pack
log = logging.getLogger("headgate")


class JournalError(Exception):
    """The journal cannot be used; the message is one line, ready to print."""


class JournalLocked(JournalError):
    """Another process writes to it."""


class JournalFull(JournalError):
    """As many bytes wait for the database as may wait."""


class JournalBroken(JournalError):
    """The file system refuses: disk full, read-only, an input/output error."""


class Position(NamedTuple):
    """A place between two records: the number of a segment and an offset in it."""

    number: int
    offset: int


class Journal:
    """Append-only segments in a directory of their own, which belongs to one process at a time.

    `findings` says what was found on opening. Raises JournalLocked, JournalBroken.
    """

    def __init__(
        self,
        directory: Path,
        *,
        segment_bytes: int = SEGMENT_BYTES,
        spool_bytes: int = SPOOL_BYTES,
        idle_s: float = IDLE_S,
    ) -> None:
        self._directory = directory
        self._segment_bytes = segment_bytes
        self._spool_bytes = spool_bytes
        self._idle_s = idle_s
        self._guard = threading.Lock()
        self._current: Segment | None = None
        self._lock = _lock(directory)
        try:
            self._segments, self.findings = recover(directory)
        except OSError as error:
            os.close(self._lock)
            raise JournalBroken(_broken(directory, error)) from None
        for line in self.findings.lines():
            log.error("ledger: journal %s: %s", directory, line)
        self._next = self._segments[-1].name.number + 1 if self._segments else 1
        self._appended = sum(segment.size for segment in self._segments)
        self._deleted = self._retired = 0
        self._retired_to = self.start

    @property
    def directory(self) -> Path:
        return self._directory

    @property
    def start(self) -> Position:
        """Before the oldest record that is kept."""
        with self._guard:
            return Position(self._segments[0].name.number if self._segments else self._next, 0)

    @property
    def end(self) -> Position:
        """After the newest record."""
        with self._guard:
            return self._end()

    @property
    def waiting_bytes(self) -> int:
        """Bytes that have not been retired."""
        return self._appended - self._retired

    def append(self, payload: bytes) -> None:
        """Write one record, whole or not at all.

        Raises JournalFull, JournalBroken; ValueError for more than MAX_PAYLOAD bytes.
        """
        self.append_all([payload])

    def append_all(self, payloads: Sequence[bytes]) -> None:
        """Write records with one write, all of them or none. Raises as `append` does."""
        lengths = [*map(len, payloads)]
        longest = max(lengths, default=0)
        if longest > MAX_PAYLOAD:
            raise ValueError(f"a record of {longest} bytes is longer than {MAX_PAYLOAD}")
        size = sum(lengths) + len(lengths) * HEADER.size
        with self._guard:
            if self._appended - self._retired + size > self._spool_bytes:
                raise JournalFull(f"{self._directory}: {self._spool_bytes >> 20} MB wait for the database")
            segment = self._current
            if segment is None or segment.size + size > self._segment_bytes:
                segment = self._rotate()
            salt = segment.name.salt
            records = b"".join([_pack(MAGIC, len(one), crc32(one, salt)) + one for one in payloads])
            try:
                written = os.write(segment.descriptor, records)
            except OSError as error:
                self._take_back(segment)
                raise JournalBroken(_broken(self._directory, error)) from None
            if written != size:
                self._take_back(segment)
                raise JournalBroken(f"{self._directory}: cannot be written: no space left for a whole record")
            segment.size += size
            self._appended += size

    def read(self, position: Position, limit: int) -> tuple[list[bytes], Position]:
        """Up to `limit` payloads from a position on, and the position after them; none when there are no more yet.

        What is damaged is passed over, and added to `findings`. Raises JournalBroken.
        """
        while True:
            with self._guard:
                segment = next((one for one in self._segments if one.name.number >= position.number), None)
                if segment is None:
                    return [], self._end()
                size, is_last = segment.size, segment is self._segments[-1]
            offset = position.offset if segment.name.number == position.number else 0
            if offset < size:
                payloads, offset = self._read(segment, offset, size, limit)
                position = Position(segment.name.number, offset)
                if payloads:
                    return payloads, position
            elif is_last:
                return [], Position(segment.name.number, size)
            else:
                position = Position(segment.name.number + 1, 0)

    def retire(self, position: Position) -> None:
        """Say that everything before the position is in the database. Segments that lie before it are deleted.

        Raises JournalBroken.
        """
        with self._guard:
            gone = self._retire(position)
        for segment in gone:
            os.close(segment.descriptor)
            try:
                segment.path.unlink(missing_ok=True)
            except OSError as error:
                raise JournalBroken(_broken(self._directory, error)) from None

    def close(self) -> None:
        """Give the directory free. A journal with nothing left to ship leaves no segment behind."""
        self._idle_s = 0.0
        try:
            self.retire(self._retired_to)
        finally:
            for segment in self._segments:
                os.close(segment.descriptor)
            self._segments = []
            self._current = None
            os.close(self._lock)

    def _end(self) -> Position:
        last = self._segments[-1] if self._segments else None
        return Position(last.name.number, last.size) if last else Position(self._next, 0)

    def _rotate(self) -> Segment:
        name = fresh_name(self._next)
        path = self._directory / name.text
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise JournalBroken(_broken(self._directory, error)) from None
        self._next += 1
        self._current = Segment(name, path, descriptor, 0, time.monotonic())
        self._segments.append(self._current)
        return self._current

    def _take_back(self, segment: Segment) -> None:
        """Cut off what a failed write left, so that the next record begins where this one would have."""
        try:
            os.ftruncate(segment.descriptor, segment.size)
        except OSError:
            # Nothing may follow half a record: the segment stays to be read, and the next record begins another.
            self._current = None

    def _read(self, segment: Segment, offset: int, size: int, limit: int) -> tuple[list[bytes], int]:
        """Payloads of one segment from an offset on, and the offset after them; it grows with every call."""
        try:
            found = scan(
                self._bytes(segment, offset, min(size, offset + _CHUNK)), segment.name.salt, limit=limit, whole=False
            )
            if found.end == 0:
                found = scan(self._bytes(segment, offset, size), segment.name.salt, limit=limit)
        except OSError as error:
            raise JournalBroken(_broken(self._directory, error)) from None
        if found.torn is not None:
            found.damaged.append((found.torn, size - offset))
            found.end = size - offset
        for start, end in found.damaged:
            damage = Damage(segment.path.name, offset + start, offset + end)
            if damage not in self.findings.damaged:
                copy_damaged(segment.path)
                self.findings.damaged.append(damage)
                log.error("ledger: journal %s: %s", self._directory, damage.in_words())
        return found.payloads, offset + found.end

    def _bytes(self, segment: Segment, start: int, end: int) -> bytes:
        data = os.pread(segment.descriptor, end - start, start)
        if len(data) < end - start:
            # Somebody shortened the file; zeros stand for what is gone, and are found to be damaged.
            data += bytes(end - start - len(data))
        return data

    def _retire(self, position: Position) -> list[Segment]:
        """Move on to a position; returns the segments that are done with, which nobody else sees any more."""
        gone: list[Segment] = []
        while self._segments:
            first = self._segments[0]
            if position < (first.name.number, first.size):
                break
            if first is self._current:
                if time.monotonic() - first.opened_s < self._idle_s:
                    break
                self._current = None
            gone.append(self._segments.pop(0))
            self._deleted += first.size
        inside = bool(self._segments) and self._segments[0].name.number == position.number
        self._retired = self._deleted + (position.offset if inside else 0)
        self._retired_to = position
        return gone


def _lock(directory: Path) -> int:
    """Make the directory ours until the process ends. Raises JournalLocked, JournalBroken."""
    try:
        directory.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        directory.mkdir(mode=0o700, exist_ok=True)
        descriptor = os.open(directory / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise JournalBroken(_broken(directory, error)) from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise JournalLocked(
            f"{directory}: another Headgate process uses it; stop that one, or give this one a HEADGATE_DATA_DIR"
        ) from None
    return descriptor


def _broken(directory: Path, error: OSError) -> str:
    return f"{directory}: the journal of the ledger cannot be used: {error.strerror or error}"
