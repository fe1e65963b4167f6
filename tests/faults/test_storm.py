"""Random faults at every provider: clients see next to none of them, and nothing is left behind."""

from __future__ import annotations

import os

from tests.fakes.provider import FakeProvider
from tests.faults.forms import CHAT, TEXT
from tests.faults.shapes import SHAPES, Shape, good
from tests.faults.soak import soak
from tests.faults.storm import storm
from tests.surface.gateway import running
from tests.surface.stage import chat
from tests.surface.wire import ask, request

MANY = "HEADGATE_STORM_REQUESTS"
"""In the environment: how many requests the storm makes. Of 20000, which take a minute, 10 may fail; of 1500, 5."""

KEY = "hg-storm-tests-key-of-limits"


async def test_nearly_nobody_sees_anything_of_faults_at_random() -> None:
    requests = int(os.environ.get(MANY, "1500"))
    async with storm(seed=7) as there:
        await there.at_once(requests, clients=24)
        await there.gateway.until_idle()
        assert there.faults > requests * 0.03
        assert there.misled == []
        assert there.success >= (0.9995 if requests >= 20_000 else 0.9965), there.seen


async def test_a_limit_without_a_time_is_waited_for_when_nobody_else_is_there() -> None:
    async with FakeProvider() as fake:
        fake.always(good)
        limited: Shape = SHAPES[CHAT]["429"]
        assert limited.json is not None
        fake.play(limited.json)
        provider = f"one: {{dialect: openai, base_url: {fake.base_url}, models: [{{id: m}}]}}"
        async with running(f"keys: [{{name: all, secret: {KEY}}}]\nproviders: {{{provider}}}\n") as gateway:
            answer = await ask(gateway.port, request(body=chat("one/m"), key=KEY))
    assert (answer.status, answer.headers["x-headgate-attempts"]) == (200, "2")
    assert answer.json()["choices"][0]["message"]["content"] == TEXT


async def test_a_short_soak_leaves_no_connection_no_task_and_no_memory() -> None:
    report = await soak(seconds=8, rate=100)
    assert report.misled == 0
    assert report.success >= 0.995
    assert report.left_connections == 0
    assert report.left_tasks <= 0
    assert report.grown_bytes < 40 * 1024 * 1024
