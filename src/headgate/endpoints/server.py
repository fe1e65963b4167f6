"""The server's side of a client connection: uvicorn's protocol, made strict and told when to give up.

llhttp refuses most of what two servers could read differently (Transfer-Encoding with Content-Length, bare CR or LF,
repeated lengths). What it lets pass is refused here. A client that leaves cancels the request it left, and one that
sends its head too slowly or never reads its answer is cut.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from headgate.dialects.openai.errors import render_error
from headgate.errors import InvalidRequest

if TYPE_CHECKING:
    from uvicorn._types import ASGI3Application

MAX_HEAD_BYTES = 64 * 1024
MAX_HEADERS = 200
HEAD_TIMEOUT_S = 20.0
WRITE_STALL_S = 60.0


class RefusedFraming(ValueError):
    """Raised in a parser callback; uvicorn answers it as it answers any malformed request."""


class ClientConnection(HttpToolsProtocol):
    """One connection of a client."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._task: asyncio.Task[None] | None = None
        self._head_bytes = 0
        self._head_timer: asyncio.TimerHandle | None = None
        self._stall_timer: asyncio.TimerHandle | None = None
        self._in_head = True
        self._refusal = "the request is not valid HTTP/1.1"

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._head_timer = self.loop.call_later(HEAD_TIMEOUT_S, self._cut)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if not self._in_head:
            if self._head_timer is not None:
                self._head_timer.cancel()
                self._head_timer = None
            return
        self._head_bytes += len(data)
        if self._head_bytes > MAX_HEAD_BYTES:
            self._refusal = f"the request's headers are larger than {MAX_HEAD_BYTES} bytes"
            self.send_400_response(self._refusal)
        elif self._head_timer is None and not self.transport.is_closing():
            self._head_timer = self.loop.call_later(HEAD_TIMEOUT_S, self._cut)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        for timer in (self._head_timer, self._stall_timer):
            if timer is not None:
                timer.cancel()
        if self._task is not None and not self._task.done():
            self._task.cancel()

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._stall_timer is None:
            self._stall_timer = self.loop.call_later(WRITE_STALL_S, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._stall_timer is not None:
            self._stall_timer.cancel()
            self._stall_timer = None

    # httptools callbacks

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head = True
        self._head_bytes = 0

    def on_header(self, name: bytes, value: bytes) -> None:
        super().on_header(name, value)
        if len(self.headers) > MAX_HEADERS:
            self._refuse(f"the request has more than {MAX_HEADERS} headers")

    def on_headers_complete(self) -> None:
        self._in_head = False
        hosts = 0
        for name, value in self.headers:
            if name == b"host":
                hosts += 1
            elif name == b"transfer-encoding" and (
                self.parser.get_http_version() != "1.1" or value.strip().lower() != b"chunked"
            ):
                self._refuse("Transfer-Encoding may only be `chunked`, and only in HTTP/1.1")
        if hosts != 1 and (hosts > 1 or self.parser.get_http_version() == "1.1"):
            self._refuse("the request must have exactly one Host header")
        super().on_headers_complete()

    # uvicorn

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        """As uvicorn does it, and the task is kept so that a client that leaves can cancel it."""
        self._task = task = self.loop.create_task(cycle.run_asgi(app))
        task.add_done_callback(self.tasks.discard)
        self.tasks.add(task)

    def send_400_response(self, msg: str) -> None:
        """Refuse in the clients' dialect and close; never while another answer is being written."""
        if self.transport.is_closing():
            return
        if self._task is not None and not self._task.done():
            # Bytes that are no request behind one that is being answered: the answer cannot be told from the refusal.
            self._task.cancel()
            self.transport.close()
            return
        body = render_error(InvalidRequest(self._refusal, code="bad_http_request"))
        self.transport.write(
            b"HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\nconnection: close\r\n"
            b"content-length: %d\r\n\r\n%b" % (len(body), body)
        )
        self.transport.close()

    def _refuse(self, why: str) -> None:
        self._refusal = why
        raise RefusedFraming(why)

    def _cut(self) -> None:
        """The head of a request did not come in time."""
        if not self.transport.is_closing():
            self.transport.close()
