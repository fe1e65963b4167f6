"""Scripts played in this process behave like a reply that comes over a socket."""

from __future__ import annotations

import asyncio
import json
import math

import pytest

from headgate.providers.sandbox import Pace, sandbox_scripts
from headgate.types.fault import FaultClass
from headgate.types.script import Ending, Script, Step
from headgate.upstream.exchange import Clocks, Exchange, ExchangeFailed
from headgate.upstream.scripted import open_scripted

LONG = 3600.0


def clocks(first_token_s: float | None = 30.0, gap_s: float = 30.0, total_s: float = 60.0) -> Clocks:
    deadline = asyncio.get_running_loop().time() + total_s
    return Clocks(connect_s=5.0, first_token_s=first_token_s, gap_s=gap_s, deadline=deadline)


def script(*pieces: bytes, ending: Ending = Ending.COMPLETE, delay_s: float = 0.0, status: int = 200) -> Script:
    return Script(status=status, steps=tuple(Step(delay_s, piece) for piece in pieces), ending=ending)


async def all_of(exchange: Exchange) -> bytes:
    body = b""
    while piece := await exchange.read():
        body += piece
    return body


async def test_status_headers_and_body_are_those_of_the_script() -> None:
    played = Script(
        status=203, headers=(("X-One", "1"), ("x-two", "a"), ("X-Two", "b")), steps=(Step(0, b"ab"), Step(0, b"c"))
    )
    exchange = await open_scripted(played, clocks())
    assert exchange.status == 203
    assert exchange.headers == {"x-one": "1", "x-two": "a, b"}
    assert await all_of(exchange) == b"abc"
    assert await exchange.read() == b""
    exchange.release()


async def test_pieces_come_no_earlier_than_they_are_due() -> None:
    exchange = await open_scripted(Script(steps=(Step(0, b"a"), Step(0.05, b"b"), Step(LONG, b"c"))), clocks())
    received = b""
    while received != b"ab":
        received += await exchange.read()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(exchange.read(), 0.1)


async def test_pieces_that_came_due_while_nobody_read_are_joined() -> None:
    exchange = await open_scripted(script(b"a", b"b", b"c", delay_s=0.01), clocks())
    await asyncio.sleep(0.2)
    assert await exchange.read() == b"abc"


async def test_long_replies_without_delays_let_others_have_their_turn() -> None:
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.get_running_loop().create_task(other())
    exchange = await open_scripted(script(*[b"x" * 1024] * 1000), clocks())
    assert len(await all_of(exchange)) == 1024 * 1000
    task.cancel()
    assert turns >= 10


async def test_empty_pieces_are_not_mistaken_for_the_end() -> None:
    exchange = await open_scripted(
        Script(steps=(Step(0, b""), Step(0.01, b"a"), Step(0, b""), Step(0, b"b"))), clocks()
    )
    assert await all_of(exchange) == b"ab"


@pytest.mark.parametrize("ending", [Ending.CUT, Ending.HANG])
async def test_what_was_sent_arrives_before_the_break(ending: Ending) -> None:
    exchange = await open_scripted(script(b"half", ending=ending), clocks(gap_s=0.05))
    assert await exchange.read() == b"half"
    exchange.content_started()
    with pytest.raises(ExchangeFailed) as failed:
        await exchange.read()
    assert failed.value.kind is (FaultClass.BROKEN_STREAM if ending is Ending.CUT else FaultClass.STALLED)
    assert not failed.value.nothing_received


async def test_reset_fails_before_there_is_a_reply() -> None:
    with pytest.raises(ExchangeFailed) as failed:
        await open_scripted(Script(ending=Ending.RESET), clocks())
    assert failed.value.kind is FaultClass.RESET
    assert failed.value.nothing_received


async def test_head_that_is_late_is_no_first_token() -> None:
    with pytest.raises(ExchangeFailed) as failed:
        await open_scripted(Script(head_delay_s=LONG), clocks(first_token_s=0.05))
    assert failed.value.kind is FaultClass.NO_FIRST_TOKEN


