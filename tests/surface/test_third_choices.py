"""With a third provider: who does not fit, or is not there, does not stand in the way of one who could."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from headgate.types.script import Ending, Script, Step
from tests.fakes.provider import FakeProvider, event_reply, json_reply
from tests.surface.gateway import running
from tests.surface.pair import KEY, SSE, USAGE, Pair, cut
from tests.surface.stage import chat, chunk, completion, event, stream
from tests.surface.wire import ask, request

NAMES = ("first", "second", "third")


@asynccontextmanager
async def three(route: str = "", key: str = "") -> AsyncIterator[tuple[Pair, FakeProvider]]:
    async with AsyncExitStack() as stack:
        fakes = [await stack.enter_async_context(FakeProvider()) for _ in NAMES]
        price = 'input_usd_per_mtok: "1", output_usd_per_mtok: "1"'
        lines = [f"keys: [{{name: all, secret: {KEY}{key}}}]", "providers:"]
        for name, fake in zip(NAMES, fakes, strict=True):
            fake.always(completion(**USAGE))
            lines.append(f"  {name}: {{dialect: openai, base_url: {fake.base_url}, models: [{{id: m, {price}}}]}}")
        lines += ["models:", f"  pair: {{targets: [first/m], fallback: [second/m, third/m]{route}}}"]
        lines += [f"  only-{name}: {{targets: [{name}/m], retries: 0, health: {{failures: 1}}}}" for name in NAMES]
        gateway = await stack.enter_async_context(running("\n".join([*lines, ""])))
        yield Pair(gateway, fakes[0], fakes[1]), fakes[2]


COMMENT = b": keep-alive\n\n"
OTHERS = {
    "other words": Script(headers=SSE, steps=(Step(0, COMMENT), Step(0.1, event(chunk("Other words."))))),
    "too short": Script(
        headers=SSE, steps=(Step(0, COMMENT), Step(0.1, event(chunk("He"))), Step(0, event(chunk(None, "stop"))))
    ),
}


@pytest.mark.parametrize("how", OTHERS)
async def test_who_says_something_else_is_followed_by_the_next(how: str) -> None:
    async with three() as (there, third):
        there.first.always(cut("Hel", "lo"))
        there.second.always(OTHERS[how])
        third.always(stream("Hello, world."))
        text, done, note = await there.text()
        assert (text, done, note["provider"], note["recovered"]) == ("Hello, world.", True, "third", "restart")


async def test_where_all_say_something_else_the_end_is_an_honest_error() -> None:
    async with three() as (there, third):
        there.first.always(cut("Hel", "lo"))
        there.second.always(OTHERS["other words"])
        third.always(OTHERS["too short"])
        text, done, note = await there.text()
        assert (text, done, note["code"]) == ("Hello", False, "broken_stream")
        assert [one["provider"] for one in note["attempts"]] == ["first", "second", "third"]


async def test_who_cannot_be_asked_does_not_end_the_looking_for_others() -> None:
    async with three(route=", timeouts: {total_s: 6}, retries: 0") as (there, third):
        there.second.play(json_reply({"error": {"message": "slow down"}}, status=429, retry_after="3000"))
        third.play(json_reply({"error": {"message": "no"}}, status=500))
        assert [(await there.chat(f"only-{name}")).status for name in ("second", "third")] == [429, 502]
        there.first.always(Script(head_delay_s=60.0))
        answer = await there.chat()
        assert (answer.status, answer.headers["x-headgate-provider"]) == (200, "third")


EMPTY = {
    "JSON": json_reply({"choices": [], "usage": {"prompt_tokens": 100, "completion_tokens": 200}}),
    "stream": event_reply({"choices": [], "usage": {"prompt_tokens": 100, "completion_tokens": 200}}),
}


@pytest.mark.parametrize("shape", EMPTY)
async def test_failed_attempts_that_cost_something_do_not_overspend_a_budget(shape: str) -> None:
    async with three(key=', budget: {usd: "0.0005", per: total}') as (there, third):
        for fake in (there.first, there.second):
            fake.always(EMPTY[shape])
        third.always(stream("Hello.") if shape == "stream" else completion(**USAGE))
        answer = await there.chat(max_tokens=100, stream=shape == "stream")
        await there.gateway.until_idle()
        (entry,) = there.gateway.ledger.entries
        assert answer.status == 502
        assert entry.charged_pusd <= 500_000_000
        assert third.requests == []


async def test_comments_do_not_keep_a_stream_alive_that_says_nothing() -> None:
    async with three(route=", timeouts: {gap_s: 0.4, total_s: 20}") as (there, _):
        steps = (Step(0, event(chunk("Hel"))), *[Step(0.1, COMMENT)] * 60)
        there.first.always(Script(headers=SSE, steps=steps, ending=Ending.HANG))
        there.second.always(stream("Hello."))
        async with asyncio.timeout(5):
            text, done, note = await there.text()
        assert (text, done, note["recovered"]) == ("Hello.", True, "restart")


async def test_who_is_limited_is_told_when_to_come_back_also_where_the_provider_did_not_say() -> None:
    async with three() as (there, _):
        there.first.always(json_reply({"error": {"message": "slow down"}}, status=429))
        answer = await ask(there.gateway.port, request(body=chat("only-first"), key=KEY))
    assert answer.status == 429
    assert 1 <= int(answer.headers["retry-after"]) <= 5
