"""How long an error reply asks to be left alone, and which of its ways to say so counts."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from headgate.types.fault import FaultClass
from headgate.upstream.fault_bodies import parse_error
from headgate.upstream.fault_waits import wait_s
from headgate.upstream.retry_after import MAX_WAIT_S
from headgate.wire import json

F = FaultClass
NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
IN_A_MINUTE_MS = str(int(NOW.timestamp() * 1000) + 60_000)


def waited(body: Any, headers: dict[str, str] | None = None, status: int = 429, kind: F = F.RATE_LIMITED) -> Any:
    return wait_s(status, headers or {}, parse_error(json.encode(body)), kind, NOW)


def saying(text: str) -> dict[str, Any]:
    return {"error": {"message": text}}


def answering(headers: dict[str, Any]) -> dict[str, Any]:
    return {"error": {"message": "m", "code": 429, "metadata": {"headers": headers}}}


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("Please try again in 6m0s.", 360.0),
        ("Please try again in 2m59.56s. Need more?", 179.56),
        ("Please try again in 20ms.", 0.02),
        ("Please try again in 120 milliseconds", 0.12),
        ("Please wait 52220 seconds before retrying.", 52220.0),
        ("please try again after 1 seconds", 1.0),
        ("Please retry after 26 seconds.", 26.0),
        ("Please retry in 9h54m5.5s.", 35645.5),
        ("try again after 15 minutes", 900.0),
        ("Try again in 1 hour and 5 minutes", 3900.0),
        ("try again in 2 days", MAX_WAIT_S),
        ("Please wait 999999999 hours", MAX_WAIT_S),
        ("try again in 1h", 3600.0),
        ("try again in 5 mins", 300.0),
        ("retry in about 8 s", 8.0),
        ("try again later", None),
        ("try again in a moment. 5 seconds is a lot", None),
        ("after 5 seconds", None),
        ("retrying 5 seconds", None),
        ("try again in 5 meters", None),
        ("try again with 5 images", None),
        ("wait", None),
        ("You will regain access on 2026-11-23 at 13:00 UTC.", 3600.0),
        ("You will regain access on 2026-12-01 at 00:00 UTC.", MAX_WAIT_S),
        ("You will regain access on 2026-11-01 at 00:00 UTC.", 0.0),
        ("Your limit resets at 2026-11-23T12:01:30Z", 90.0),
        ("Try again after 2026-11-23 12:00:30 GMT.", 30.0),
        ("Your limit will reset at 2026-11-23 21:00:00", None),
        ("You will regain access on 2026-13-45 at 00:00 UTC.", None),
        ("created on 2026-11-23 at 13:00 UTC", None),
    ],
)
def test_a_sentence_can_ask_for_a_wait(text: str, seconds: float | None) -> None:
    assert waited(saying(text)) == (None if seconds is None else pytest.approx(seconds))


@pytest.mark.parametrize("kind", F)
def test_a_sentence_counts_only_where_waiting_could_help(kind: F) -> None:
    helps = {F.RATE_LIMITED, F.OVERLOADED, F.SERVER_ERROR, F.SOFT_ERROR, F.QUOTA_EXHAUSTED}
    assert waited(saying("try again in 9s"), kind=kind) == (9.0 if kind in helps else None)


@pytest.mark.parametrize("status", [200, 201, 299])
def test_the_headers_of_a_success_ask_for_nothing_but_its_body_may(status: int) -> None:
    assert waited(saying("m"), {"retry-after": "30"}, status) is None
    assert waited(saying("try again in 9s"), {"retry-after": "30"}, status) == 9.0


@pytest.mark.parametrize("status", [199, 300, 400, 404, 429, 503, 529])
def test_the_headers_of_anything_else_are_believed(status: int) -> None:
    assert waited(saying("m"), {"retry-after": "30"}, status) == 30.0


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"X-RateLimit-Reset": IN_A_MINUTE_MS}, 60.0),
        ({"x-ratelimit-reset": int(IN_A_MINUTE_MS)}, 60.0),
        ({"X-RateLimit-Reset": "60"}, 60.0),
        ({"X-RateLimit-Reset": "1"}, 1.0),
        ({"X-RateLimit-Reset": "9999999999999"}, MAX_WAIT_S),
        ({"X-RateLimit-Reset": "1000000000001"}, 0.0),
        ({"X-RateLimit-Reset": "soon"}, None),
        ({"Retry-After": "7", "X-RateLimit-Reset": IN_A_MINUTE_MS}, 7.0),
        ({"Retry-After": "Mon, 23 Nov 2026 12:00:05 GMT"}, 5.0),
        ({}, None),
        ({"X-RateLimit-Limit": "50"}, None),
    ],
)
def test_a_body_can_hold_the_headers_it_would_have_come_with(headers: dict[str, Any], seconds: float | None) -> None:
    assert waited(answering(headers)) == (None if seconds is None else pytest.approx(seconds))


def test_of_several_waits_the_nearest_to_the_reply_counts() -> None:
    details = [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "14s"}]
    quoted = json.encode({"error": {"message": "try again in 3s", "details": details}}).decode()
    body = {"error": {"message": "try again in 9s", "metadata": {"raw": quoted, "headers": {"Retry-After": "5"}}}}
    assert waited(body, {"retry-after": "2"}) == 2.0
    assert waited(body) == 5.0
    del body["error"]["metadata"]["headers"]  # type: ignore[attr-defined]
    assert waited(body) == 14.0
    assert waited(saying("try again in 9s"), {"retry-after": "soon"}) == 9.0


@pytest.mark.parametrize("delay", ["14s", "14.0s", "14000ms"])
def test_a_delay_is_a_duration(delay: str) -> None:
    assert waited({"error": {"details": [{}, {"retryDelay": delay}]}}) == 14.0


@pytest.mark.parametrize("delay", [14, None, "-14s", "s14", ["14s"]])
def test_a_delay_that_is_none_is_passed_over(delay: Any) -> None:
    assert waited({"error": {"details": [{"retryDelay": delay}]}}) is None
