"""Looking at the first bytes of a reply without taking them from its reader."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from headgate.types.script import Script, Step
from headgate.upstream.peeked import JSON_STARTS, STREAM_STARTS, PeekedExchange
from headgate.upstream.scripted import open_scripted
from tests.upstream.driving import clocks

NEITHER: frozenset[bytes] = frozenset()


async def peeked(*steps: bytes) -> PeekedExchange:
    script = Script(headers=(("x-a", "b"),), steps=tuple(Step(0.001, step) for step in steps))
    return PeekedExchange(await open_scripted(script, clocks()))


@pytest.mark.parametrize(
    ("steps", "first", "starts"),
    [
        ([b"data: {}\n\n"], b"d", STREAM_STARTS),
        ([b"event: x\n", b"data: {}\n\n"], b"e", STREAM_STARTS),
        ([b": hello\n\n"], b":", STREAM_STARTS),
        ([b"retry: 1\n\n"], b"r", STREAM_STARTS),
        ([b"id: 1\n\n"], b"i", STREAM_STARTS),
        ([b"\xef", b"\xbb", b"\xbf", b"\r\n", b"d", b"ata: {}"], b"d", STREAM_STARTS),
        ([b'{"a": 1}'], b"{", JSON_STARTS),
        ([b" ", b"[1]"], b"[", JSON_STARTS),
        ([b'"data: {}"'], b'"', NEITHER),
        ([b"null"], b"n", NEITHER),
        ([b"1"], b"1", NEITHER),
        ([b" "], b"", NEITHER),
        ([], b"", NEITHER),
        ([b" " * 1000] * 100 + [b"data: {}"], b"", NEITHER),
    ],
)
async def test_the_first_byte_tells_a_stream_from_a_document_and_every_byte_is_still_there(
    steps: list[bytes], first: bytes, starts: frozenset[bytes]
) -> None:
    exchange = await peeked(*steps)
    assert (exchange.status, exchange.headers) == (200, {"x-a": "b"})
    assert await exchange.first_byte() == first
    assert (first in STREAM_STARTS, first in JSON_STARTS) == (starts is STREAM_STARTS, starts is JSON_STARTS)
    read = [data async for data in _pieces(exchange)]
    assert b"".join(read) == b"".join(steps)
    assert b"" not in read
    exchange.release()


@pytest.mark.parametrize("takes", [1, 2, 10])
async def test_what_was_looked_at_is_pumped_first(takes: int) -> None:
    exchange = await peeked(b"data: 1\n\n", b"data: 2\n\n", b"data: 3\n\n")
    assert await exchange.first_byte() == b"d"
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
