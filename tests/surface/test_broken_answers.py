"""Answers that are not whole never look so, whoever else could give them does, and what they cost is booked."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from headgate.types.script import Ending, Script, Step
from tests.fakes.provider import event_reply, json_reply
from tests.fakes.sockets import deaf_listener
from tests.surface.pair import KEY, SSE, USAGE, cut, pair
from tests.surface.stage import chat, chunk, completion, event, stream
from tests.surface.wire import Wire, ask, events, request

DONE = b"data: [DONE]\n\n"
NULLS = {"role": "assistant", "content": "", "function_call": None, "audio": None, "refusal": None}


def choice(index: int, text: str, finish: str | None = None) -> dict[str, Any]:
    return {"choices": [{"index": index, "delta": {"content": text}, "finish_reason": finish}]}


def call(arguments: str, **more: Any) -> dict[str, Any]:
    function = {"name": "look", "arguments": arguments} if more else {"arguments": arguments}
    return {"choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, **more, "function": function}]}}]}


def role(**delta: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": {"role": "assistant", **delta}, "finish_reason": None}]}


def ended(*pieces: Any, ending: Ending = Ending.COMPLETE) -> Script:
    return Script(
        headers=SSE,
        steps=tuple(Step(0.0, piece if isinstance(piece, bytes) else event(piece)) for piece in pieces),
        ending=ending,
    )


@pytest.mark.parametrize("held", ["", ", hold: full"])
async def test_one_of_two_answers_that_is_cut_is_not_delivered_as_both(held: str) -> None:
    half = ended(choice(0, "one"), choice(1, "tw"), choice(0, "", "stop"), DONE)
    whole = ended(choice(0, "one"), choice(1, "two"), choice(0, "", "stop"), choice(1, "", "stop"), DONE)
    async with pair(route=held) as there:
        there.first.always(half)
        there.second.always(whole)
        text, done, note = await there.text(n=2)
    assert done is bool(held)
    assert note.get("provider") == "second" if held else note["code"] == "broken_stream"
    assert text == ("onetwo" if held else "onetw")


async def test_an_empty_rival_does_not_win() -> None:
    async with pair(route=", timeouts: {first_token_s: 0.2}") as there:
        late = stream("Late.")
        there.first.always(Script(head_delay_s=0.5, headers=late.headers, steps=late.steps))
        there.second.always(ended({"choices": [{"index": 0, "delta": NULLS}]}, ending=Ending.HANG))
        async with asyncio.timeout(10):
            text, done, note = await there.text()
    assert (text, done, note["provider"]) == ("Late.", True, "first")


HELD = {
    "hold: full": (", hold: full", event_reply(*map(chunk, "slowly"), chunk(None, "stop"), delay_s=0.1)),
    "a call": (
        "",
        event_reply(call("{", id="c1"), *[call(" ")] * 5, call("}"), chunk(None, "tool_calls"), delay_s=0.1),
    ),
}


@pytest.mark.parametrize("what", HELD)
async def test_an_answer_that_is_held_back_and_comes_is_not_late(what: str) -> None:
    route, reply = HELD[what]
    async with pair(route=f"{route}, timeouts: {{first_token_s: 0.3}}") as there:
        there.first.always(reply)
        _, done, note = await there.text()
        assert (done, note["provider"], note["attempts"]) == (True, "first", 1)
        assert there.second.requests == []


@pytest.mark.parametrize("code", ["content_filter", "invalid_request_error"])
async def test_a_fault_that_ends_a_request_ends_a_stream_too(code: str) -> None:
    async with pair() as there:
        error = {"error": {"message": "not that", "type": code, "code": code}}
        there.first.always(ended(chunk("Hel"), error))
        there.second.always(stream("Hello."))
        text, done, _ = await there.text()
        assert (text, done) == ("Hel", False)
        assert there.second.requests == []


async def test_what_fails_together_with_its_first_content_is_never_seen() -> None:
    async with pair() as there:
        both = event(chunk("Hel")) + event({"error": {"message": "no", "type": "server_error"}})
        there.first.always(ended(both))
        there.second.always(stream("Another."))
        text, done, note = await there.text()
        assert (text, done, note["provider"]) == ("Another.", True, "second")
        assert "recovered" not in note
        answer = await there.chat("alone", stream=True)
    assert (answer.status, answer.error["code"]) == (502, "upstream_error")


@pytest.mark.parametrize("delta", [{}, {"content": ""}, NULLS])
async def test_a_role_before_a_call_that_is_cut_is_not_an_answer(delta: dict[str, Any]) -> None:
    async with pair() as there:
        there.first.always(ended(role(**delta), call("{", id="c1"), ending=Ending.CUT))
        there.second.always(event_reply(role(reasoning_content="hm"), chunk("No call."), chunk(None, "stop")))
        async with await Wire.open(there.gateway.port) as wire:
            await wire.send(request(body=chat("pair", stream=True), key=KEY))
            answer = await wire.answer()
    assert answer.headers["x-headgate-provider"] == "second"
    assert b"hm" in answer.body
    assert b"tool_calls" not in answer.body


FAILED = {
    "a call": ("", ended(call("{", id="c1"), *[call(" ")] * 40, ending=Ending.CUT)),
    "hold: full": (", hold: full", ended(*[chunk("w ")] * 41, ending=Ending.CUT)),
}


@pytest.mark.parametrize("what", FAILED)
async def test_what_a_failed_attempt_wrote_is_booked_though_nobody_saw_it(what: str) -> None:
    route, reply = FAILED[what]
    async with pair(route=route) as there:
        there.first.always(reply)
        there.second.always(stream("Hello.", tail=[{"choices": [], "usage": USAGE}]))
        await there.text()
        await there.gateway.until_idle()
        (entry,) = there.gateway.ledger.entries
    first, second = entry.attempts
    assert first.usage is not None
    assert second.cost is not None
    assert (first.usage.output, first.usage.estimated) == (41, True)
    assert entry.cost_pusd == sum(one.cost.pusd or 0 for one in entry.attempts)


async def test_what_a_held_stream_wrote_is_booked_when_the_client_leaves() -> None:
    async with pair(route=", hold: full") as there:
        there.first.always(
            Script(headers=SSE, steps=tuple(Step(0.0, event(chunk("w "))) for _ in range(30)), ending=Ending.HANG)
        )
        wire = await Wire.open(there.gateway.port)
        await wire.send(request(body=chat("pair", stream=True), key=KEY))
        await there.first.until(lambda fake: fake.requests)
        await asyncio.sleep(0.2)
        wire.leave()
        await there.gateway.until_idle()
        (entry,) = there.gateway.ledger.entries
    assert entry.usage is not None
    assert (entry.outcome, entry.usage.output) == ("disconnected", 30)


async def test_two_that_race_make_no_more_attempts_at_one_deployment_than_one_may() -> None:
    async with pair(route=", retries: 1, timeouts: {first_token_s: 0.4}") as there:
        limited = json_reply({"error": {"message": "slow down"}}, status=429, retry_after_ms="1500")
        there.first.always(Script(status=429, head_delay_s=0.2, headers=limited.headers, steps=limited.steps))
        there.second.always(json_reply({"error": {"message": "no", "code": "insufficient_quota"}}, status=429))
        asked = asyncio.create_task(there.chat(stream=True))
        await there.first.until(lambda fake: fake.requests)
        assert (await there.chat("two")).status == 429
        assert (await asked).status == 429
        assert len(there.first.requests) == 2


async def test_a_client_that_did_not_ask_for_usage_is_told_in_a_comment_that_an_answer_was_recovered() -> None:
    async with pair() as there:
        there.first.always(cut("Hel"))
        there.second.always(stream("Hello."))
        async with await Wire.open(there.gateway.port) as wire:
            await wire.send(request(body=chat("pair", stream=True), key=KEY))
            body = (await wire.answer()).body
    assert body.endswith(b": headgate recovered=restart\n\ndata: [DONE]\n\n")
    assert events(body)[-1] == b"[DONE]"


RACES = {
    "the late one speaks, then breaks": (0.5, 60.0),
    "the rival speaks, then breaks": (60.0, 0.1),
}


@pytest.mark.parametrize("how", RACES)
async def test_who_was_given_up_in_a_race_carries_on_what_then_breaks(how: str) -> None:
    slow, rival = RACES[how]
    async with pair(route=", timeouts: {first_token_s: 0.3}") as there:
        whole = stream("Hel", "lo, world.")
        broken = cut("Hel")
        for fake, delay_s in ((there.first, slow), (there.second, rival)):
            once = broken if delay_s < 1 else whole
            fake.play(Script(head_delay_s=delay_s, headers=SSE, steps=once.steps, ending=once.ending))
            fake.always(whole)
        async with asyncio.timeout(15):
            text, done, note = await there.text()
        await there.gateway.until_idle()
    assert (text, done, note["recovered"]) == ("Hello, world.", True, "restart")


async def test_a_client_that_leaves_before_it_has_read_a_long_answer_leaves_nothing_behind() -> None:
    async with pair() as there:
        there.first.always(completion("x" * 8_000_000, **USAGE))
        wire = await Wire.open(there.gateway.port, receive_buffer=4096)
        asked = request(body=chat("alone"), key=KEY)
        # The second request keeps the connection from being one that has ended.
        await wire.send(asked + asked)
        await there.first.until(lambda fake: fake.requests)
        await asyncio.sleep(0.5)
        wire.leave()
        await there.gateway.until_idle()


async def test_an_attempt_that_never_had_a_connection_costs_nothing() -> None:
    hedge = ", hedge: {after: 0.2, budget: 100%}"
    with deaf_listener() as port:
        async with pair(route=hedge, first_url=f"http://127.0.0.1:{port}/v1") as there:
            answer = await there.chat()
            await there.gateway.until_idle()
            (entry,) = there.gateway.ledger.entries
    assert answer.headers["x-headgate-provider"] == "second"
    assert [(one.provider, one.usage) for one in entry.attempts if one.provider == "first"] == [("first", None)]


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_short_deadline_leaves_time_for_somebody_else(streamed: bool) -> None:
    async with pair() as there:
        there.first.always(Script(head_delay_s=60.0))
        there.second.always(stream("Hello.") if streamed else completion(**USAGE))
        asked = request(body=chat("pair", stream=streamed), key=KEY, headers=b"x-headgate-timeout-s: 1\r\n")
        answer = await ask(there.gateway.port, asked)
    assert (answer.status, answer.headers["x-headgate-provider"]) == (200, "second")


async def test_answers_in_one_piece_are_hedged_by_what_they_usually_take() -> None:
    async with pair(route=", hedge: {after: p95, budget: 50%}") as there:
        for _ in range(25):
            assert (await there.chat()).headers["x-headgate-provider"] == "first"
        slow = completion(**USAGE)
        there.first.always(Script(head_delay_s=30.0, headers=slow.headers, steps=slow.steps))
        async with asyncio.timeout(10):
            answer = await there.chat()
    assert (answer.status, answer.headers["x-headgate-provider"]) == (200, "second")


async def test_a_route_may_switch_hedges_off() -> None:
    async with pair(route=", hedge: off", top="hedge: {after: 0.1, budget: 100%}\n") as there:
        slow = completion(**USAGE)
        there.first.always(Script(head_delay_s=0.5, headers=slow.headers, steps=slow.steps))
        assert (await there.chat()).headers["x-headgate-provider"] == "first"
        assert there.second.requests == []
        assert (await there.chat("plain")).headers["x-headgate-provider"] == "second"
