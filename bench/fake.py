"""The fake provider: one lean process that answers chat requests at once and paces streams, on several ports.

Run by the bench as `python -m bench.fake N`: prints N port numbers on one line, lives until its standard input closes.
"""

from __future__ import annotations

import asyncio
import re
import resource
import sys
from typing import ClassVar, cast

import uvloop

from bench import wire

_STREAM = re.compile(rb'"stream":\s*true')
_PACE = re.compile(rb"Say (\d+) words, one per (\d+) ms(, when the bell rings)?")
_USAGE = re.compile(rb'"include_usage":\s*true')
_REPLY = wire.json_reply()
_REFUSED = b"HTTP/1.1 411 Length Required\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_BELL = b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"
_NOT_FOUND = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"


class Provider(asyncio.Protocol):
    """One connection; serves one request after the other."""

    __slots__ = ("_buffer", "_gap_s", "_held", "_left", "_loop", "_timer", "_transport", "_usage", "_words")
    held: ClassVar[list[Provider]] = []
    """Streams that have said one word and wait for the bell (`GET /bell`) to go on."""
    streams = 0
    """Streams begun so far; spreads their first events over one gap so that they do not tick together."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._buffer = b""
        self._timer: asyncio.TimerHandle | None = None
        self._words = self._left = 0
        self._gap_s = 0.0
        self._usage = self._held = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def data_received(self, data: bytes) -> None:
        data = self._buffer + data if self._buffer else data
        end = data.find(b"\r\n\r\n")
        while end >= 0:
            head = data[:end].lower()
            at = head.find(b"content-length:")
            if at < 0 and b"transfer-encoding:" in head:
                self._transport.write(_REFUSED)
                self._transport.close()
                return
            length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
            total = end + 4 + length
            if len(data) < total:
                break
            self._answer(head, data[end + 4 : total])
            data = data[total:]
            end = data.find(b"\r\n\r\n")
        self._buffer = data

    def _answer(self, head: bytes, body: bytes) -> None:
        if head.startswith(b"get /bell "):
            for stream in Provider.held:
                stream.resume()
            Provider.held.clear()
            self._transport.write(_BELL)
            self._transport.close()
        elif not head.startswith(b"post "):
            self._transport.write(_NOT_FOUND)
        elif not _STREAM.search(body):
            self._transport.write(_REPLY)
        else:
            self._stream(body)

    def _stream(self, body: bytes) -> None:
        pace = _PACE.search(body)
        words, gap_ms = (int(pace[1]), int(pace[2])) if pace else (10, 1)
        self._words = self._left = words
        self._gap_s = gap_ms / 1000
        self._held = pace is not None and pace[3] is not None
        self._usage = _USAGE.search(body) is not None
        self._transport.write(wire.STREAM_HEAD + wire.ROLE_EVENT)
        if self._held:
            self._left -= 1
            self._transport.write(wire.CONTENT_EVENT)
            Provider.held.append(self)
        else:
            self.resume()

    def resume(self) -> None:
        """Goes on with the stream, its next word within one gap."""
        if self._transport.is_closing():
            return
        Provider.streams += 1
        spread = Provider.streams * 0.618034 % 1
        self._timer = self._loop.call_later(self._gap_s * spread, self._next)

    def _next(self) -> None:
        if self._left > 0:
            self._left -= 1
            self._transport.write(wire.CONTENT_EVENT)
            self._timer = self._loop.call_later(self._gap_s, self._next)
            return
        self._timer = None
        usage = wire.usage_event(self._words) if self._usage else b""
        self._transport.write(wire.FINISH_EVENT + usage + wire.STREAM_DONE)


async def serve(ports: int) -> None:
    """Listens on that many free ports of 127.0.0.1, prints them, and returns when standard input ends."""
    loop = asyncio.get_running_loop()
    servers = [await loop.create_server(lambda: Provider(loop), "127.0.0.1", 0, backlog=4096) for _ in range(ports)]
    print(*(server.sockets[0].getsockname()[1] for server in servers), flush=True)
    ended = asyncio.Event()
    loop.add_reader(sys.stdin.fileno(), ended.set)
    await ended.wait()
    loop.remove_reader(sys.stdin.fileno())
    for server in servers:
        server.close()


def main() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(int(sys.argv[1]) if len(sys.argv) > 1 else 1))


if __name__ == "__main__":
    main()
