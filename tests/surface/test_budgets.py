"""Budgets as clients meet them: what is refused, what is charged, and that none is ever overspent."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from headgate.types.script import Ending, Script, Step
from headgate.types.usage import Usage
from tests.fakes.provider import FakeProvider, json_reply
from tests.surface.gateway import running
from tests.surface.stage import chat, chunk, completion, event, stream
from tests.surface.wire import Answer, Wire, ask, request

KEY = "hg-surface-tests-key-with-a-budget"
USD = 10**12
# One token of either kind costs a thousandth of a dollar.
DEAR = 'input_usd_per_mtok: "1000", output_usd_per_mtok: "1000"'


def document(fake: FakeProvider, budget: str, more: str = "") -> str:
    return f"""
keys:
  - {{name: poor, secret: {KEY}, budget: {{{budget}}}}}
providers:
  fake:
    dialect: openai
    base_url: {fake.base_url}
    models:
      - {{id: m, {DEAR}}}
      - {{id: cheap, input_usd_per_mtok: "0.5", output_usd_per_mtok: "0.5"}}
      - {{id: unpriced}}
      - id: tiered
        input_usd_per_mtok: "0.5"
        output_usd_per_mtok: "0.5"
        tiers: [{{above_tokens: 3000, input_usd_per_mtok: "50", output_usd_per_mtok: "50"}}]
        service_tiers: {{priority: {{input_usd_per_mtok: "99", output_usd_per_mtok: "99"}}}}
