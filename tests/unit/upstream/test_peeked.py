"""Looking at the first bytes of a reply without taking them from its reader."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from headgate.types.script import Script, Step
from headgate.upstream.peeked import PeekedExchange
from headgate.upstream.scripted import open_scripted
from tests.upstream.driving import clocks


async def peeked(*steps: bytes) -> PeekedExchange:
    script = Script(headers=(("x-a", "b"),), steps=tuple(Step(0.001, step) for step in steps))
    return PeekedExchange(await open_scripted(script, clocks()))


@pytest.mark.parametrize(
    ("steps", "stream"),
    [
        ([b"data: {}\n\n"], True),
        ([b"event: x\n", b"data: {}\n\n"], True),
        ([b": hello\n\n"], True),
        ([b"retry: 1\n\n"], True),
        ([b"id: 1\n\n"], True),
        ([b"\xef", b"\xbb", b"\xbf", b"\r\n", b"d", b"ata: {}"], True),
        ([b'{"a": 1}'], False),
        ([b" ", b"[1]"], False),
        ([b'"data: {}"'], False),
        ([b"null"], False),
        ([b"1"], False),
        ([b" "], False),
        ([], False),
        ([b" " * 1000] * 100 + [b"data: {}"], False),
    ],
)
async def test_what_begins_as_a_stream_does_is_known_and_every_byte_is_still_there(
    steps: list[bytes], stream: bool
) -> None:
    exchange = await peeked(*steps)
    assert (exchange.status, exchange.headers) == (200, {"x-a": "b"})
    assert await exchange.looks_like_stream() is stream
    read = [data async for data in _pieces(exchange)]
    assert b"".join(read) == b"".join(steps)
    assert b"" not in read
    exchange.release()


@pytest.mark.parametrize("takes", [1, 2, 10])
async def test_what_was_looked_at_is_pumped_first(takes: int) -> None:
    exchange = await peeked(b"data: 1\n\n", b"data: 2\n\n", b"data: 3\n\n")
    assert await exchange.looks_like_stream()
    exchange.content_started()
    pumped: list[bytes] = []

    def consume(data: bytes) -> bool:
        pumped.append(data)
        return len(pumped) < takes

    whole = await exchange.pump(consume)
    rest = b"" if whole else b"".join([data async for data in _pieces(exchange)])
    assert b"".join(pumped) + rest == b"data: 1\n\ndata: 2\n\ndata: 3\n\n"
    assert pumped[0].startswith(b"data: 1\n\n")
    exchange.cancel()


async def _pieces(exchange: PeekedExchange) -> AsyncIterator[bytes]:
    while data := await exchange.read():
        yield data
