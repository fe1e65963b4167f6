"""A client that goes away, or does not read, costs the gateway nothing that lasts."""

from __future__ import annotations

import asyncio

import pytest

from headgate.types.script import Ending, Script, Step
from tests.fakes.provider import Reply, event_reply
from tests.surface.stage import KEY, Stage, chat, chunk, event, stream
from tests.surface.wire import Wire, request

pytestmark = pytest.mark.asyncio(loop_scope="module")

STREAM = stream().headers
SILENT: dict[str, tuple[Reply, bool]] = {
    "while a JSON answer is awaited": (Script(head_delay_s=60), False),
    "in the middle of a JSON answer": (
        Script(headers=(("content-type", "application/json"),), steps=(Step(0, b'{"choices":'),), ending=Ending.HANG),
        False,
    ),
    "before the head of a stream": (Script(head_delay_s=60), True),
    "before the first token": (Script(headers=STREAM, steps=(Step(0, event(chunk(""))),), ending=Ending.HANG), True),
    "in an error's body": (Script(status=500, steps=(Step(0, b"{"),), ending=Ending.HANG), False),
}


@pytest.mark.parametrize("when", SILENT)
async def test_a_client_that_leaves_cancels_the_upstream_exchange(stage: Stage, when: str) -> None:
    reply, streamed = SILENT[when]
    stage.fake.always(reply)
    before = stage.fake.aborted
    async with await stage.wire() as wire:
        await wire.send(request(body=chat(stream=streamed), key=KEY))
        await stage.fake.until(lambda fake: fake.requests)
    await stage.fake.until(lambda fake: fake.aborted == before + 1)
    await stage.gateway.until_idle()


async def test_a_client_that_leaves_in_the_middle_of_a_stream_cancels_the_upstream_exchange(stage: Stage) -> None:
    stage.fake.always(Script(headers=STREAM, steps=(Step(0, event(chunk("one"))),), ending=Ending.HANG))
    before = stage.fake.aborted
    async with await stage.wire() as wire:
        await wire.send(request(body=chat(stream=True), key=KEY))
        await wire.head()
        assert b"one" in await wire.piece()
    await stage.fake.until(lambda fake: fake.aborted == before + 1)


async def test_a_client_that_leaves_a_stream_between_events_is_noticed_before_the_next_one(stage: Stage) -> None:
    """The provider sends nothing more, so no failed write can tell."""
    stage.fake.always(event_reply(chunk("one"), chunk("two"), delay_s=30, done=False))
    before = stage.fake.aborted
    async with await stage.wire() as wire:
        await wire.send(request(body=chat(stream=True), key=KEY))
        await stage.fake.until(lambda fake: fake.requests)
    await stage.fake.until(lambda fake: fake.aborted == before + 1)


async def test_a_client_that_leaves_with_full_buffers_cancels_the_upstream_exchange(stage: Stage) -> None:
    stage.fake.always(stream(*["x" * 60_000] * 800))
    before = stage.fake.aborted
    async with await Wire.open(stage.port, receive_buffer=4096) as wire:
        await wire.send(request(body=chat(stream=True), key=KEY))
        await wire.head()
        answered = stage.fake.answered_requests
    await stage.fake.until(lambda fake: fake.aborted == before + 1)
    assert stage.fake.answered_requests == answered


@pytest.mark.parametrize("sent", [b'{"model":', b""])
async def test_a_client_that_leaves_while_it_sends_calls_nobody(stage: Stage, sent: bytes) -> None:
    async with await stage.wire() as wire:
        await wire.send(request(key=KEY, headers=b"Content-Length: 1000\r\n") + sent)
    await stage.gateway.until_idle()
    assert stage.fake.requests == []


@pytest.mark.parametrize("behind", [1, 3, 40])
async def test_a_client_that_leaves_takes_the_requests_behind_its_first_with_it(stage: Stage, behind: int) -> None:
    stage.fake.always(Script(head_delay_s=60))
    before = stage.fake.aborted
    async with await stage.wire() as wire:
        await wire.send(request(body=chat(), key=KEY))
        await stage.fake.until(lambda fake: fake.requests)
        for _ in range(behind):
            await wire.send(request(body=chat(), key=KEY))
            await asyncio.sleep(0.01)
    await stage.fake.until(lambda fake: fake.aborted == before + 1)
    await stage.gateway.until_idle()
    assert len(stage.fake.requests) == 1
