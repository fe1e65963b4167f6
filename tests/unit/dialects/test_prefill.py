"""The request that asks to go on: what it says, what it leaves alone, and when it is not made."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headgate.dialects.openai.prefill import Prefill, prefill, surely_repeated
from headgate.dialects.openai.request import parse_request
from headgate.types.deployment import Operation
from headgate.wire import json as wire

USER = {"role": "user", "content": "hi"}
LONG = "The quick brown fox jumps over the lazy dog, and so on."


def asked(text: str, *messages: dict[str, Any], **fields: Any) -> Prefill | None:
    request = {"model": "m", "messages": [USER, *messages], "stream": True} | fields
    return prefill(wire.parse_body(json.dumps(request).encode()), text)


def made(text: str, *messages: dict[str, Any], **fields: Any) -> tuple[dict[str, Any], str, str]:
    """The whole request, and the two texts."""
    result = asked(text, *messages, **fields)
    assert result is not None
    return json.loads(wire.encode(result.fields)), result.text, result.cut


def test_the_text_so_far_becomes_the_last_message() -> None:
    request, text, cut = made("Grüße \U0001f600", temperature=0.5)
    assert request["messages"] == [USER, {"role": "assistant", "content": "Grüße \U0001f600"}]
    assert (request["temperature"], request["stream"], text, cut) == (0.5, True, "Grüße \U0001f600", "")


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=40))
def test_white_space_at_the_end_is_cut_off_and_remembered(said: str) -> None:
    request, text, cut = made(said)
    assert text + cut == said
    assert text == text.rstrip()
    assert request["messages"][1:] == ([{"role": "assistant", "content": text}] if text else [])


def test_the_request_itself_is_left_alone_and_what_is_not_edited_keeps_its_bytes() -> None:
    odd = b'{ "role":"user",  "content" : "\\u0041 1.0e2" }'
    fields = wire.parse_body(b'{"messages":[' + odd + b'], "max_tokens": 50, "temperature": 1.50}')
    before = {name: bytes(value) for name, value in fields.items()}
    result = prefill(fields, "so far")
    assert result is not None
    assert {name: bytes(value) for name, value in fields.items()} == before
    assert odd in bytes(result.fields["messages"])
    assert bytes(result.fields["temperature"]) == b"1.50"


def test_a_beginning_of_the_clients_own_is_extended() -> None:
    begun = {"role": "assistant", "content": "{", "name": "x"}
    request, text, cut = made('"a": 1, ', begun)
    assert request["messages"] == [USER, {"role": "assistant", "content": '{"a": 1,', "name": "x"}]
    assert (text, cut) == ('{"a": 1,', " ")
    part = {"type": "text", "text": "Once", "cache_control": {"type": "ephemeral"}}
    request, text, _ = made(" upon", {"role": "assistant", "content": [part]})
    assert request["messages"][1]["content"] == [part | {"text": "Once upon"}]
    assert text == "Once upon"
    assert made("x", {"role": "assistant", "content": None})[0]["messages"][1]["content"] == "x"


def test_a_beginning_the_provider_repeated_is_not_said_twice() -> None:
    begun = {"role": "assistant", "content": LONG}
    request, text, _ = made(LONG + " More", begun)
    assert request["messages"][1]["content"] == text == LONG + " More"
    assert asked("[1], [2", {"role": "assistant", "content": "["}) is None


def test_nothing_but_white_space_leaves_the_messages_as_they_are() -> None:
    assert made("\n ")[0]["messages"] == [USER]
    assert made("\n ")[1:] == ("", "\n ")
    begun = {"role": "assistant", "content": "Sure: "}
    assert made("", begun) == ({"model": "m", "messages": [USER, begun], "stream": True}, "Sure: ", "")


@pytest.mark.parametrize(
    ("cap", "text", "left"), [(100, "x" * 80, 80), (100, "é" * 80, 60), (10, "x" * 400, 1), (1, "x" * 80, 1)]
)
def test_the_caps_shrink_by_what_was_written(cap: int, text: str, left: int) -> None:
    request, *_ = made(text, max_tokens=cap, max_completion_tokens=cap)
    assert (request["max_tokens"], request["max_completion_tokens"]) == (left, left)
    assert made(text, max_tokens=None)[0]["max_tokens"] is None


@pytest.mark.parametrize(
    "fields",
    [
        {"n": 2},
        {"best_of": 2},
        {"logprobs": True},
        {"top_logprobs": 2},
        {"modalities": ["text", "audio"]},
        {"tools": [{"type": "function"}], "tool_choice": "required"},
        {"tools": [{"type": "function"}], "tool_choice": {"type": "function", "function": {"name": "f"}}},
        {"function_call": {"name": "f"}},
        {"response_format": {"type": "json_object"}},
        {"response_format": {"type": "json_schema", "json_schema": {}}},
        {"guided_json": {"type": "object"}},
        {"structured_outputs": {"regex": "a"}},
        {"grammar": "root ::= x"},
        {"reasoning_effort": "high"},
        {"reasoning": {"effort": "low"}},
        {"thinking": {"type": "enabled", "budget_tokens": 1000}},
    ],
)
def test_a_request_whose_answer_is_more_than_free_text_cannot_be_continued(fields: dict[str, Any]) -> None:
    assert asked("so far", **fields) is None
    assert asked("so far", **dict.fromkeys(fields)) is not None, "null says nothing"


@pytest.mark.parametrize(
    "fields",
    [
        {"n": 1, "logprobs": False, "top_logprobs": 0, "modalities": ["text"]},
        {"tools": [{"type": "function"}], "tool_choice": "auto"},
        {"tools": [{"type": "function"}], "tool_choice": "none", "function_call": "auto"},
        {"response_format": {"type": "text"}, "reasoning_effort": "none", "thinking": {"type": "disabled"}},
    ],
)
def test_what_asks_for_nothing_but_text_does_not_stand_in_the_way(fields: dict[str, Any]) -> None:
    assert asked("so far", **fields) is not None


@pytest.mark.parametrize(
    "message",
    [
        {"content": None, "tool_calls": [{"id": "a", "type": "function", "function": {"name": "f"}}]},
        {"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
        {"content": [{"type": "refusal", "refusal": "a"}]},
        {"content": [{"type": "text", "text": 5}]},
        {"content": ["a"]},
        {"content": []},
    ],
)
def test_a_last_message_that_is_not_one_text_is_not_extended(message: dict[str, Any]) -> None:
    assert asked("so far", {"role": "assistant"} | message) is None


def completion(prompt: Any, text: str, **fields: Any) -> Prefill | None:
    envelope = parse_request(Operation.COMPLETION, json.dumps({"model": "m", "prompt": prompt} | fields).encode())
    return prefill(envelope.fields, text)


@pytest.mark.parametrize(("prompt", "longer"), [("Once", "Once upon "), (["Once"], ["Once upon "])])
def test_a_prompt_is_made_longer_by_all_of_the_text(prompt: Any, longer: Any) -> None:
    result = completion(prompt, " upon ", max_tokens=9)
    assert result is not None
    assert json.loads(bytes(result.fields["prompt"])) == longer
    assert (result.text, result.cut, bytes(result.fields["max_tokens"])) == ("", "", b"8")


def test_other_prompts_and_other_operations_are_not_continued() -> None:
    assert completion([1, 2], "x") is None
    assert completion(["a", "b"], "x") is None
    assert completion(None, "x") is None
    assert completion("a", "x", echo=True) is None
    assert completion("a", "x", logprobs=0) is None
    assert prefill(wire.parse_body(b'{"model":"m","input":"x"}'), "x") is None
    assert prefill(wire.parse_body(b'{"messages":[7]}'), "x") is None


def test_only_a_long_text_that_is_no_loop_surely_repeats_itself() -> None:
    assert surely_repeated(LONG)
    assert not surely_repeated(LONG[:20])
    assert not surely_repeated("ha " * 30)
    assert not surely_repeated(LONG + " " + LONG + "\n" + LONG)
