"""HTTP/1.1 to one origin over one connection: our client, sans pool and sans dialling.

A `Connection` is an asyncio protocol around httptools' parser. It carries one exchange at a time; the exchange is
what the rest of the gateway sees. It does not follow redirects, keep cookies or negotiate encodings; it asks for
`identity`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol, cast

import httptools

from headgate.types.fault import FaultClass
from headgate.upstream.exchange import Clocks, ExchangeFailed
from headgate.upstream.http_exchange import HttpExchange
from headgate.wire.outgoing import Outgoing, outbox_of

MAX_HEAD_BYTES = 64 * 1024
MAX_HEADERS = 256
MAX_INTERIM = 16
SMALL_BODY = 16 * 1024
"""Bytes that are copied sooner than written as a piece of their own."""


class Parser(Protocol):
    """What we use of httptools' parser, which ships without types."""

    def feed_data(self, data: bytes) -> None: ...
    def get_status_code(self) -> int: ...
    def should_keep_alive(self) -> bool: ...


def _response_parser(connection: Connection) -> Parser:
    parser: Parser = httptools.HttpResponseParser(connection)
    return parser


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
        self._transport: Outgoing | None = None
        self._parser = _response_parser(self)
        self._exchange: HttpExchange | None = None
        self._headers: list[tuple[bytes, bytes]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        self._bodiless_bytes = 0
        self._until_close = False
        self._interim = 0
        self._reusable = True
        self.paused = False
        self.closed = False
        self.idle_since = 0.0

    # What the pool and the exchange do

    def start(self, head: bytes, body: bytes, clocks: Clocks) -> HttpExchange:
        """Send a request; its reply is the exchange that is returned."""
        assert self._transport is not None, "start() before the connection is made"
        exchange = HttpExchange(self, clocks, self._loop)
        self._exchange = exchange
        self._bodiless_bytes = 0
        self._interim = 0
        self._until_close = False
        if self.closed:
            # The upstream hung up as soon as it had accepted: nobody will tell this exchange any more.
            self._closed_before_reply(exchange)
            return exchange
        if len(body) < SMALL_BODY:
            self._transport.write(head + body)
        else:
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
        if transport.get_write_buffer_size() > 0:
            # The reply came before the whole request was written. Whoever replies early may never read the rest, and
            # a close that flushes would wait for that.
            self.abort()
        elif reusable and self._reusable and not self.closed:
            self.resume()
            self._on_idle(self)
        else:
            transport.close()

    def abort(self) -> None:
        """Close at once, without flushing; the upstream sees a reset or an end."""
        self._reusable = False
        if self._transport is not None:
            self._transport.abort()

    def disown(self) -> None:
        """Close at once, and drop what is still to be read of bytes that are already here."""
        self._exchange = None
        self.abort()

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

    def wake_at(self, when: float) -> None:
        """Have the exchange look at its clocks at a time of the loop's, or before."""
        if self._timer is not None:
            if self._timer_at <= when:
                return
            self._timer.cancel()
            self._timer = None
        if not self.closed:
            self._timer_at = when
            self._timer = self._loop.call_at(when, self._wake)

    def _wake(self) -> None:
        self._timer = None
        if self._exchange is not None:
            self._exchange.tick()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = Outgoing(cast(asyncio.Transport, transport), outbox_of(self._loop))

    def data_received(self, data: bytes) -> None:
        if self._exchange is None:
            # An idle upstream has nothing to say; what it says now would be taken for the next reply.
            self.abort()
            return
        self._bodiless_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._broken("the upstream switched protocols")
            return
        except httptools.HttpParserError as error:
            self._broken(f"the upstream's reply is not HTTP: {_reason(error)}")
            return
        if self._bodiless_bytes > MAX_HEAD_BYTES:
            # The parser keeps what it has of a header, and of a trailer, that has not ended.
            self._broken("the upstream's headers are too large")

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        exchange, self._exchange = self._exchange, None
        if exchange is None:
            pass
        elif not exchange.head_received:
            self._closed_before_reply(exchange)
        elif self._until_close and exc is None:
            exchange.received_end()
        else:
            message = "the upstream closed in the middle of its reply"
            exchange.fail(ExchangeFailed(FaultClass.BROKEN_STREAM, message))
        self._on_closed(self)

    # httptools callbacks

    def on_message_begin(self) -> None:
        self._headers = []
        exchange = self._exchange
        if exchange is None or exchange.head_received:
            # A second reply to one request: whoever sent it, it must never be taken for the reply to the next.
            self.disown()

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name.lower(), value.strip(b" \t")))

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if status < 200:
            self._interim += 1
            if self._interim > MAX_INTERIM or status == 101:
                self._broken("the upstream sent interim replies and no answer")
            return
        exchange = self._exchange
        if exchange is None:
            return
        headers = self._headers
        # What has come since the last body is more than the head alone, and tells cheaply that it is small.
        if len(headers) > MAX_HEADERS or (self._bodiless_bytes > MAX_HEAD_BYTES and _too_large(headers)):
            self._broken("the upstream's headers are too large")
            return
        self._headers = []
        self._reusable = self._parser.should_keep_alive()
        found = dict(headers)
        if len(found) < len(headers):
            found = _joined(headers)
        coding = found.get(b"transfer-encoding")
        if coding is not None and coding.lower() != b"chunked":
            sent = coding.decode("latin-1")[:40]
            self._broken(f"the upstream sent transfer-encoding {sent!r}, which was not asked for")
            return
        # With neither a length nor chunks, closing is the proper end of the body.
        self._until_close = coding is None and b"content-length" not in found
        exchange.received_head(status, found)

    def on_body(self, body: bytes) -> None:
        self._bodiless_bytes = 0
        exchange = self._exchange
        if exchange is not None:
            exchange.received_body(body)

    def on_message_complete(self) -> None:
        exchange = self._exchange
        if exchange is None or not exchange.head_received:
            return
        if self._headers and _too_large(self._headers):
            self._broken("the upstream's trailers are too large")
            return
        exchange.received_end()

    # Inside

    def _broken(self, message: str) -> None:
        exchange = self._exchange
        if exchange is not None:
            kind = FaultClass.BROKEN_STREAM if exchange.head_received else FaultClass.SERVER_ERROR
            exchange.fail(ExchangeFailed(kind, message))
        self.disown()

    def _closed_before_reply(self, exchange: HttpExchange) -> None:
        message = "the upstream closed the connection before it replied"
        # Before there is a reply there is no body: all that has come is in this figure.
        exchange.fail(ExchangeFailed(FaultClass.RESET, message, nothing_received=self._bodiless_bytes == 0))


def _too_large(headers: list[tuple[bytes, bytes]]) -> bool:
    return len(headers) > MAX_HEADERS or sum(len(name) + len(value) for name, value in headers) > MAX_HEAD_BYTES


def _joined(headers: list[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """The headers by name, repeated ones joined by a comma."""
    joined: dict[bytes, bytes] = {}
    for name, value in headers:
        joined[name] = b"%b, %b" % (joined[name], value) if name in joined else value
    return joined


def _reason(error: Exception) -> str:
    """The parser's own words, without the bytes it met."""
    return (str(error) or type(error).__name__).split("\n", 1)[0][:120]
