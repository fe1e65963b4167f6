"""A client may leave wherever its request waits: nothing of it is left, whatever was under way."""

from __future__ import annotations

import asyncio
import itertools
import json
import types
from collections.abc import Callable, Coroutine, Generator
from typing import Any, TypeVar

import pytest

from headgate.dialects.openai.request import parse_request
from headgate.gateway.gateway import Gateway
from headgate.routing.health import Health
from headgate.routing.hypothetical import NOBODY
from headgate.routing.observed import Observed
from headgate.types.deployment import Operation
from headgate.types.request import Account, Request
from headgate.types.script import Ending, Script, Step
from headgate.types.snapshot import Snapshot
from headgate.upstream.call import Caller
from headgate.upstream.pool import Pool
from tests.fakes.provider import FakeProvider, Reply
from tests.surface.gateway import KeptEntries, books, snapshot_of
from tests.surface.stage import chat, chunk, completion, event, stream

T = TypeVar("T")
USAGE: dict[str, Any] = {"prompt_tokens": 9, "completion_tokens": 3}
HEDGE = ", hedge: {after: 0.001, budget: 100%}, retries: 0"
LATER = (0, 1, 2, 3)
"""Turns of the event loop between the moment at which a request begins to wait and that at which its client leaves."""


class Slow:
    """A client that makes the gateway wait a turn at everything it is given."""

    def __init__(self) -> None:
        self.committed = False

    async def whole(self, body: bytes, account: Account) -> None:
        self.committed = True
        await asyncio.sleep(0)

    async def begin(self, data: bytes, account: Account) -> None:
        self.committed = True
        await asyncio.sleep(0)

    def write(self, data: bytes) -> bool:
        return True

    async def drained(self) -> None:
        await asyncio.sleep(0)

    async def end(self, data: bytes) -> None:
        await asyncio.sleep(0)


def after(delay_s: float, script: Script) -> Script:
    return Script(
        status=script.status, head_delay_s=delay_s, headers=script.headers, steps=script.steps, ending=script.ending
    )


JSON = completion(**USAGE)
WHOLE = stream("Hel", "lo.", tail=[{"choices": [], "usage": USAGE}])
CUT = Script(headers=WHOLE.headers, steps=(Step(0.0, event(chunk("Hel"))),), ending=Ending.CUT)
SCENES: dict[str, tuple[Reply, Reply, str, bool]] = {
    "an answer in one piece": (JSON, JSON, "", False),
    "a stream": (WHOLE, WHOLE, "", True),
    "a stream that breaks": (CUT, WHOLE, "", True),
    "the first wins a race": (after(0.004, JSON), after(1.0, JSON), HEDGE, False),
    "the second wins a race": (after(1.0, JSON), after(0.004, JSON), HEDGE, False),
    "the first stream wins a race": (after(0.004, WHOLE), after(1.0, WHOLE), HEDGE, True),
    "the second stream wins a race": (after(1.0, WHOLE), after(0.004, WHOLE), HEDGE, True),
    "both streams win at once": (after(0.004, WHOLE), after(0.004, WHOLE), HEDGE, True),
}


@pytest.mark.parametrize("later", LATER)
@pytest.mark.parametrize("name", SCENES)
async def test_nothing_is_left_of_a_request_whose_client_leaves_wherever_it_waits(name: str, later: int) -> None:
    first, second, route, streamed = SCENES[name]
    body = json.dumps(chat("pair", stream=streamed)).encode()
    async with FakeProvider() as one, FakeProvider() as two:
        one.always(first)
        two.always(second)
        snapshot = snapshot_of(f"""
providers:
  first: {{dialect: openai, base_url: {one.base_url}, models: [{{id: m}}]}}
  second: {{dialect: openai, base_url: {two.base_url}, models: [{{id: m}}]}}
models:
  pair: {{targets: [first/m], fallback: [second/m]{route}}}
""")
        pool, wait = Pool(), 1
        while not await _left_at(wait, later, snapshot, pool, body):
            wait += 1
        assert wait > 3
        await pool.close()


async def _left_at(wait: int, later: int, snapshot: Snapshot, pool: Pool, body: bytes) -> bool:
    """Serve a request, leave when it waits for so many a time, look for what is left; whether it ended before that."""
    ledger, observed, loop = KeptEntries(), Observed(), asyncio.get_running_loop()
    gateway = Gateway(Caller(pool, {}), loop.time, books(ledger), observed, Health())
    request = Request(id="req_1", snapshot=snapshot, principal=NOBODY, envelope=parse_request(Operation.CHAT, body))
    before, waits = asyncio.all_tasks(), itertools.count(1)

    def leave(turns: int) -> None:
        if turns:
            loop.call_soon(leave, turns - 1)
        else:
            serving.cancel()

    async def serve() -> None:
        await _watched(gateway.serve(request, Slow()), lambda: next(waits) == wait and loop.call_soon(leave, later))

    serving = asyncio.create_task(serve())
    await asyncio.wait([serving], timeout=5)
    assert serving.done(), wait
    await _until(lambda: pool.open_connections == pool.idle_connections)
    assert observed.in_flight == 0, wait
    (entry,) = ledger.entries
    assert all(one.result for one in entry.attempts), wait
    assert bool(entry.provider) == bool(entry.attempts), wait
    assert [task for task in asyncio.all_tasks() - before if "headgate" in repr(task)] == [], wait
    return not serving.cancelled()


@types.coroutine
def _watched(inner: Coroutine[Any, Any, T], on_wait: Callable[[], object]) -> Generator[Any, Any, T]:
    """Runs a coroutine; calls a function whenever it begins to wait."""
    step: Callable[[Any], Any] = inner.send
    given: Any = None
    while True:
        try:
            awaited = step(given)
        except StopIteration as end:
            result: T = end.value
            return result
        on_wait()
        try:
            given = yield awaited
            step = inner.send
        except BaseException as thrown:  # noqa: BLE001  because all of it is handed on
            given, step = thrown, inner.throw


async def _until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not true():  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.001)
