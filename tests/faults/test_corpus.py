"""Every reply of the corpus has the class, wait and scope that its file says, and no provider lacks a kind."""

from __future__ import annotations

import re
from typing import Any

import pytest

from headgate.providers.builtin import ROWS
from headgate.types.fault import Fault, FaultClass
from tests.faults.corpus import CASES, STREAMS, WHOLE, bytes_of, fault_of, fault_of_stream, provider_of

F = FaultClass
KEYS = {"status", "headers", "body", "text", "base64", "stream", "expect", "source"}
EXPECTED = {"class", "wait_s", "scope", "param", "code", "words"}
OTHERS = {"azure", "bedrock", "vertex", "cohere", "proxy"}
"""Not rows: dialects of their own, kinds of host behind a base URL, and what stands between."""

ALWAYS = {F.BAD_CREDENTIAL, F.MODEL_NOT_FOUND, F.CONTEXT_TOO_LONG, F.BAD_REQUEST}
LOCAL = {row.name for row in ROWS if row.local}
NO_WALL = {"groq", *LOCAL}
"""Without a documented reply for a spent balance: the free tier has rates only, and what runs at home costs nothing."""
FROM_REPLIES = {
    F.RATE_LIMITED,
    F.OVERLOADED,
    F.SERVER_ERROR,
    F.QUOTA_EXHAUSTED,
    F.BAD_CREDENTIAL,
    F.MODEL_NOT_FOUND,
    F.UNSUPPORTED,
    F.CONTEXT_TOO_LONG,
    F.CONTENT_FILTERED,
    F.BAD_REQUEST,
    F.BROKEN_STREAM,
    F.SOFT_ERROR,
}
MACHINE = re.compile(r"(?<![\w.~-])/(?:work|root|home|tmp|Users)/|localhost")


def check(fault: Fault, expect: dict[str, Any]) -> None:
    assert (fault.kind, fault.scope) == (expect["class"], expect["scope"]), fault.message
    wait = expect["wait_s"]
    assert fault.retry_after_s == (None if wait is None else pytest.approx(wait))
    assert (fault.param, fault.code) == (expect.get("param"), expect.get("code"))
    for words in expect.get("words", ()):
        assert words in fault.message


@pytest.mark.parametrize("name", WHOLE)
def test_a_reply_is_what_its_file_says(name: str) -> None:
    check(fault_of(CASES[name]), CASES[name]["expect"])


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_fails_as_its_file_says_in_whatever_pieces_it_comes(name: str) -> None:
    case = CASES[name]
    wire = bytes_of(case)
    check(fault_of_stream(case, [wire]), case["expect"])
    check(fault_of_stream(case, [wire[at : at + 1] for at in range(len(wire))]), case["expect"])
    check(fault_of_stream(case, [wire.replace(b"\n", b"\r\n")]), case["expect"])


@pytest.mark.parametrize("name", CASES)
def test_a_file_holds_what_a_file_holds(name: str) -> None:
    case = CASES[name]
    assert set(case) <= KEYS
    assert len({"body", "text", "base64"} & set(case)) == 1
    assert {"class", "wait_s", "scope"} <= set(case["expect"]) <= EXPECTED
    assert case["headers"] == {header.lower(): value for header, value in case["headers"].items()}
    assert case["source"].strip()
    assert not MACHINE.search(case["source"])


def test_no_two_files_say_the_same() -> None:
    seen: dict[str, str] = {}
    for name, case in CASES.items():
        whole = f"{provider_of(name)} {case['status']} {sorted(case['headers'].items())} {bytes_of(case)!r}"
        assert seen.setdefault(whole, name) == name


def test_the_corpus_knows_every_provider_and_nobody_else() -> None:
    rows = {row.name for row in ROWS if row.script is None}
    assert {provider_of(name) for name in CASES} == rows | OTHERS


@pytest.mark.parametrize("provider", [row.name for row in ROWS if row.script is None])
def test_a_provider_has_a_reply_of_every_kind_it_is_known_to_send(provider: str) -> None:
    kinds = {F(case["expect"]["class"]) for name, case in CASES.items() if provider_of(name) == provider}
    wanted = set(ALWAYS)
    if provider not in LOCAL:
        wanted |= {F.RATE_LIMITED, F.SERVER_ERROR}
    if provider not in NO_WALL:
        wanted.add(F.QUOTA_EXHAUSTED)
    assert wanted - kinds == set()
    assert kinds & {F.SERVER_ERROR, F.OVERLOADED}


def test_every_class_that_a_reply_can_be_occurs() -> None:
    assert {F(case["expect"]["class"]) for case in CASES.values()} == FROM_REPLIES


@pytest.mark.parametrize("status", [400, 401, 402, 403, 412, 429])
def test_a_spent_balance_hides_behind_many_a_status(status: int) -> None:
    assert [
        name
        for name, case in CASES.items()
        if case["status"] == status and case["expect"]["class"] == "quota_exhausted"
    ]
