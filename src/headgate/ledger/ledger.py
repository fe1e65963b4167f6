"""What the gateway holds of the ledger: a place to put entries that never fails and never waits."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from enum import StrEnum

import msgspec

from headgate.ledger.journal import Journal, JournalError
from headgate.ledger.segment import MAX_PAYLOAD
from headgate.types.entry import Entry

HELD_BYTES = 64 * 2**20
"""Memory for entries that the journal cannot take."""

log = logging.getLogger("headgate")
encode_entry = msgspec.msgpack.Encoder().encode


class WhenFull(StrEnum):
    """What becomes of requests that could not be recorded."""

    REFUSE = "refuse"  # none is served: nothing goes unbilled
    SERVE = "serve"  # all are served: what does not fit in memory is lost


class Ledger:
    """Records entries in the journal; while that cannot take them, in memory.

    `alarm` says why the journal cannot take them, None while all is well; `dropped` counts entries that were lost.
    With `before_answers`, what is recorded in one turn of the event loop is written together: it has whatever it is
    given done before anything more goes out to anybody. Without, every entry is written at once.
    """

    def __init__(
        self,
        journal: Journal,
        *,
        when_full: WhenFull = WhenFull.REFUSE,
        held_bytes: int = HELD_BYTES,
        before_answers: Callable[[Callable[[], None]], None] | None = None,
    ) -> None:
        self._append = journal.append
        self._append_all = journal.append_all
        self._before_answers = before_answers
        self._turn: list[bytes] = []
        self._when_full = when_full
        self._room = held_bytes
        self._held: deque[bytes] = deque()
        # The gateway's thread fills what the writer's thread empties.
        self._guard = threading.Lock()
        self.alarm: str | None = None
        self.dropped = 0

    @property
    def refuses(self) -> bool:
        """Whether requests must be refused because they could not be recorded."""
        # Two threads change the alarm: what follows from it is not kept beside it.
        return self.alarm is not None and self._when_full is WhenFull.REFUSE

    def record(self, entry: Entry) -> None:
        """Put an entry into the journal. Never raises, never waits for anybody."""
        try:
            payload = encode_entry(entry)
        except (OverflowError, UnicodeEncodeError) as error:
            self._drop(entry, str(error))
            return
        if len(payload) > MAX_PAYLOAD:
            self._drop(entry, f"{len(payload)} bytes are more than {MAX_PAYLOAD}")
            return
        turn = self._turn
        turn.append(payload)
        if self._before_answers is None:
            self.write()
        elif len(turn) == 1:
            self._before_answers(self.write)

    def write(self) -> None:
        """Put what was recorded in this turn into the journal. Never raises, never waits for anybody."""
        turn = self._turn
        if not turn:
            return
        self._turn = []
        if self._held:
            # Behind those that wait already, whose turn comes in `retry`.
            for payload in turn:
                self._hold(payload)
            return
        try:
            self._append_all(turn)
        except JournalError as error:
            for payload in turn:
                self._hold(payload)
            self._raise_alarm(str(error))

    def retry(self) -> None:
        """Put what is held in memory into the journal; called now and then by the writer's thread."""
        while self._held:
            payload = self._held[0]
            try:
                self._append(payload)
            except JournalError as error:
                self._raise_alarm(str(error))
                return
            with self._guard:
                self._held.popleft()
                self._room += len(payload)
        if self.alarm is not None:
            self.alarm = None
            log.warning("ledger: the journal takes entries again; %d were lost so far", self.dropped)

    def _hold(self, payload: bytes) -> None:
        with self._guard:
            if len(payload) <= self._room:
                self._room -= len(payload)
                self._held.append(payload)
                return
            self.dropped += 1
        if self.dropped == 1:
            log.error("ledger: ENTRIES ARE LOST: the journal takes none, and the memory for them is full")

    def _raise_alarm(self, why: str) -> None:
        if self.alarm is None:
            consequence = "requests are refused" if self._when_full is WhenFull.REFUSE else "requests go on unrecorded"
            log.error("ledger: %s; entries wait in memory, %s until the journal can be written", why, consequence)
        self.alarm = why

    def _drop(self, entry: Entry, why: str) -> None:
        """An entry that cannot be written in any form: the log line is all that is left of it."""
        self.dropped += 1
        log.error("ledger: an entry cannot be written: %s: %.2000r", why, entry)
