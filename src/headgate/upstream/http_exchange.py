"""One exchange on an HTTP/1.1 connection: its buffer, its clocks, and how it ends.

No task and no timer is made per piece of body, nor for an exchange: one timer for a connection looks at the clocks of
whatever exchange runs on it when the earliest of them could have run out, and is otherwise left alone.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from typing import Protocol

from headgate.types.fault import FaultClass
from headgate.upstream.decoding import Decoder, DecodingFailed, decoder_for
from headgate.upstream.exchange import Clocks, ExchangeFailed
from headgate.wire import sse

# Kept by themselves: looking a member up in its class takes twice as long, and every piece of a stream asks.
_STALLED, _NO_FIRST_TOKEN = FaultClass.STALLED, FaultClass.NO_FIRST_TOKEN

HIGH_WATER = 256 * 1024
DRAIN_BYTES = 64 * 1024
DRAIN_S = 1.0
_NEVER = -math.inf


class Carrier(Protocol):
    """What an exchange asks of the connection it runs on."""

    paused: bool

    def pause(self) -> None: ...
    def resume(self) -> None: ...
    def abort(self) -> None: ...
    def disown(self) -> None: ...
    def wake_at(self, when: float) -> None: ...
    def exchange_over(self, *, reusable: bool) -> None: ...


_COLON = 0x3A
"""Comments begin so."""


class HttpExchange:
    """One request and its reply on a connection. Made by `Connection.start`; see `exchange.Exchange`."""

    __slots__ = (
        "_buffer",
        "_buffered",
        "_clocks",
        "_complete",
        "_connection",
        "_consume",
        "_decoder",
        "_defect",
        "_due",
        "_failure",
        "_found",
        "_headers",
        "_heard",
        "_loop",
        "_phase",
        "_released",
        "_waiter",
        "connected_at",
        "head_received",
        "status",
    )

    def __init__(self, connection: Carrier, clocks: Clocks, loop: asyncio.AbstractEventLoop) -> None:
        self.status = 0
        self.head_received = False
        self._found: dict[bytes, bytes] = {}
        self._headers: dict[str, str] | None = None
        self._connection = connection
        self._clocks = clocks
        self._loop = loop
        self._buffer: list[bytes] = []
        self._buffered = 0
        self._complete = False
        self._released = False
        self._failure: ExchangeFailed | None = None
        self._decoder: Decoder | None = None
        self._consume: Callable[[bytes], bool] | None = None
        self._defect: Exception | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._phase = _NO_FIRST_TOKEN
        # When the last piece came that moves the gap clock; only `tick` looks.
        self._heard = _NEVER
        limit = clocks.first_token_s
        self.connected_at = loop.time()
        self._due = clocks.deadline if limit is None else min(clocks.deadline, self.connected_at + limit)
        connection.wake_at(self._due)

    # What the caller does

    @property
    def headers(self) -> dict[str, str]:
        # As text only for those who ask: hardly anybody does when all goes well.
        if self._headers is None:
            self._headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in self._found.items()}
        return self._headers

    @property
    def tells_limits(self) -> bool:
        return b"limit" in b" ".join(self._found)

    async def head(self) -> None:
        """Wait for the status line and headers. Raises ExchangeFailed."""
        while not self.head_received:
            if self._failure is not None:
                raise self._failure
            await self._wait()

    async def read(self) -> bytes:
        while True:
            if self._buffer:
                pieces, self._buffer = self._buffer, []
                self._buffered = 0
                if self._connection.paused:
                    self._resume()
                return pieces[0] if len(pieces) == 1 else b"".join(pieces)
            if self._failure is not None:
                raise self._failure
            if self._complete:
                return b""
            await self._wait()

    async def pump(self, consume: Callable[[bytes], bool]) -> bool:
        while self._buffer or self._complete or self._failure is not None:
            data = await self.read()
            if not data:
                return True
            if not consume(data):
                return False
        self._consume = consume
        try:
            await self._wait()
        finally:
            self._consume = None
        if self._defect is not None:
            raise self._defect
        if self._failure is not None and not self._buffer:
            raise self._failure
        return self._complete and not self._buffer

    def content_started(self) -> None:
        if self._phase is _NO_FIRST_TOKEN:
            self._phase = _STALLED
            self._due = self._loop.time() + self._clocks.gap_s
            self._arm()

    def release(self) -> None:
        if self._released:
            return
        self._released = True
        self._buffer.clear()
        if self._complete or self._failure is not None:
            self._connection.exchange_over(reusable=self._complete)
            return
        # The terminating chunk is usually a packet behind the last event; waiting for it briefly saves a handshake.
        self._buffered = 0
        self._heard = _NEVER
        self._due = min(self._clocks.deadline, self._loop.time() + DRAIN_S)
        self._phase = _STALLED
        self._arm()
        if self._connection.paused:
            self._connection.resume()

    def cancel(self) -> None:
        if self._released and self._complete:
            # The connection is no longer this exchange's: it may serve another one by now.
            return
        self._released = True
        if self._complete:
            self._connection.exchange_over(reusable=True)
        else:
            self._connection.abort()

    # What the connection tells

    def received_head(self, status: int, found: dict[bytes, bytes]) -> None:
        """`found` are the headers by lower-case name, repeated ones joined by a comma."""
        self._found = found
        if b"content-encoding" in found:
            try:
                self._decoder = decoder_for(self.headers)
            except DecodingFailed as failure:
                self._break(FaultClass.SERVER_ERROR, str(failure))
                return
        self.status = status
        self.head_received = True
        if self._clocks.first_token_s is None or status != 200:
            # A whole reply has begun to arrive, so it must not pause for long.
            self._phase = _STALLED
            self._due = self._loop.time() + self._clocks.gap_s
            self._arm()
        self._wake()

    def received_body(self, data: bytes) -> None:
        if self._decoder is not None:
            try:
                data = self._decoder.decode(data)
            except DecodingFailed as failure:
                self._break(FaultClass.BROKEN_STREAM, str(failure))
                return
            if not data:
                return
        consume = self._consume
        if consume is None:
            self._keep(data)
            return
        if data[0] != _COLON or not sse.is_comment(data):
            self._heard = self._loop.time()
        try:
            goes_on = consume(data)
        except Exception as defect:  # noqa: BLE001  because the parser would swallow it: it belongs to whoever pumps
            self._defect = defect
            goes_on = False
        if not goes_on:
            self._consume = None
            self._wake()

    def _keep(self, data: bytes) -> None:
        """Until somebody reads it, or for nobody: of a rest that is only drained it matters how long it is."""
        self._buffered += len(data)
        if self._released:
            if self._buffered > DRAIN_BYTES:
                self._connection.abort()
            return
        self._buffer.append(data)
        if data[0] != _COLON or not sse.is_comment(data):
            self._heard = self._loop.time()
        if self._buffered > HIGH_WATER:
            self._connection.pause()
        self._wake()

    def received_end(self) -> None:
        if self._decoder is not None and not self._decoder.finished:
            self._break(FaultClass.BROKEN_STREAM, "the compressed reply ended too early")
            return
        self._complete = True
        if self._released:
            self._connection.exchange_over(reusable=True)
        else:
            self._wake()

    def fail(self, failure: ExchangeFailed) -> None:
        if self._complete or self._failure is not None:
            return
        self._failure = failure
        self._wake()

    def _break(self, kind: FaultClass, message: str) -> None:
        self.fail(ExchangeFailed(kind, message))
        self._connection.disown()

    # Clocks

    def tick(self) -> None:
        """The timer fired: either a clock has run out, or traffic has moved the due time on."""
        if self._failure is not None or self._complete:
            return
        if self._phase is _STALLED:
            self._due = max(self._due, self._heard + self._clocks.gap_s)
        now = self._loop.time()
        deadline = self._clocks.deadline
        if now >= deadline:
            kind, message = FaultClass.TOTAL_TIMEOUT, "the request's deadline passed"
        elif self._connection.paused:
            # The client is slow, not the upstream: only the deadline counts meanwhile.
            self._connection.wake_at(deadline)
            return
        elif now >= self._due:
            kind = self._phase
            message = "no first token in time" if kind is _NO_FIRST_TOKEN else "the reply stalled"
        else:
            self._arm()
            return
        self._break(kind, message)

    def _arm(self) -> None:
        """Make sure the timer fires no later than the due time; a later due time is found when it fires."""
        self._connection.wake_at(min(self._due, self._clocks.deadline))

    def _resume(self) -> None:
        if not self._complete and self._failure is None:
            if self._phase is _STALLED:
                self._due = self._loop.time() + self._clocks.gap_s
            self._arm()
        self._connection.resume()

    async def _wait(self) -> None:
        self._waiter = waiter = self._loop.create_future()
        try:
            await waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)
