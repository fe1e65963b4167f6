"""The sandbox speaks OpenAI's wire format as a good provider does."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.providers.sandbox import FAULTS, MODELS, SANDBOX, Pace, sandbox_scripts, script_for
from headgate.types.deployment import Operation
from tests.unit.providers.sandbox_calls import (
    HELLO,
    body_of,
    events,
    play,
    refusal,
    reply,
    streamed_calls,
    streamed_text,
)

WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "unit": {"enum": ["C", "F"]}},
            "required": ["city", "unit"],
        },
    },
}
TIME = {"type": "function", "function": {"name": "time"}}
AFTER_TOOL = [
    {"role": "user", "content": "How warm is it?"},
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}],
    },
    {"role": "tool", "tool_call_id": "call_1", "content": "21 degrees"},
]


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


def test_first_tool_is_called_with_arguments_of_its_schema() -> None:
    got = reply(tools=[WEATHER, TIME])["choices"][0]
    assert got["finish_reason"] == "tool_calls"
    assert got["message"]["content"] is None
    [call] = got["message"]["tool_calls"]
    assert call["type"] == "function"
    assert call["function"]["name"] == "weather"
    assert json.loads(call["function"]["arguments"]) == {"city": "Lisbon", "unit": "C"}


def test_streamed_tool_call_is_a_header_and_fragments() -> None:
    chunks = events(tools=[WEATHER])
    [call] = streamed_calls(chunks)
    [whole] = reply(tools=[WEATHER])["choices"][0]["message"]["tool_calls"]
    assert (call["name"], call["arguments"]) == ("weather", whole["function"]["arguments"])
    fragments = [chunk for chunk in chunks if chunk["choices"][0]["delta"].get("tool_calls")]
    assert len(fragments) > 2
    assert fragments[0]["choices"][0]["delta"]["tool_calls"][0]["function"]["arguments"] == ""
    assert chunks[-1]["choices"][0]["finish_reason"] == "tool_calls"


@pytest.mark.parametrize(
    "choice",
    [
        {"type": "function", "function": {"name": "time"}},
        {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [TIME]}},
    ],
)
def test_named_tool_is_called_even_after_a_result(choice: Any) -> None:
    got = reply(tools=[WEATHER, TIME], tool_choice=choice, messages=AFTER_TOOL)["choices"][0]["message"]
    assert [call["function"] for call in got["tool_calls"]] == [{"name": "time", "arguments": "{}"}]


def test_tool_result_is_answered_in_text() -> None:
    message = reply(tools=[WEATHER], messages=AFTER_TOOL)["choices"][0]["message"]
    assert "tool_calls" not in message
    assert "21 degrees" in message["content"]
    forced = reply(tools=[WEATHER], tool_choice="required", messages=AFTER_TOOL)["choices"][0]
    assert forced["finish_reason"] == "tool_calls"


def test_tool_choice_none_is_answered_in_text() -> None:
    assert "tool_calls" not in reply(tools=[WEATHER], tool_choice="none")["choices"][0]["message"]


def test_parallel_model_calls_every_tool_unless_told_not_to() -> None:
    calls = streamed_calls(events(model="parallel-tools", tools=[WEATHER, TIME]))
    assert [call["name"] for call in calls] == ["weather", "time"]
    assert len({call["id"] for call in calls}) == 2
    alone = reply(model="parallel-tools", tools=[WEATHER])["choices"][0]["message"]["tool_calls"]
    assert len(alone) == 2
    one = reply(model="parallel-tools", tools=[WEATHER, TIME], parallel_tool_calls=False)
    assert len(one["choices"][0]["message"]["tool_calls"]) == 1


def test_custom_tool_is_called_with_plain_input() -> None:
    [call] = reply(tools=[{"type": "custom", "custom": {"name": "shell"}}])["choices"][0]["message"]["tool_calls"]
    assert call["type"] == "custom"
    assert call["custom"]["name"] == "shell"
    assert isinstance(call["custom"]["input"], str)


def test_token_cap_cuts_the_arguments_of_a_call() -> None:
    [choice] = reply(tools=[WEATHER], max_tokens=1)["choices"]
    assert choice["finish_reason"] == "length"
    with pytest.raises(json.JSONDecodeError):
        json.loads(choice["message"]["tool_calls"][0]["function"]["arguments"])


def test_json_object_format_gets_an_object() -> None:
    wanted = {"type": "json_object"}
    text = reply(response_format=wanted)["choices"][0]["message"]["content"]
    assert isinstance(json.loads(text), dict)
    assert streamed_text(events(response_format=wanted)) == text


def test_json_schema_format_gets_an_instance() -> None:
    schema = {"type": "object", "properties": {"ok": {"const": True}}, "required": ["ok"]}
    wanted = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema, "strict": True}}
    assert json.loads(reply(response_format=wanted)["choices"][0]["message"]["content"]) == {"ok": True}


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"model": None}, "model"),
        ({"model": 5}, "model"),
        ({"messages": None}, "messages"),
        ({"messages": []}, "messages"),
        ({"messages": "hi"}, "messages"),
        ({"messages": ["hi"]}, "messages[0]"),
        ({"messages": [{"role": "king", "content": "hi"}]}, "messages[0].role"),
        ({"messages": [{"role": ["user"], "content": "hi"}]}, "messages[0].role"),
        ({"messages": [*HELLO, {"role": "user"}]}, "messages[1].content"),
        ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": []}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": [{"type": {}}]}]}, "messages[0].content[0].type"),
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "messages[0].content[0].text"),
        ({"messages": [{"role": "tool", "content": "x", "tool_call_id": "c"}]}, "messages[0].role"),
        ({"messages": [AFTER_TOOL[1], {"role": "tool", "content": "x"}]}, "messages[1].tool_call_id"),
        ({"stream": "yes"}, "stream"),
        ({"stream_options": {"include_usage": True}}, "stream_options"),
        ({"stream": True, "stream_options": {"include_usage": 1}}, "stream_options.include_usage"),
        ({"temperature": 2.1}, "temperature"),
        ({"temperature": "hot"}, "temperature"),
        ({"top_p": -1}, "top_p"),
        ({"n": 0}, "n"),
        ({"n": 17}, "n"),
        ({"n": True}, "n"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_completion_tokens": 1.5}, "max_completion_tokens"),
        ({"stop": [1]}, "stop"),
        ({"stop": ["a", "b", "c", "d", "e"]}, "stop"),
        ({"top_logprobs": 3}, "top_logprobs"),
        ({"tools": {}}, "tools"),
        ({"tools": [{"type": "function"}]}, "tools[0].function.name"),
        ({"tools": [{"type": "webhook"}]}, "tools[0].type"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"tools": [TIME], "tool_choice": "sometimes"}, "tool_choice"),
        ({"tools": [TIME], "tool_choice": {"type": "function", "function": {"name": "x"}}}, "tool_choice"),
        ({"response_format": {"type": "xml"}}, "response_format.type"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
    ],
)
def test_malformed_request_is_refused_naming_the_field(fields: dict[str, Any], param: str) -> None:
    error = refusal(**fields)
    assert error["type"] == "invalid_request_error"
    assert error["param"] == param


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"5", b"[" * 100_000, b'{"model": "\xff"}'])
def test_body_that_is_no_json_object_is_refused(body: bytes) -> None:
    script = script_for("chat", body)
    assert script.status == 400
    assert json.loads(body_of(script))["error"]["type"] == "invalid_request_error"


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
CHAT_FIELDS = [
    "messages",
    "tools",
    "tool_choice",
    "response_format",
    "stream",
    "stream_options",
    "n",
    "max_tokens",
    "stop",
    "logprobs",
    "top_logprobs",
    "temperature",
    "parallel_tool_calls",
]


@given(st.dictionaries(st.sampled_from(CHAT_FIELDS), JSON_VALUES, max_size=4))
def test_whatever_the_fields_hold_there_is_a_reply_or_a_refusal(fields: dict[str, Any]) -> None:
    script = play(**fields)
    assert script.status in (200, 400)
    assert body_of(script)


@pytest.mark.parametrize("prompt", ["Once upon a time", ["Once upon a time"], [11, 12], [[11, 12]]])
def test_text_completion_has_the_shape_of_openai(prompt: Any) -> None:
    got = reply("completion", prompt=prompt)
    assert got["object"] == "text_completion"
    assert got["id"].startswith("cmpl-")
    [choice] = got["choices"]
    assert set(choice) == {"index", "text", "logprobs", "finish_reason"}
    assert ("11 12" if isinstance(prompt[0], int | list) else "Once upon a time") in choice["text"]
    assert got["usage"]["total_tokens"] > 0


def test_text_completion_streams_what_it_says_and_usage_when_asked() -> None:
    *chunks, last = events("completion", prompt="Hi", stream_options={"include_usage": True})
    assert (
        "".join(chunk["choices"][0]["text"] for chunk in chunks)
        == reply("completion", prompt="Hi")["choices"][0]["text"]
    )
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"
    assert last["choices"] == []
    assert last["usage"]["completion_tokens"] > 0


def test_text_completion_echoes_the_prompt_and_numbers_prompts_and_choices() -> None:
    choices = reply("completion", prompt=["One.", "Two."], n=2, echo=True, logprobs=2)["choices"]
    assert [choice["index"] for choice in choices] == [0, 1, 2, 3]
    assert [choice["text"][:4] for choice in choices] == ["One.", "One.", "Two.", "Two."]
    logprobs = choices[0]["logprobs"]
    assert "".join(logprobs["tokens"]) == choices[0]["text"]
    assert len(logprobs["tokens"]) == len(logprobs["token_logprobs"]) == len(logprobs["text_offset"])
    assert logprobs["text_offset"][1] == len(logprobs["tokens"][0])


@pytest.mark.parametrize(("prompt", "param"), [([], "prompt"), (5, "prompt"), (["a"] * 17, "n"), ([1, "a"], "prompt")])
def test_malformed_completion_is_refused(prompt: Any, param: str) -> None:
    assert refusal("completion", prompt=prompt)["param"] == param
