"""Who a request goes to, as clients and providers see it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from headgate.types.script import Script
from tests.fakes.provider import FakeProvider
from tests.surface.gateway import Running, running
from tests.surface.stage import chat, completion, stream
from tests.surface.wire import Answer, Wire, ask, request

KEY = "hg-surface-tests-key-of-choices"
NARROW = "hg-surface-tests-key-of-one-model"
IMAGE = [{"type": "image_url", "image_url": {"url": "https://example.invalid/a.png"}}]
TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}


@dataclass
class Market:
    """A gateway between two providers that serve the same weights at different prices."""

    gateway: Running
    cheap: FakeProvider
    dear: FakeProvider

    async def chat(self, model: str = "pair", *, headers: bytes = b"", key: str = KEY, **fields: Any) -> Answer:
        return await ask(self.gateway.port, request(body=chat(model, **fields), key=key, headers=headers))

    async def served(self, model: str = "pair", *, headers: bytes = b"", **fields: Any) -> str:
        """Which provider answers."""
        answer = await self.chat(model, headers=headers, **fields)
        assert answer.status == 200, answer.body
        return answer.headers["x-headgate-provider"]


def sells(fake: FakeProvider, usd: str, *models: str) -> str:
    prices = f'input_usd_per_mtok: "{usd}", output_usd_per_mtok: "{usd}"'
    listed = ", ".join(f"{{{model}, {prices}}}" for model in models)
    return f"{{dialect: openai, base_url: {fake.base_url}, api_key: x, models: [{listed}]}}"


@asynccontextmanager
async def market(
    cheap: str = "id: org/M", dear: str = "id: org/M", *, route: str = "", targets: str = "dear/org/M, cheap/org/M"
) -> AsyncIterator[Market]:
    async with AsyncExitStack() as stack:
        one, two = await stack.enter_async_context(FakeProvider()), await stack.enter_async_context(FakeProvider())
        for fake in (one, two):
            fake.always(completion(prompt_tokens=10, completion_tokens=5))
        document = f"""
keys:
  - {{name: all, secret: {KEY}}}
  - {{name: narrow, secret: {NARROW}, models: [pair]}}
providers:
  cheap: {sells(one, "1", cheap)}
  dear: {sells(two, "9", dear, "id: org/Eyes, capabilities: [vision, tools, json_schema]")}
models:
  pair: {{targets: [{targets}]{route}}}
