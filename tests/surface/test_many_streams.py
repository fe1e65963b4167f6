"""Hundreds of streams, half of their clients leaving; and clients that do not read."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import resource
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from headgate.dialects.openai.stream import StreamReader
from headgate.endpoints.cycle import Cycle
from headgate.endpoints.reply import AsgiReply
from headgate.endpoints.server import ClientConnection
from headgate.types.script import Script, Step
from tests.fakes.provider import Request
from tests.surface.gateway import running, snapshot_of, until
from tests.surface.stage import KEY, Stage, chat, chunk, document, event, stream
from tests.surface.wire import Wire, request

pytestmark = pytest.mark.asyncio(loop_scope="module")

STREAMS = 500
EVENTS = 12
ROUNDS = 3
MEGABYTE = 2**20
LIVES_WITH_A_REQUEST = (ClientConnection, Cycle, AsgiReply, StreamReader)


def numbered(number: int) -> list[bytes]:
    """The events of one stream, which no other has."""
    texts = [event(chunk(f"stream {number} event {index} " + "é" * (number % 50))) for index in range(EVENTS)]
    return [*texts, event(chunk(None, "stop"))]


def play_numbered(seen: Request) -> Script:
    steps = [Step(0.02, piece) for piece in numbered(seen.json()["number"])]
    return Script(headers=(("content-type", "text/event-stream"),), steps=(*steps, Step(0.0, b"data: [DONE]\n\n")))


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def living() -> Counter[str]:
    gc.collect()
    return Counter(type(one).__name__ for one in gc.get_objects() if isinstance(one, LIVES_WITH_A_REQUEST))


async def read_whole(port: int, number: int) -> bytes:
    async with await Wire.open(port) as wire:
        await wire.send(request(body=chat(stream=True, number=number), key=KEY))
        return (await wire.answer()).body


async def leave_midway(port: int, number: int) -> None:
    async with await Wire.open(port) as wire:
        await wire.send(request(body=chat(stream=True, number=number), key=KEY))
        await wire.head()
        for _ in range(1 + number % 5):
            await wire.piece()


@pytest.fixture
def many_files() -> None:
    """Client, gateway and provider are one process here: four sockets for each stream."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 4 * STREAMS + 500
    if most != resource.RLIM_INFINITY and most < wanted:
        pytest.skip(f"at most {most} open files are allowed here")
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), most))


@pytest.mark.usefixtures("many_files")
async def test_half_of_500_clients_leave_midway_and_nothing_of_them_stays(stage: Stage) -> None:
    stage.fake.always(play_numbered)
    gateway, pool = stage.gateway, stage.gateway.pool
    await gateway.until_idle()
    tasks, alive = len(asyncio.all_tasks()), living()
    files = len(os.listdir("/proc/self/fd")) - 2 * pool.idle_connections
    sizes = []
    for _ in range(ROUNDS):
        aborted = stage.fake.aborted
        reads = [read_whole(stage.port, number) for number in range(0, STREAMS, 2)]
        leaves = [leave_midway(stage.port, number) for number in range(1, STREAMS, 2)]
        whole, _ = await asyncio.gather(asyncio.gather(*reads), asyncio.gather(*leaves))
        for number, body in zip(range(0, STREAMS, 2), whole, strict=True):
            assert body == b"".join(numbered(number)) + b"data: [DONE]\n\n", f"stream {number} is not what was sent"
        await gateway.until_idle()
        await stage.fake.until(lambda fake: fake.aborted == aborted + STREAMS // 2)  # noqa: B023 - awaited at once
        # Only connections that wait for their next request are still open at the provider.
        await stage.fake.until(lambda fake: fake.open_connections == pool.idle_connections)
        stage.fake.requests.clear()
        assert living() == alive
        sizes.append(resident())
    # The provider's own tasks and sockets end in turns of the loop of their own.
    await until(lambda: len(asyncio.all_tasks()) <= tasks + pool.open_connections)
    await until(lambda: len(os.listdir("/proc/self/fd")) - 2 * pool.idle_connections <= files)
    assert sizes[-1] - sizes[0] < 25 * MEGABYTE, f"memory after each round: {[size // MEGABYTE for size in sizes]} MB"


async def test_a_client_that_does_not_read_50_mb_costs_a_few_and_then_gets_them_all(stage: Stage) -> None:
    piece = event(chunk("x" * 50_000))
    count = 50 * MEGABYTE // len(piece)
    end = event(chunk(None, "stop"))
    steps = (*[Step(0.0, piece)] * count, Step(0.0, end + b"data: [DONE]\n\n"))
    stage.fake.always(Script(headers=(("content-type", "text/event-stream"),), steps=steps))
    async with await Wire.open(stage.port, receive_buffer=16 * 1024) as wire:
        answered = stage.fake.answered_requests
        before = resident()
        # The route's gap clock runs out in a third of a second; it must not run while only the client is slow.
        await wire.send(request(body=chat("hasty", stream=True), key=KEY))
        await wire.head()
        highest = before
        for _ in range(15):
            await asyncio.sleep(0.1)
            highest = max(highest, resident())
        assert highest - before < 16 * MEGABYTE
        assert stage.fake.answered_requests == answered, "the provider could send all of it"
        received, last = 0, b""
        while data := await wire.piece():
            last = data
            received += len(data)
        assert received == count * len(piece) + len(end) + len(b"data: [DONE]\n\n")
        assert last.endswith(b"data: [DONE]\n\n")


async def test_a_stream_keeps_the_snapshot_it_began_with_while_new_requests_get_the_new_one(stage: Stage) -> None:
    text = document(stage.fake)
    async with running(text) as gateway:
        counts = {"prompt_tokens": 10**6, "completion_tokens": 10**6}
        stage.fake.always(stream("a", "b", "c", delay_s=0.2, tail=[{"choices": [], "usage": counts}]))
        asking: dict[str, Any] = {"stream": True, "stream_options": {"include_usage": True}}
        async with await Wire.open(gateway.port) as old, await Wire.open(gateway.port) as new:
            await old.send(request(body=chat(**asking), key=KEY))
            await old.head()
            gateway.published.publish(snapshot_of(text.replace('"0.1234567"', '"5"'), revision=2))
            await new.send(request(body=chat(**asking), key=KEY))
            bodies = [b"".join([piece async for piece in pieces(old)]), (await new.answer()).body]
            await old.send(request("GET", "/readyz"))
            assert (await old.answer()).json()["revision"] == 2
    costs = [json.loads(body.split(b"\n\n")[-3][6:])["headgate"]["cost_usd"] for body in bodies]
    assert costs == [0.8888888, 5.7654321]


async def pieces(wire: Wire) -> AsyncIterator[bytes]:
    while data := await wire.piece():
        yield data
