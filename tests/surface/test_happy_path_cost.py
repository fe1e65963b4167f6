"""What a request costs that nothing goes wrong with, counted in calls and never in seconds.

Counted are calls that the gateway's own code makes and the calls into it, of Python and of C: on a quiet machine some
fifteen to twenty of them are a microsecond. `make bench` measures the time.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from types import FrameType
from typing import Any

import pytest

import headgate
from tests.fakes.provider import FakeProvider
from tests.surface.gateway import running
from tests.surface.stage import LLAMA, chat, completion, stream
from tests.surface.wire import Wire, request

SOURCE = headgate.__path__[0]
KEY = "hg-cost-tests-key-with-limits-and-budget"
REQUESTS = 50
EVENTS = 60

MOST_A_REQUEST = 450
MOST_AN_EVENT = 23.5
"""A tenth more than were counted in November 2026. Before there was a ladder of attempts they were 535 and 37, and with
its first version 654 and 45."""


class Calls:
    """Counts while its block runs."""

    def __init__(self) -> None:
        self.made = 0

    def __enter__(self) -> Calls:
        sys.setprofile(self._count)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)

    def _count(self, frame: FrameType, event: str, argument: Any) -> None:
        if event in ("call", "c_call") and frame.f_code.co_filename.startswith(SOURCE):
            self.made += 1


def document(fake: FakeProvider) -> str:
    """Three providers at a price, behind a key with limits and a budget."""
    model = f'{{id: {LLAMA}, input_usd_per_mtok: "0.10", output_usd_per_mtok: "0.30"}}'
    box = f"{{dialect: openai, base_url: {fake.base_url}, api_key: k, models: [{model}]}}"
    return f"""
keys:
  - name: counted
    secret: {KEY}
    limits: {{rpm: 1000000, tpm: 1000000000, concurrent: 1000}}
    budget: {{usd: 1000000, per: month}}
providers: {{one: {box}, two: {box}, three: {box}}}
models: {{m: {{targets: [one/{LLAMA}, two/{LLAMA}, three/{LLAMA}]}}}}
"""


@pytest.fixture
async def provider() -> AsyncIterator[FakeProvider]:
    async with FakeProvider() as fake:
        yield fake


@pytest.fixture
async def wire(provider: FakeProvider) -> AsyncIterator[Wire]:
    async with running(document(provider)) as gateway, await Wire.open(gateway.port) as opened:
        yield opened


async def answered(wire: Wire, **fields: Any) -> None:
    await wire.send(request(body=chat("m", **fields), key=KEY))
    answer = await wire.answer()
    assert answer.status == 200, answer.body


async def test_a_json_request_makes_no_more_calls_than_it_did(provider: FakeProvider, wire: Wire) -> None:
    provider.always(completion(prompt_tokens=20, completion_tokens=20, total_tokens=40))
    for _ in range(20):
        await answered(wire)
    with Calls() as calls:
        for _ in range(REQUESTS):
            await answered(wire)
    assert MOST_A_REQUEST / 2 < calls.made / REQUESTS <= MOST_A_REQUEST


async def test_a_streamed_event_makes_no_more_calls_than_it_did(provider: FakeProvider, wire: Wire) -> None:
    made = []
    for events in (EVENTS, 2 * EVENTS):
        provider.always(stream(*["word "] * events, delay_s=0.002))
        await answered(wire, stream=True)
        with Calls() as calls:
            await answered(wire, stream=True)
        made.append(calls.made)
    # What a stream costs besides its events is in both. Events that came together would only be cheaper.
    assert 5 < (made[1] - made[0]) / EVENTS <= MOST_AN_EVENT
