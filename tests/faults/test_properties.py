"""What holds for every reply: no bytes break the classifier, and no field nobody knows changes its mind."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headgate.types.fault import CLIENT_FACE, Fault, FaultClass, Scope
from headgate.upstream.fault_bodies import MAX_ITEMS, ErrorBody, parse_error
from headgate.upstream.fault_sentences import MAX_SEARCHED
from headgate.upstream.fault_words import class_of_words
from headgate.upstream.faults import classify
from headgate.upstream.retry_after import MAX_WAIT_S
from tests.faults.corpus import CASES, SECRET, WHOLE, bytes_of

JSON = {name: case for name, case in WHOLE.items() if isinstance(case.get("body"), dict | list)}
STATUSES = sorted({case["status"] for case in CASES.values()})

WAITS = st.sampled_from(
    ["0", "-1", "1e999", "nan", "inf", "9" * 400, "6m0s", "99h", "Fri, 01 Jan 2100 00:00:00 GMT", "0001-01-01T00:00Z"]
)
HEADERS = st.dictionaries(
    st.sampled_from(
        ["content-type", "retry-after", "retry-after-ms", "x-ratelimit-limit-req-minute", "x-amzn-errortype"]
    ),
    WAITS | st.sampled_from(["text/plain", "application/json", "text/html", "ThrottlingException:x"]) | st.text(),
)
NAMES = """
    error errors detail details message Message msg title loc type __type code param status status_code reason
    innererror metadata raw headers is_byok reasons violations quotaId retryDelay X-RateLimit-Reset retry-after
"""
SENTENCES = [
    "Please try again in 6m0s.",
    "wait 99999999 seconds",
    "credit balance is too low",
    '{"error": {"code": 1}}',
]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | WAITS | st.sampled_from(SENTENCES),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES.split()), inner, max_size=6),
    max_leaves=16,
)


def sound(fault: Fault) -> None:
    assert fault.kind in CLIENT_FACE
    assert fault.scope in Scope
    assert fault.message.strip()
    wait = fault.retry_after_s
    assert wait is None or (not math.isnan(wait) and 0 <= wait <= MAX_WAIT_S)
    for said in (fault.message, fault.param or "", fault.code or "", repr(fault)):
        assert SECRET.reveal() not in said


@settings(max_examples=600, deadline=None, derandomize=True)
@given(VALUES.map(lambda value: json.dumps(value).encode()) | st.binary(), HEADERS, st.integers(100, 599))
def test_any_bytes_with_any_headers_and_status_are_one_sound_fault(
    body: bytes, headers: dict[str, str], status: int
) -> None:
    sound(classify(status, headers, body, [SECRET]))


@settings(max_examples=400, deadline=None, derandomize=True)
@given(st.sampled_from(list(CASES)), st.integers(0, 600), st.binary(max_size=5), HEADERS, st.integers(100, 599))
def test_a_damaged_reply_is_one_sound_fault(
    name: str, at: int, wedge: bytes, headers: dict[str, str], status: int
) -> None:
    wire = bytes_of(CASES[name])
    sound(classify(status, headers, wire[:at] + wedge + wire[at:], [SECRET]))
    sound(classify(status, headers, wire[:at], [SECRET]))


@settings(max_examples=400, deadline=None, derandomize=True)
@given(
    st.sampled_from(list(JSON)),
    st.dictionaries(st.from_regex(r"x_[a-z]{1,6}", fullmatch=True), VALUES, min_size=1, max_size=3),
    st.booleans(),
)
def test_fields_nobody_knows_change_nothing(name: str, extra: dict[str, Any], first: bool) -> None:
    case = JSON[name]
    plain = classify(case["status"], case["headers"], bytes_of(case), [])
    more = classify(case["status"], case["headers"], json.dumps(with_more(case["body"], extra, first)).encode(), [])
    assert (more.kind, more.retry_after_s, more.param, more.code) == (
        plain.kind,
        plain.retry_after_s,
        plain.param,
        plain.code,
    )


def with_more(value: Any, extra: dict[str, Any], first: bool) -> Any:
    """The value with more fields in every object of it, before or behind its own."""
    if isinstance(value, list):
        return [with_more(item, extra, first) for item in value]
    if not isinstance(value, dict):
        return value
    own = {name: with_more(inner, extra, first) for name, inner in value.items()}
    return {**extra, **own} if first else {**own, **extra}


CODED = {
    name: kind
    for name, case in JSON.items()
    if (kind := class_of_words(parse_error(bytes_of(case)).words)) and not name.endswith("too-large-for-a-minute")
}
"""Less those whose figures say more than their code."""


@pytest.mark.parametrize("name", CODED)
def test_a_machine_code_means_the_same_beside_every_status(name: str) -> None:
    case = JSON[name]
    headers = {header: value for header, value in case["headers"].items() if "limit" not in header}
    kinds = {classify(status, headers, bytes_of(case), []).kind for status in STATUSES}
    assert kinds == {CODED[name]}


def test_many_replies_are_recognised_by_a_machine_code() -> None:
    assert len(CODED) > 120
    assert len(set(CODED.values())) >= 9


def counted(body: bytes) -> tuple[ErrorBody, FaultClass]:
    return parse_error(body), classify(400, {}, body, [SECRET]).kind


def _deep(opening: str, closing: str) -> Callable[[int], bytes]:
    return lambda size: (opening * size + '"x"' + closing * size).encode()


@pytest.mark.parametrize(
    "make",
    [
        _deep("[", "]"),
        _deep('{"error":', "}"),
        _deep('{"detail":', "}"),
        _deep('{"error":{"message":', "}}"),
        _deep('{"error":{"metadata":{"raw":', "}}}"),
    ],
)
@pytest.mark.parametrize("size", [3, 50, 400, 100_000])
def test_a_body_of_any_depth_is_read_to_a_bounded_one(make: Callable[[int], bytes], size: int) -> None:
    error, _ = counted(make(size))
    depth = 0
    inner: ErrorBody | None = error
    while inner is not None:
        inner, depth = inner.nested, depth + 1
    assert depth <= 5


def test_errors_quoted_in_errors_are_followed_a_few_times_only() -> None:
    text = json.dumps({"error": {"message": "innermost", "code": "context_length_exceeded"}})
    for _ in range(12):
        text = json.dumps({"error": {"message": "around", "metadata": {"raw": text}}})
    assert classify(400, {}, text.encode(), []).kind is FaultClass.BAD_REQUEST


@pytest.mark.parametrize(
    "filler",
    ["a", " ", "'", "`", '\\"', "exceeds ", "model: ", "try again ", "try again in 1s ", "1", "Bearer ", "<a", "sk-"],
)
def test_a_long_message_is_searched_at_its_beginning_only(filler: str) -> None:
    text = f'{{"error":{{"message":"{filler * 40_000} credit balance is too low"}}}}'
    _, kind = counted(text.encode())
    assert kind is FaultClass.BAD_REQUEST
    assert len(filler) * 40_000 > MAX_SEARCHED


def test_a_list_of_many_details_is_not_walked_to_its_end() -> None:
    details = [{"loc": ["body", f"f{number}"], "msg": "m"} for number in range(50_000)]
    error, _ = counted(json.dumps({"detail": details}).encode())
    assert error.message.count("; ") == MAX_ITEMS - 1
