"""A token bucket: exact to the nanosecond, and durations as Go writes them."""

from __future__ import annotations

import re
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.ledger.bucket import UNITS, Bucket, rate_headers, render_duration

SECOND = 10**9
GO = re.compile(r"(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+)(?:\.(\d+))?s)?(?:(\d+)ms)?")


@pytest.mark.parametrize(
    ("ns", "text"),
    [
        (0, b"0s"),
        (1, b"1ms"),
        (120 * 10**6, b"120ms"),
        (999_000_001, b"1s"),
        (SECOND, b"1s"),
        (1_500_000_000, b"1.5s"),
        (1_050_000_000, b"1.05s"),
        (60 * SECOND, b"1m0s"),
        (360 * SECOND, b"6m0s"),
        (3600 * SECOND, b"1h0m0s"),
        (3661 * SECOND + 1, b"1h1m1.001s"),
    ],
)
def test_a_duration_is_written_as_go_writes_it(ns: int, text: bytes) -> None:
    assert render_duration(ns) == text


@given(st.integers(0, 10**15))
def test_a_duration_reads_back_as_the_time_rounded_up_to_milliseconds(ns: int) -> None:
    match = GO.fullmatch(render_duration(ns).decode())
    assert match
    hours, minutes, seconds, fraction, ms = match.groups()
    total = (int(hours or 0) * 3600 + int(minutes or 0) * 60 + int(seconds or 0)) * 1000
    total += int((fraction or "").ljust(3, "0")) + int(ms or 0)
    assert total == -(-ns // 10**6)


@given(st.integers(1, 10**7), st.lists(st.integers(1, 10**8), max_size=50))
def test_many_small_refills_are_the_same_as_one_big_one(limit: int, steps: list[int]) -> None:
    stepped, leaped = Bucket(limit, 0), Bucket(limit, 0)
    for bucket in (stepped, leaped):
        bucket.give_back(-2 * limit, 0)
    now = 0
    for step in steps:
        now += step
        stepped.refill(now)
    leaped.refill(now)
    assert stepped.level == leaped.level
    assert Fraction(leaped.level, UNITS) == min(Fraction(limit), -limit + Fraction(now * limit, 60 * SECOND))


def test_what_is_taken_into_debt_is_not_paid_by_time_in_which_the_bucket_was_full() -> None:
    bucket = Bucket(60, 0)
    bucket.give_back(-70, 3600 * SECOND)
    assert bucket.level == -10 * UNITS
    assert bucket.wait_ns(1) == 11 * SECOND


def test_what_is_given_back_never_fills_it_beyond_its_limit() -> None:
    bucket = Bucket(60, 0)
    bucket.give_back(-10, 0)
    bucket.give_back(11, 0)
    assert bucket.level == 60 * UNITS


def test_a_limit_that_falls_clips_the_level_and_one_that_rises_gives_nothing_at_once() -> None:
    bucket = Bucket(100, 0)
    bucket.change(40)
    assert bucket.refill(0) == 40 * UNITS
    bucket.change(1000)
    assert bucket.refill(0) == 40 * UNITS
    assert bucket.refill(6 * SECOND // 100) == 41 * UNITS


def test_a_clock_set_back_neither_adds_nor_takes() -> None:
    bucket = Bucket(60, 100 * SECOND)
    bucket.give_back(-60, 100 * SECOND)
    assert bucket.refill(40 * SECOND) == 0
    assert bucket.refill(45 * SECOND) == 5 * UNITS


def test_a_limit_of_nothing_in_debt_is_told_without_a_division() -> None:
    bucket = Bucket(10, 0)
    bucket.give_back(-20, 0)
    bucket.change(0)
    bucket.refill(SECOND)
    assert dict(rate_headers(None, bucket)) == {
        b"x-ratelimit-limit-tokens": b"0",
        b"x-ratelimit-remaining-tokens": b"0",
        b"x-ratelimit-reset-tokens": b"0s",
    }


@given(st.integers(1, 10**10), st.integers(-(10**12), 10**12), st.integers(0, 10**12))
def test_headers_tell_when_the_bucket_is_full_again(limit: int, taken: int, after: int) -> None:
    bucket = Bucket(limit, 0)
    bucket.give_back(-taken, 0)
    bucket.refill(after)
    told = dict(rate_headers(bucket, None))[b"x-ratelimit-reset-requests"]
    assert told == bucket.told_reset() == render_duration(bucket.wait_ns(limit))
