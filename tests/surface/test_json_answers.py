"""JSON answers that are not whole: another provider is asked, and what the first one says it used is paid."""

from __future__ import annotations

from typing import Any

import pytest

from headgate.types.script import Script, Step
from headgate.types.usage import Usage
from tests.fakes.provider import FakeProvider, json_reply
from tests.surface.gateway import running
from tests.surface.pair import KEY, pair
from tests.surface.stage import completion
from tests.surface.wire import ask, request


@pytest.mark.parametrize(
    "choice",
    [
        {},
        {"message": {"content": ""}, "finish_reason": "stop"},
        {"message": {"content": "half of"}, "finish_reason": None},
        {"message": {"content": "half of"}, "finish_reason": "insufficient_system_resource"},
        {"message": {"tool_calls": [{"function": {"arguments": '{"city": "Z'}}]}, "finish_reason": "tool_calls"},
    ],
)
async def test_a_json_answer_that_is_not_whole_is_answered_by_the_next_and_both_are_paid(choice: Any) -> None:
    async with pair() as there:
        there.first.always(
            json_reply({"choices": [choice], "usage": {"prompt_tokens": 5000, "completion_tokens": 700}})
        )
        there.second.always(completion(prompt_tokens=5, completion_tokens=7))
        answer = await there.chat()
        assert (answer.status, answer.headers["x-headgate-provider"]) == (200, "second")
        (entry,) = there.gateway.ledger.entries
        first, second = entry.attempts
        assert (first.result, second.result) == ("soft_error", "success")
        assert (first.usage, first.cost.pusd) == (Usage(input=5000, output=700), 5700 * 10**6)
        assert entry.cost_pusd == 5712 * 10**6
        alone = await there.chat("alone")
        assert (alone.status, alone.error["code"]) == (502, "upstream_error")
        assert there.gateway.ledger.entries[-1].charged_pusd == 5700 * 10**6


@pytest.mark.parametrize("places", [[0], [0, 1], [0, 0, 1]])
async def test_inputs_that_are_not_all_embedded_go_to_the_next(places: list[int]) -> None:
    def vectors(*places: int) -> Script:
        data = [{"object": "embedding", "index": at, "embedding": [0.5]} for at in places]
        return json_reply({"object": "list", "data": data, "usage": {"prompt_tokens": 3, "total_tokens": 3}})

    async with FakeProvider() as one, FakeProvider() as two:
        model = 'models: [{id: e, kind: embedding, input_usd_per_mtok: "1"}]'
        providers = "".join(
            f"  {name}: {{dialect: openai, base_url: {fake.base_url}, {model}}}\n"
            for name, fake in (("first", one), ("second", two))
        )
        routes = "models: {pair: {targets: [first/e], fallback: [second/e]}}"
        async with running(f"keys: [{{name: all, secret: {KEY}}}]\nproviders:\n{providers}{routes}\n") as gateway:
            one.always(vectors(*places))
            two.always(vectors(2, 0, 1))
            body = {"model": "pair", "input": ["a", "b", "c"]}
            answer = await ask(gateway.port, request(path="/v1/embeddings", body=body, key=KEY))
            (entry,) = gateway.ledger.entries
    assert (answer.status, answer.headers["x-headgate-provider"]) == (200, "second")
    assert [attempt.result for attempt in entry.attempts] == ["soft_error", "success"]
    assert entry.cost_pusd == 6 * 10**6


async def test_half_a_character_in_an_answer_goes_through_as_it_came() -> None:
    async with pair() as there:
        whole = completion("Hel@lo", prompt_tokens=5, completion_tokens=7)
        step = whole.steps[0]
        data = step.data.replace(b"@", b"\\ud83d")
        there.first.always(Script(headers=whole.headers, steps=(Step(0.0, data),)))
        answer = await there.chat()
    assert (answer.status, answer.headers["x-headgate-provider"], answer.body) == (200, "first", data)
