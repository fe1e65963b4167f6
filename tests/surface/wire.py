"""A client that sees every byte: requests as they are written here, answers as they came."""

from __future__ import annotations

import asyncio
import json
import socket
from dataclasses import dataclass
from typing import Any, Self

TIMEOUT_S = 30.0


@dataclass(frozen=True)
class Answer:
    """One HTTP answer. `head` is its bytes as they came; header names are lower case."""

    status: int
    headers: dict[str, str]
    body: bytes
    head: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> dict[str, Any]:
        error: dict[str, Any] = self.json()["error"]
        return error


class Closed(Exception):
    """The gateway closed the connection before an answer was whole."""


class Wire:
    """One connection to a gateway. A gateway that hangs ends a test by TimeoutError."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, port: int, *, receive_buffer: int | None = None) -> Self:
        sock = socket.socket()
        if receive_buffer is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
        return cls(*await asyncio.open_connection(sock=sock, limit=2**16))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.leave()

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def head(self) -> Answer:
        """An answer's head; interim answers are given too."""
        async with asyncio.timeout(TIMEOUT_S):
            try:
                head = await self._reader.readuntil(b"\r\n\r\n")
            except (asyncio.IncompleteReadError, ConnectionError) as error:
                raise Closed(getattr(error, "partial", b"")) from None
        first, *lines = head[:-4].decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        return Answer(int(first.split(" ")[1]), headers, b"", head)

    async def piece(self) -> bytes:
        """The next chunk of a chunked answer; empty at its end."""
        async with asyncio.timeout(TIMEOUT_S):
            try:
                size = int((await self._reader.readuntil(b"\r\n")).strip(), 16)
                data = await self._reader.readexactly(size + 2)
            except (asyncio.IncompleteReadError, ConnectionError) as error:
                raise Closed(getattr(error, "partial", b"")) from None
        return data[:-2]

    async def answer(self) -> Answer:
        """The next answer, whole."""
        head = await self.head()
        if "transfer-encoding" in head.headers:
            pieces = []
            while data := await self.piece():
                pieces.append(data)
            body = b"".join(pieces)
        else:
            async with asyncio.timeout(TIMEOUT_S):
                try:
                    body = await self._reader.readexactly(int(head.headers.get("content-length", "0")))
                except (asyncio.IncompleteReadError, ConnectionError) as error:
                    raise Closed(getattr(error, "partial", b"")) from None
        return Answer(head.status, head.headers, body, head.head)

    async def slowly(self, pause_s: float) -> bytes:
        """The body of the next answer of a known length, with a pause after each 64 KiB."""
        left = int((await self.head()).headers["content-length"])
        body = b""
        while len(body) < left:
            async with asyncio.timeout(TIMEOUT_S):
                piece = await self._reader.read(65536)
            if not piece:
                raise Closed(body[-100:])
            body += piece
            await asyncio.sleep(pause_s)
        return body

    async def rest(self) -> bytes:
        """Everything until the gateway closes; what a reset cut off is lost."""
        data = b""
        async with asyncio.timeout(TIMEOUT_S):
            try:
                while more := await self._reader.read(65536):
                    data += more
            except ConnectionError:
                pass
        return data

    def finish_sending(self) -> None:
        self._writer.write_eof()

    def leave(self) -> None:
        """Go away at once, with what has not been read."""
        self._writer.transport.abort()


def request(
    method: str = "POST",
    path: str = "/v1/chat/completions",
    body: bytes | dict[str, Any] | None = None,
    *,
    key: str | None = None,
    headers: bytes = b"",
) -> bytes:
    """A request as its bytes, `headers` as whole lines; a body gets its Content-Length."""
    lines = [f"{method} {path} HTTP/1.1\r\nHost: gateway\r\n".encode()]
    if key is not None:
        lines.append(f"Authorization: Bearer {key}\r\n".encode())
    if body is not None:
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        lines.append(b"Content-Type: application/json\r\nContent-Length: %d\r\n" % len(body))
    return b"".join([*lines, headers, b"\r\n", body or b""])


async def ask(port: int, data: bytes) -> Answer:
    """Send one request on a connection of its own and read its answer."""
    async with await Wire.open(port) as wire:
        await wire.send(data)
        return await wire.answer()


def chunked(*pieces: bytes) -> bytes:
    """A body in chunks, with its end."""
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


def events(stream: bytes) -> list[bytes]:
    """The payloads of a stream's events, in order."""
    return [event[6:] for event in stream.split(b"\n\n") if event.startswith(b"data: ")]
