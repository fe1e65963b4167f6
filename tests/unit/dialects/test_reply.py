"""JSON replies: an answer with its usage, an error in disguise, or no answer at all."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headgate.dialects.openai.reply import ErrorInBody, JsonReply, read_reply
from headgate.dialects.openai.request import parse_request
from headgate.dialects.openai.usage import parse_usage, render_usage
from headgate.types.deployment import Operation
from headgate.types.fault import Fault, FaultClass
from headgate.types.request import Envelope
from headgate.types.usage import Usage

CHAT, TEXT, EMBED = Operation.CHAT, Operation.COMPLETION, Operation.EMBEDDING
ASKS: dict[Operation, dict[str, Any]] = {
    CHAT: {"messages": [{"role": "user", "content": "hi"}]},
    TEXT: {"prompt": "hi"},
    EMBED: {"input": "hi"},
}
ANSWER: dict[str, Any] = {"choices": [{"message": {"content": "hi"}, "finish_reason": "stop"}]}
COMPLETED: dict[str, Any] = {"choices": [{"text": "hi", "finish_reason": "stop"}]}
VECTORS: dict[str, Any] = {"data": [{"embedding": [0.1]}]}
ANSWERS = {CHAT: ANSWER, TEXT: COMPLETED, EMBED: VECTORS}
COUNTS = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
USAGE = Usage(input=7, output=3)


def asked(operation: Operation = CHAT, **fields: Any) -> Envelope:
    return parse_request(operation, json.dumps({"model": "m"} | ASKS[operation] | fields).encode())


def replied(body: Any, operation: Operation = CHAT, **fields: Any) -> JsonReply:
    """How a reply to a request with these fields is read."""
    return read_reply(asked(operation, **fields), body if isinstance(body, bytes) else json.dumps(body).encode())


def flaw_of(body: Any, operation: Operation = CHAT, **fields: Any) -> str | None:
    """What is wrong with a reply that is no answer, None when it is one."""
    failure = replied(body, operation, **fields).failure
    if failure is None:
        return None
    assert isinstance(failure, Fault)
    assert failure.kind is FaultClass.SOFT_ERROR
    assert failure.message.startswith("the provider's reply ")
    return failure.message.removeprefix("the provider's reply ")


@pytest.mark.parametrize(
    ("operation", "body", "usage"),
    [
        (CHAT, ANSWER, None),
        (CHAT, ANSWER | {"usage": None}, None),
        (CHAT, ANSWER | {"usage": COUNTS}, USAGE),
        (CHAT, ANSWER | {"usage": "odd"}, None),
        (CHAT, ANSWER | {"error": None, "object": "chat.completion"}, None),
        (CHAT, ANSWER | {"usage": {"prompt_tokens": 7}}, Usage(input=7, estimated=True)),
        (TEXT, COMPLETED | {"usage": COUNTS}, USAGE),
        (EMBED, VECTORS | {"usage": {"prompt_tokens": 7, "total_tokens": 7}}, Usage(input=7)),
        (EMBED, VECTORS | {"usage": {"prompt_tokens": 7}}, Usage(input=7)),
    ],
)
def test_an_answer_gives_the_usage_it_reports(operation: Operation, body: Any, usage: Usage | None) -> None:
    reply = replied(body, operation)
    assert (reply.failure, reply.usage) == (None, usage)


def test_blank_lines_before_an_answer_are_kept_alive_connections_and_no_harm() -> None:
    assert flaw_of(b"\n\n\r\n" + json.dumps(ANSWER).encode()) is None


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"message": "no"}},
        {"error": "no"},
        ANSWER | {"error": {"message": "no"}},
        {"object": "error", "message": "no"},
        {"message": "no", "type": "quota_error", "param": "quota", "code": "c"},
        {"error": {"message": "no"}, "choices": [], "usage": COUNTS},
    ],
)
@pytest.mark.parametrize("operation", [CHAT, TEXT])
def test_an_error_with_status_200_is_an_error(operation: Operation, body: Any) -> None:
    reply = replied(body, operation)
    assert isinstance(reply.failure, ErrorInBody)
    assert json.loads(reply.failure.body) == body
    assert reply.usage == (USAGE if "usage" in body else None)


@pytest.mark.parametrize("operation", [CHAT, TEXT])
def test_an_error_of_a_choice_is_an_error_whatever_ended_it(operation: Operation) -> None:
    whole = ANSWERS[operation]["choices"][0]
    error = {"code": 429, "message": "Rate limited upstream"}
    for choices in ([whole | {"error": error}], [whole, whole | {"error": error}]):
        reply = replied({"choices": choices, "usage": COUNTS}, operation)
        assert isinstance(reply.failure, ErrorInBody)
        assert json.loads(reply.failure.body) == {"error": error}
        assert reply.usage == USAGE
    assert flaw_of({"choices": [whole | {"error": None}]}, operation) is None


NOTHING: list[Any] = [None, [], {}, 0, 0.0, "", False, {"code": 0, "message": ""}, {"code": None, "details": []}]


@pytest.mark.parametrize("error", NOTHING)
@pytest.mark.parametrize("operation", [CHAT, TEXT, EMBED])
def test_an_error_that_says_nothing_beside_an_answer_is_none(operation: Operation, error: Any) -> None:
    assert flaw_of(ANSWERS[operation] | {"error": error}, operation) is None
    # Of a reply with spaces in it too.
    assert flaw_of(json.dumps(ANSWERS[operation] | {"error": error}, indent=2).encode(), operation) is None


@pytest.mark.parametrize("error", ["no", 1, True, ["no"], {"code": 0, "message": "no"}, {"code": 429, "message": ""}])
def test_an_error_that_says_anything_is_one(error: Any) -> None:
    assert isinstance(replied(ANSWER | {"error": error}).failure, ErrorInBody)


@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"[]", b"hello", b"<html>", b"{}", b'{"choices": []}', b'{"choices": {}}', b'{"choices": [{"'],
)
@pytest.mark.parametrize("operation", [CHAT, TEXT, EMBED])
def test_what_is_no_answer_is_a_soft_error(operation: Operation, body: bytes) -> None:
    assert flaw_of(body, operation) in ("is not a whole JSON answer", "holds no answer")


def test_an_answer_to_another_operation_is_none() -> None:
    for operation, body in ((EMBED, ANSWER), (CHAT, VECTORS), (CHAT, COMPLETED), (TEXT, ANSWER)):
        assert flaw_of(body, operation)


def test_what_is_no_answer_keeps_the_usage_it_reports() -> None:
    empty: dict[str, Any] = {"message": {"content": ""}, "finish_reason": "stop"}
    nothing: list[list[Any]] = [[], [{}], [empty]]
    for choices in nothing:
        reply = replied({"choices": choices, "usage": COUNTS})
        assert isinstance(reply.failure, Fault)
        assert (reply.usage, reply.says) == (USAGE, False)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    st.sampled_from([CHAT, TEXT, EMBED]),
    st.one_of(st.binary(max_size=40), st.sampled_from([json.dumps(one).encode() for one in ANSWERS.values()])),
    st.integers(0, 60),
    st.binary(max_size=3),
)
def test_any_bytes_are_an_answer_or_one_of_two_failures(
    operation: Operation, body: bytes, at: int, more: bytes
) -> None:
    failure = replied(body[:at] + more + body[at:], operation).failure
    assert failure is None or isinstance(failure, ErrorInBody) or failure.kind is FaultClass.SOFT_ERROR


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


def test_the_service_tier_of_a_reply_is_part_of_its_usage() -> None:
    body = ANSWER | {"usage": COUNTS, "service_tier": "priority"}
    assert replied(body).usage == Usage(input=7, output=3, service_tier="priority")
    assert replied(ANSWER | {"usage": COUNTS, "service_tier": {"type": "default"}}).usage == USAGE
