"""HTTP/1.1 to one origin over one connection: our client, sans pool and sans dialling.

A `Connection` is an asyncio protocol around httptools' parser. It carries one exchange at a time; the exchange is
what the rest of the gateway sees. No task and no timer is made per piece of body: a single timer per exchange looks
at the clocks when the earliest of them could have run out and is otherwise left alone.

It does not follow redirects, keep cookies or negotiate encodings; it asks for `identity`.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Protocol, cast

import httptools

from headgate.types.fault import FaultClass
from headgate.upstream.decoding import Decoder, DecodingFailed, decoder_for
from headgate.upstream.exchange import Clocks, ExchangeFailed

MAX_HEAD_BYTES = 64 * 1024
MAX_HEADERS = 256
HIGH_WATER = 256 * 1024
MAX_INTERIM = 16
DRAIN_BYTES = 64 * 1024
DRAIN_S = 1.0


class Parser(Protocol):
    """What we use of httptools' parser, which ships without types."""

    def feed_data(self, data: bytes) -> None: ...
    def get_status_code(self) -> int: ...
    def should_keep_alive(self) -> bool: ...


def _response_parser(connection: Connection) -> Parser:
    parser: Parser = httptools.HttpResponseParser(connection)
    return parser


class HttpExchange:
    """One request and its reply on a connection. Made by `Connection.start`; see `exchange.Exchange`."""

    __slots__ = (
        "_buffer",
        "_buffered",
        "_clocks",
        "_complete",
        "_connection",
        "_decoder",
        "_due",
        "_failure",
        "_loop",
        "_phase",
        "_released",
        "_timer",
        "_waiter",
        "head_received",
        "headers",
        "status",
    )

    def __init__(self, connection: Connection, clocks: Clocks, loop: asyncio.AbstractEventLoop) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.head_received = False
        self._connection = connection
        self._clocks = clocks
        self._loop = loop
        self._buffer: deque[bytes] = deque()
        self._buffered = 0
        self._complete = False
        self._released = False
        self._failure: ExchangeFailed | None = None
        self._decoder: Decoder | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._phase = FaultClass.NO_FIRST_TOKEN
        limit = clocks.first_token_s
        self._due = clocks.deadline if limit is None else min(clocks.deadline, loop.time() + limit)
        self._timer: asyncio.TimerHandle | None = loop.call_at(self._due, self._tick)

    # What the caller does

    async def head(self) -> None:
        """Wait for the status line and headers. Raises ExchangeFailed."""
        while not self.head_received:
            if self._failure is not None:
                raise self._failure
            await self._wait()

    async def read(self) -> bytes:
        while True:
            if self._buffer:
                data = self._buffer.popleft() if len(self._buffer) == 1 else b"".join(self._buffer)
                self._buffer.clear()
                self._buffered = 0
                if self._connection.paused:
                    self._resume()
                return data
            if self._failure is not None:
                raise self._failure
            if self._complete:
                return b""
            # `_wait` in place: one coroutine less for every piece of every stream.
            self._waiter = waiter = self._loop.create_future()
            await waiter

    def content_started(self) -> None:
        if self._phase is FaultClass.NO_FIRST_TOKEN:
            self._phase = FaultClass.STALLED
            self._due = self._loop.time() + self._clocks.gap_s
            self._arm()

    def release(self) -> None:
        if self._released:
            return
        self._released = True
        self._buffer.clear()
        if self._complete or self._failure is not None:
            self._stop_timer()
            self._connection.exchange_over(reusable=self._complete)
            return
        # The terminating chunk is usually a packet behind the last event; waiting for it briefly saves a handshake.
        self._buffered = 0
        self._due = min(self._clocks.deadline, self._loop.time() + DRAIN_S)
        self._phase = FaultClass.STALLED
        self._arm()
        if self._connection.paused:
            self._connection.resume()

    def cancel(self) -> None:
        self._stop_timer()
        self._released = True
        if self._complete:
            self._connection.exchange_over(reusable=True)
        else:
            self._connection.abort()

    # What the connection tells

    def received_head(self, status: int, headers: dict[str, str]) -> None:
        try:
            self._decoder = decoder_for(headers)
        except DecodingFailed as failure:
            self.fail(ExchangeFailed(FaultClass.SERVER_ERROR, str(failure)))
            self._connection.abort()
            return
        self.status = status
        self.headers = headers
        self.head_received = True
        if self._clocks.first_token_s is None or status != 200:
            # A whole reply has begun to arrive, so it must not pause for long.
            self._phase = FaultClass.STALLED
            self._due = self._loop.time() + self._clocks.gap_s
            self._arm()
        self._wake()

    def received_body(self, data: bytes) -> None:
        if self._decoder is not None:
            try:
                data = self._decoder.decode(data)
            except DecodingFailed as failure:
                self.fail(ExchangeFailed(FaultClass.BROKEN_STREAM, str(failure)))
                self._connection.abort()
                return
            if not data:
                return
        self._buffered += len(data)
        if self._released:
            if self._buffered > DRAIN_BYTES:
                self._stop_timer()
                self._connection.abort()
            return
        self._buffer.append(data)
        if self._phase is FaultClass.STALLED:
            self._due = self._loop.time() + self._clocks.gap_s
        if self._buffered > HIGH_WATER:
            self._connection.pause()
        self._wake()

    def received_end(self) -> None:
        if self._decoder is not None and not self._decoder.finished:
            self.fail(ExchangeFailed(FaultClass.BROKEN_STREAM, "the compressed reply ended too early"))
            self._connection.abort()
            return
        self._complete = True
        self._stop_timer()
        if self._released:
            self._connection.exchange_over(reusable=True)
        else:
            self._wake()

    def fail(self, failure: ExchangeFailed) -> None:
        if self._complete or self._failure is not None:
            return
        self._failure = failure
        self._stop_timer()
        self._wake()

    # Clocks

    def _tick(self) -> None:
        """The timer fired: either a clock has run out, or traffic has moved the due time on."""
        now = self._loop.time()
        deadline = self._clocks.deadline
        if now >= deadline:
            kind, message = FaultClass.TOTAL_TIMEOUT, "the request's deadline passed"
        elif self._connection.paused:
            # The client is slow, not the upstream: only the deadline counts meanwhile.
            self._timer = self._loop.call_at(deadline, self._tick)
            return
        elif now >= self._due:
            kind = self._phase
            message = "no first token in time" if kind is FaultClass.NO_FIRST_TOKEN else "the reply stalled"
        else:
            self._timer = self._loop.call_at(min(self._due, deadline), self._tick)
            return
        self._timer = None
        self.fail(ExchangeFailed(kind, message))
        self._connection.abort()

    def _arm(self) -> None:
        """Make sure the timer fires no later than the due time; a later due time is found when it fires."""
        when = min(self._due, self._clocks.deadline)
        if self._timer is not None:
            if self._timer.when() <= when:
                return
            self._timer.cancel()
        self._timer = self._loop.call_at(when, self._tick)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _resume(self) -> None:
        if self._phase is FaultClass.STALLED and not self._complete and self._failure is None:
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


