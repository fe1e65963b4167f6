"""An HTTP proxy: tunnels by CONNECT, and requests for whole URLs passed on."""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

from tests.fakes.sockets import SocketServer, join, read_head


class FakeProxy(SocketServer):
    """Keeps the heads it was sent in `heads`.

    `answer` is sent to a CONNECT instead of opening a tunnel. Every name is taken for this machine, so that a test can
    call a host that exists nowhere else.
    """

    def __init__(self, *, answer: bytes | None = None) -> None:
        super().__init__(self._handle)
        self.heads: list[bytes] = []
        self._answer = answer

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await read_head(reader)
        self.heads.append(head)
        if head.startswith(b"CONNECT "):
            await self._tunnel(head, reader, writer)
        else:
            await self._forward(head, reader, writer)

    async def _tunnel(self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._answer is not None:
            writer.write(self._answer)
            await writer.drain()
            return
        port = int(head.split(b" ")[1].rpartition(b":")[2])
        upstream = await asyncio.open_connection("127.0.0.1", port)
        # In two pieces, as a slow proxy might.
        writer.write(b"HTTP/1.1 200 Connection esta")
        await asyncio.sleep(0.01)
        writer.write(b"blished\r\nvia: fake\r\n\r\n")
        await join((reader, writer), upstream)

    async def _forward(self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        method, url, version = head.split(b"\r\n", 1)[0].split(b" ")
        parts = urlsplit(url)
        upstream = await asyncio.open_connection("127.0.0.1", parts.port)
        path = parts.path + (b"?" + parts.query if parts.query else b"")
        upstream[1].write(b" ".join((method, path, version)) + b"\r\n" + head.split(b"\r\n", 1)[1])
        await join((reader, writer), upstream)
