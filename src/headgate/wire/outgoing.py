"""What goes out on sockets, written together at the end of a turn of the event loop.

A write that wakes the reader at the other end costs several times one that finds it awake. Where the answers of one
turn go out one after the other, with no work in between, the first one wakes the reader and the others are read by the
way. A write waits for nothing but the work that is ready already, some tens of microseconds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any
from weakref import WeakKeyDictionary

AT_ONCE = 64 * 1024
"""A piece of more bytes goes out at once, with what was written before."""

MOST_PIECES = 16
"""Pieces of one connection that are held back."""

_outboxes: WeakKeyDictionary[asyncio.AbstractEventLoop, Outbox] = WeakKeyDictionary()


class Outbox:
    """The connections of one event loop that have something to write."""

    __slots__ = ("__weakref__", "_before", "_call_soon", "_planned", "_waiting")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        # Not the loop itself: nothing here may keep it alive, or it would never leave the table above.
        self._call_soon = loop.call_soon
        self._waiting: list[Outgoing] = []
        self._before: Callable[[], None] | None = None
        self._planned = False

    def add(self, outgoing: Outgoing) -> None:
        """Have it flushed in the next turn."""
        if not self._planned:
            self._plan()
        self._waiting.append(outgoing)

    def before(self, work: Callable[[], None]) -> None:
        """Do something before anything more goes out, at the latest when this turn ends. There is one of its kind."""
        self._before = work
        if not self._planned:
            self._plan()

    def settle(self) -> None:
        """Do what was to be done before anything goes out."""
        work = self._before
        if work is not None:
            self._before = None
            work()

    def _plan(self) -> None:
        self._planned = True
        self._call_soon(self._flush)

    def _flush(self) -> None:
        self._planned = False
        self.settle()
        waiting, self._waiting = self._waiting, []
        left = iter(waiting)
        try:
            for outgoing in left:
                outgoing.flush()
        finally:
            # A defect of one transport must not hold up the others.
            for outgoing in left:
                self.add(outgoing)


def outbox_of(loop: asyncio.AbstractEventLoop) -> Outbox:
    """The one outbox of an event loop."""
    outbox = _outboxes.get(loop)
    if outbox is None:
        outbox = _outboxes[loop] = Outbox(loop)
    return outbox


class Outgoing(asyncio.Transport):
    """A transport that holds back what is written until the turn ends. Whatever closes it lets that go out first."""

    __slots__ = ("_first", "_more", "_outbox", "_transport")

    def __init__(self, transport: asyncio.Transport, outbox: Outbox) -> None:
        self._transport = transport
        self._outbox = outbox
        # Nearly always one piece waits, or none: only several need a list.
        self._first = b""
        self._more: list[bytes] = []

    def write(self, data: bytes) -> None:  # type: ignore[override]
        if self._first:
            self._more.append(data)
            if len(self._more) >= MOST_PIECES:
                self.flush()
        else:
            self._first = data
            # What `Outbox.add` does, without the call: every event of every stream comes by here.
            outbox = self._outbox
            if not outbox._planned:
                outbox._plan()
            outbox._waiting.append(self)
        if len(data) > AT_ONCE:
            self.flush()

    def writelines(self, list_of_data: Iterable[bytes]) -> None:  # type: ignore[override]
        for data in list_of_data:
            self.write(data)

    def flush(self) -> None:
        """Hand on what was held back; a connection that is gone takes nothing any more."""
        first = self._first
        if not first:
            return
        outbox = self._outbox
        if outbox._before is not None:
            outbox.settle()
        self._first = b""
        transport = self._transport
        if self._more:
            self._write_all([first, *self._more])
        elif not transport.is_closing():
            transport.write(first)

    def _write_all(self, pieces: list[bytes]) -> None:
        self._more = []
        if self._transport.is_closing():
            return
        if sum(map(len, pieces)) <= AT_ONCE:
            # Copying a little costs less than a write of several pieces.
            self._transport.write(b"".join(pieces))
        else:
            self._transport.writelines(pieces)

    def close(self) -> None:
        self.flush()
        self._transport.close()

    def write_eof(self) -> None:
        self.flush()
        self._transport.write_eof()

    def abort(self) -> None:
        self._first, self._more = b"", []
        self._transport.abort()

    def is_closing(self) -> bool:
        return self._transport.is_closing()

    def get_write_buffer_size(self) -> int:
        return len(self._first) + sum(map(len, self._more)) + self._transport.get_write_buffer_size()

    def pause_reading(self) -> None:
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        self._transport.resume_reading()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._transport.get_extra_info(name, default)