class Connection(asyncio.Protocol):
    """One keep-alive connection. `on_idle` and `on_closed` tell the pool."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        on_idle: Callable[[Connection], None],
        on_closed: Callable[[Connection], None],
    ) -> None:
        self._loop = loop
        self._on_idle = on_idle
        self._on_closed = on_closed
        self._transport: asyncio.Transport | None = None
        self._parser = _response_parser(self)
        self._exchange: HttpExchange | None = None
        self._headers: list[tuple[bytes, bytes]] = []
        self._head_bytes = 0
        self._framed = False
        self._in_message = False
        self._until_close = False
        self._interim = 0
        self._got_bytes = False
        self._reusable = True
        self.paused = False
        self.closed = False
        self.served = 0
        self.idle_since = 0.0

    # What the pool and the exchange do

    def start(self, head: bytes, body: bytes, clocks: Clocks) -> HttpExchange:
        """Send a request; its reply is the exchange that is returned."""
        assert self._transport is not None, "start() before the connection is made"
        exchange = HttpExchange(self, clocks, self._loop)
        self._exchange = exchange
        self._got_bytes = False
        self._interim = 0
        self._until_close = False
        self.served += 1
        self._transport.writelines((head, body))
        return exchange

    @property
    def usable(self) -> bool:
        transport = self._transport
        return not self.closed and self._exchange is None and transport is not None and not transport.is_closing()

    def exchange_over(self, *, reusable: bool) -> None:
        """The exchange is finished with the connection: back to the pool, or closed."""
        self._exchange = None
        transport = self._transport
        if transport is None:
            return
        # A reply that came before the whole request was written leaves the two sides out of step.
        if reusable and self._reusable and not self.closed and transport.get_write_buffer_size() == 0:
            self.resume()
            self._on_idle(self)
        else:
            transport.close()

    def abort(self) -> None:
        """Close at once, without flushing; the upstream sees a reset or an end."""
        self._reusable = False
        if self._transport is not None:
            self._transport.abort()

    def close(self) -> None:
        self._reusable = False
        if self._transport is not None:
            self._transport.close()

    def pause(self) -> None:
        if not self.paused and self._transport is not None and not self.closed:
            self.paused = True
            self._transport.pause_reading()

    def resume(self) -> None:
        if self.paused and self._transport is not None:
            self.paused = False
            if not self.closed and not self._transport.is_closing():
                self._transport.resume_reading()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if self._exchange is None:
            # An idle upstream has nothing to say; what it says now would be taken for the next reply.
            self.abort()
            return
        self._got_bytes = True
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._broken("the upstream switched protocols")
            return
        except httptools.HttpParserError as error:
            self._broken(f"the upstream's reply is not HTTP: {_reason(error)}")
            return
        if self._in_message and not self._framed:
            self._head_bytes += len(data)
            self._limit_head()

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True
        exchange, self._exchange = self._exchange, None
        if exchange is None:
            pass
        elif not exchange.head_received:
            message = "the upstream closed the connection before it replied"
            exchange.fail(ExchangeFailed(FaultClass.RESET, message, nothing_received=not self._got_bytes))
        elif self._until_close and exc is None:
            exchange.received_end()
        else:
            message = "the upstream closed in the middle of its reply"
            exchange.fail(ExchangeFailed(FaultClass.BROKEN_STREAM, message))
        self._on_closed(self)

    # httptools callbacks

    def on_message_begin(self) -> None:
        self._in_message = True
        self._headers = []
        self._head_bytes = 0
        self._framed = False

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name, value))
        self._head_bytes += len(name) + len(value)
        self._limit_head()

    def on_headers_complete(self) -> None:
        self._framed = True
        status = self._parser.get_status_code()
        if status < 200:
            self._interim += 1
            if self._interim > MAX_INTERIM or status == 101:
                self._broken("the upstream sent interim replies and no answer")
            return
        exchange = self._exchange
        if exchange is None or exchange.head_received:
            # A second reply to one request: whoever sent it, the connection is not to be trusted any more.
            self._reusable = False
            self._exchange = None
            return
        self._reusable = self._parser.should_keep_alive()
        headers = _join(self._headers)
        # With neither a length nor chunks, closing is the proper end of the body.
        self._until_close = "content-length" not in headers and "transfer-encoding" not in headers
        exchange.received_head(status, headers)

    def on_body(self, body: bytes) -> None:
        if self._exchange is not None:
            self._exchange.received_body(body)

    def on_message_complete(self) -> None:
        self._in_message = False
        exchange = self._exchange
        if exchange is not None and exchange.head_received:
            exchange.received_end()

    # Inside

    def _limit_head(self) -> None:
        if self._head_bytes > MAX_HEAD_BYTES or len(self._headers) > MAX_HEADERS:
            self._broken("the upstream's headers are too large")

    def _broken(self, message: str) -> None:
        exchange = self._exchange
        if exchange is not None:
            kind = FaultClass.BROKEN_STREAM if exchange.head_received else FaultClass.SERVER_ERROR
            exchange.fail(ExchangeFailed(kind, message))
        self.abort()


def _join(headers: list[tuple[bytes, bytes]]) -> dict[str, str]:
    joined: dict[str, str] = {}
    for name, value in headers:
        key = name.decode("latin-1").lower()
        text = value.decode("latin-1")
        joined[key] = f"{joined[key]}, {text}" if key in joined else text
    return joined


def _reason(error: Exception) -> str:
    """The parser's own words, without the bytes it met."""
    return (str(error) or type(error).__name__).split("\n", 1)[0][:120]
