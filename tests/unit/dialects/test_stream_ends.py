"""Whether all of an answer has come, and whether what is said of its usage can be true."""

from __future__ import annotations

from typing import Any

import pytest

from headgate.dialects.openai.stream import StreamReader
from tests.unit.dialects.driving import envelope, read, rendered
from tests.unit.dialects.streams import DONE, HE, LLO, ROLE, STOP, chunk

PLAIN, COUNTED = envelope(), envelope(usage=True)


def text(index: int, words: str, finish: str | None = None) -> dict[str, Any]:
    return {"choices": [{"index": index, "text": words, "finish_reason": finish}]}


@pytest.mark.parametrize("prompt", [["a", "b"], [[1, 2], [3]]])
def test_every_prompt_of_several_has_an_answer(prompt: list[Any]) -> None:
    two = envelope(prompt=prompt)
    assert read([rendered(text(0, "x", "stop"))], two).ended == "broken_stream"
    assert read([rendered(text(0, "x"), text(1, "y"), text(0, "", "stop"))], two).ended == "broken_stream"
    assert read([rendered(text(0, "x", "stop"), text(1, "y", "stop"))], two).ended == "complete"


@pytest.mark.parametrize("prompt", ["a", ["a"], [1, 2, 3], []])
def test_one_prompt_has_one_answer(prompt: Any) -> None:
    one = envelope(prompt=prompt)
    assert read([rendered(text(0, "x", "stop"))], one).ended == "complete"


@pytest.mark.parametrize("behind", [b"data: {oops\n\n", b'data: {"error": {"message": "late"}}\n\n', b"data: \xff\n\n"])
def test_what_comes_behind_a_whole_answer_does_not_break_it(behind: bytes) -> None:
    outcome = read([rendered(HE, LLO, STOP), behind, rendered(DONE)], PLAIN)
    assert (outcome.ended, outcome.events[-1]) == ("complete", "[DONE]")
    assert b"oops" not in outcome.sent
    assert b"late" not in outcome.sent


def test_an_event_by_the_way_that_is_none_of_the_answer_is_left_out() -> None:
    outcome = read([rendered(HE), b"event: ping\ndata: ping\n\n", rendered(LLO, STOP, DONE)], PLAIN)
    assert outcome.ended == "complete"
    assert b"ping" not in outcome.sent
    for lost in (b"data: ping\n\n", b'event: part\ndata: {"choi\n\n', b"event: error\ndata: no\n\n"):
        assert read([rendered(HE), lost, rendered(LLO, STOP, DONE)], PLAIN).ended != "complete"


@pytest.mark.parametrize(
    "told", [{"prompt_tokens": 7, "completion_tokens": 0}, {"prompt_tokens": 0, "completion_tokens": 0}]
)
def test_a_usage_of_nothing_beside_an_answer_is_not_believed(told: dict[str, int]) -> None:
    outcome = read([rendered(HE, LLO, STOP, {"choices": [], "usage": told}, DONE)], COUNTED)
    assert (outcome.usage.output, outcome.usage.estimated) == (3, True)
    assert outcome.events[-2]["usage"]["completion_tokens"] == 3, "the client is told what is in the books"


def test_thoughts_count_as_written() -> None:
    told = {"prompt_tokens": 7, "completion_tokens": 8, "completion_tokens_details": {"reasoning_tokens": 8}}
    usage = read([rendered(HE, LLO, STOP, {"choices": [], "usage": told}, DONE)], COUNTED).usage
    assert (usage.output, usage.reasoning, usage.estimated) == (0, 8, False)


def test_a_usage_from_before_the_answer_is_not_that_of_all_of_it() -> None:
    early = chunk("", usage={"prompt_tokens": 7, "completion_tokens": 1})
    for end in ([STOP, DONE], []):
        usage = read([rendered(early, HE, LLO, *end)], COUNTED).usage
        assert (usage.input, usage.output, usage.estimated) == (7, 3 + bool(end), True)


@pytest.mark.parametrize("reason", ["stop", "tool_calls", "eos"])
def test_an_end_of_nothing_is_no_answer(reason: str) -> None:
    assert read([rendered(ROLE, chunk(finish=reason), DONE)], PLAIN).ended == "soft_error"


def test_an_answer_of_nothing_may_be_honest() -> None:
    for reason in ("length", "content_filter", "PROHIBITED_CONTENT"):
        outcome = read([rendered(ROLE, chunk(finish=reason), DONE)], COUNTED)
        assert (outcome.ended, outcome.has_content, outcome.usage.output) == ("complete", True, 2)
    assert read([rendered(ROLE, STOP, DONE)], envelope(stop=["\n"])).ended == "complete"
    assert read([rendered(text(0, "", "stop"), DONE)], envelope(prompt="a")).ended == "complete"
    reader = StreamReader(PLAIN, None, goes_on=True)
    reader.feed(rendered(ROLE, STOP, DONE))
    assert (reader.failure, reader.finished) == (None, True)


@pytest.mark.parametrize(
    "part", [{"reasoning_details": [{"text": "hm"}]}, {"refusal": "no"}, {"audio": {"data": "AA"}}]
)
def test_what_is_no_text_is_an_answer_all_the_same(part: dict[str, Any]) -> None:
    event = {"choices": [{"index": 0, "delta": part, "finish_reason": None}]}
    assert read([rendered(event, STOP, DONE)], PLAIN).ended == "complete"


def test_finish_reasons_before_the_end_say_nothing_of_it() -> None:
    said = [chunk("Hel", "stop"), chunk("lo", "stop")]
    assert read([rendered(*said)], PLAIN).ended == "broken_stream"
    assert read([rendered(HE, STOP, LLO)], PLAIN).ended == "broken_stream"
    assert read([rendered(*said, DONE)], PLAIN).ended == "complete"
    assert read([rendered(HE, LLO, STOP, chunk("", "stop"))], PLAIN).ended == "complete"


def test_done_does_not_stand_for_the_answer_to_another_prompt() -> None:
    two = envelope(prompt=["a", "b"])
    assert read([rendered(text(0, "x", "stop"), DONE)], two).ended == "broken_stream"
    assert read([rendered(text(0, "x", "stop"), text(1, "y", "stop"), DONE)], two).ended == "complete"


def test_half_a_character_at_the_end_of_an_event_goes_on_as_it_came() -> None:
    halves = [b'data: {"choices":[{"index":0,"delta":{"content":"\\ud83d"}}]}\n\n']
    halves.append(halves[0].replace(b"ud83d", b"uDE00"))
    outcome = read([*halves, rendered(STOP, DONE)], PLAIN)
    assert outcome.ended == "complete"
    assert outcome.sent.startswith(b"".join(halves))


def test_to_what_a_tool_found_there_may_be_nothing_to_add() -> None:
    called = {"role": "assistant", "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f"}}]}
    messages = [{"role": "user", "content": "hi"}, called, {"role": "tool", "tool_call_id": "c", "content": "done"}]
    nothing = rendered(ROLE, STOP, DONE)
    assert read([nothing], envelope(messages=messages)).ended == "complete"
    assert read([nothing], envelope(messages=[*messages, {"role": "user", "content": "and"}])).ended == "soft_error"


def test_an_error_inside_a_choice_is_one() -> None:
    broken = {"choices": [{"index": 0, "delta": {}, "error": {"code": 502, "message": "gone"}}]}
    assert read([rendered(HE, LLO, broken, STOP, DONE)], PLAIN).ended == "error"
    fine = {"choices": [{"index": 0, "delta": {"content": "x"}, "error": None}]}
    assert read([rendered(HE, fine, STOP, DONE)], PLAIN).ended == "complete"
