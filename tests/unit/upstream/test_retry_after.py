"""How long to wait, in every spelling providers use."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headgate.upstream.retry_after import MAX_WAIT_S, retry_after_s

NOW = datetime(2026, 5, 17, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0),
        ("1", 1.0),
        (" 30 ", 30.0),
        ("1.5", 1.5),
        ("52220", 52220.0),
        ("75600", 75600.0),
        ("999999", MAX_WAIT_S),
        ("9" * 400, MAX_WAIT_S),
        ("1s", 1.0),
        ("14s", 14.0),
        ("2m59.56s", 179.56),
        ("6m0s", 360.0),
        ("1h0m0s", 3600.0),
        ("21h", 75600.0),
        ("120ms", 0.12),
        ("1s500ms", 1.5),
        ("Sun, 17 May 2026 12:00:30 GMT", 30.0),
        ("Sun, 17 May 2026 12:00:30 +0000", 30.0),
        ("Sun, 17 May 2026 14:00:30 +0200", 30.0),
        ("Sunday, 17-May-26 12:00:30 GMT", 30.0),
        ("Sun, 17 May 2026 11:59:30 GMT", 0.0),
        ("Sun, 17 May 2099 12:00:00 GMT", MAX_WAIT_S),
        ("2026-05-17T12:00:30Z", 30.0),
        ("2026-05-17T12:00:30.5+00:00", 30.5),
        ("2026-05-17T11:00:00Z", 0.0),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1 minute", None),
        ("5, Sun", 5.0),
        ("9999-12-31T23:59:59-23:59", MAX_WAIT_S),
        ("0001-01-01T00:00:00+23:59", 0.0),
        ("inf", None),
        ("nan", None),
        ("1e3", None),
        ("5x", None),
        ("Mon, 01 Jan 99999999999999999999 00:00:00 GMT", None),
        ("Mon, 01 Jan 2024 00:00:00 +99999999999999", None),
        ("0 Jan 00:00:00 99999999999", None),
    ],
)
def test_retry_after_in_seconds(value: str, seconds: float | None) -> None:
    assert retry_after_s({"retry-after": value}, NOW) == (None if seconds is None else pytest.approx(seconds))


def test_without_the_header_nothing_is_said() -> None:
    assert retry_after_s({}, NOW) is None
    assert retry_after_s({"x-ratelimit-reset": "5"}, NOW) is None


def test_milliseconds_come_before_seconds_when_they_can_be_read() -> None:
    assert retry_after_s({"retry-after-ms": "1500", "retry-after": "9"}) == 1.5
    assert retry_after_s({"retry-after-ms": "soon", "retry-after": "9"}) == 9.0
    assert retry_after_s({"retry-after-ms": "99999999999"}) == MAX_WAIT_S


def test_a_header_sent_twice_is_read_once() -> None:
    assert retry_after_s({"retry-after": "2, 2"}) == 2.0


@settings(max_examples=500, deadline=None, derandomize=True)
@given(
    st.one_of(
        st.text(max_size=30),
        st.text("0123456789hms. ", max_size=12),
        st.tuples(st.integers(0, 99), st.sampled_from(["Jan", "Feb", "Foo"]), st.integers(0, 10**12)).map(
            lambda date: f"Sun, {date[0]} {date[1]} {date[2]} 99:00:00 +9999"
        ),
        st.datetimes().map(str),
    ),
    st.text(max_size=8),
)
def test_any_text_is_a_time_that_can_be_waited_or_none(value: str, milliseconds: str) -> None:
    seconds = retry_after_s({"retry-after": value, "retry-after-ms": milliseconds}, NOW)
    assert seconds is None or 0 <= seconds <= MAX_WAIT_S
