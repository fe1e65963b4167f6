"""Server-sent events, taken apart without losing a byte.

A stream is cut into whole events; each keeps the bytes that came, so that an event nobody needs to change is
forwarded as it was. Line ends may be LF, CRLF or CR, as the WHATWG specification allows.
"""

from __future__ import annotations

import re

_EVENT_END = re.compile(rb"(?:\r\n|\n|\r(?!\n))(?:\r\n|\n|\r(?!\n))")
_LINE_END = re.compile(rb"\r\n|\n|\r")


class EventTooLarge(ValueError):
    """One event grew past the limit."""


class Splitter:
    """Cuts arriving bytes at the ends of events and keeps what is not whole yet.

    `feed` returns all whole events as one run of bytes, because most runs are forwarded as they are and never need
    to be taken apart; `split` does that. No more than `limit` bytes are kept for one event.
    """

    __slots__ = ("_limit", "_searched", "_tail")

    def __init__(self, limit: int = 16 * 1024 * 1024) -> None:
        self._tail = bytearray()
        self._searched = 0
        self._limit = limit

    @property
    def pending(self) -> bytes:
        """Bytes of an event that has not ended."""
        return bytes(self._tail)

    def feed(self, data: bytes) -> bytes:
        """Take the next bytes; give back every event that is whole now. Raises EventTooLarge."""
        tail = self._tail
        if not tail:
            # Nearly every read ends where an event ends.
            if data.endswith(b"\n\n") and b"\r" not in data:
                return data
            whole, rest = _cut(data, 0)
            tail += rest
        else:
            start = max(0, self._searched - 3)
            tail += data
            whole, rest = _cut(tail, start)
            if whole:
                self._tail = tail = bytearray(rest)
        self._searched = len(tail)
        if len(tail) > self._limit:
            raise EventTooLarge(f"an event is longer than {self._limit} bytes")
        return bytes(whole)


def _cut(data: bytes | bytearray, start: int) -> tuple[bytes, bytes]:
    """Everything up to the last end of an event found from `start` on, and the rest."""
    end = -1
    if b"\r" not in data:
        at = data.rfind(b"\n\n", start)
        if at >= 0:
            end = at + 2
    else:
        for match in _EVENT_END.finditer(data, start):
            # A CR in last place may be half of a CRLF whose other half is still on its way.
            if match.end() == len(data) and data[-1:] == b"\r":
                break
            end = match.end()
    if end < 0:
        return b"", bytes(data)
    return bytes(data[:end]), bytes(data[end:])


def split(run: bytes) -> list[bytes]:
    """Take a run of whole events apart; the pieces joined give the run again."""
    if b"\r" not in run:
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


def data_of(event: bytes) -> bytes:
    """The payload of one event: its `data` lines joined by LF; empty for a comment or an event without data."""
    if event.startswith(b"data: ") and event.endswith(b"\n\n") and event.find(b"\n") == len(event) - 2:
        return event[6:-2]
    lines: list[bytes] = []
    for line in _LINE_END.split(event):
        if line.startswith(b"data:"):
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


def render(data: bytes) -> bytes:
    """One event around a payload that holds no line end."""
    return b"data: " + data + b"\n\n"


DONE = b"data: [DONE]\n\n"
