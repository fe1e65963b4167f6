"""What is left of a provider's limits, in every spelling of its headers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.types.headroom import Headroom
from headgate.upstream.headroom import REQUESTS, TOKENS, read_headroom
from headgate.upstream.retry_after import MAX_WAIT_S

NAMES = [(*pair, True) for pair in REQUESTS] + [(*pair, False) for pair in TOKENS]


@pytest.mark.parametrize(("remaining", "reset", "is_requests"), NAMES)
def test_every_spelling_says_what_is_left_and_when_it_is_full_again(
    remaining: str, reset: str, is_requests: bool
) -> None:
    found = read_headroom({remaining: "7", reset: "90", "x-other": "1"})
    assert found == (Headroom(7, 90.0, None, None) if is_requests else Headroom(None, None, 7, 90.0))
    unsaid = read_headroom({remaining: "7"})
    assert unsaid == (Headroom(requests=7) if is_requests else Headroom(tokens=7))
    assert read_headroom({reset: "90"}) is None


def test_requests_and_tokens_are_two_limits() -> None:
    found = read_headroom(
        {
            "x-ratelimit-limit-requests": "60",
            "x-ratelimit-remaining-requests": "59",
            "x-ratelimit-reset-requests": "1s",
            "x-ratelimit-limit-tokens": "150000",
            "x-ratelimit-remaining-tokens": "149984",
            "x-ratelimit-reset-tokens": "6m0s",
        }
    )
    assert found == Headroom(59, 1.0, 149_984, 360.0)


def test_of_several_limits_the_one_with_least_left_counts_with_its_own_reset() -> None:
    day = {"x-ratelimit-remaining-requests-day": "3", "x-ratelimit-reset-requests-day": "3600"}
    minute = {"x-ratelimit-remaining-requests": "9", "x-ratelimit-reset-requests": "30"}
    for headers in (day | minute, minute | day):
        assert read_headroom(headers) == Headroom(3, 3600.0)
    assert read_headroom(minute | day | {"x-ratelimit-remaining-requests": "2"}) == Headroom(2, 30.0)
    claude = {
        "anthropic-ratelimit-input-tokens-remaining": "40000",
        "anthropic-ratelimit-output-tokens-remaining": "500",
        "anthropic-ratelimit-output-tokens-reset": "20",
    }
    assert read_headroom(claude) == Headroom(None, None, 500, 20.0)


def test_headers_that_say_nothing_of_limits_are_none() -> None:
    assert read_headroom({}) is None
    assert read_headroom({"content-type": "application/json", "x-ratelimit-limit-requests": "60"}) is None


@pytest.mark.parametrize(
    "text",
    ["", " ", "-1", "+1", "1.5", "1e3", "0x10", "१२", "٣", "²", "many", "9" * 13, "9" * 4000, "5, 5", "5 5", "1_0"],
)
def test_what_is_no_count_is_as_if_it_was_not_there(text: str) -> None:
    headers = {"x-ratelimit-remaining-requests": text, "x-ratelimit-reset-requests": "30"}
    assert read_headroom(headers) is None
    assert read_headroom(headers | {"x-ratelimit-remaining": "4"}) == Headroom(requests=4)


@pytest.mark.parametrize("text", ["", " ", "-5", "soon", "1 minute", "{}", "NaN", "inf", "\x00"])
def test_a_reset_that_cannot_be_read_is_unknown_and_not_now(text: str) -> None:
    assert read_headroom({"x-ratelimit-remaining": "0", "x-ratelimit-reset": text}) == Headroom(requests=0)


@pytest.mark.parametrize("form", ["{:%a, %d %b %Y %H:%M:%S GMT}", "{:%Y-%m-%dT%H:%M:%SZ}", "seconds", "milliseconds"])
def test_a_reset_may_be_a_moment_in_any_spelling(form: str) -> None:
    def reset(ahead: timedelta) -> float:
        moment = datetime.now(UTC) + ahead
        stamps = {"seconds": f"{moment.timestamp():.0f}", "milliseconds": f"{moment.timestamp() * 1000:.0f}"}
        text = stamps.get(form) or form.format(moment)
        found = read_headroom({"x-ratelimit-remaining": "0", "x-ratelimit-reset": text})
        assert found is not None
        assert found.requests_reset_s is not None
        return found.requests_reset_s

    assert 3_000 < reset(timedelta(hours=1)) <= 3_601
    assert reset(timedelta(hours=-1)) == 0
    assert reset(timedelta(days=400)) == MAX_WAIT_S


@pytest.mark.parametrize("text", ["9" * 400, "99999999h", "9" * 15, "9999-12-31T23:59:59Z"])
def test_nobody_is_kept_out_for_longer_than_a_day(text: str) -> None:
    found = read_headroom({"x-ratelimit-remaining": "0", "x-ratelimit-reset": text})
    assert found == Headroom(0, MAX_WAIT_S)


TEXT = st.text(max_size=30) | st.from_regex(r"[0-9.hms:TZ+\-, ]{0,25}") | st.integers().map(str)


@given(st.dictionaries(st.sampled_from([name for *pair, _ in NAMES for name in pair]), TEXT))
def test_whatever_a_provider_sends_is_a_count_and_a_time_or_nothing(headers: dict[str, str]) -> None:
    found = read_headroom(headers)
    if found is None:
        return
    assert found.requests is not None or found.tokens is not None
    for amount, reset in ((found.requests, found.requests_reset_s), (found.tokens, found.tokens_reset_s)):
        assert amount is None or 0 <= amount < 10**12
        assert reset is None or (amount is not None and 0 <= reset <= MAX_WAIT_S)
