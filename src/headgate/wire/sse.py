"""Server-sent events, taken apart without losing a byte.

A stream is cut into whole events; each keeps the bytes that came, so that an event nobody needs to change is
forwarded as it was. Line ends may be LF, CRLF or CR, as the WHATWG specification allows.
"""

from __future__ import annotations

import re

_CR = 13
"""Looked for as a number: `b"\\r" in data` would take ten times as long."""

_EVENT_END = re.compile(rb"(?:\r\n|\n|\r(?!\n))(?:\r\n|\n|\r(?!\n))")
_LINE_END = re.compile(rb"\r\n|\n|\r")


class EventTooLarge(ValueError):
    """One event grew past the limit."""


class Splitter:
    """Cuts arriving bytes at the ends of events and keeps what is not whole yet.

    `feed` returns all whole events as one run of bytes, because most runs are forwarded as they are and never need
    to be taken apart; `split` does that. No more than `limit` bytes are kept for one event.
    """

    __slots__ = ("_cr", "_limit", "_tail")

    def __init__(self, limit: int = 16 * 1024 * 1024) -> None:
        self._tail = bytearray()
        self._cr = False
        self._limit = limit

    @property
    def pending(self) -> bytes:
        """Bytes of an event that has not ended."""
        return bytes(self._tail)

    @property
    def is_inside(self) -> bool:
        """Whether an event has begun and not ended."""
        return bool(self._tail)

    def feed(self, data: bytes) -> bytes:
        """Take the next bytes; give back every event that is whole now. Raises EventTooLarge."""
        tail = self._tail
        # Nearly every read ends where an event ends.
        if not tail and data.endswith(b"\n\n") and _CR not in data:
            return data
        # Three bytes of an end may be here already; what lies before them has been searched, and a long event in
        # small pieces must not be gone over again for each.
        start = max(0, len(tail) - 3)
        tail += data
        self._cr = self._cr or _CR in data
        end = _end(tail, start, self._cr)
        if end == 0:
            if len(tail) > self._limit:
                raise EventTooLarge(f"an event is longer than {self._limit} bytes")
            return b""
        whole = bytes(tail[:end])
        del tail[:end]
        return whole


def _end(data: bytearray, start: int, cr: bool) -> int:
    """Where the last event that is whole ends, searched for from `start` on; 0 when there is none."""
    if not cr:
        at = data.rfind(b"\n\n", start)
        return at + 2 if at >= 0 else 0
    end = 0
    for match in _EVENT_END.finditer(data, start):
        # A CR in last place may be half of a CRLF whose other half is still on its way.
        if match.end() == len(data) and data[-1:] == b"\r":
            break
        end = match.end()
    return end


def split(run: bytes) -> list[bytes]:
    """Take a run of whole events apart; the pieces joined give the run again."""
    if _CR not in run:
        parts = run.split(b"\n\n")
        last = parts.pop()
        events = [part + b"\n\n" for part in parts]
        if last:
            events.append(last)
        return events
    events, start = [], 0
    for match in _EVENT_END.finditer(run):
        events.append(run[start : match.end()])
        start = match.end()
    if start < len(run):
        events.append(run[start:])
    return events


def is_plain(event: bytes) -> bool:
    """Whether an event, or a run of them, is one line of data behind `data: ` and nothing else."""
    return event.startswith(b"data: ") and event.find(b"\n") == len(event) - 2 and _CR not in event


def data_of(event: bytes) -> bytes:
    """The payload of one event: its `data` lines joined by LF; empty for a comment or an event without data."""
    if is_plain(event) and event.endswith(b"\n\n"):
        return event[6:-2]
    lines: list[bytes] = []
    for line in _LINE_END.split(event):
        if line.startswith(b"data:") or line == b"data":
            value = line[5:]
            lines.append(value[1:] if value.startswith(b" ") else value)
    return b"\n".join(lines)


def name_of(event: bytes) -> bytes:
    """The value of the last `event` field, or empty."""
    name = b""
    if b"event:" in event:
        for line in _LINE_END.split(event):
            if line.startswith(b"event:"):
                name = line[6:].strip(b" ")
    return name


def is_comment(data: bytes) -> bool:
    """Whether a piece of a stream is comments and nothing else, which keep a connection open and say nothing."""
    return data[:1] == b":" and b"data" not in data and b"event" not in data


def render(data: bytes) -> bytes:
    """One event around a payload; its lines end in LF, if there are several."""
    return b"data: " + data.replace(b"\n", b"\ndata: ") + b"\n\n"


DONE = b"data: [DONE]\n\n"
