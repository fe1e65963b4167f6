"""The sandbox speaks OpenAI's wire format as a good provider does."""

from __future__ import annotations

import json
from typing import Any

import pytest

from headgate.providers.sandbox import FAULTS, MODELS, SANDBOX, Pace, sandbox_scripts, script_for
from headgate.types.deployment import Operation
from tests.unit.providers.sandbox_calls import (
    HELLO,
    events,
    play,
    reply,
    streamed_text,
)


def test_row_needs_no_credential_and_serves_every_operation() -> None:
    assert SANDBOX.auth_header is None
    assert SANDBOX.env == ()
    assert SANDBOX.operations == frozenset(Operation)
    assert SANDBOX.script is script_for
    assert not set(MODELS) & set(FAULTS)


def test_chat_reply_has_the_shape_of_openai() -> None:
    got = reply()
    assert got["object"] == "chat.completion"
    assert got["id"].startswith("chatcmpl-")
    assert isinstance(got["created"], int)
    assert got["model"] == "hello"
    [choice] = got["choices"]
    assert choice["finish_reason"] == "stop"
    assert choice["logprobs"] is None
    assert choice["message"]["role"] == "assistant"
    assert choice["message"]["refusal"] is None
    assert "Hello there" in choice["message"]["content"]
    usage = got["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"] > 0
    assert usage["prompt_tokens_details"]["cached_tokens"] == 0
    assert usage["completion_tokens_details"]["reasoning_tokens"] == 0


@pytest.mark.parametrize("stream", [False, True])
def test_same_request_gets_the_same_script_and_another_gets_another(stream: bool) -> None:
    assert play(stream=stream) == play(stream=stream)
    assert play(stream=stream) != play(stream=stream, user="someone else")


def test_stream_says_what_the_whole_reply_says() -> None:
    chunks = events()
    whole = reply()
    assert streamed_text(chunks) == whole["choices"][0]["message"]["content"]
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    assert len({(chunk["id"], chunk["created"], chunk["model"]) for chunk in chunks}) == 1
    assert chunks[0]["choices"][0]["delta"]["role"] == "assistant"
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks] == [None] * (len(chunks) - 1) + ["stop"]
    assert chunks[-1]["choices"][0]["delta"] == {}


def test_stream_reports_usage_only_when_asked() -> None:
    assert not any("usage" in chunk for chunk in events())
    *chunks, last = events(stream_options={"include_usage": True})
    assert last["choices"] == []
    assert last["usage"] == reply()["usage"]
    assert [chunk["usage"] for chunk in chunks] == [None] * len(chunks)


def test_stream_comes_at_its_pace_and_the_fast_model_without_delay() -> None:
    request = {"messages": HELLO, "stream": True}
    body = json.dumps({"model": "hello", **request}).encode()
    first, second, *_, finish, done = sandbox_scripts(Pace(first_token_s=3, per_token_s=2))("chat", body).steps
    assert (first.delay_s, second.delay_s, finish.delay_s, done.delay_s) == (3, 2, 0, 0)
    fast = json.dumps({"model": "fast", **request}).encode()
    assert {step.delay_s for step in sandbox_scripts(Pace(first_token_s=3))("chat", fast).steps} == {0}


def test_whole_reply_comes_after_the_first_token_time() -> None:
    script = sandbox_scripts(Pace(first_token_s=3))("chat", json.dumps({"model": "x", "messages": HELLO}).encode())
    assert script.head_delay_s == 3
    assert [step.delay_s for step in script.steps] == [0]


@pytest.mark.parametrize("field", ["max_tokens", "max_completion_tokens"])
def test_token_cap_ends_the_answer_with_length(field: str) -> None:
    capped: dict[str, Any] = {field: 3}
    got = reply(**capped)
    assert got["choices"][0]["finish_reason"] == "length"
    assert got["choices"][0]["message"]["content"] == "Hello from the"
    assert got["usage"]["completion_tokens"] == 3
    assert streamed_text(events(**capped)) == "Hello from the"
    roomy: dict[str, Any] = {field: 3000}
    assert reply(**roomy)["choices"][0]["finish_reason"] == "stop"


@pytest.mark.parametrize("stop", ["sand", ["never said", "sand"]])
def test_stop_sequence_ends_the_answer_before_it(stop: Any) -> None:
    [choice] = reply(stop=stop)["choices"]
    assert choice["message"]["content"] == "Hello from the "
    assert choice["finish_reason"] == "stop"
    assert streamed_text(events(stop=stop)) == "Hello from the "


def test_n_choices_differ_and_are_numbered_also_in_a_stream() -> None:
    choices = reply(n=3)["choices"]
    texts = [choice["message"]["content"] for choice in choices]
    assert [choice["index"] for choice in choices] == [0, 1, 2]
    assert len(set(texts)) == 3
    chunks = events(n=3)
    assert [streamed_text(chunks, index) for index in range(3)] == texts


def test_echo_repeats_the_last_user_message_to_the_letter() -> None:
    said = "  Wie geht's?\n\tGut — 好的 🎈 "
    assert reply(model="echo", messages=[{"role": "user", "content": said}])["choices"][0]["message"]["content"] == said
    assert streamed_text(events(model="echo", messages=[{"role": "user", "content": said}])) == said


def test_content_parts_are_read_and_attachments_counted() -> None:
    parts = [
        {"type": "text", "text": "What is"},
        {"type": "text", "text": "this?"},
        {"type": "image_url", "image_url": {"url": "https://example.com/cat.png"}},
    ]
    text = reply(messages=[{"role": "user", "content": parts}])["choices"][0]["message"]["content"]
    assert "“What is this?”, with 1 attachment" in text


def test_long_message_is_quoted_in_part() -> None:
    text = reply(messages=[{"role": "user", "content": "word " * 10_000}])["choices"][0]["message"]["content"]
    assert "word…”" in text
    assert len(text) < 400


def test_logprobs_are_given_for_each_token_when_asked() -> None:
    [choice] = reply(logprobs=True, top_logprobs=2)["choices"]
    tokens = choice["logprobs"]["content"]
    assert "".join(token["token"] for token in tokens) == choice["message"]["content"]
    for token in tokens:
        assert bytes(token["bytes"]).decode() == token["token"]
        assert token["logprob"] < 0
        assert token["top_logprobs"][0]["token"] == token["token"]
        assert len(token["top_logprobs"]) == 2
    streamed = [chunk["choices"][0] for chunk in events(logprobs=True, top_logprobs=2)]
    assert [choice["logprobs"]["content"][0] for choice in streamed if choice["delta"].get("content")] == tokens
    assert reply(logprobs=True)["choices"][0]["logprobs"]["content"][0]["top_logprobs"] == []


def test_json_object_format_gets_an_object() -> None:
    wanted = {"type": "json_object"}
    text = reply(response_format=wanted)["choices"][0]["message"]["content"]
    assert isinstance(json.loads(text), dict)
    assert streamed_text(events(response_format=wanted)) == text


def test_json_schema_format_gets_an_instance() -> None:
    schema = {"type": "object", "properties": {"ok": {"const": True}}, "required": ["ok"]}
    wanted = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema, "strict": True}}
    assert json.loads(reply(response_format=wanted)["choices"][0]["message"]["content"]) == {"ok": True}
