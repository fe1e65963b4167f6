"""The server's side of a client connection: a protocol for uvicorn's server, strict and told when to give up.

A client that leaves cancels the request it left; one that is too slow with a head, with the rest of a body nobody
wants, or with reading its answer, is cut. uvicorn's own protocol would cost every request a tenth more.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, cast

import httptools
from uvicorn import Config
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT, FlowControl
from uvicorn.protocols.utils import get_local_addr, get_remote_addr
from uvicorn.server import ServerState

from headgate.dialects.openai.errors import render_error
from headgate.endpoints.asgi import Headers
from headgate.endpoints.cycle import Cycle, render_headers
from headgate.endpoints.framing import Framing, Parser
from headgate.errors import GatewayError, InvalidRequest, RequestTimeout
from headgate.wire.outgoing import Outgoing, outbox_of

REASONS = {400: b"Bad Request", 408: b"Request Timeout"}
COARSE_S = 0.01
"""A timer may fire as early as this."""

Application = Callable[[Cycle], Awaitable[None]]
log = logging.getLogger("headgate")


class ClientConnection(Framing, asyncio.Protocol):
    """One connection of a client.

    `head_timeout_s`  for a head and the first byte of its body; also for what is left of a body once it is answered
    `write_stall_s`   in which a client that is behind must read `least_read_bytes`, or the connection is dropped
    `linger_s`        how long a refused client may go on sending, so that it gets to read the refusal
    """

    max_pipelined = 64
    head_timeout_s = 20.0
    write_stall_s = 60.0
    least_read_bytes = 64 * 1024
    linger_s = 2.0

    transport: asyncio.Transport
    flow: FlowControl

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(app_state)
        if not config.loaded:
            config.load()
        self.timeout_keep_alive: float = config.timeout_keep_alive
        self._app = cast(Application, config.loaded_app)
        self._state = server_state
        self._loop = _loop or asyncio.get_running_loop()
        self._cycle: Cycle | None = None
        self._pipeline: deque[Cycle] = deque()
        self._running: Cycle | None = None
        self._task: asyncio.Task[None] | None = None
        self._in_body = False
        self._body_came = False
        self._upgrading = False
        self._refused = False
        self._quiet_bytes = 0
        self._idle_since: float | None = None
        self._idle_timer: asyncio.TimerHandle | None = None
        self._owed_timer: asyncio.TimerHandle | None = None
        self._stall_timer: asyncio.TimerHandle | None = None
        self._rendered: tuple[Headers, bytes] = ([], b"")

    @property
    def default_lines(self) -> bytes:
        """The headers of every reply, as they go out."""
        headers = self._state.default_headers
        if headers is not self._rendered[0]:
            # uvicorn makes a new list once a second, for the date.
            self._rendered = (headers, render_headers(headers))
        return self._rendered[1]

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        plain = cast(asyncio.Transport, transport)
        self._state.connections.add(cast(Any, self))
        self.transport = Outgoing(plain, outbox_of(self._loop))
        self.flow = FlowControl(self.transport)
        self._server = get_local_addr(plain)
        self.client = get_remote_addr(plain)
        self._await_client()

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        self._idle_since = None
        self._fed = len(data)
        try:
            self._feed(data)
        except httptools.HttpParserError:
            self._end_with(InvalidRequest(self._refusal, code="bad_http_request"))
            return
        if self._in_head or self._in_body:
            self._inside_message(len(data))
            return
        if self._owed_timer is not None:
            self._await_nothing()
        if self._cycle is not None and self._cycle.response_complete and not self.transport.is_closing():
            # The tail of a body that was answered early, or stray line ends: the connection is idle again.
            self._await_request()

    def eof_received(self) -> None:
        pass

    def connection_lost(self, exc: Exception | None) -> None:
        self._state.connections.discard(cast(Any, self))
        for timer in (self._idle_timer, self._owed_timer, self._stall_timer):
            if timer is not None:
                timer.cancel()
        for cycle in (self._cycle, self._running):
            if cycle is not None and not cycle.response_complete:
                cycle.disconnected = True
                cycle.tell()
        # Whoever waits for the client to catch up waits no longer.
        self.flow.resume_writing()
        self._cancel_task()
        # The parser holds on to this object, and this object to it.
        self._parser = cast(Parser, None)

    def pause_writing(self) -> None:
        self.flow.pause_writing()
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

        self._stall_timer = self._loop.call_later(self.write_stall_s, look)

    def resume_writing(self) -> None:
        self.flow.resume_writing()
        if self._stall_timer is not None:
            self._stall_timer.cancel()
            self._stall_timer = None

    # httptools callbacks

    def on_message_begin(self) -> None:
        self.url = b""
        self.headers = []
        self._in_head = True
        self._body_came = self._upgrading = False
        # What came with the head's first bytes may belong to the request before it.
        self._head_bytes = -self._fed

    def on_headers_complete(self) -> None:
        self._in_head = False
        parser = self._parser
        version = parser.get_http_version()
        headers = self._checked_headers(version)
        if parser.should_upgrade():
            self._upgrading = True
            return
        self._in_body = True
        self._quiet_bytes = -self._fed
        before = self._cycle
        keep_alive = version != "1.0" and parser.should_keep_alive()
        self._cycle = cycle = Cycle(self, self._head(version, headers), keep_alive)
        # A trailer, read as a header of the request, would be one that no proxy in front has seen.
        self.headers = []
        if before is None or before.response_complete:
            self._start(cycle)
            return
        self._pipeline.append(cycle)
        if len(self._pipeline) > self.max_pipelined:
            # Up to there we go on reading, or we would not see the client leave.
            self.flow.pause_reading()

    def on_body(self, body: bytes) -> None:
        cycle = self._cycle
        if self._upgrading or cycle is None or cycle.response_complete:
            return
        cycle.take(body)
        if len(cycle.body) > HIGH_WATER_LIMIT:
            self.flow.pause_reading()

    def on_message_complete(self) -> None:
        if self._upgrading:
            return
        self._in_body = False
        cycle = self._cycle
        if cycle is not None and not cycle.response_complete:
            cycle.more_body = False
            cycle.tell()

    # Requests

    def _start(self, cycle: Cycle) -> None:
        """Answer a request in a task of its own, which a client that leaves cancels."""
        self._running = cycle
        self._task = self._loop.create_task(self._answer(cycle))
        self._state.tasks.add(self._task)

    async def _answer(self, cycle: Cycle) -> None:
        task = self._task
        assert task is not None, "it is this one"
        try:
            await self._app(cycle)
        except BaseException:  # last resort: the application answers its own defects, so this one is in answering
            log.exception("defect while answering")
        if not cycle.response_complete and not cycle.disconnected:
            self.transport.close()
        # Here and not in a callback of the task, which would cost another turn of the loop.
        self._state.tasks.discard(task)

    def _cancel_task(self) -> None:
        if self._task is not None and not self._task.done():
            self._task.cancel()
            # One that has not begun would never take itself out.
            self._state.tasks.discard(self._task)

    def answered(self) -> None:
        """An answer is complete: the next request's turn, or nobody's."""
        self._state.total_requests += 1
        if self.transport.is_closing():
            return
        if self.flow.read_paused:
            self.flow.resume_reading()
        if self._pipeline:
            self._start(self._pipeline.popleft())
        else:
            self._await_request()

    def shutdown(self) -> None:
        """uvicorn's server stops: close when there is nothing to answer, else after the answer."""
        if self._cycle is None or self._cycle.response_complete:
            self.transport.close()
        else:
            self._cycle.keep_alive = False

    # Waiting

    def _inside_message(self, size: int) -> None:
        """The bytes that came end inside a message: is the rest awaited by an endpoint, or only by us?"""
        cycle = self._cycle
        answered = cycle is None or cycle.response_complete
        if self._in_head:
            self._head_bytes += size
            if self._head_bytes > self.max_head_bytes:
                self._end_with(InvalidRequest(self._head_too_large(), code="bad_http_request"))
                return
        elif cycle is not None and cycle.body:
            # The endpoint reads it, under a clock of its own.
            self._body_came = True
            self._quiet_bytes = 0
        elif not answered:
            self._quiet_bytes += size
            if self._quiet_bytes > 2 * self.max_head_bytes:
                why = "the body's chunk extensions or trailers are too large"
                self._end_with(InvalidRequest(why, code="bad_http_request"))
                return
        if self._body_came and not answered:
            self._await_nothing()
        elif self._owed_timer is None and not self.transport.is_closing():
            self._await_client()

    def _await_request(self) -> None:
        """The connection is idle. The timer stays as it is while requests come and go, and looks when it fires."""
        self._idle_since = self._loop.time()
        if self._idle_timer is None:
            self._idle_timer = self._loop.call_later(self.timeout_keep_alive, self._look_at_idleness)

    def _look_at_idleness(self) -> None:
        self._idle_timer = None
        if self._idle_since is None or self.transport.is_closing():
            return
        left_s = self._idle_since + self.timeout_keep_alive - self._loop.time()
        if left_s > COARSE_S:
            self._idle_timer = self._loop.call_later(left_s, self._look_at_idleness)
        else:
            self.transport.close()

    def _await_nothing(self) -> None:
        if self._owed_timer is not None:
            self._owed_timer.cancel()
            self._owed_timer = None

    def _await_client(self) -> None:
        self._await_nothing()
        self._owed_timer = self._loop.call_later(self.head_timeout_s, self._overdue)

    def _overdue(self) -> None:
        """What the client owes did not come in time."""
        self._owed_timer = None
        if self.transport.is_closing():
            return
        answering = self._task is not None and not self._task.done()
        if answering and not (self._in_body and self._running is self._cycle):
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
        self._pipeline.clear()
        running = self._running
        if self._task is not None and not self._task.done() and running is not None and not running.response_complete:
            running.disconnected = True
            self._cancel_task()
            if running.response_started or running is not self._cycle or not self._in_body:
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
        self._loop.call_later(self.linger_s, self.transport.close)
