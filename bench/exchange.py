"""One HTTP exchange after the other over one connection, parsed by hand, with every answer checked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import perf_counter
from typing import cast

from bench import wire

_ANSWER = wire.ANSWER.encode()
_KEPT_BYTES = 1000
"""The end of a stream that is kept: more than the finish event, the usage event and [DONE] together."""


def _unchunk(data: bytes) -> tuple[bytes, bytes, bool]:
    """(payload, rest that is not a whole chunk yet, whether the last chunk was seen)."""
    parts: list[bytes] = []
    at = 0
    while (line := data.find(b"\r\n", at)) >= 0:
        size = int(data[at:line], 16)
        if len(data) < line + 4 + size:
            break
        if not size:
            return b"".join(parts), data[line + 4 :], True
        parts.append(data[line + 2 : line + 2 + size])
        at = line + 4 + size
    return b"".join(parts), data[at:], False


class Exchange(asyncio.Protocol):
    """One connection with one request at a time; calls `replied(self, fault)` after each, fault "" when all is well.

    A stream (`words` given) must hold that many content events, the usage event if asked for, and end with [DONE].
    """

    transport: asyncio.Transport

    def __init__(
        self,
        request: bytes,
        replied: Callable[[Exchange, str], None],
        *,
        words: int | None = None,
        usage: bool = False,
        began: Callable[[], None] | None = None,
    ) -> None:
        self._request = request
        self._replied = replied
        self._words = words
        self._usage = usage
        self.began = began
        self.busy = False
        self.waiting = 0.0
        self.reads = 0

    @property
    def begun(self) -> bool:
        """Whether a content event of the stream has come."""
        return self._seen > 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def send(self) -> None:
        """Sends the request (again)."""
        self.busy = True
        self._buffer = self._tail = self._body = b""
        self._head = True
        self._seen = 0
        self._ok = self._chunked = False
        self._left = -1
        self.waiting = perf_counter()
        self.transport.write(self._request)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.busy:
            return
        if not self._head and not self._chunked and self._left < 0:
            self._end()
        else:
            self._done(f"connection lost ({exc or 'closed'}) after {self._seen} events")

    def data_received(self, data: bytes) -> None:
        if self._buffer:
            data = self._buffer + data
            self._buffer = b""
        if self._head:
            end = data.find(b"\r\n\r\n")
            if end < 0:
                self._buffer = data
                return
            self._read_head(data[:end].lower())
            data = data[end + 4 :]
        last = False
        if self._chunked:
            data, self._buffer, last = _unchunk(data)
        elif self._left >= 0:
            self._left -= len(data)
            last = self._left <= 0
        self._take(data)
        if last:
            self._end()

    def _read_head(self, head: bytes) -> None:
        self._head = False
        self._ok = head.startswith(b"http/1.1 200")
        at = head.find(b"content-length:")
        if at >= 0:
            self._left = int(head[at + 15 :].split(b"\r\n", 1)[0])
        self._chunked = at < 0 and b"transfer-encoding: chunked" in head

    def _take(self, data: bytes) -> None:
        if self._words is None or not self._ok:
            self._body += data
            return
        text = self._tail + data
        found = text.count(wire.MARK)
        if found and not self._seen and self.began:
            self.began()
        self._seen += found
        self.reads += 1 if found else 0
        # A mark split over two reads is found through the tail; shorter than a mark, so that none counts twice.
        self._tail = text[-(len(wire.MARK) - 1) :]
        self._body = (self._body + data)[-_KEPT_BYTES:]

    def _end(self) -> None:
        if not self._ok:
            self._done(f"not a 200: {self._body[:200].decode(errors='replace')}")
        elif self._words is None:
            good = _ANSWER in self._body and 300 < len(self._body) < 2000
            self._done("" if good else f"wrong answer: {self._body[:200].decode(errors='replace')}")
        elif not self._body.rstrip().endswith(b"[DONE]"):
            self._done(f"stream ended without [DONE] after {self._seen} events")
        elif self._seen != self._words:
            self._done(f"stream of {self._seen} events instead of {self._words}")
        else:
            self._done(
                "" if self._usage is (b'"total_tokens"' in self._body) else "usage event missing, or not asked for"
            )

    def _done(self, fault: str) -> None:
        self.busy = False
        self._replied(self, fault)
