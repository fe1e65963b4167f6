"""The server's side of a client connection: uvicorn's protocol, made strict and told when to give up.

llhttp refuses most of what two servers could read differently (Transfer-Encoding with Content-Length, bare CR or LF,
repeated lengths). What it lets pass is refused here. A client that leaves cancels the request it left; one that is too
slow with a head, with the rest of a body nobody wants, or with reading its answer, is cut.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, cast

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from headgate.dialects.openai.errors import render_error
from headgate.endpoints.send import Sender
from headgate.errors import GatewayError, InvalidRequest, RequestTimeout
from headgate.wire.outgoing import Outgoing, outbox_of

if TYPE_CHECKING:
    from uvicorn._types import ASGI3Application

# Of a request that asks for another protocol, and is answered in this one.
UPGRADE_HEADERS = frozenset({b"upgrade", b"http2-settings"})

REASONS = {400: b"Bad Request", 408: b"Request Timeout"}


log = logging.getLogger("headgate")


class RefusedFraming(ValueError):
    """Raised in a parser callback, where it ends the parsing; the refusal is remembered beside it."""


class ClientConnection(HttpToolsProtocol):
    """One connection of a client.

    `head_timeout_s`  for a head and the first byte of its body; also for what is left of a body once it is answered
    `write_stall_s`   in which a client that is behind must read `least_read_bytes`, or the connection is dropped
    `linger_s`        how long a refused client may go on sending, so that it gets to read the refusal
    """

    max_head_bytes = 64 * 1024
    max_headers = 200
    max_pipelined = 64
    head_timeout_s = 20.0
    write_stall_s = 60.0
    least_read_bytes = 64 * 1024
    linger_s = 2.0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._task: asyncio.Task[None] | None = None
        self._running: RequestResponseCycle | None = None
        self._in_head = False
        self._in_body = False
        self._body_came = False
        self._upgrading = False
        self._refused = False
        self._fed = 0
        self._head_bytes = 0
        self._quiet_bytes = 0
        self._owed_timer: asyncio.TimerHandle | None = None
        self._stall_timer: asyncio.TimerHandle | None = None
        self._refusal = "the request is not valid HTTP/1.1"

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(Outgoing(transport, outbox_of(self.loop)))
        self._await_client()

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        self._unset_keepalive_if_required()
        self._fed = len(data)
        try:
            self._feed(data)
        except httptools.HttpParserError:
            self.send_400_response(self._refusal)
            return
        if self._in_head or self._in_body:
            self._inside_message(len(data))
            return
        if self._owed_timer is not None:
            self._await_nothing()
        if self.cycle is not None and self.cycle.response_complete and not self.transport.is_closing():
            # The tail of a body that was answered early, or stray line ends: the connection is idle again.
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self._running is not None:
            self._running.disconnected = True
        self._unset_keepalive_if_required()
        self._await_nothing()
        if self._stall_timer is not None:
            self._stall_timer.cancel()
        if self._task is not None and not self._task.done():
            self._task.cancel()

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._stall_timer is None:
            self._await_reader(self.transport.get_write_buffer_size())

    def _await_reader(self, unread: int) -> None:
        """Look again later: a client that has read next to nothing meanwhile is gone, or means harm."""

        def look() -> None:
            still_unread = self.transport.get_write_buffer_size()
            if still_unread <= unread - self.least_read_bytes:
                self._await_reader(still_unread)
            else:
                self.transport.abort()

        self._stall_timer = self.loop.call_later(self.write_stall_s, look)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._stall_timer is not None:
            self._stall_timer.cancel()
            self._stall_timer = None

    # httptools callbacks

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head = True
        self._body_came = self._upgrading = False
        # What came with the head's first bytes may belong to the request before it.
        self._head_bytes = -self._fed

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._in_head:
            # A trailer. Read as a header it would be one that no proxy in front has seen.
            return
        super().on_header(name, value)
        if len(self.headers) > self.max_headers:
            self._refuse(f"the request has more than {self.max_headers} headers")

    def on_headers_complete(self) -> None:
        self._in_head = False
        version = self.parser.get_http_version()
        if version not in ("1.1", "1.0"):
            self._refuse("the request is not HTTP/1.1")
        hosts = 0
        for name, value in self.headers:
            if name == b"host":
                hosts += 1
            elif name == b"transfer-encoding" and (version != "1.1" or value.strip().lower() != b"chunked"):
                self._refuse("Transfer-Encoding may only be `chunked`, and only in HTTP/1.1")
        if hosts != 1 and (hosts > 1 or version == "1.1"):
            self._refuse("the request must have exactly one Host header")
        if self._head_bytes >= 0 or self._fed > self.max_head_bytes:
            self._limit_head(len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers))
        if self.parser.should_upgrade():
            self._upgrading = True
            return
        self._in_body = True
        self._quiet_bytes = -self._fed
        super().on_headers_complete()
        if self.pipeline and len(self.pipeline) <= self.max_pipelined:
            # uvicorn stops reading here, and would not see the client leave.
            self.flow.resume_reading()

    def on_message_complete(self) -> None:
        if not self._upgrading:
            self._in_body = False
            super().on_message_complete()

    # uvicorn

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        """As uvicorn does it, and the task is kept so that a client that leaves can cancel it."""
        self._running = cycle
        self._task = task = self.loop.create_task(self._answer(cycle, cast("Any", app)))
        task.add_done_callback(self.tasks.discard)
        self.tasks.add(task)

    async def _answer(self, cycle: RequestResponseCycle, app: Callable[..., Awaitable[None]]) -> None:
        """Run the application with a `send` of our own; see `send`."""
        try:
            await app(cycle.scope, cycle.receive, Sender(self, cycle, self.server_state.default_headers))
        except BaseException:  # last resort: the application answers its own defects, so this one is in answering
            log.exception("defect while answering")
        if not cycle.response_complete and not cycle.disconnected:
            self.transport.close()
        cycle.on_response = _nothing

    def send_400_response(self, msg: str) -> None:
        self._end_with(InvalidRequest(msg, code="bad_http_request"))

    # Inside

    def _feed(self, data: bytes) -> None:
        """Parse; a request that asks for another protocol is parsed again as one that does not.

        RFC 9110 §7.8 lets a server ignore Upgrade. The parser would take the body for bytes of the other protocol,
        and clients that offer h2c with every request would never be understood.
        """
        while data:
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserUpgrade as upgrade:
                data = self._head_without_upgrade() + data[upgrade.args[0] :]
                self.parser = httptools.HttpRequestParser(self)
                self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
            else:
                return

    def _head_without_upgrade(self) -> bytes:
        method = self.parser.get_method()
        if method == b"CONNECT":
            raise httptools.HttpParserError("CONNECT is not served")
        lines = [b"%b %b HTTP/%b" % (method, self.url, self.parser.get_http_version().encode())]
        for name, value in self.headers:
            if name == b"connection":
                options = [option.strip() for option in value.split(b",")]
                value = b", ".join(option for option in options if option.lower() not in UPGRADE_HEADERS)
            if name not in UPGRADE_HEADERS:
                lines.append(name + b": " + value)
        return b"\r\n".join([*lines, b"", b""])

    def _inside_message(self, size: int) -> None:
        """The bytes that came end inside a message: is the rest awaited by an endpoint, or only by us?"""
        if self._in_head:
            self._head_bytes += size
            if self._head_bytes > self.max_head_bytes:
                self.send_400_response(self._head_too_large())
                return
        elif self.cycle.body:
            # The endpoint reads it, under a clock of its own.
            self._body_came = True
            self._quiet_bytes = 0
        elif not self.cycle.response_complete:
            self._quiet_bytes += size
            if self._quiet_bytes > 2 * self.max_head_bytes:
                self.send_400_response("the body's chunk extensions or trailers are too large")
                return
        if self._body_came and not self.cycle.response_complete:
            self._await_nothing()
        elif self._owed_timer is None and not self.transport.is_closing():
            self._await_client()

    def _await_nothing(self) -> None:
        if self._owed_timer is not None:
            self._owed_timer.cancel()
            self._owed_timer = None

    def _await_client(self) -> None:
        self._await_nothing()
        self._owed_timer = self.loop.call_later(self.head_timeout_s, self._overdue)

    def _overdue(self) -> None:
        """What the client owes did not come in time."""
        self._owed_timer = None
        if self.transport.is_closing():
            return
        answering = self._task is not None and not self._task.done()
        if answering and not (self._in_body and self._running is self.cycle):
            # Behind a request that is still being answered: its turn has not come.
            self._await_client()
        elif answering or self._in_head:
            self._end_with(RequestTimeout(f"the request did not arrive within {self.head_timeout_s:g} s"))
        else:
            self.transport.close()

    def _end_with(self, error: GatewayError) -> None:
        """Refuse in the clients' dialect and close, but never in the middle of another answer.

        The client may go on sending for a moment: closing with unread bytes in the socket makes the kernel send a
        reset, which can overtake the refusal.
        """
        if self._refused or self.transport.is_closing():
            return
        self._refused = True
        self.pipeline.clear()
        running = self._running
        if self._task is not None and not self._task.done() and running is not None and not running.response_complete:
            running.disconnected = True
            self._task.cancel()
            if running.response_started or running is not self.cycle or not self._in_body:
                # Behind a request that is being answered, a refusal would be taken for its answer.
                self.transport.close()
                return
        body = render_error(error)
        self.transport.write(
            b"HTTP/1.1 %d %b\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: %d\r\n\r\n%b"
            % (error.status, REASONS[error.status], len(body), body)
        )
        self.flow.resume_reading()
        self.transport.write_eof()
        self.loop.call_later(self.linger_s, self.transport.close)

    def _limit_head(self, size: int) -> None:
        if size > self.max_head_bytes:
            self._refuse(self._head_too_large())

    def _head_too_large(self) -> str:
        return f"the request's headers are larger than {self.max_head_bytes} bytes"

    def _refuse(self, why: str) -> None:
        self._refusal = why
        raise RefusedFraming(why)


def _nothing() -> None:
    """In place of a callback that must not keep the connection alive."""
