"""One request on a client's connection: what has come of it, and the answer that goes out.

ASGI's scope, `receive` and `send` of the request, and beside them `whole_body` and `whole`: what comes or goes in one
piece needs no message. uvicorn's own would write the head of a reply and its body one after the other, check header
syntax that our own headers do not need, and make an event for every request; here an answer in one piece is one write.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from headgate.endpoints.asgi import Headers, Message, Scope
from headgate.endpoints.framing import Head

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Connection(Protocol):
    """What a request and its answer need of the connection they run on."""

    transport: asyncio.Transport
    flow: FlowControl
    client: tuple[str, int] | None

    @property
    def default_lines(self) -> bytes:
        """The headers of every reply, as they go out."""

    def scope_of(self, head: Head) -> Scope:
        """A request for ASGI."""

    def answered(self) -> None:
        """An answer is complete."""


class Cycle:
    """A request and its answer. An answer has a `content-length`, or it is chunked."""

    __slots__ = (
        "_chunked",
        "_connection",
        "_head",
        "_heard",
        "_news",
        "body",
        "disconnected",
        "head",
        "keep_alive",
        "more_body",
        "response_complete",
        "response_started",
        "waiting_for_100_continue",
    )

    def __init__(self, connection: Connection, head: Head, keep_alive: bool) -> None:
        self.head = head
        self.keep_alive = keep_alive
        headers = head.headers
        self.waiting_for_100_continue = b"expect" in headers and headers[b"expect"].lower() == b"100-continue"
        self.body: bytes | bytearray = b""
        self.more_body = True
        self.disconnected = False
        self.response_started = False
        self.response_complete = False
        self._connection = connection
        self._heard = False
        self._news: asyncio.Event | None = None
        self._head = b""
        self._chunked = True

    # The request

    @property
    def client(self) -> tuple[str, int] | None:
        """The address at the other end of the connection."""
        return self._connection.client

    @property
    def scope(self) -> Scope:
        """ASGI's scope, made when it is asked for: our own endpoints read the head."""
        return self._connection.scope_of(self.head)

    def take(self, body: bytes) -> None:
        """The next bytes of the body."""
        waiting = self.body
        if not waiting:
            self.body = body
        elif isinstance(waiting, bytearray):
            waiting += body
        else:
            self.body = bytearray(waiting) + body
        self._heard = True
        if self._news is not None:
            self._news.set()

    def tell(self) -> None:
        """Something has changed for whoever waits in `receive`."""
        self._heard = True
        if self._news is not None:
            self._news.set()

    def whole_body(self) -> bytes | None:
        """The body, when all of it is here and nobody has to be told to send it; else None, and `receive` has it."""
        if self.more_body or self.disconnected or self.waiting_for_100_continue:
            return None
        self._heard = False
        return self._taken()

    def _taken(self) -> bytes:
        """What has come of the body and waits."""
        flow = self._connection.flow
        if flow.read_paused:
            # While it is answered, too, the client has to be seen leaving.
            flow.resume_reading()
        body, self.body = bytes(self.body), b""
        return body

    async def receive(self) -> Message:
        """ASGI's `receive`."""
        connection = self._connection
        if self.waiting_for_100_continue and not connection.transport.is_closing():
            connection.transport.write(_CONTINUE)
            self.waiting_for_100_continue = False
        if not self.disconnected and not self.response_complete:
            connection.flow.resume_reading()
            if not self._heard:
                if self._news is None:
                    self._news = asyncio.Event()
                await self._news.wait()
                self._news.clear()
            self._heard = False
        if self.disconnected or self.response_complete:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": self._taken(), "more_body": self.more_body}

    # The answer

    async def whole(self, status: int, lines: bytes, body: bytes) -> None:
        """Answer in one piece. `lines` are the headers as they go out, without the length."""
        connection = self._connection
        if connection.flow.write_paused:
            await self.drained()
        if self.disconnected:
            return
        self.response_started = True
        connection.transport.write(
            b"%b%b%bcontent-length: %d\r\n%b%b"
            % (
                STATUS_LINE[status],
                connection.default_lines,
                lines,
                len(body),
                b"\r\n" if self.keep_alive else b"connection: close\r\n\r\n",
                b"" if self.head.method == "HEAD" else body,
            )
        )
        self._complete()

    def write(self, data: bytes) -> bool:
        """Write the next bytes of a body that has begun; False when the client is behind."""
        if self.disconnected:
            return True
        connection = self._connection
        connection.transport.write(b"%x\r\n%b\r\n" % (len(data), data) if self._chunked else data)
        return not connection.flow.write_paused

    async def drained(self) -> None:
        """Wait until the client has caught up."""
        flow = self._connection.flow
        if flow.write_paused and not self.disconnected:
            await flow.drain()

    async def __call__(self, message: Message, /) -> None:
        """ASGI's `send`. The head goes out with the first piece of the body."""
        await self.drained()
        if self.disconnected:
            return
        if message["type"] == "http.response.start":
            self.response_started = True
            self.waiting_for_100_continue = False
            self._head = self._render_head(message["status"], message["headers"])
            return
        body: bytes = message["body"]
        last = not message["more_body"]
        if self.head.method == "HEAD":
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
        kept: Headers = []
        for name, value in headers:
            if name == b"connection":
                self.keep_alive = self.keep_alive and value != b"close"
                continue
            if name == b"content-length":
                self._chunked = False
            kept.append((name, value))
        return b"%b%b%b%b%b" % (
            STATUS_LINE[status],
            self._connection.default_lines,
            render_headers(kept),
            b"transfer-encoding: chunked\r\n" if self._chunked else b"",
            b"\r\n" if self.keep_alive else b"connection: close\r\n\r\n",
        )

    def _complete(self) -> None:
        self.response_complete = True
        if self._news is not None:
            self._news.set()
        if not self.keep_alive:
            self._connection.transport.close()
        self._connection.answered()


def render_headers(headers: Headers) -> bytes:
    """Headers as they go out."""
    return b"\r\n".join([*map(b": ".join, headers), b""])