"""
        yield Market(await stack.enter_async_context(running(document)), one, two)


async def test_the_cheapest_serves_and_the_fastest_where_it_is_asked_for() -> None:
    async with market() as there:
        assert await there.served() == "cheap"
        assert await there.served("org/M") == "cheap"
        slow = completion(prompt_tokens=10, completion_tokens=5)
        there.cheap.always(Script(head_delay_s=0.4, headers=slow.headers, steps=slow.steps))
        assert await there.served() == "cheap", "slow is not dear"
        for _ in range(2):
            # Whoever has not been seen yet is tried.
            await there.served(headers=b"X-Headgate-Policy: fastest\r\n")
        fast = [await there.served("pair:fastest") for _ in range(5)]
    assert fast.count("dear") >= 4, "one may have been spent on finding out"


@pytest.mark.parametrize(
    ("asked", "what"),
    [
        ({"tools": [TOOL]}, "tools"),
        ({"response_format": {"type": "json_schema", "json_schema": {}}}, "JSON schemas"),
        ({"messages": [{"role": "user", "content": IMAGE}]}, "images"),
    ],
)
async def test_who_cannot_is_passed_over_and_when_nobody_can_the_refusal_says_who_could(
    asked: dict[str, Any], what: str
) -> None:
    able = "id: org/M, capabilities: [vision, tools, json_schema]"
    async with market("id: org/M, capabilities: []", able) as there:
        assert await there.served() == "cheap"
        assert await there.served(**asked) == "dear"
        alone = await there.chat("cheap/org/M", **asked)
        narrow = await there.chat("pair", key=NARROW, **asked)
    assert narrow.status == 200
    assert (alone.status, alone.error["param"]) == (400, next(iter(asked)))
    assert what in alone.error["message"]
    assert "org/M (dear)" in alone.error["message"]
    assert len(there.cheap.requests) == 1, "only what asked for nothing special"


async def test_a_refusal_never_points_to_a_model_the_key_may_not_use() -> None:
    async with market("id: org/M, capabilities: []", "id: org/M, capabilities: []") as there:
        everything, narrow = await there.chat(tools=[TOOL]), await there.chat(key=NARROW, tools=[TOOL])
    assert "org/Eyes" in everything.error["message"]
    assert narrow.status == 400
    assert "org/Eyes" not in narrow.error["message"]


async def test_what_does_not_fit_the_window_goes_to_a_larger_one() -> None:
    async with market("id: org/M, context_tokens: 1000", "id: org/M, context_tokens: 100000") as there:
        assert await there.served() == "cheap"
        long = [{"role": "user", "content": "word " * 4000}]
        assert await there.served(messages=long) == "dear"
        assert await there.served(max_tokens=5000) == "dear"
        alone = await there.chat("cheap/org/M", messages=long)
    assert (alone.status, alone.error["code"]) == (400, "context_length_exceeded")
    assert alone.error["param"] == "messages"


async def test_an_answer_longer_than_the_model_writes_goes_to_who_writes_it() -> None:
    async with market("id: org/M, max_output_tokens: 100", "id: org/M, max_output_tokens: 9000") as there:
        assert await there.served(max_tokens=100) == "cheap"
        assert await there.served(max_completion_tokens=101) == "dear"
        alone = await there.chat("cheap/org/M", max_tokens=101)
    assert (alone.status, alone.error["param"]) == (400, "max_tokens")


async def test_a_quantised_serving_is_got_by_those_alone_who_admit_it() -> None:
    async with market("id: org/M-fp8, model: org/M, quantization: fp8", targets="dear/org/M") as there:
        assert await there.served("org/M") == "dear"
        assert await there.served("org/M", provider={"quantizations": ["fp8"]}) == "cheap"
        assert await there.served("org/M-fp8") == "cheap"
        assert await there.served("cheap/org/M-fp8") == "cheap"
        neither = await there.chat("org/M", provider={"quantizations": ["int4"]})
    assert neither.status == 400
    assert "int4" in neither.error["message"]


async def test_the_words_of_openrouter_are_acted_on_and_not_sent_on() -> None:
    async with market() as there:
        assert await there.served(provider={"order": ["Dear"]}) == "dear"
        assert await there.served(provider={"only": ["dear"]}) == "dear"
        assert await there.served(provider={"ignore": ["cheap"]}) == "dear"
        assert await there.served(provider={"max_price": {"prompt": 2, "completion": "2"}}) == "cheap"
        assert await there.served("nothing/here", models=["dear/org/M"]) == "dear"
        wish = await there.chat(provider={"preferred_min_throughput": 50})
        nobody = await there.chat(provider={"max_price": {"prompt": 0.5}})
        unknown = await there.chat(provider={"odrer": ["dear"]})
        kept = await there.chat(provider={"data_collection": "deny"})
        sent = [json.loads(one.body) for one in (*there.cheap.requests, *there.dear.requests)]
    assert wish.headers["x-headgate-dropped"] == "provider.preferred_min_throughput"
    assert (nobody.status, unknown.status, kept.status) == (400, 400, 400)
    assert "odrer" in unknown.error["message"]
    assert unknown.error["param"].startswith("provider")
    assert kept.error["param"] == "provider.data_collection"
    assert not [body for body in sent if "provider" in body or "models" in body]


async def test_a_provider_at_its_limit_is_spared_until_it_has_room_again() -> None:
    async with market() as there:
        answer = completion(prompt_tokens=10, completion_tokens=5)
        at_limit = (("x-ratelimit-remaining-requests", "0"), ("x-ratelimit-reset-requests", "60s"))
        there.cheap.always(Script(headers=(*answer.headers, *at_limit), steps=answer.steps))
        assert await there.served() == "cheap"
        assert [await there.served() for _ in range(3)] == ["dear"] * 3
        soon = (("x-ratelimit-remaining-requests", "50"), ("x-ratelimit-reset-requests", "60s"))
        there.cheap.always(Script(headers=(*answer.headers, *soon), steps=answer.steps))
        assert await there.served("cheap/org/M") == "cheap", "a pin has nobody to spill to"
        assert await there.served() == "cheap"


async def test_weights_share_the_traffic() -> None:
    async with market(route=", policy: weighted, weights: {dear/org/M: 3}") as there:
        served = [await there.served() for _ in range(200)]
    # Three in four, give or take five standard deviations.
    assert 150 - 31 <= served.count("dear") <= 150 + 31


async def test_the_record_of_a_request_says_who_else_could_have_served_it() -> None:
    async with market("id: org/M, capabilities: []", "id: org/M, capabilities: [tools]") as there:
        await there.chat(tools=[TOOL])
        await there.chat()
        await there.chat("nothing")
        with_tools, plain, unknown = there.gateway.ledger.entries
    assert with_tools.plan is not None
    assert with_tools.plan.told() == {
        "policy": "cheapest",
        "candidates": [
            {
                "deployment": "dear/org/M",
                "provider": "dear",
                "upstream_id": "org/M",
                "expected_cost_pusd": with_tools.plan.candidates[0].expected_cost_pusd,
                "expected_time_s": None,
                "health": "unknown",
            }
        ],
        "dropped": [{"deployment": "cheap/org/M", "reason": "does not do tools"}],
    }
    assert plain.plan is not None
    first, second = plain.plan.candidates
    assert (first.provider, second.provider, second.health) == ("cheap", "dear", "healthy")
    assert first.expected_cost_pusd is not None
    assert second.expected_cost_pusd == 9 * first.expected_cost_pusd
    assert second.expected_time_s is not None
    assert unknown.plan is None


async def test_streams_teach_first_token_time_and_pace() -> None:
    async with market() as there:
        usage = {"prompt_tokens": 10, "completion_tokens": 40}
        tail = [{"id": "c1", "object": "chat.completion.chunk", "choices": [], "usage": usage}]
        there.cheap.always(stream(*["word "] * 4, tail=tail, delay_s=0.05))
        async with await Wire.open(there.gateway.port) as wire:
            await wire.send(request(body=chat("pair", stream=True), key=KEY))
            await wire.head()
            while await wire.piece():
                pass
        await there.chat()
        _, entry = there.gateway.ledger.entries
    assert entry.plan is not None
    time_s = entry.plan.candidates[0].expected_time_s
    assert time_s is not None
    # Forty tokens took as long as the pauses between the events at the least; five hundred are expected.
    assert time_s > 0.15 / 40 * 500 * 0.9
