"""One exchange from end to end, as the gateway does it, for the tests of the upstream client."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from headgate.types.fault import FaultClass
from headgate.upstream.exchange import Clocks, ExchangeFailed
from headgate.upstream.http_exchange import HttpExchange
from headgate.upstream.origin import Origin
from headgate.upstream.pool import Pool

BODY = b'{"model":"m"}'
PATIENCE_S = 20.0
"""More than anything here may take on a busy machine: running into it is a hang."""


@dataclass(frozen=True)
class Received:
    """A reply that came to its proper end."""

    status: int
    headers: dict[str, str]
    body: bytes


def clocks(
    *,
    connect_s: float = PATIENCE_S,
    first_token_s: float | None = None,
    gap_s: float = PATIENCE_S,
    total_s: float = PATIENCE_S,
) -> Clocks:
    """Clocks that run from now; the ones a test does not name never run out."""
    deadline = asyncio.get_running_loop().time() + total_s
    return Clocks(connect_s=connect_s, first_token_s=first_token_s, gap_s=gap_s, deadline=deadline)


def at(port: int, *, scheme: str = "http", host: str = "127.0.0.1") -> Origin:
    return Origin(scheme, host, port)


def head_for(body: bytes = BODY) -> bytes:
    lines = ["POST /v1/chat/completions HTTP/1.1", "host: fake", f"content-length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode()


async def send(pool: Pool, origin: Origin, limits: Clocks | None = None, body: bytes = BODY) -> HttpExchange:
    return await pool.send(origin, head_for(body), body, limits or clocks())


async def read_all(exchange: HttpExchange) -> Received:
    pieces = []
    try:
        while data := await exchange.read():
            pieces.append(data)
    except BaseException:
        exchange.cancel()
        raise
    received = Received(exchange.status, dict(exchange.headers), b"".join(pieces))
    exchange.release()
    return received


async def fetch(pool: Pool, origin: Origin, limits: Clocks | None = None, body: bytes = BODY) -> Received:
    """Send a request and read its reply to the end. Raises ExchangeFailed."""
    return await read_all(await send(pool, origin, limits, body))


@contextmanager
def failing(*kinds: FaultClass, saying: str = "") -> Iterator[pytest.ExceptionInfo[ExchangeFailed]]:
    """The exchange has to fail as one of these classes, with these words in its message."""
    with pytest.raises(ExchangeFailed) as caught:
        yield caught
    assert caught.value.kind in kinds, repr(caught.value)
    assert saying in caught.value.message


async def until(true: Callable[[], object], timeout: float = PATIENCE_S) -> None:
    """Wait until something is true. Raises TimeoutError."""
    async with asyncio.timeout(timeout):
        while not true():  # noqa: ASYNC110 - most of what is waited for here is a number that nobody announces
            await asyncio.sleep(0.005)


async def settled(pool: Pool, connections: int = 0) -> None:
    """Wait until the pool has this many connections; a closed one takes a turn of the loop to go."""
    await until(lambda: pool.open_connections == connections)
