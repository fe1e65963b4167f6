"""A body handed over piece by piece as it comes is the body that reading gives, in every way it can end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from headgate.types.fault import FaultClass
from headgate.upstream.http_exchange import HttpExchange
from headgate.upstream.pool import Pool
from tests.fakes.provider import FakeProvider, RawReply
from tests.upstream.driving import at, clocks, failing, fetch, send, settled, until
from tests.upstream.test_clocks import EVENT, HEAD, LARGE, LAST, Flood, chunk
from tests.upstream.test_framing import WHOLE, reply_of
from tests.upstream.test_hostile_replies import CUT_SHORT, NOT_A_BODY

TAKERS: dict[str, Callable[[int], bool]] = {
    "takes all": lambda _: True,
    "wants a pause after each": lambda _: False,
    "wants a pause now and then": lambda number: number % 3 != 0,
}


async def pumped(exchange: HttpExchange, takes: Callable[[int], bool] = TAKERS["takes all"]) -> bytes:
    pieces: list[bytes] = []

    def consume(data: bytes) -> bool:
        assert data
        pieces.append(data)
        return takes(len(pieces))

    await pumped_by(exchange, consume)
    return b"".join(pieces)


async def pumped_by(exchange: HttpExchange, consume: Callable[[bytes], bool]) -> None:
    try:
        while not await exchange.pump(consume):
            pass
    except BaseException:
        exchange.cancel()
        raise
    exchange.release()


@pytest.mark.parametrize("taker", TAKERS)
@pytest.mark.parametrize("name", WHOLE)
async def test_a_pumped_body_is_the_body_that_is_read(name: str, taker: str, pool: Pool) -> None:
    wire, _, body = WHOLE[name]
    cuts = [
        [wire],
        [wire[at : at + 1] for at in range(len(wire))],
        [wire[at : at + 7] for at in range(0, len(wire), 7)],
    ]
    async with FakeProvider() as fake:
        for pieces in cuts:
            fake.play(reply_of(pieces, wire))
            assert await pumped(await send(pool, at(fake.port)), TAKERS[taker]) == body
        if reply_of([wire], wire).then == "keep":
            assert fake.connections == 1


@pytest.mark.parametrize("name", [name for name, (_, kind) in CUT_SHORT.items() if kind is FaultClass.BROKEN_STREAM])
@pytest.mark.parametrize("taker", TAKERS)
async def test_a_pumped_body_that_is_cut_short_breaks_off(name: str, taker: str, pool: Pool) -> None:
    wire, _ = CUT_SHORT[name]
    async with FakeProvider() as fake:
        for pieces in ([wire], [wire[at : at + 1] for at in range(len(wire))]):
            fake.play(RawReply(pieces, "close"))
            with failing(FaultClass.BROKEN_STREAM):
                await pumped(await send(pool, at(fake.port)), TAKERS[taker])
            await settled(pool)


@pytest.mark.parametrize("name", NOT_A_BODY)
async def test_what_is_no_body_breaks_a_pumped_reply_off(name: str, pool: Pool) -> None:
    async with FakeProvider() as fake:
        fake.play(RawReply([NOT_A_BODY[name]], "hang"))
        with failing(FaultClass.BROKEN_STREAM):
            await pumped(await send(pool, at(fake.port)))
        await settled(pool)


async def test_the_gap_clock_runs_while_pumping_and_starts_anew_with_each_piece(pool: Pool) -> None:
    events: list[bytes | float] = [0.05, chunk(EVENT)] * 14
    async with FakeProvider() as fake:
        fake.play(RawReply([HEAD, *events, LAST]), RawReply([HEAD, *events], "hang"))
        for whole in (True, False):
            exchange = await send(pool, at(fake.port), clocks(first_token_s=20.0, gap_s=0.5))
            exchange.content_started()
            if whole:
                assert await pumped(exchange) == EVENT * 14
            else:
                with failing(FaultClass.STALLED):
                    await pumped(exchange)


async def test_a_taker_that_pauses_holds_the_upstream_back(pool: Pool) -> None:
    async with Flood(LARGE, end=True) as flood:
        exchange = await send(pool, at(flood.port), clocks(gap_s=0.3))
        sizes: list[int] = []

        def consume(data: bytes) -> bool:
            sizes.append(len(data))
            return len(sizes) != 3

        assert not await exchange.pump(consume)
        await flood.blocked()
        assert flood.sent < LARGE
        while not await exchange.pump(consume):
            pass
        exchange.release()
        assert sum(sizes) == LARGE
        assert pool.idle_connections == 1


async def test_a_taker_that_fails_is_the_failure_of_the_pump_and_nobody_elses(pool: Pool) -> None:
    async with FakeProvider() as fake:
        fake.play(RawReply([HEAD, chunk(EVENT), 0.05, chunk(EVENT)], "hang"))
        exchange = await send(pool, at(fake.port))
        taken: list[bytes] = []

        def consume(data: bytes) -> bool:
            taken.append(data)
            if len(taken) == 2:
                raise KeyError("the taker's own")
            return True

        assert not taken
        with pytest.raises(KeyError):
            await pumped_by(exchange, consume)
        await settled(pool)
        await fake.until(lambda fake: fake.aborted == 1)


async def test_giving_up_a_pump_closes_its_connection(pool: Pool) -> None:
    async with FakeProvider() as fake:
        fake.play(RawReply([HEAD, chunk(EVENT)], "hang"))
        exchange = await send(pool, at(fake.port))
        taken: list[bytes] = []

        def consume(data: bytes) -> bool:
            taken.append(data)
            return True

        task = asyncio.ensure_future(pumped_by(exchange, consume))
        await until(lambda: taken)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await settled(pool)
        await fake.until(lambda fake: fake.aborted == 1)


async def test_a_pump_that_was_stopped_can_be_followed_by_reading(pool: Pool) -> None:
    async with FakeProvider() as fake:
        fake.play(RawReply([HEAD, 0.05, chunk(b"a"), chunk(b"b"), chunk(b"c"), LAST]), RawReply([WHOLE["counted"][0]]))
        exchange = await send(pool, at(fake.port))
        assert not await exchange.pump(lambda data: False)
        rest = b""
        while data := await exchange.read():
            rest += data
        exchange.release()
        assert rest == b"bc"
        await fetch(pool, at(fake.port))
        assert fake.connections == 1
