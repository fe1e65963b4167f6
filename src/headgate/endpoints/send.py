"""The ASGI `send` of one request, writing no more often than it has to.

uvicorn's own writes the head of a reply and its body one after the other: two system calls and two packets for every
JSON answer, and checks of header syntax that our own headers do not need. This one writes the head with the first
piece of the body and keeps uvicorn's state of the request up to date.
"""

from __future__ import annotations

from asyncio import Transport
from typing import Protocol

from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from headgate.endpoints.asgi import Headers, Message


class Connection(Protocol):
    """What a reply needs of the connection it goes out on."""

    transport: Transport
    flow: FlowControl


class Sender:
    """Sends one reply. A reply has a `content-length`, or it is chunked."""

    __slots__ = ("_chunked", "_connection", "_cycle", "_default_headers", "_head")

    def __init__(self, connection: Connection, cycle: RequestResponseCycle, default_headers: Headers) -> None:
        self._connection = connection
        self._cycle = cycle
        self._default_headers = default_headers
        self._head = b""
        self._chunked = True

    def write(self, data: bytes) -> bool:
        """Write the next bytes of a body that has begun; False when the client is behind."""
        if self._cycle.disconnected:
            return True
        self._connection.transport.write(b"%x\r\n%b\r\n" % (len(data), data) if self._chunked else data)
        return not self._connection.flow.write_paused

    async def drained(self) -> None:
        """Wait until the client has caught up."""
        flow = self._connection.flow
        if flow.write_paused and not self._cycle.disconnected:
            await flow.drain()

    async def __call__(self, message: Message, /) -> None:
        cycle = self._cycle
        await self.drained()
        if cycle.disconnected:
            return
        if message["type"] == "http.response.start":
            cycle.response_started = True
            cycle.waiting_for_100_continue = False
            self._head = self._render_head(message["status"], message["headers"])
            return
        body: bytes = message["body"]
        last = not message["more_body"]
        if cycle.scope["method"] == "HEAD":
            body = b""
        elif self._chunked:
            body = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
            if last:
                body += b"0\r\n\r\n"
        if self._head:
            body = self._head + body
            self._head = b""
        self._connection.transport.write(body)
        if last:
            self._complete()

    def _render_head(self, status: int, headers: Headers) -> bytes:
        """The status line and headers. Values must be free of line ends; whoever makes a header sees to that."""
        cycle = self._cycle
        parts = [STATUS_LINE[status]]
        for name, value in (*self._default_headers, *headers):
            if name == b"content-length":
                self._chunked = False
            elif name == b"connection":
                cycle.keep_alive = cycle.keep_alive and value != b"close"
                continue
            parts.append(b"%b: %b\r\n" % (name, value))
        if self._chunked:
            parts.append(b"transfer-encoding: chunked\r\n")
        parts.append(b"\r\n" if cycle.keep_alive else b"connection: close\r\n\r\n")
        return b"".join(parts)

    def _complete(self) -> None:
        cycle = self._cycle
        cycle.response_complete = True
        cycle.message_event.set()
        if not cycle.keep_alive:
            self._connection.transport.close()
        cycle.on_response()