async def test_first_token_clock_runs_on_through_pieces_without_content() -> None:
    steps = (Step(0, b"role"), Step(LONG, b"content"))
    exchange = await open_scripted(Script(steps=steps), clocks(first_token_s=0.05, gap_s=LONG))
    assert await exchange.read() == b"role"
    with pytest.raises(ExchangeFailed) as failed:
        await exchange.read()
    assert failed.value.kind is FaultClass.NO_FIRST_TOKEN


async def test_once_content_has_started_the_gap_clock_runs_instead() -> None:
    exchange = await open_scripted(script(b"a", b"b", delay_s=0.2), clocks(first_token_s=0.25))
    assert await exchange.read() == b"a"
    exchange.content_started()
    assert await exchange.read() == b"b"

    exchange = await open_scripted(Script(steps=(Step(0, b"a"), Step(LONG, b"b"))), clocks(gap_s=0.05))
    assert await exchange.read() == b"a"
    exchange.content_started()
    with pytest.raises(ExchangeFailed) as failed:
        await exchange.read()
    assert failed.value.kind is FaultClass.STALLED


async def test_time_the_client_keeps_us_waiting_is_not_a_gap() -> None:
    exchange = await open_scripted(Script(steps=(Step(0, b"a"), Step(0.3, b"b"))), clocks(gap_s=0.2))
    assert await exchange.read() == b"a"
    exchange.content_started()
    await asyncio.sleep(0.25)
    assert await exchange.read() == b"b"


@pytest.mark.parametrize(("first_token_s", "status"), [(None, 200), (LONG, 500)])
async def test_whole_replies_may_not_pause_once_begun(first_token_s: float | None, status: int) -> None:
    played = script(b"{", ending=Ending.HANG, status=status)
    exchange = await open_scripted(played, clocks(first_token_s=first_token_s, gap_s=0.05))
    assert await exchange.read() == b"{"
    with pytest.raises(ExchangeFailed) as failed:
        await exchange.read()
    assert failed.value.kind is FaultClass.STALLED


@pytest.mark.parametrize("played", [Script(head_delay_s=LONG), script(b"a", ending=Ending.HANG)])
async def test_deadline_ends_everything(played: Script) -> None:
    with pytest.raises(ExchangeFailed) as failed:
        await all_of(await open_scripted(played, clocks(first_token_s=None, gap_s=LONG, total_s=0.05)))
    assert failed.value.kind is FaultClass.TOTAL_TIMEOUT


@pytest.mark.parametrize("way_out", ["cancel", "release"])
async def test_giving_up_wakes_whoever_reads(way_out: str) -> None:
    exchange = await open_scripted(script(ending=Ending.HANG), clocks())
    reading = asyncio.ensure_future(exchange.read())
    await asyncio.sleep(0.01)
    getattr(exchange, way_out)()
    with pytest.raises(ExchangeFailed):
        await asyncio.wait_for(reading, 10)
    with pytest.raises(ExchangeFailed):
        await exchange.read()


async def test_cancelled_reader_leaves_no_timer_behind() -> None:
    exchange = await open_scripted(script(ending=Ending.HANG), clocks())
    reading = asyncio.ensure_future(exchange.read())
    await asyncio.sleep(0.01)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    exchange.cancel()


async def test_sandbox_stream_is_played_to_its_end() -> None:
    request = {"model": "hello", "stream": True, "messages": [{"role": "user", "content": "hi"}]}
    played = sandbox_scripts(Pace(first_token_s=0.01, per_token_s=0.001))("chat", json.dumps(request).encode())
    exchange: Exchange = await open_scripted(played, clocks())
    exchange.content_started()
    assert (await all_of(exchange)).endswith(b"data: [DONE]\n\n")
    assert math.isclose(sum(step.delay_s for step in played.steps), 0.01 + 0.001 * (len(played.steps) - 3))
