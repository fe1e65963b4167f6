"""What traffic teaches about one deployment."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.routing.averages import Average, Ratio
from headgate.routing.facts import NOTHING_KNOWN, Facts
from headgate.types.headroom import Headroom

VALUES = st.lists(st.tuples(st.floats(0, 10**6), st.floats(0, 10**5)), min_size=1, max_size=60)
NOW = st.floats(0, 10**6)


@given(VALUES)
def test_a_mean_stays_between_what_was_seen(values: list[tuple[float, float]]) -> None:
    average, now = Average(), 0.0
    for value, pause in values:
        now += pause
        average.add(value, now)
    seen = [value for value, _ in values]
    assert min(seen) - 1e-6 <= average.mean <= max(seen) + 1e-6
    assert average.weight >= 1.0


def test_what_came_lately_counts_more_than_what_came_long_ago() -> None:
    average = Average()
    for now in range(5):
        average.add(10.0, float(now))
    average.add(20.0, 3_600.0)
    assert average.mean == pytest.approx(20.0, rel=0.02)


def test_a_provider_that_becomes_slow_shows_within_a_dozen_requests_however_long_it_was_fast() -> None:
    average = Average()
    for now in range(1_000):
        average.add(1.0, now / 100)
    for now in range(12):
        average.add(10.0, 10.0 + now / 100)
    assert average.mean > 3.0


@given(st.lists(st.tuples(st.floats(0.1, 10**4), st.floats(0.1, 10**4)), min_size=1, max_size=40))
def test_a_ratio_stays_between_the_quotients_it_was_made_from(pairs: list[tuple[float, float]]) -> None:
    ratio = Ratio()
    for above, below in pairs:
        ratio.add(above, below, 0.0)
    quotients = [above / below for above, below in pairs]
    assert ratio.value is not None
    assert min(quotients) * 0.999 <= ratio.value <= max(quotients) * 1.001


@given(st.lists(st.tuples(st.floats(1, 10**4), st.floats(0.5, 1), st.floats(0, 10**4)), min_size=1, max_size=40))
def test_a_ratio_is_that_of_two_means_and_as_doubtful_as_either(seen: list[tuple[float, float, float]]) -> None:
    ratio, above, below, now = Ratio(), Average(), Average(), 0.0
    for value, quotient, pause in seen:
        now += pause
        ratio.add(value * quotient, value, now)
        above.add(value * quotient, now, surprising=False)
        below.add(value, now, surprising=False)
        assert ratio.value == above.mean / below.mean
        assert ratio.doubt(now + 60.0) == above.doubt(now + 60.0)


def test_a_ratio_of_nothing_is_unknown() -> None:
    ratio = Ratio()
    assert ratio.value is None
    ratio.add(5.0, 0.0, 0.0)
    assert ratio.value is None


@given(st.integers(0, 100), st.integers(0, 100), NOW, st.floats(0.001, 10**5))
def test_a_limit_holds_until_its_reset_and_is_unknown_then(amount: int, need: int, now: float, wait: float) -> None:
    facts = Facts()
    assert facts.has_room(need, None, now), "a limit of which nobody has told holds nobody up"
    facts.told(Headroom(tokens=amount, tokens_reset_s=wait), now)
    assert facts.has_room(need, None, now) == (amount >= need)
    assert facts.has_room(need, None, now + wait)


@given(st.integers(0, 100), st.integers(0, 100), NOW, st.floats(0.001, 10**5))
def test_a_limit_of_requests_has_room_for_one_beside_those_that_run(
    amount: int, running: int, now: float, wait: float
) -> None:
    facts = Facts()
    facts.in_flight = running
    assert facts.has_room(1, None, now)
    facts.told(Headroom(requests=amount, requests_reset_s=wait), now)
    assert facts.has_room(1, None, now) == (amount > running)
    assert facts.has_room(1, None, now + wait)


def test_what_is_used_since_a_reply_is_taken_off_what_it_said_is_left() -> None:
    facts = Facts()
    facts.told(Headroom(requests=10, requests_reset_s=60.0, tokens=1_000, tokens_reset_s=60.0), now=0.0)
    assert facts.has_room(600, None, 1.0)
    facts.begin(600, 1.0)
    facts.end()
    assert facts.has_room(400, None, 1.0)
    assert not facts.has_room(401, None, 1.0)
    assert facts.has_room(401, None, 60.0)


def test_the_last_request_that_is_left_is_given_once() -> None:
    facts = Facts()
    facts.told(Headroom(requests=1, requests_reset_s=60.0), now=0.0)
    assert facts.has_room(1, None, 1.0)
    facts.begin(1, 1.0)
    assert not facts.has_room(1, None, 1.0)
    facts.end()
    assert not facts.has_room(1, None, 1.0)
    assert facts.has_room(1, None, 61.0)


def test_a_limit_without_a_reset_refills_within_a_minute() -> None:
    facts = Facts()
    facts.told(Headroom(requests=0), now=0.0)
    assert not facts.has_room(1, None, 59.0)
    assert facts.has_room(1, None, 60.0)


def test_a_refusal_is_for_the_time_it_says_or_a_while() -> None:
    facts = Facts()
    facts.refused(30.0, now=0.0)
    assert [facts.has_room(1, None, now) for now in (1.0, 29.0, 30.0)] == [False, False, True]
    facts.refused(None, now=100.0)
    assert not facts.has_room(1, None, 101.0)
    assert facts.has_room(1, None, 200.0)


def test_only_so_many_run_at_once() -> None:
    facts = Facts()
    for running in range(3):
        assert facts.has_room(1, 3, 0.0), running
        facts.begin(1, 0.0)
    assert not facts.has_room(1, 3, 0.0)
    assert facts.has_room(1, None, 0.0)
    facts.end()
    assert facts.has_room(1, 3, 0.0)


def test_seconds_to_the_end_are_those_to_the_first_token_and_those_of_every_token() -> None:
    facts = Facts()
    assert facts.expected_s(100) is None
    facts.answered(0.5, 2.5, 100, 0.0)
    assert facts.expected_s(0) == pytest.approx(0.5)
    assert facts.expected_s(100) == pytest.approx(2.5)
    assert facts.expected_s(1_000) == pytest.approx(20.5)


def test_an_answer_that_came_as_a_whole_says_nothing_of_its_first_token() -> None:
    facts = Facts()
    facts.answered(0.5, 1.5, 100, 0.0)
    facts.answered(None, 2.5, 200, 1.0)
    assert facts.expected_s(0) == pytest.approx(0.5)
    assert facts.expected_s(100) == pytest.approx(1.5)
    alone = Facts()
    alone.answered(None, 3.0, 100, 0.0)
    assert alone.expected_s(100) == pytest.approx(3.0)


def test_an_answer_without_tokens_says_how_long_it_took() -> None:
    facts = Facts()
    facts.answered(None, 0.2, 0, 0.0)
    assert facts.expected_s(0) == pytest.approx(0.2)


def test_health_is_one_word() -> None:
    facts = Facts()
    assert (facts.health(), NOTHING_KNOWN.health()) == ("unknown", "unknown")
    facts.answered(0.1, 0.2, 10, 0.0)
    assert facts.health() == "healthy"
    assert facts.health(room=False) == "limited"
    for _ in range(20):
        facts.failed()
    assert facts.health() == "failing"
    facts.answered(0.1, 0.2, 10, 1.0)
    assert facts.health() == "healthy"


def test_the_cached_part_of_the_input_is_known_from_what_was_billed() -> None:
    facts = Facts()
    facts.billed(0, 0, None, None, 0.0)
    assert not facts.cached_share.weight, "nothing was read"
    facts.billed(50, 100, None, None, 0.0)
    assert facts.cached_share.mean == pytest.approx(0.5)
    assert not facts.cost_factor.weight
    facts.billed(0, 100, 30, 0, 1.0)
    assert not facts.cost_factor.weight, "a multiple of nothing"
    facts.billed(0, 100, 30, 10, 1.0)
    assert facts.cost_factor.mean == pytest.approx(3.0)
