"""One client of the fake provider: requests read whole, replies written the way the script says."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Any, Protocol, cast

from headgate.types.script import Ending, Script
from tests.fakes.replies import Framed, Framing, RawReply, Reply, Request


class Gone(Exception):
    """The client went away, or sent what is no request."""


class Owner(Protocol):
    """What a connection tells the server it belongs to."""

    framing: Framing

    def opened(self, connection: Connection) -> int: ...
    def closed(self, connection: Connection, aborted: bool) -> None: ...
    def reply_to(self, request: Request) -> Reply: ...
    def answered(self, request: Request) -> None: ...
    def run(self, work: Coroutine[Any, Any, None], on_done: Callable[[], None]) -> asyncio.Task[None]: ...


class Connection(asyncio.Protocol):
    """Reads requests one after the other; while a reply is played, a client that leaves ends it at once."""

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._received = bytearray()
        self._arrived = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()
        self._lost = False
        self._replying = False
        self._task: asyncio.Task[None] | None = None
        self.number = 0

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.number = self._owner.opened(self)
        self._task = self._owner.run(self._serve(), self.transport.close)

    def data_received(self, data: bytes) -> None:
        self._received += data
        self._arrived.set()

    def eof_received(self) -> bool:
        return False

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost = True
        self._arrived.set()
        self._writable.set()
        self._owner.closed(self, self._replying)
        if self._task is not None:
            self._task.cancel()

    # Requests

    async def _serve(self) -> None:
        try:
            while True:
                request = await self._request()
                self._replying = True
                keep = await self._play(self._owner.reply_to(request))
                self._replying = False
                self._owner.answered(request)
                if not keep or (request.header("connection") or "").lower() == "close":
                    return
        except Gone:
            return

    async def _request(self) -> Request:
        head = (await self._until(b"\r\n\r\n"))[:-4]
        first, *lines = head.split(b"\r\n")
        words = first.split(b" ")
        headers = [(name, value.strip()) for name, _, value in (line.partition(b":") for line in lines)]
        if len(words) != 3:
            raise Gone
        request = Request(words[0].decode("latin-1"), words[1].decode("latin-1"), headers, b"", self.number)
        if (request.header("expect") or "").lower() == "100-continue":
            await self._write(b"HTTP/1.1 100 Continue\r\n\r\n")
        try:
            body = await self._body(request)
        except ValueError:
            raise Gone from None
        return Request(request.method, request.path, headers, body, self.number)

    async def _body(self, request: Request) -> bytes:
        if (request.header("transfer-encoding") or "").lower() == "chunked":
            body = bytearray()
            while size := int((await self._until(b"\r\n")).split(b";")[0], 16):
                body += await self._exactly(size)
                await self._exactly(2)
            while await self._until(b"\r\n") != b"\r\n":
                pass
            return bytes(body)
        return await self._exactly(int(request.header("content-length") or 0))

    async def _until(self, mark: bytes) -> bytes:
        while (at := self._received.find(mark)) < 0:
            await self._more()
        return self._cut(at + len(mark))

    async def _exactly(self, size: int) -> bytes:
        while len(self._received) < size:
            await self._more()
        return self._cut(size)

    def _cut(self, size: int) -> bytes:
        data = bytes(self._received[:size])
        del self._received[:size]
        return data

    async def _more(self) -> None:
        if self._lost:
            raise Gone
        self._arrived.clear()
        await self._arrived.wait()

    # Replies

    async def _play(self, reply: Reply) -> bool:
        """Send a reply; whether the connection is good for another request."""
        if isinstance(reply, RawReply):
            return await self._play_raw(reply)
        script, framing = (reply.script, reply.framing) if isinstance(reply, Framed) else (reply, self._owner.framing)
        await asyncio.sleep(script.head_delay_s)
        if script.ending is Ending.RESET:
            self._reset()
            return False
        framing = chosen_framing(script, framing)
        await self._write(render_head(script, framing))
        for step in script.steps:
            await asyncio.sleep(step.delay_s)
            if step.data:
                await self._write(b"%x\r\n%b\r\n" % (len(step.data), step.data) if framing == "chunked" else step.data)
        if script.ending is Ending.HANG:
            await asyncio.Event().wait()
        if script.ending is Ending.CUT:
            return False
        if framing == "chunked":
            await self._write(b"0\r\n\r\n")
        return framing != "close"

    async def _play_raw(self, reply: RawReply) -> bool:
        for chunk in reply.chunks:
            if isinstance(chunk, bytes):
                await self._write(chunk)
                # Two turns of the loop: a client on the same loop has then read this piece by itself.
                await asyncio.sleep(0)
                await asyncio.sleep(0)
            else:
                await asyncio.sleep(chunk)
        if reply.then == "hang":
            await asyncio.Event().wait()
        if reply.then == "reset":
            self._reset()
        return reply.then == "keep"

    async def _write(self, data: bytes) -> None:
        if self._lost:
            raise Gone
        self.transport.write(data)
        await self._writable.wait()

    def _reset(self) -> None:
        """Close with RST: a lingering time of zero throws away what is in flight."""
        sock = self.transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._replying = False
        self.transport.abort()


def chosen_framing(script: Script, framing: Framing) -> Framing:
    """How the body is delimited; `auto` counts a short whole reply and chunks everything else."""
    if script.status in (204, 304) or any(name.lower() == "content-length" for name, _ in script.headers):
        return "length"
    if framing != "auto":
        return framing
    at_once = script.ending is Ending.COMPLETE and all(step.delay_s == 0 for step in script.steps)
    streamed = any(name.lower() == "content-type" and "event-stream" in value for name, value in script.headers)
    return "length" if at_once and not streamed else "chunked"


def render_head(script: Script, framing: Framing) -> bytes:
    """The status line and the headers. A counted reply that is cut or hangs promises a byte more than it sends."""
    try:
        reason = HTTPStatus(script.status).phrase
    except ValueError:
        reason = "Unknown"
    lines = [f"HTTP/1.1 {script.status} {reason}", *(f"{name}: {value}" for name, value in script.headers)]
    if framing == "chunked":
        lines.append("transfer-encoding: chunked")
    elif framing == "close":
        lines.append("connection: close")
    elif script.status not in (204, 304) and not any(name.lower() == "content-length" for name, _ in script.headers):
        missing = 0 if script.ending is Ending.COMPLETE else 1
        lines.append(f"content-length: {sum(len(step.data) for step in script.steps) + missing}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1")
