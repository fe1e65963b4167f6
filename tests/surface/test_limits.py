"""Limits of a key as its clients meet them: refusals, headers, and that nothing stays held."""

from __future__ import annotations

import asyncio

import pytest

from headgate.types.script import Ending, Script, Step
from tests.fakes.provider import FakeProvider
from tests.surface.gateway import running, until
from tests.surface.stage import chat, chunk, completion, event
from tests.surface.wire import Answer, Wire, ask, request

KEY = "hg-surface-tests-key-with-limits"


def document(fake: FakeProvider, limits: str) -> str:
    return f"""
keys:
  - {{name: limited, secret: {KEY}, limits: {{{limits}}}}}
providers:
  fake:
    dialect: openai
    base_url: {fake.base_url}
    models: [{{id: m, input_usd_per_mtok: "1", output_usd_per_mtok: "1"}}]
"""


async def send(port: int, **fields: object) -> Answer:
    return await ask(port, request(body=chat("m", **fields), key=KEY))


async def test_requests_beyond_the_limit_are_refused_and_told_when_to_come_back() -> None:
    async with FakeProvider() as fake, running(document(fake, "rpm: 2")) as gateway:
        fake.always(completion(prompt_tokens=1, completion_tokens=1))
        first, second, third = [await send(gateway.port) for _ in range(3)]
    assert [first.status, second.status, third.status] == [200, 200, 429]
    assert first.headers["x-ratelimit-limit-requests"] == "2"
    assert first.headers["x-ratelimit-remaining-requests"] == "1"
    assert second.headers["x-ratelimit-remaining-requests"] == "0"
    assert third.error["code"] == "rate_limit_exceeded"
    assert "2 requests a minute" in third.error["message"]
    assert 1 <= int(third.headers["retry-after"]) <= 30
    assert third.headers["x-ratelimit-remaining-requests"] == "0"
    assert len(fake.requests) == 2


async def test_tokens_are_reserved_by_estimate_and_settled_to_the_truth() -> None:
    async with FakeProvider() as fake, running(document(fake, "tpm: 1000")) as gateway:
        fake.always(completion(prompt_tokens=3, completion_tokens=2))
        first = await send(gateway.port, max_tokens=900)
        second = await send(gateway.port, max_tokens=900)
        fake.always(completion(prompt_tokens=3, completion_tokens=2000))
        third = await send(gateway.port, max_tokens=900)
        fourth = await send(gateway.port, max_tokens=900)
    assert [first.status, second.status, third.status, fourth.status] == [200, 200, 200, 429]
    assert int(first.headers["x-ratelimit-remaining-tokens"]) < 100
    assert "tokens a minute" in fourth.error["message"]


async def test_an_input_that_can_never_fit_is_not_worth_trying_again() -> None:
    async with FakeProvider() as fake, running(document(fake, "tpm: 10")) as gateway:
        answer = await send(gateway.port)
    assert (answer.status, answer.headers["x-should-retry"]) == (429, "false")
    assert fake.requests == []


@pytest.mark.parametrize("end", ["whole", "cut", "error", "client leaves"])
async def test_a_place_among_concurrent_requests_is_free_again_however_the_request_ends(end: str) -> None:
    pieces = (Step(0.0, event(chunk("Hel"))), Step(0.3, event(chunk("lo.", "stop")) + b"data: [DONE]\n\n"))
    scripts = {
        "whole": Script(headers=(("content-type", "text/event-stream"),), steps=pieces),
        "cut": Script(
            headers=(("content-type", "text/event-stream"),),
            steps=(pieces[0], Step(0.3, event(chunk("lo")))),
            ending=Ending.CUT,
        ),
        "error": Script(status=500, head_delay_s=0.3),
        "client leaves": Script(headers=(("content-type", "text/event-stream"),), steps=pieces, ending=Ending.HANG),
    }
    async with FakeProvider() as fake, running(document(fake, "concurrent: 1")) as gateway:
        fake.always(scripts[end])
        wire = await Wire.open(gateway.port)
        await wire.send(request(body=chat("m", stream=True), key=KEY))
        await until(lambda: len(fake.requests) == 1)
        refused = await send(gateway.port)
        assert refused.status == 429
        assert "1 request at once" in refused.error["message"]
        if end != "client leaves":
            await wire.head()
            await until(lambda: gateway.requests == 0)
        wire.leave()
        await gateway.until_idle()
        fake.always(completion())
        assert (await send(gateway.port)).status == 200


async def test_hundreds_at_once_never_hold_more_places_than_there_are() -> None:
    async with FakeProvider() as fake, running(document(fake, "concurrent: 7")) as gateway:
        fake.always(
            Script(head_delay_s=0.05, headers=(("content-type", "application/json"),), steps=completion().steps)
        )
        answers = await asyncio.gather(*(send(gateway.port) for _ in range(200)))
        assert {answer.status for answer in answers} == {200, 429}
        await gateway.until_idle()
        again = await asyncio.gather(*(send(gateway.port) for _ in range(7)))
        assert [answer.status for answer in again] == [200] * 7
