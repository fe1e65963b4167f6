"""Any bytes at all as a reply: an answer or a failure, soon, and never the next request's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Literal

from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from headgate.types.fault import FaultClass
from headgate.upstream.exchange import ExchangeFailed
from headgate.upstream.pool import Pool
from tests.fakes.provider import FakeProvider, RawReply
from tests.upstream.driving import at, clocks, read_all, send, settled
from tests.upstream.test_framing import WHOLE

Then = Literal["keep", "close", "reset", "hang"]
SEEDS = [wire for wire, _, _ in WHOLE.values()]
FRAGMENTS = st.sampled_from(
    [
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"\r\n",
        b"\n",
        b"content-length: 5\r\n",
        b"content-length: -1\r\n",
        b"transfer-encoding: chunked\r\n",
        b"content-encoding: gzip\r\n",
        b"connection: close\r\n",
        b"5\r\nhello\r\n",
        b"0\r\n\r\n",
        b"0\r\n",
        b"ffffffffffffffff\r\n",
        b": \0",
        b"\xff",
    ]
)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A good reply with some bytes changed, taken out, doubled or put in."""
    wire = draw(st.sampled_from(SEEDS))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(wire)))
        end = min(len(wire), start + draw(st.integers(0, 8)))
        put = draw(st.one_of(st.binary(max_size=4), FRAGMENTS, st.just(wire[start:end] * 2)))
        wire = wire[:start] + put + wire[end:]
    return wire


WIRES = st.one_of(damaged(), damaged(), st.lists(FRAGMENTS, max_size=12).map(b"".join), st.binary(max_size=200))
KINDS = {
    "answered",
    FaultClass.SERVER_ERROR,
    FaultClass.BROKEN_STREAM,
    FaultClass.RESET,
    FaultClass.NO_FIRST_TOKEN,
    FaultClass.STALLED,
    FaultClass.TOTAL_TIMEOUT,
}
NEXT = b"HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\nthe next"


async def try_reply(wire: bytes, cut: int, then: Then, streamed: bool, fake: FakeProvider, pool: Pool) -> str:
    """Send one request that gets this reply, then one that gets a good one; how the first ended."""
    fake.play(RawReply([wire[:cut], wire[cut:]] if 0 < cut < len(wire) else [wire], then))
    async with asyncio.timeout(20):
        try:
            limits = clocks(first_token_s=0.05 if streamed else None, gap_s=0.05, total_s=0.2)
            received = await read_all(await send(pool, at(fake.port), limits))
        except ExchangeFailed as failed:
            ended, message = str(failed.kind), failed.message
        else:
            assert received.status >= 200
            ended, message = "answered", ""
        assert ended in KINDS
        assert message == "" or message.isprintable()
        # What the reply left behind is in the socket by now; whoever comes later cannot be told from the next reply.
        await asyncio.sleep(0.002)
        if then == "hang" and pool.idle_connections:
            # A good reply from a server that will take no further request.
            fake.drop_connections()
            await settled(pool)
        fake.always(RawReply([NEXT]))
        following = await read_all(await send(pool, at(fake.port)))
    assert (following.status, following.body) == (200, b"the next")
    assert pool.open_connections <= 2
    return ended


def test_no_reply_whatever_breaks_the_client(new_loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    with asyncio.Runner(loop_factory=new_loop) as runner:
        endings: set[str] = set()

        async def start() -> tuple[FakeProvider, Pool]:
            return await FakeProvider().__aenter__(), Pool()

        fake, pool = runner.run(start())

        @settings(
            max_examples=200, phases=[Phase.explicit, Phase.generate], deadline=None, derandomize=True, database=None
        )
        @given(
            WIRES,
            st.integers(0, 60),
            st.sampled_from(["close", "close", "close", "reset", "keep", "hang"]),
            st.booleans(),
        )
        @example(SEEDS[0], 0, "keep", False)
        @example(SEEDS[0] + SEEDS[0], 10, "keep", True)
        def check(wire: bytes, cut: int, then: Then, streamed: bool) -> None:
            endings.add(runner.run(try_reply(wire, cut, then, streamed, fake, pool)))

        try:
            check()
        finally:
            runner.run(pool.close())
            runner.run(fake.__aexit__())
        assert pool.open_connections == 0
        assert {"answered", FaultClass.SERVER_ERROR, FaultClass.BROKEN_STREAM, FaultClass.RESET} <= endings
