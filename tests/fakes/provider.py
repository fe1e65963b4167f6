"""A provider on a real socket that does what it is told, and remembers what it was asked.

In a test: `async with FakeProvider() as fake:`, then `fake.play(script)` or `fake.always(...)`. As a process of its
own: `python -m tests.fakes.provider --port N --script sandbox`. Everywhere, `GET /__seen` tells what was received.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import ssl
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, Self

import trustme

from headgate.providers.sandbox import FAULTS, MODELS, Pace, sandbox_scripts
from headgate.types.deployment import Operation
from tests.fakes.connection import Connection
from tests.fakes.replies import Framed, Framing, RawReply, Reply, Request, Responder, event_reply, json_reply

__all__ = ["FakeProvider", "Framed", "RawReply", "Reply", "Request", "event_reply", "json_reply", "sandbox_responder"]

SEEN = "/__seen"
_OPERATIONS = {
    "/v1/chat/completions": Operation.CHAT,
    "/v1/completions": Operation.COMPLETION,
    "/v1/embeddings": Operation.EMBEDDING,
}


class FakeProvider:
    """A server on 127.0.0.1. Requests take the queued replies in turn, then the one that is always given.

    `requests`          every request that arrived whole, in order
    `open_connections`  connections open now; `connections` counts all there ever were
    `answered_requests` replies that were sent to their end
    `aborted`           connections the client left, or lost, while a reply was being sent
    """

    def __init__(self, *, tls: bool = False, host: str = "127.0.0.1", port: int = 0, framing: Framing = "auto") -> None:
        self.framing: Framing = framing
        self.requests: list[Request] = []
        self.open_connections = 0
        self.connections = 0
        self.answered_requests = 0
        self.aborted = 0
        self.ca: trustme.CA | None = trustme.CA() if tls else None
        self._host = host
        self.port = port
        self._queue: deque[Reply] = deque()
        self._usual: Responder | None = None
        self._changed = asyncio.Condition()
        self._tasks: set[asyncio.Task[None]] = set()
        self._live: set[Connection] = set()

    async def __aenter__(self) -> Self:
        context = None
        if self.ca is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.ca.issue_cert("localhost", self._host).configure_cert(context)
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: Connection(self), self._host, self.port, ssl=context, backlog=2048
        )
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for connection in list(self._live):
            connection.transport.abort()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    @property
    def base_url(self) -> str:
        """Where a provider's paths begin, `/v1` included."""
        return f"{'https' if self.ca else 'http'}://{self._host}:{self.port}/v1"

    @property
    def ca_pem(self) -> bytes:
        """The certificate of the authority that signed this server's, when it speaks TLS."""
        assert self.ca is not None, "this server does not speak TLS"
        return self.ca.cert_pem.bytes()

    def play(self, *replies: Reply) -> None:
        """Queue replies, one for each of the next requests."""
        self._queue.extend(replies)

    def always(self, reply: Reply | Responder) -> None:
        """Give this reply, or what this function makes of the request, whenever nothing is queued."""
        self._usual = reply if callable(reply) else lambda _: reply

    async def until(self, true_of: Callable[[FakeProvider], object], timeout: float = 10.0) -> None:
        """Wait until something is true of this server. Raises TimeoutError."""
        async with asyncio.timeout(timeout), self._changed:
            await self._changed.wait_for(lambda: bool(true_of(self)))

    def drop_connections(self) -> None:
        """Close every open connection from this side, as a server does with idle ones."""
        for connection in list(self._live):
            connection.transport.close()

    # What connections tell (see connection.Owner)

    def opened(self, connection: Connection) -> int:
        self._live.add(connection)
        self.connections += 1
        self.open_connections += 1
        self._tell()
        return self.connections

    def closed(self, connection: Connection, aborted: bool) -> None:
        self._live.discard(connection)
        self.open_connections -= 1
        self.aborted += aborted
        self._tell()

    def answered(self, request: Request) -> None:
        if request.path != SEEN:
            self.answered_requests += 1
            self._tell()

    def reply_to(self, request: Request) -> Reply:
        if request.path == SEEN:
            return json_reply(self.seen())
        self.requests.append(request)
        self._tell()
        if self._queue:
            return self._queue.popleft()
        if self._usual is not None:
            return self._usual(request)
        return json_reply({"error": {"message": "the fake provider has nothing to play"}}, status=599)

    def run(self, work: Coroutine[Any, Any, None], on_done: Callable[[], None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)

        def done(task: asyncio.Task[None]) -> None:
            self._tasks.discard(task)
            on_done()

        task.add_done_callback(done)
        return task

    def seen(self) -> dict[str, Any]:
        """What `GET /__seen` tells; texts are decoded leniently."""
        return {
            "requests": [
                {
                    "method": request.method,
                    "path": request.path,
                    "headers": [[name.decode("latin-1"), value.decode("latin-1")] for name, value in request.headers],
                    "body": request.body.decode("utf-8", "replace"),
                    "connection": request.connection,
                }
                for request in self.requests
            ],
            "connections": self.connections,
            "open_connections": self.open_connections,
            "answered": self.answered_requests,
            "aborted": self.aborted,
        }

    def _tell(self) -> None:
        async def notify() -> None:
            async with self._changed:
                self._changed.notify_all()

        self.run(notify(), lambda: None)


def sandbox_responder(pace: Pace | None = None) -> Responder:
    """The sandbox's scripts behind the paths of an OpenAI-compatible provider."""
    script_for = sandbox_scripts(pace)
    names = [*MODELS, *FAULTS]
    listing = {"object": "list", "data": [{"id": name, "object": "model", "owned_by": "sandbox"} for name in names]}

    def respond(request: Request) -> Reply:
        path = request.path.partition("?")[0]
        operation = _OPERATIONS.get(path)
        if request.method == "POST" and operation is not None:
            return script_for(operation, request.body)
        if request.method == "GET" and path == "/v1/models":
            return json_reply(listing)
        return json_reply({"error": {"message": f"no such path: {path}", "type": "invalid_request_error"}}, status=404)

    return respond


async def _serve(port: int, pace: Pace) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with FakeProvider(port=port) as fake:
        fake.always(sandbox_responder(pace))
        print(json.dumps({"base_url": fake.base_url}), flush=True)
        await stop.wait()


def main() -> None:
    """Serve until SIGINT or SIGTERM; the first line printed is JSON with `base_url`."""
    parser = argparse.ArgumentParser(prog="python -m tests.fakes.provider", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 takes any free port")
    parser.add_argument("--script", choices=["sandbox"], default="sandbox")
    parser.add_argument("--first-token-s", type=float, default=Pace().first_token_s)
    parser.add_argument("--per-token-s", type=float, default=Pace().per_token_s)
    options = parser.parse_args()
    pace = Pace(first_token_s=options.first_token_s, per_token_s=options.per_token_s)
    asyncio.run(_serve(options.port, pace))


if __name__ == "__main__":
    main()
