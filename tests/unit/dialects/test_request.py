"""Client bodies: errors that name the field, and fields that keep their bytes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headgate.dialects.openai.request import parse_request
from headgate.errors import InvalidRequest
from headgate.types.deployment import Operation

CHAT, TEXT, EMBED = Operation.CHAT, Operation.COMPLETION, Operation.EMBEDDING
HI = [{"role": "user", "content": "hi"}]
GOOD: dict[Operation, dict[str, Any]] = {
    CHAT: {"model": "m", "messages": HI},
    TEXT: {"model": "m", "prompt": "p"},
    EMBED: {"model": "m", "input": "i"},
}

NOT_AN_OBJECT = {
    "empty": b"",
    "blank": b" \r\n\t ",
    "half": b'{"model": "m"',
    "a list": b"[]",
    "text": b'"x"',
    "a number": b"1",
    "null": b"null",
    "two objects": b"{}{}",
    "a comma too many": b'{"model": "m",}',
    "single quotes": b"{'model': 'm'}",
    "NaN": b'{"model": NaN}',
    "a BOM": b"\xef\xbb\xbf{}",
    "UTF-16": '{"model": "m"}'.encode("utf-16"),
    "a bad key": b'{"\xff": 1}',
    "a control character": b'{"mod\x01el": 1}',
    "nested without end": b'{"a":' * 100_000,
    "nested deeply": b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "form data": b"model=m&messages=x",
}


@pytest.mark.parametrize("operation", list(Operation))
@pytest.mark.parametrize("name", NOT_AN_OBJECT)
def test_what_is_no_json_object_is_invalid_json(name: str, operation: Operation) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse_request(operation, NOT_AN_OBJECT[name])
    assert (caught.value.status, caught.value.param, caught.value.code) == (400, None, "invalid_json")
    assert caught.value.message.isprintable()


MISSING = [(CHAT, "model"), (CHAT, "messages"), (TEXT, "model"), (EMBED, "model"), (EMBED, "input")]


@pytest.mark.parametrize(("operation", "field"), MISSING)
def test_a_field_that_has_to_be_there_is_named(operation: Operation, field: str) -> None:
    body = {name: value for name, value in GOOD[operation].items() if name != field}
    with pytest.raises(InvalidRequest) as caught:
        parse_request(operation, json.dumps(body).encode())
    assert (caught.value.param, caught.value.code) == (field, "missing_required_parameter")


WRONG: list[tuple[Operation, str, Any, str]] = [
    (CHAT, "model", 1, "model"),
    (CHAT, "model", None, "model"),
    (CHAT, "model", "", "model"),
    (CHAT, "model", ["m"], "model"),
    (CHAT, "messages", None, "messages"),
    (CHAT, "messages", [], "messages"),
    (CHAT, "messages", "hi", "messages"),
    (CHAT, "messages", {}, "messages"),
    (CHAT, "messages", ["hi"], "messages[0]"),
    (CHAT, "messages", [{}], "messages[0]"),
    (CHAT, "messages", [*HI, {"role": 1}], "messages[1].role"),
    (CHAT, "messages", [{"role": "user", "content": 1}], "messages[0].content"),
    (CHAT, "messages", [{"role": "user", "content": {}}], "messages[0].content"),
    (CHAT, "messages", [{"role": "user", "content": ["x"]}], "messages[0].content[0]"),
    (CHAT, "messages", [{"role": "user", "content": [{}]}], "messages[0].content[0]"),
    (CHAT, "messages", [{"role": "user", "content": [{"type": 1}]}], "messages[0].content[0].type"),
    (CHAT, "stream", "true", "stream"),
    (CHAT, "stream", 1, "stream"),
    (CHAT, "stream_options", True, "stream_options"),
    (CHAT, "stream_options", {"include_usage": "yes"}, "stream_options.include_usage"),
    (CHAT, "max_tokens", "10", "max_tokens"),
    (CHAT, "max_tokens", 0, "max_tokens"),
    (CHAT, "max_tokens", -5, "max_tokens"),
    (CHAT, "max_tokens", 1.5, "max_tokens"),
    (CHAT, "max_tokens", True, "max_tokens"),
    (CHAT, "max_completion_tokens", [], "max_completion_tokens"),
    (CHAT, "n", 0, "n"),
    (CHAT, "n", "2", "n"),
    (CHAT, "temperature", "hot", "temperature"),
    (CHAT, "temperature", True, "temperature"),
    (CHAT, "top_p", [], "top_p"),
    (CHAT, "presence_penalty", {}, "presence_penalty"),
    (CHAT, "frequency_penalty", "x", "frequency_penalty"),
    (CHAT, "seed", "x", "seed"),
    (CHAT, "seed", 0.5, "seed"),
    (CHAT, "stop", 1, "stop"),
    (CHAT, "stop", [1], "stop[0]"),
    (CHAT, "logit_bias", [], "logit_bias"),
    (CHAT, "logit_bias", {"1": "x"}, "logit_bias[...]"),
    (CHAT, "user", 1, "user"),
    (CHAT, "tools", {}, "tools"),
    (CHAT, "tools", [{}], "tools[0]"),
    (CHAT, "tools", [{"type": "function"}, {"type": 1}], "tools[1].type"),
    (CHAT, "tool_choice", 1, "tool_choice"),
    (CHAT, "response_format", "json", "response_format"),
    (CHAT, "response_format", {}, "response_format"),
    (CHAT, "parallel_tool_calls", "no", "parallel_tool_calls"),
    (CHAT, "top_logprobs", "5", "top_logprobs"),
    (TEXT, "model", 5, "model"),
    (TEXT, "prompt", 1, "prompt"),
    (TEXT, "echo", "x", "echo"),
    (TEXT, "best_of", 0, "best_of"),
    (CHAT, "best_of", "1000", "best_of"),
    (CHAT, "best_of", 1000.0, "best_of"),
    (EMBED, "input", 1, "input"),
    (EMBED, "input", [], "input"),
    (EMBED, "input", None, "input"),
    (EMBED, "dimensions", 0, "dimensions"),
    (EMBED, "encoding_format", 1, "encoding_format"),
]


@pytest.mark.parametrize(("operation", "field", "value", "param"), WRONG)
def test_a_value_of_the_wrong_type_is_named_with_its_place(
    operation: Operation, field: str, value: Any, param: str
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse_request(operation, json.dumps(GOOD[operation] | {field: value}).encode())
    assert (caught.value.status, caught.value.type) == (400, "invalid_request_error")
    assert (caught.value.param, caught.value.code) == (param, "invalid_type")
    assert caught.value.message.startswith(f"`{param}`: ")


BROKEN_INSIDE = {
    "invalid UTF-8": b'{"model": "m", "messages": [{"role": "user", "content": "\xff\xfe"}]}',
    "a lone surrogate in bytes": b'{"model": "m", "messages": [{"role": "user", "content": "\xed\xa0\x80"}]}',
    "a lone surrogate, escaped": b'{"model": "m", "messages": [{"role": "user", "content": "\\ud800"}]}',
    "a number past all bounds": b'{"model": "m", "messages": [{"role": "user", "content": "x"}], "temperature": 1e999}',
    "an integer of many digits": b'{"model": "m", "messages": [{"role": "u", "content": "x"}], "seed": %s}'
    % (b"9" * 9000),
    "nested content": b'{"model": "m", "messages": [{"role": "user", "content": %s}]}' % (b"[" * 9000 + b"]" * 9000),
    "a model that is not UTF-8": b'{"model": "\xff", "messages": [{"role": "user", "content": "x"}]}',
    "a model that is half a character": b'{"model": "\\ud83d", "messages": [{"role": "user", "content": "x"}]}',
    "a model with a line break": b'{"model": "a\\r\\nx: y", "messages": [{"role": "user", "content": "x"}]}',
    "a model with a NUL": b'{"model": "a\\u0000", "messages": [{"role": "user", "content": "x"}]}',
}


@pytest.mark.parametrize("name", BROKEN_INSIDE)
def test_what_only_shows_inside_a_value_is_an_invalid_request_too(name: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse_request(CHAT, BROKEN_INSIDE[name])
    assert caught.value.param is not None or caught.value.code == "invalid_json"
    assert caught.value.code in ("invalid_type", "invalid_json", "invalid_value")
    caught.value.message.encode()


def test_null_is_as_good_as_leaving_an_optional_field_out() -> None:
    optional = (
        "stream",
        "stream_options",
        "max_tokens",
        "n",
        "temperature",
        "stop",
        "tools",
        "response_format",
        "user",
    )
    body = GOOD[CHAT] | dict.fromkeys(optional)
    parsed = parse_request(CHAT, json.dumps(body).encode())
    assert (parsed.stream, parsed.include_usage, parsed.output_cap) == (False, False, None)
    assert set(parsed.fields) == set(body)


def test_the_last_of_a_repeated_key_counts() -> None:
    body = b'{"model": "a", "model": "b", "messages": 1, "messages": [{"role": "user", "content": "x"}]}'
    parsed = parse_request(CHAT, body)
    assert parsed.model == "b"
    assert bytes(parsed.fields["messages"]) == b'[{"role": "user", "content": "x"}]'


@pytest.mark.parametrize(
    ("options", "stream", "usage", "continuous"),
    [
        ({}, False, False, False),
        ({"stream": True}, True, False, False),
        ({"stream": True, "stream_options": {"include_usage": True}}, True, True, False),
        ({"stream": True, "stream_options": {"include_usage": None}}, True, False, False),
        ({"stream": True, "stream_options": {"include_usage": True, "continuous_usage_stats": True}}, True, True, True),
        ({"stream": False, "stream_options": {"include_usage": True}}, False, False, False),
    ],
)
def test_what_a_client_asks_of_its_stream(options: Any, stream: bool, usage: bool, continuous: bool) -> None:
    parsed = parse_request(CHAT, json.dumps(GOOD[CHAT] | options).encode())
    assert (parsed.stream, parsed.include_usage, parsed.continuous_usage) == (stream, usage, continuous)


def test_embeddings_are_never_streamed() -> None:
    assert not parse_request(EMBED, json.dumps(GOOD[EMBED] | {"stream": True}).encode()).stream


@pytest.mark.parametrize(
    ("caps", "cap"),
    [
        ({}, None),
        ({"max_tokens": 10}, 10),
        ({"max_completion_tokens": 5}, 5),
        ({"max_tokens": 10, "max_completion_tokens": 5}, 10),
        ({"max_completion_tokens": 1, "max_tokens": 100_000, "n": 2}, 200_000),
        ({"max_completion_tokens": 10, "max_tokens": 5}, 10),
        ({"max_tokens": 10, "max_completion_tokens": None}, 10),
        ({"max_tokens": 10, "n": 3}, 30),
        ({"n": 3}, None),
        ({"max_tokens": None, "max_completion_tokens": 7, "n": None}, 7),
    ],
)
def test_the_most_tokens_an_answer_may_have(caps: Any, cap: int | None) -> None:
    assert parse_request(CHAT, json.dumps(GOOD[CHAT] | caps).encode()).output_cap == cap


def test_fields_keep_their_bytes_and_unknown_ones_are_kept_too() -> None:
    pieces = {
        "messages": b'[ {"role" :"user","content":"h\\u00e9 \xc3\xa9 \\ud83d\\ude00","x":1.0e-7} ]',
        "odd": b'{"b" : 1.10, "a":[ 1e5, -0 ]}',
        "big": b"123456789012345678901234567890",
        "empty": b"{ }",
    }
    body = (
        b'\n{ "model":\t"m" , ' + b", ".join(b'"%s" : %s' % (name.encode(), raw) for name, raw in pieces.items()) + b"}"
    )
    parsed = parse_request(CHAT, body)
    assert {name: bytes(parsed.fields[name]) for name in pieces} == pieces
    assert parsed.size == len(body)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**25), 10**25) | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=10,
)
FIELDS = sorted({*GOOD[CHAT], *GOOD[TEXT], *GOOD[EMBED], *(field for _, field, _, _ in WRONG), "x"})


@settings(max_examples=500, deadline=None, derandomize=True)
@given(st.sampled_from(list(Operation)), st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=6), st.booleans())
def test_any_json_is_an_envelope_or_an_invalid_request(
    operation: Operation, fields: dict[str, Any], complete: bool
) -> None:
    body = json.dumps((GOOD[operation] if complete else {}) | fields).encode()
    try:
        parsed = parse_request(operation, body)
    except InvalidRequest as refused:
        answer = refused
    else:
        assert parsed.model.isprintable()
        assert parsed.output_cap is None or parsed.output_cap >= 1
        return
    assert answer.code in ("missing_required_parameter", "invalid_type", "invalid_json", "invalid_value")
    assert answer.param is None or answer.param.split(".")[0].split("[")[0] in {*FIELDS}


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    st.sampled_from(list(Operation)),
    st.one_of(
        st.binary(max_size=60),
        st.tuples(st.integers(0, 70), st.binary(max_size=6)).map(
            lambda cut: (whole := json.dumps(GOOD[CHAT]).encode())[: cut[0]] + cut[1] + whole[cut[0] :]
        ),
    ),
)
def test_any_bytes_are_an_envelope_or_an_invalid_request(operation: Operation, body: bytes) -> None:
    try:
        parsed = parse_request(operation, body)
    except InvalidRequest:
        return
    assert parsed.size == len(body)


def test_what_is_wrong_with_a_field_is_said_in_words_that_stay_readable() -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse_request(Operation.CHAT, b'{"model": "m", "messages": [{"role": "user", "content": "\xff"}]}')
    assert "jSON" not in caught.value.message
    with pytest.raises(InvalidRequest, match=r"`stream`: expected `bool"):
        parse_request(Operation.CHAT, b'{"model": "m", "stream": "yes", "messages": [{"role": "user"}]}')