models:
  either: {{targets: [fake/m, fake/cheap], policy: ordered}}
{more}
"""


async def send(port: int, model: str = "m", **fields: Any) -> Answer:
    return await ask(port, request(body=chat(model, **{"max_tokens": 10, **fields}), key=KEY))


async def test_five_hundred_at_the_edge_spend_no_more_than_there_is() -> None:
    async with FakeProvider() as fake, running(document(fake, 'usd: "5", per: month')) as gateway:
        script = completion(prompt_tokens=90, completion_tokens=10)
        fake.always(Script(head_delay_s=0.02, headers=script.headers, steps=script.steps))
        answers = await asyncio.gather(*(send(gateway.port) for _ in range(500)))
        for _ in range(100):
            answers.append(await send(gateway.port))
        charged = sum(entry.charged_pusd for entry in gateway.ledger.entries)
    served = [answer for answer in answers if answer.status == 200]
    refused = [answer for answer in answers if answer.status == 429]
    assert len(served) + len(refused) == 600
    assert len(fake.requests) == len(served)
    assert charged == len(served) * USD // 10 <= 5 * USD
    # What is left could not have paid for the worst of one more.
    assert served
    assert {answer.error["code"] for answer in refused} == {"budget_exceeded"}


async def test_a_refusal_says_what_is_left_and_when_it_begins_anew_and_is_not_worth_trying_again() -> None:
    async with FakeProvider() as fake, running(document(fake, 'usd: "0.4", per: day')) as gateway:
        fake.always(completion(prompt_tokens=390, completion_tokens=9))
        first, second = await send(gateway.port), await send(gateway.port)
        assert first.status in (200, 429)
        refused = second if first.status == 200 else first
    assert refused.status == 429
    assert refused.error["type"] == "insufficient_quota"
    assert refused.error["code"] == "budget_exceeded"
    assert "00:00:00Z" in refused.error["message"]
    assert refused.headers["x-should-retry"] == "false"


@pytest.mark.parametrize("script", [Script(status=500), Script(ending=Ending.RESET), Script(status=429)])
async def test_what_nobody_answered_costs_nothing(script: Script) -> None:
    async with FakeProvider() as fake, running(document(fake, 'usd: "1", per: total')) as gateway:
        fake.always(script)
        for _ in range(10):
            assert (await send(gateway.port)).status >= 429
        gateway.health.clear()
        fake.always(completion(prompt_tokens=10, completion_tokens=10))
        assert (await send(gateway.port)).status == 200
        assert [entry.charged_pusd for entry in gateway.ledger.entries] == [0] * 10 + [USD // 50]


async def test_a_client_that_leaves_pays_for_what_was_streamed() -> None:
    stream = Script(
        headers=(("content-type", "text/event-stream"),),
        steps=tuple(Step(0.0, event(chunk("word "))) for _ in range(20)),
        ending=Ending.HANG,
    )
    async with FakeProvider() as fake, running(document(fake, 'usd: "2", per: total')) as gateway:
        fake.always(stream)
        wire = await Wire.open(gateway.port)
        await wire.send(request(body=chat("m", max_tokens=50, stream=True), key=KEY))
        await wire.head()
        while b"word" not in await wire.piece():
            pass
        wire.leave()
        await gateway.until_idle()
        (entry,) = gateway.ledger.entries
    assert entry.outcome == "disconnected"
    assert entry.usage is not None
    assert entry.usage.estimated
    assert entry.usage.output > 0
    assert entry.charged_pusd == entry.cost_pusd == entry.usage.tokens * USD // 1000


async def test_a_small_cap_beside_a_large_one_does_not_get_round_a_budget() -> None:
    async with FakeProvider() as fake, running(document(fake, 'usd: "2", per: total')) as gateway:
        fake.always(completion(prompt_tokens=1, completion_tokens=1))
        answer = await send(gateway.port, max_tokens=100_000, max_completion_tokens=1)
        assert (answer.status, answer.error["code"]) == (429, "budget_exceeded")
        assert fake.requests == []
        assert (await send(gateway.port, max_tokens=10, max_completion_tokens=1)).status == 200


@pytest.mark.parametrize("told", [{"prompt_tokens": 10}, {"prompt_tokens": 10, "completion_tokens": 1e20}])
@pytest.mark.parametrize("streamed", [False, True])
async def test_an_answer_whose_provider_counts_the_prompt_alone_is_not_written_for_nothing(
    told: dict[str, Any], streamed: bool
) -> None:
    async with FakeProvider() as fake, running(document(fake, 'usd: "2", per: total')) as gateway:
        text = "many words " * 100
        fake.always(stream(text, tail=[{"choices": [], "usage": told}]) if streamed else completion(text, **told))
        answer = await send(gateway.port, stream=streamed, max_tokens=500)
        assert answer.status == 200
        await gateway.until_idle()
        (entry,) = gateway.ledger.entries
    assert entry.usage is not None
    assert entry.usage.estimated
    assert (entry.usage.input, entry.usage.output > 0) == (10, True)
    assert entry.charged_pusd == entry.usage.tokens * USD // 1000
    assert "x-headgate-cost-usd" not in answer.headers


@pytest.mark.parametrize(
    ("told", "entered"),
    [({"prompt_tokens": 10, "completion_tokens": 0}, 10), ({"prompt_tokens": 0, "total_tokens": 0}, 0)],
)
async def test_an_answer_that_nobody_is_said_to_have_written_is_not_free(told: dict[str, Any], entered: int) -> None:
    async with FakeProvider() as fake, running(document(fake, 'usd: "2", per: total')) as gateway:
        fake.always(completion("many words " * 100, **{"completion_tokens": 0} | told))
        answer = await send(gateway.port, max_tokens=500)
        assert answer.status == 200
        (entry,) = gateway.ledger.entries
    assert entry.usage is not None
    assert entry.usage.estimated
    assert entry.usage.input == entered if entered else entry.usage.input > 0
    assert 200 <= entry.usage.output <= 400
    assert entry.charged_pusd == entry.usage.tokens * USD // 1000
    assert "x-headgate-cost-usd" not in answer.headers


async def test_a_reply_that_is_no_answer_is_charged_for_what_it_says_it_used() -> None:
    async with FakeProvider() as fake, running(document(fake, 'usd: "2", per: total')) as gateway:
        counts = {"prompt_tokens": 30, "completion_tokens": 20}
        nothings: list[dict[str, Any]] = [{"choices": []}, {"error": {"message": "overloaded", "code": 503}}]
        for nothing in nothings:
            fake.always(json_reply(nothing | {"usage": counts}))
            for streamed in (False, True):
                assert (await send(gateway.port, stream=streamed)).status >= 500
                gateway.health.clear()
        await gateway.until_idle()
        assert gateway.ledger.entries
        for entry in gateway.ledger.entries:
            assert entry.charged_pusd == 50 * len(entry.attempts) * USD // 1000
            assert [one.usage for one in entry.attempts] == [Usage(input=30, output=20)] * len(entry.attempts)


async def test_a_model_without_a_price_is_refused_by_name_with_the_way_out() -> None:
    async with FakeProvider() as fake, running(document(fake, 'usd: "1", per: total')) as gateway:
        answer = await send(gateway.port, "unpriced")
    assert (answer.status, answer.error["code"], answer.error["param"]) == (400, "unknown_price", "model")
    assert "unpriced" in answer.error["message"]
    assert "input_usd_per_mtok" in answer.error["message"]
    assert fake.requests == []


async def test_a_used_up_budget_may_still_pay_for_cheaper_models() -> None:
    budget = (
        'usd: "0.5", per: total, on_exhausted: cheaper, '
        'cheaper_than: {input_usd_per_mtok: "1", output_usd_per_mtok: "1"}'
    )
    async with FakeProvider() as fake, running(document(fake, budget)) as gateway:
        fake.always(completion(prompt_tokens=400, completion_tokens=10))
        models = []
        for _ in range(3):
            answer = await send(gateway.port, "either")
            models.append(answer.headers["x-headgate-model"])
        refused = await send(gateway.port, "m")
    assert models[-1] == "cheap"
    assert (refused.status, refused.error["code"]) == (429, "budget_exceeded")


async def test_from_four_fifths_on_replies_carry_a_warning() -> None:
    async with FakeProvider() as fake, running(document(fake, 'usd: "10", per: week')) as gateway:
        fake.always(completion(prompt_tokens=8000, completion_tokens=0))
        first = await send(gateway.port)
        fake.always(completion(prompt_tokens=1, completion_tokens=1))
        second = await send(gateway.port)
    assert "x-headgate-budget-warning" not in first.headers
    assert "80%" in second.headers["x-headgate-budget-warning"]
    assert "per week" in second.headers["x-headgate-budget-warning"]


@pytest.mark.parametrize("dear", [{"service_tier": "priority"}, {"user": "long " * 1000}])
async def test_what_is_cheap_by_its_base_price_alone_is_not_cheap(dear: dict[str, Any]) -> None:
    budget = (
        'usd: "0.0001", per: total, on_exhausted: cheaper, '
        'cheaper_than: {input_usd_per_mtok: "1", output_usd_per_mtok: "1"}'
    )
    async with FakeProvider() as fake, running(document(fake, budget)) as gateway:
        fake.always(completion(prompt_tokens=150, completion_tokens=100))
        for _ in range(3):
            assert (await send(gateway.port, "cheap", max_tokens=100)).status == 200
        plain = await send(gateway.port, "tiered", max_tokens=100)
        refused = await send(gateway.port, "tiered", max_tokens=100, **dear)
    assert plain.status == 200
    assert (refused.status, refused.error["code"]) == (429, "budget_exceeded")


async def test_what_may_cost_more_than_any_plan_knows_is_refused_for_a_key_with_a_budget() -> None:
    async with FakeProvider() as fake, running(document(fake, 'usd: "1", per: total')) as gateway:
        fake.always(completion(prompt_tokens=1, completion_tokens=1))
        named: dict[str, Any] = {"plugins": [{"id": "web"}]}
        none: dict[str, Any] = {"plugins": []}
        refused, empty = await send(gateway.port, **named), await send(gateway.port, **none)
    assert (refused.status, refused.error["param"]) == (400, "plugins")
    assert empty.status == 200


async def test_further_models_are_reserved_for_and_never_reach_the_provider() -> None:
    budget = 'usd: "0.002", per: total'
    async with FakeProvider() as fake, running(document(fake, budget)) as gateway:
        fake.always(completion(prompt_tokens=1, completion_tokens=1))
        cheap = await send(gateway.port, "cheap", max_tokens=1)
        dear = await send(gateway.port, "cheap", max_tokens=1, models=["m"])
        unpriced = await send(gateway.port, "cheap", max_tokens=1, models=["unpriced"])
    assert cheap.status == 200
    assert (dear.status, dear.error["code"]) == (429, "budget_exceeded"), "the dearest of all of them is held"
    assert unpriced.status == 200, "what has no price is no candidate"
    assert all(b"models" not in one.body for one in fake.requests)


async def test_leaving_just_before_a_whole_answer_does_not_make_it_free() -> None:
    async with FakeProvider() as fake, running(document(fake, 'usd: "90", per: total')) as gateway:
        fake.always(Script(head_delay_s=60.0))
        wire = await Wire.open(gateway.port)
        await wire.send(request(body=chat("m", max_tokens=70), key=KEY))
        await fake.until(lambda fake: fake.requests)
        await asyncio.sleep(0.3)
        wire.leave()
        await gateway.until_idle()
        (entry,) = gateway.ledger.entries
    assert entry.usage is not None
    assert entry.usage.estimated
    assert entry.usage.output == 70, "as much as could have been written, and no more"
    assert entry.charged_pusd == entry.usage.tokens * USD // 1000
