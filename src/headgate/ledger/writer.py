"""Ships the journal into the database, in a thread of its own: requests never wait for SQL.

A database that is away for minutes costs nothing but room in the journal. An entry that no database could keep is set
aside and never holds up the others. The same thread deletes what is older than the operator wants to keep.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from headgate.ledger.journal import Journal, JournalError, Position
from headgate.ledger.rejected import set_aside
from headgate.store.errors import BadValue, StoreError
from headgate.types.entry import Entry

BATCH = 500
EVERY_S = 0.2
KEEP_DAYS = 90
EXPIRE_EVERY_S = 3600.0
EXPIRE_BATCH = 200
FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 5.0
_US_PER_DAY = 86_400_000_000
_AT_A_STRETCH = 50
_BREATH_S = 0.0001

log = logging.getLogger("headgate")
decode_entry = msgspec.msgpack.Decoder(Entry).decode


class Rows(Protocol):
    """What the writer asks of the database. Both raise StoreError; `add` BadValue for what can never be kept."""

    def add(self, entries: Sequence[Entry]) -> int: ...

    def expire(self, before_us: int, batch: int) -> int: ...


class Writer:
    """The thread between journal and database.

    `each_round` is called a few times a second, whatever else happens; it must not raise. With `keep_days` None
    requests are kept for ever; less than a day is a ValueError, because the journal may hold an entry for an hour after
    it was shipped, and replaying it once its row is gone would count it twice.
    """

    def __init__(
        self,
        journal: Journal,
        rows: Rows,
        *,
        keep_days: int | None = KEEP_DAYS,
        each_round: Callable[[], None] = lambda: None,
        now: Callable[[], float] = time.time,
        first_pause_s: float = FIRST_PAUSE_S,
    ) -> None:
        if keep_days is not None and keep_days < 1:
            raise ValueError(f"requests are kept for a day at least, not {keep_days} days")
        self._journal = journal
        self._rows = rows
        self._keep_days = keep_days
        self._each_round = each_round
        self._now = now
        self._position = journal.start
        self._pauses = Pauses(first_pause_s)
        self._expire_at = 0.0
        self._stopping = False
        self._wake = threading.Event()
        self._progress = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="ledger-writer", daemon=True)

    @property
    def down_since(self) -> float | None:
        """Since when (monotonic seconds) the database has not been reached; None while all is well."""
        return self._pauses.since

    def start(self) -> None:
        self._thread.start()

    def poke(self) -> None:
        """Look into the journal now."""
        self._wake.set()

    def flushed(self, timeout_s: float) -> bool:
        """Wait until all that is in the journal now is in the database; False when that takes too long."""
        target = self._journal.end
        self.poke()
        with self._progress:
            return self._progress.wait_for(lambda: self._position >= target, timeout_s)

    def stop(self, timeout_s: float | None) -> bool:
        """Ship what is left, then end; whether everything is in the database.

        What is not stays in the journal, for the next start. While the thread still waits for the database (it ends
        with the process) the journal must not be closed.
        """
        self._stopping = True
        self.poke()
        self._thread.join(timeout_s)
        left = self._thread.is_alive() or self._journal.waiting_bytes > 0
        if left:
            log.warning(
                "ledger: %d KB of entries are not in the database yet; they stay in the journal and go there after "
                "the next start",
                self._journal.waiting_bytes // 1024 + 1,
            )
        return not left

    def _run(self) -> None:
        while True:
            stopping = self._stopping
            self._wake.clear()
            pause_s = self._round(stopping)
            if stopping:
                return
            self._rest(pause_s)

    def _rest(self, pause_s: float) -> None:
        """Wait, at most until poked. What waits for the journal in memory does not wait for the database as well."""
        until = time.monotonic() + pause_s
        while (left := until - time.monotonic()) > 0 and not self._wake.wait(min(left, EVERY_S)):
            self._each_round()

    def _round(self, stopping: bool) -> float:
        """Ship all there is; returns how many seconds to wait before the next look."""
        try:
            self._each_round()
            self._ship(stopping)
            self._pauses.over()
            if not stopping:
                self._expire()
        except (StoreError, JournalError) as error:
            return self._pauses.next(str(error), self._journal.waiting_bytes)
        except Exception as error:
            if self._pauses.since is None:
                log.exception("ledger: a defect stops the way into the database; it is tried again")
            return self._pauses.next(f"{type(error).__name__}: {error}", self._journal.waiting_bytes)
        return EVERY_S

    def _ship(self, stopping: bool) -> None:
        while True:
            payloads, position = self._journal.read(self._position, BATCH)
            if not payloads:
                self._move(position)
                return
            began = time.thread_time()
            self._insert(payloads)
            self._move(position)
            if self._stopping and not stopping:
                # The round that ends the thread ships the rest.
                return
            # Catching up after an outage must leave the interpreter to requests for half of the time.
            if not stopping and len(payloads) == BATCH:
                time.sleep(time.thread_time() - began)

    def _move(self, position: Position) -> None:
        with self._progress:
            self._position = position
            self._progress.notify_all()
        self._journal.retire(position)

    def _insert(self, payloads: list[bytes]) -> None:
        try:
            self._rows.add(_decoded(payloads))
        except (BadValue, msgspec.DecodeError) as error:
            if len(payloads) == 1:
                set_aside(self._journal.directory, payloads[0], str(error))
                return
            half = len(payloads) // 2
            self._insert(payloads[:half])
            self._insert(payloads[half:])

    def _expire(self) -> None:
        """Delete old requests, one short transaction a round, until there are none for the next hour."""
        if self._keep_days is None or time.monotonic() < self._expire_at:
            return
        before_us = int(self._now() * 1_000_000) - self._keep_days * _US_PER_DAY
        if self._rows.expire(before_us, EXPIRE_BATCH) < EXPIRE_BATCH:
            self._expire_at = time.monotonic() + EXPIRE_EVERY_S


def _decoded(payloads: list[bytes]) -> list[Entry]:
    """Entries, with a breath after every few: until then no other thread runs a line. Raises DecodeError."""
    entries: list[Entry] = []
    for start in range(0, len(payloads), _AT_A_STRETCH):
        entries += map(decode_entry, payloads[start : start + _AT_A_STRETCH])
        time.sleep(_BREATH_S)
    return entries


class Pauses:
    """Growing, jittered pauses while the database cannot be used; one log line when that begins, one when it ends."""

    def __init__(self, first_s: float = FIRST_PAUSE_S) -> None:
        self._first_s = first_s
        self._next_s = first_s
        self.since: float | None = None

    def next(self, why: str, waiting_bytes: int) -> float:
        """Something failed; returns how many seconds to wait."""
        if self.since is None:
            self.since = time.monotonic()
            log.error(
                "ledger: entries do not reach the database: %s; requests go on, %d KB wait in the journal",
                why,
                waiting_bytes // 1024 + 1,
            )
        pause_s = self._next_s * random.uniform(0.5, 1.0)
        self._next_s = min(self._next_s * 2, LONGEST_PAUSE_S)
        return pause_s

    def over(self) -> None:
        """It worked."""
        if self.since is not None:
            log.warning("ledger: entries reach the database again, after %.0f s", time.monotonic() - self.since)
        self.since = None
        self._next_s = self._first_s
