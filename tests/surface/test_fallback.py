"""What fails at one deployment is answered by another, and the client sees no more of it than a header."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from headgate.types.script import Ending, Script, Step
from tests.fakes.provider import event_reply, json_reply
from tests.surface.pair import KEY, SSE, USAGE, cut, pair
from tests.surface.stage import chat, completion, event, stream
from tests.surface.wire import Wire, ask, events, request


@pytest.mark.parametrize(
    "broken",
    [
        json_reply({"error": {"message": "no", "code": "rate_limit_exceeded"}}, status=429),
        json_reply({"error": {"message": "no", "code": "insufficient_quota"}}, status=429),
        json_reply({"error": {"message": "no"}}, status=500),
        json_reply({"error": {"message": "no"}}, status=503),
        json_reply({"error": {"message": "bad key"}}, status=401),
        json_reply({"error": {"message": "no such model", "code": "model_not_found"}}, status=404),
        json_reply({"error": {"message": "unexpected"}}),
        json_reply({"choices": []}),
        Script(ending=Ending.RESET),
        Script(headers=(("content-type", "application/json"),), steps=(Step(0.0, b'{"choices": [{"mess'),)),
    ],
)
@pytest.mark.parametrize("streamed", [False, True])
async def test_whatever_fails_before_the_answer_is_answered_by_the_next(broken: Script, streamed: bool) -> None:
    async with pair() as there:
        there.first.always(broken)
        there.second.always(stream("Hello.") if streamed else completion(**USAGE))
        answer = await there.chat(stream=streamed)
        assert answer.status == 200, answer.body
        assert answer.headers["x-headgate-provider"] == "second"
        assert int(answer.headers["x-headgate-attempts"]) <= 3
        (entry,) = there.gateway.ledger.entries
        assert entry.outcome == "answered"
        assert [one.provider for one in entry.attempts][-1] == "second"
        assert len(there.first.requests) <= 2


async def test_every_attempt_sends_the_clients_own_words() -> None:
    async with pair() as there:
        there.first.always(json_reply({"error": {"message": "no"}}, status=500))
        await there.chat(seed=7)
        bodies = [json.loads(one.body) for one in (*there.first.requests, *there.second.requests)]
    assert len(bodies) == 3
    assert all(body == bodies[0] for body in bodies)


@pytest.mark.parametrize(
    ("status", "code", "message"),
    [(400, None, "wrong"), (400, "content_filter", "flagged"), (400, "content_policy_violation", "flagged")],
)
async def test_what_another_would_say_as_well_is_the_last_word(status: int, code: str | None, message: str) -> None:
    async with pair() as there:
        there.first.always(json_reply({"error": {"message": message, "code": code}}, status=status))
        answer = await there.chat()
        assert answer.status == status
        assert message in answer.error["message"]
        assert there.second.requests == []


async def test_when_all_fail_the_client_is_told_the_most_useful_and_every_attempt() -> None:
    async with pair() as there:
        there.first.always(json_reply({"error": {"message": "slow down"}}, status=429, retry_after="3000"))
        there.second.always(json_reply({"error": {"message": "bad key"}}, status=401))
        answer = await there.chat()
    assert (answer.status, answer.error["code"]) == (429, "rate_limit_exceeded"), "the credential is the operator's"
    told = [(one["provider"], one["result"]) for one in answer.error["attempts"]]
    assert told == [("first", "rate_limited"), ("second", "bad_credential")]
    assert all(one["ms"] >= 0 for one in answer.error["attempts"])


async def test_a_wait_is_kept_when_it_fits_and_nobody_else_is_there_and_not_begun_when_it_does_not() -> None:
    async with pair() as there:
        no = json_reply({"error": {"message": "slow down"}}, status=429, **{"retry-after-ms": "200"})
        there.first.play(no)
        answer = await there.chat("alone")
        assert (answer.status, answer.headers["x-headgate-attempts"]) == (200, "2")
        there.gateway.health.clear()
        there.first.always(json_reply({"error": {"message": "slow down"}}, status=429, retry_after="3000"))
        async with asyncio.timeout(5):
            answer = await there.chat("alone")
    assert (answer.status, answer.headers["x-headgate-attempts"]) == (429, "1")
    assert answer.headers["retry-after"] == "3000"


async def test_a_dead_provider_is_left_alone_after_a_few_and_asked_again_when_it_is_back() -> None:
    async with pair(route=", health: {failures: 3, cooldown_s: 1}, retries: 0") as there:
        there.first.always(json_reply({"error": {"message": "no"}}, status=500))
        for _ in range(20):
            assert (await there.chat()).status == 200
        tried = len(there.first.requests)
        assert tried <= 5
        there.first.always(completion(**USAGE))
        async with asyncio.timeout(20):
            while (await there.chat()).headers["x-headgate-provider"] != "first":  # noqa: ASYNC110 - nothing tells
                await asyncio.sleep(0.05)


async def test_fifty_at_once_at_a_dead_primary_make_few_attempts_on_it_and_all_are_served() -> None:
    async with pair() as there:
        there.first.always(Script(head_delay_s=0.1, status=500))
        answers = await asyncio.gather(*(there.chat() for _ in range(50)))
        assert [answer.status for answer in answers] == [200] * 50
        assert len(there.first.requests) <= 10


async def test_nobody_is_asked_while_all_sit_out_and_the_client_is_told_when_to_come_back() -> None:
    async with pair(route=", health: {failures: 1, cooldown_s: 60}, retries: 0") as there:
        there.first.always(json_reply({"error": {"message": "no"}}, status=500))
        assert (await there.chat("alone")).status == 502
        answer = await there.chat("alone")
        assert (answer.status, answer.headers["x-headgate-attempts"]) == (502, "0")
        assert "sits out" in answer.error["message"]
        assert len(there.first.requests) == 1


async def test_a_stream_that_is_late_is_overtaken_while_it_still_runs() -> None:
    async with pair(route=", timeouts: {first_token_s: 0.2}") as there:
        there.first.always(Script(head_delay_s=60.0))
        there.second.always(stream("Hello."))
        async with asyncio.timeout(10):
            text, ended, note = await there.text()
        assert (text, ended, note["provider"]) == ("Hello.", True, "second")
        await there.gateway.until_idle()
        (entry,) = there.gateway.ledger.entries
    assert sorted(one.result for one in entry.attempts) == ["cancelled", "success"]


async def test_the_late_one_wins_when_it_speaks_first_after_all() -> None:
    async with pair(route=", timeouts: {first_token_s: 0.2}") as there:
        late = stream("Late.")
        there.first.always(Script(head_delay_s=0.5, headers=late.headers, steps=late.steps))
        there.second.always(Script(head_delay_s=60.0))
        async with asyncio.timeout(10):
            text, ended, note = await there.text()
        await there.gateway.until_idle()
    assert (text, ended, note["provider"]) == ("Late.", True, "first")


async def test_a_rival_that_fails_does_not_win() -> None:
    async with pair(route=", timeouts: {first_token_s: 0.2}, retries: 0") as there:
        late = stream("Late.")
        there.first.always(Script(head_delay_s=0.6, headers=late.headers, steps=late.steps))
        there.second.always(json_reply({"error": {"message": "no"}}, status=500))
        async with asyncio.timeout(10):
            text, ended, note = await there.text()
    assert (text, ended, note["provider"]) == ("Late.", True, "first")


@pytest.mark.parametrize("ending", [Ending.CUT, Ending.COMPLETE, Ending.HANG])
async def test_a_stream_that_breaks_is_answered_anew_where_both_agree(ending: Ending) -> None:
    async with pair(route=", timeouts: {gap_s: 0.3}") as there:
        there.first.always(cut("Hel", "lo", ending=ending))
        there.second.always(stream("He", "llo, wo", "rld."))
        text, ended, note = await there.text()
    assert (text, ended) == ("Hello, world.", True)
    assert note["recovered"] == "restart"
    assert note["attempts"] == 2


async def test_a_stream_that_breaks_goes_on_where_the_next_knows_how() -> None:
    async with pair(capable=", capabilities: [prefill]") as there:
        there.first.always(cut("Hel", "lo,"))
        there.second.always(stream(" wor", "ld."))
        text, ended, note = await there.text()
        sent = json.loads(there.second.requests[0].body)["messages"]
    assert (text, ended, note["recovered"]) == ("Hello, world.", True, "continue")
    assert sent[-1] == {"role": "assistant", "content": "Hello,"}


async def test_a_stream_nobody_can_carry_on_ends_in_an_error_and_never_as_a_whole_one() -> None:
    async with pair() as there:
        there.first.always(cut("Hel", "lo"))
        there.second.always(stream("Something else."))
        text, ended, note = await there.text()
        (entry,) = there.gateway.ledger.entries
    assert (text, ended) == ("Hello", False)
    assert note["code"] == "broken_stream"
    assert entry.outcome == "failed"


async def test_held_streams_are_sent_when_they_are_whole_so_that_any_break_is_unseen() -> None:
    async with pair(route=", hold: full") as there:
        there.first.always(cut("Hel", "lo"))
        there.second.always(stream("Something else."))
        text, ended, note = await there.text()
    assert (text, ended, note["provider"]) == ("Something else.", True, "second")
    assert "recovered" not in note


async def test_half_a_tool_call_is_never_seen_and_another_calls_the_tool() -> None:
    def call(arguments: str, **more: Any) -> dict[str, Any]:
        function = {"name": "look", "arguments": arguments} if more else {"arguments": arguments}
        delta = {"tool_calls": [{"index": 0, **more, "function": function}]}
        return {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}

    done = {"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]}
    async with pair() as there:
        there.first.always(Script(headers=SSE, steps=(Step(0.0, event(call('{"a', id="c1"))),), ending=Ending.CUT))
        there.second.always(event_reply(call('{"a"', id="c2"), call(": 1}"), done))
        async with await Wire.open(there.gateway.port) as wire:
            await wire.send(request(body=chat("pair", stream=True), key=KEY))
            answer = await wire.answer()
    pieces = [
        one["function"]["arguments"]
        for found in events(answer.body)
        if found != b"[DONE]"
        for choice in json.loads(found)["choices"]
        for one in choice["delta"].get("tool_calls", ())
    ]
    assert "".join(pieces) == '{"a": 1}'
    assert answer.headers["x-headgate-provider"] == "second"


async def test_a_hedge_overtakes_early_and_only_as_often_as_it_may() -> None:
    async with pair(route=", hedge: {after: 0.1, budget: 50%}") as there:
        slow = completion(**USAGE)
        there.first.always(Script(head_delay_s=0.4, headers=slow.headers, steps=slow.steps))
        served = [(await there.chat()).headers["x-headgate-provider"] for _ in range(8)]
        await there.gateway.until_idle()
        entries = there.gateway.ledger.entries
    hedged = [entry for entry in entries if len(entry.attempts) == 2]
    assert served.count("second") == len(hedged) == 4
    assert all(sorted(one.result for one in entry.attempts) == ["cancelled", "success"] for entry in hedged)


async def test_many_slow_answers_at_once_are_not_hedged_beyond_the_budget() -> None:
    async with pair(route=", hedge: {after: 0.1, budget: 10%}") as there:
        answers = [await there.chat() for _ in range(30)]
        slow = completion(**USAGE)
        there.first.always(Script(head_delay_s=0.6, headers=slow.headers, steps=slow.steps))
        answers += await asyncio.gather(*(there.chat() for _ in range(10)))
        await there.gateway.until_idle()
        hedged = [entry for entry in there.gateway.ledger.entries if len(entry.attempts) == 2]
    assert {answer.status for answer in answers} == {200}
    assert len(hedged) == 4


async def test_a_hedge_whose_deadline_comes_before_it_is_no_defect() -> None:
    async with pair(route=", hedge: {after: 5, budget: 100%}, retries: 0") as there:
        there.first.always(Script(head_delay_s=60.0))
        there.second.always(Script(head_delay_s=60.0))
        asked = request(body=chat("pair"), key=KEY, headers=b"x-headgate-timeout-s: 0.01\r\n")
        answer = await ask(there.gateway.port, asked)
    assert (answer.status, answer.error["code"]) == (504, "deadline_exceeded")


async def test_who_is_back_while_the_first_is_late_is_asked() -> None:
    async with pair(route=", timeouts: {first_token_s: 0.2, total_s: 10}, retries: 0") as there:
        there.second.play(json_reply({"error": {"message": "slow down"}}, status=429, retry_after="5"))
        assert (await there.chat("two")).status == 429
        there.first.always(Script(head_delay_s=60.0))
        answer = await there.chat()
    assert (answer.status, answer.headers["x-headgate-provider"]) == (200, "second")


async def test_a_client_that_leaves_takes_every_attempt_along() -> None:
    async with pair(route=", timeouts: {first_token_s: 0.2}") as there:
        there.first.always(Script(head_delay_s=60.0))
        there.second.always(Script(head_delay_s=60.0))
        wire = await Wire.open(there.gateway.port)
        await wire.send(request(body=chat("pair", stream=True), key=KEY))
        await there.second.until(lambda fake: fake.requests)
        wire.leave()
        async with asyncio.timeout(5):
            await there.gateway.until_idle()
            await there.first.until(lambda fake: fake.aborted == 1)
            await there.second.until(lambda fake: fake.aborted == 1)
        (entry,) = there.gateway.ledger.entries
    assert entry.outcome == "disconnected"
    assert [one.result for one in entry.attempts] == ["cancelled", "cancelled"]


@pytest.mark.parametrize(("usd", "whole"), [("0.009", True), ("0.006", False)])
async def test_a_second_answer_is_given_only_where_the_budget_can_pay_for_both(usd: str, whole: bool) -> None:
    """One answer of at most a thousand tokens costs half a cent at the worst; a broken one and its rest twice that."""
    async with pair(key=f', budget: {{usd: "{usd}", per: total}}') as there:
        there.first.always(cut("Hel", "lo"))
        there.second.always(
            stream("Hello, world.", tail=[{"object": "chat.completion.chunk", "choices": [], "usage": USAGE}])
        )
        text, ended, note = await there.text(max_tokens=3000)
        (entry,) = there.gateway.ledger.entries
    assert (ended, "recovered" in note) == (whole, whole)
    assert text == ("Hello, world." if whole else "Hello")
    assert 0 < entry.charged_pusd < float(usd) * 10**12


async def test_a_route_may_say_otherwise_of_a_class_of_faults() -> None:
    async with pair(route=", faults: {content_filtered: {fallback: true}, server_error: {retry: false}}") as there:
        there.first.always(json_reply({"error": {"message": "flagged", "code": "content_filter"}}, status=400))
        assert (await there.chat()).headers["x-headgate-provider"] == "second"
        there.first.requests.clear()
        there.first.always(json_reply({"error": {"message": "no"}}, status=500))
        assert (await there.chat()).headers["x-headgate-provider"] == "second"
        assert len(there.first.requests) == 1
