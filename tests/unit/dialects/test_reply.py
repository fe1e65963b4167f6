"""JSON replies: an answer with its usage, an error in disguise, or no answer at all."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headgate.dialects.openai.reply import ErrorInBody, parse_reply
from headgate.dialects.openai.usage import parse_usage, render_usage
from headgate.types.deployment import Operation
from headgate.types.fault import Fault, FaultClass
from headgate.types.usage import Usage

CHAT, EMBED = Operation.CHAT, Operation.EMBEDDING
ANSWER: dict[str, Any] = {"choices": [{"message": {"content": "hi"}}]}
VECTORS: dict[str, Any] = {"data": [{"embedding": [0.1]}]}
COUNTS = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}


@pytest.mark.parametrize(
    ("operation", "body", "usage"),
    [
        (CHAT, ANSWER, None),
        (CHAT, ANSWER | {"usage": None}, None),
        (CHAT, ANSWER | {"usage": COUNTS}, Usage(input=7, output=3)),
        (CHAT, ANSWER | {"usage": "odd"}, None),
        (CHAT, ANSWER | {"error": None, "object": "chat.completion"}, None),
        (CHAT, ANSWER | {"usage": {"prompt_tokens": 7}}, Usage(input=7, estimated=True)),
        (EMBED, VECTORS | {"usage": {"prompt_tokens": 7, "total_tokens": 7}}, Usage(input=7)),
        (EMBED, VECTORS | {"usage": {"prompt_tokens": 7}}, Usage(input=7)),
    ],
)
def test_an_answer_gives_the_usage_it_reports(operation: Operation, body: Any, usage: Usage | None) -> None:
    assert parse_reply(operation, json.dumps(body).encode()) == usage


def test_blank_lines_before_an_answer_are_kept_alive_connections_and_no_harm() -> None:
    assert parse_reply(CHAT, b"\n\n\r\n" + json.dumps(ANSWER).encode()) is None


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"message": "no"}},
        {"error": "no"},
        ANSWER | {"error": {"message": "no"}},
        {"object": "error", "message": "no"},
        {"message": "no", "type": "quota_error", "param": "quota", "code": "c"},
    ],
)
def test_an_error_with_status_200_is_an_error(body: Any) -> None:
    with pytest.raises(ErrorInBody) as caught:
        parse_reply(CHAT, json.dumps(body).encode())
    assert json.loads(caught.value.body) == body


@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"[]", b"hello", b"<html>", b"{}", b'{"choices": []}', b'{"choices": {}}', b'{"choices": [{"'],
)
@pytest.mark.parametrize("operation", [CHAT, EMBED])
def test_what_is_no_answer_is_a_soft_error(operation: Operation, body: bytes) -> None:
    with pytest.raises(Fault) as caught:
        parse_reply(operation, body)
    assert caught.value.kind is FaultClass.SOFT_ERROR


def test_an_answer_to_another_operation_is_none() -> None:
    for operation, body in ((EMBED, ANSWER), (CHAT, VECTORS)):
        with pytest.raises(Fault):
            parse_reply(operation, json.dumps(body).encode())


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    st.sampled_from([CHAT, EMBED]),
    st.one_of(st.binary(max_size=40), st.sampled_from([json.dumps(ANSWER).encode(), json.dumps(VECTORS).encode()])),
    st.integers(0, 60),
    st.binary(max_size=3),
)
def test_any_bytes_are_an_answer_or_one_of_two_failures(
    operation: Operation, body: bytes, at: int, more: bytes
) -> None:
    try:
        parse_reply(operation, body[:at] + more + body[at:])
    except Fault as fault:
        kind = fault.kind
    except ErrorInBody:
        return
    else:
        return
    assert kind is FaultClass.SOFT_ERROR


@pytest.mark.parametrize(
    ("raw", "usage"),
    [
        (COUNTS, Usage(input=7, output=3)),
        (COUNTS | {"prompt_tokens_details": None, "completion_tokens_details": None}, Usage(input=7, output=3)),
        (COUNTS | {"prompt_tokens_details": {"cached_tokens": 5}}, Usage(input=2, cached_input=5, output=3)),
        (
            COUNTS | {"prompt_tokens_details": {"cached_tokens": 2, "cache_write_tokens": 4}},
            Usage(input=1, cached_input=2, cache_write=4, output=3),
        ),
        (COUNTS | {"prompt_tokens_details": {"cached_tokens": 99}}, Usage(cached_input=7, output=3)),
        (COUNTS | {"completion_tokens_details": {"reasoning_tokens": 2}}, Usage(input=7, output=1, reasoning=2)),
        (COUNTS | {"completion_tokens_details": {"reasoning_tokens": 9}}, Usage(input=7, output=3, reasoning=9)),
        ({"prompt_tokens": -1, "completion_tokens": 3}, Usage(output=3, estimated=True)),
        ({"prompt_tokens": 7}, Usage(input=7, estimated=True)),
        ({}, None),
        (None, None),
        ([], None),
        ({"prompt_tokens": "7"}, None),
    ],
)
def test_token_classes_never_overlap(raw: Any, usage: Usage | None) -> None:
    assert parse_usage(json.dumps(raw).encode()) == usage


def test_usage_is_rendered_as_the_sums_every_client_knows() -> None:
    usage = Usage(input=1, cached_input=2, cache_write=4, output=3, reasoning=5)
    assert render_usage(usage) == {"prompt_tokens": 7, "completion_tokens": 8, "total_tokens": 15}


@pytest.mark.parametrize("reason", ["error", "abort", "insufficient_system_resource", "network_error"])
def test_an_answer_that_the_provider_broke_off_is_a_soft_error(reason: str) -> None:
    choices = [{"index": 0, "message": {"content": "half of"}, "finish_reason": reason}]
    with pytest.raises(Fault, match="broke off"):
        parse_reply(Operation.CHAT, json.dumps({"choices": choices}).encode())


def test_the_service_tier_of_a_reply_is_part_of_its_usage() -> None:
    body = ANSWER | {"usage": COUNTS, "service_tier": "priority"}
    assert parse_reply(CHAT, json.dumps(body).encode()) == Usage(input=7, output=3, service_tier="priority")
    usual = ANSWER | {"usage": COUNTS, "service_tier": {"type": "default"}}
    assert parse_reply(CHAT, json.dumps(usual).encode()) == Usage(input=7, output=3)
