"""What sits out for hours, who may look whether it still has to, and limits that providers tell."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.routing.parking import DAY_S, HOUR_S, LEASE_S, Limit, Parking
from headgate.types.fault import FaultClass

QUOTA, REFUSED = FaultClass.QUOTA_EXHAUSTED, FaultClass.BAD_CREDENTIAL


def parking(most: int = 10) -> Parking[str]:
    return Parking(HOUR_S, DAY_S, most)


def until(one: Parking[str], key: str = "k") -> float:
    parked = one.get(key)
    assert parked is not None
    return parked.until


def test_what_nobody_parked_may_be_used() -> None:
    one = parking()
    one.park("other", QUOTA, began=0, now=1)
    assert not one.is_parked("k", 1)
    assert all(one.begin("k", object(), 1) for _ in range(50))


def test_it_sits_out_as_long_as_it_asks_and_an_hour_when_it_does_not_say() -> None:
    one = parking()
    one.park("k", QUOTA, began=0, now=1, wait_s=90)
    one.park("silent", QUOTA, began=0, now=1)
    assert (until(one), until(one, "silent")) == (91, 1 + HOUR_S)
    assert one.is_parked("k", 90.9)
    assert not one.is_parked("k", 91)


@pytest.mark.parametrize(("asked", "given"), [(0, 1), (-5, 1), (30 * DAY_S, DAY_S)])
def test_what_it_asks_for_is_kept_between_a_second_and_a_day(asked: float, given: float) -> None:
    one = parking()
    one.park("k", QUOTA, began=0, now=1, wait_s=asked)
    assert until(one) == 1 + given


def test_the_time_doubles_to_a_day_with_each_probe_that_fails() -> None:
    one, now, hours = parking(), 0.0, []
    for _ in range(7):
        one.park("k", QUOTA, began=now, now=now + 1)
        hours.append((until(one) - now - 1) / HOUR_S)
        now = until(one)
    assert hours == [1, 2, 4, 8, 16, 24, 24]


def test_many_in_flight_that_say_the_same_park_it_once() -> None:
    one = parking()
    news = [one.park("k", QUOTA, began=0, now=1 + i / 100) for i in range(50)]
    assert news == [True] + [False] * 49
    assert until(one) == 1 + HOUR_S


def test_when_the_time_is_over_one_probe_looks_and_the_others_wait() -> None:
    one, probe = parking(), object()
    one.park("k", QUOTA, began=0, now=1)
    due = until(one)
    assert not one.begin("k", object(), due - 1)
    assert one.begin("k", probe, due)
    assert not any(one.begin("k", object(), due + i / 10) for i in range(50))
    one.give_back("k", object())
    assert one.is_parked("k", due + 5), "only the probe itself gives its place back"
    one.give_back("k", probe)
    assert one.begin("k", object(), due + 5)


def test_a_probe_that_shows_nothing_holds_up_the_others_only_for_a_while() -> None:
    one = parking()
    one.park("k", QUOTA, began=0, now=1)
    due = until(one)
    assert one.begin("k", object(), due)
    assert not one.begin("k", object(), due + LEASE_S - 1)
    assert one.begin("k", object(), due + LEASE_S)


def test_success_clears_it_unless_it_began_before() -> None:
    one = parking()
    one.park("k", QUOTA, began=0, now=10)
    one.succeeded("k", began=9)
    assert one.is_parked("k", 11)
    one.succeeded("k", began=until(one))
    assert one.get("k") is None
    assert one.park("k", QUOTA, began=8000, now=8001), "what fails anew is news again"
    assert until(one) == 8001 + HOUR_S


def test_another_reason_is_news_and_for_good_has_no_end() -> None:
    one = parking()
    one.park("k", QUOTA, began=0, now=1)
    due = until(one)
    assert one.begin("k", object(), due)
    assert one.park("k", REFUSED, began=due, now=due + 1, for_good=True)
    assert until(one) == math.inf
    assert one.is_parked("k", 1e12)
    one.forget("k")
    assert not one.is_parked("k", due + 2)


def test_no_more_is_remembered_than_was_agreed_and_the_oldest_goes_first() -> None:
    one = parking(most=3)
    for i, key in enumerate("abcd"):
        one.park(key, QUOTA, began=i, now=i)
        if key == "c":
            one.park("a", REFUSED, began=i, now=i)
    assert len(one) == 3
    assert [key for key in "abcd" if one.get(key) is None] == ["b"]


def test_a_limit_lasts_as_long_as_the_longest_wait_it_was_told() -> None:
    limit = Limit()
    limit.refused(0, 10, 5)
    limit.refused(0, 10.5, 2)
    assert limit.until == 15
    limit.refused(0, 11, 20)
    assert limit.until == 31
    limit.refused(0, 11, 9 * HOUR_S)
    assert limit.until == 11 + HOUR_S


@pytest.mark.parametrize("wait_s", [None, 0.0])
def test_a_limit_that_does_not_say_how_long_grows_once_for_all_in_flight(wait_s: float | None) -> None:
    limit, now, pauses = Limit(), 0.0, []
    for _ in range(7):
        for i in range(50):
            limit.refused(now, now + 1 + i / 100, wait_s)
        pauses.append(limit.until - now - 1)
        now = limit.until
    assert pauses == [2, 4, 8, 16, 32, 60, 60]
    limit.succeeded(now)
    assert limit.until < now
    limit.refused(now, now + 1, wait_s)
    assert limit.until == now + 3


def test_an_answer_to_what_began_before_the_limit_says_nothing_of_it() -> None:
    limit = Limit()
    limit.refused(1, 2, 30)
    limit.succeeded(1.5)
    assert limit.until == 32
    limit.succeeded(3)
    assert limit.until < 3


STEPS = st.lists(
    st.tuples(st.sampled_from(["park", "good", "use", "works", "give"]), st.floats(0, 2 * DAY_S)), max_size=60
)


@given(STEPS)
def test_never_is_more_than_one_probe_under_way_and_never_one_too_early(steps: list[tuple[str, float]]) -> None:
    one, now = parking(), 0.0
    probe: tuple[object, float] | None = None
    parked_until: float | None = None
    for action, by in steps:
        now += by
        if action in ("park", "good"):
            one.park("k", REFUSED if action == "good" else QUOTA, began=now, now=now, for_good=action == "good")
            known = one.get("k")
            parked_until, probe = (known.until if known else None), (None if known and known.since == now else probe)
        elif action == "works":
            one.succeeded("k", began=now)
            parked_until, probe = (None, None) if one.get("k") is None else (parked_until, probe)
        elif action == "give" and probe is not None:
            one.give_back("k", probe[0])
            probe = None
        elif action == "use":
            mine = object()
            early = parked_until is not None and now < parked_until
            busy = probe is not None and now < probe[1] + LEASE_S
            assert one.begin("k", mine, now) == (not early and not busy)
            if parked_until is not None and not early and not busy:
                probe = mine, now
