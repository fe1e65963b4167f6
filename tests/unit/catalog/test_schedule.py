"""When a list is fetched again."""

from __future__ import annotations

from itertools import pairwise

from headgate.catalog.schedule import HOUR_S, MAX_PAUSE_S, Schedule, Timing

DAY_S = 24 * HOUR_S


def schedule(chance: float = 0.5, begin: float = 1000.0) -> Schedule:
    made = Schedule(Timing(first_s=30, retry_s=60, jitter=0.2), begin, lambda: chance)
    made.keep(["a"])
    return made


def test_nothing_is_due_right_after_the_start_and_what_is_old_or_missing_is_soon_after() -> None:
    made = schedule()
    assert not made.is_due("a", 1029.0, DAY_S, None)
    assert made.is_due("a", 1030.0, DAY_S, None)
    assert not made.is_due("a", 1030.0, DAY_S, DAY_S - 1)
    assert made.is_due("a", 1030.0, DAY_S, DAY_S)


def test_chance_moves_every_time_by_its_share() -> None:
    early, late = schedule(0.0), schedule(1.0)
    assert early.is_due("a", 1024.5, DAY_S, None)
    assert not late.is_due("a", 1035.5, DAY_S, None)
    assert early.is_due("a", 2000.0, DAY_S, 0.81 * DAY_S)
    assert not late.is_due("a", 2000.0, DAY_S, 1.19 * DAY_S)
    assert late.is_due("a", 2000.0, DAY_S, 1.21 * DAY_S)


def test_a_copy_from_the_future_is_not_kept_until_then() -> None:
    assert schedule().is_due("a", 2000.0, DAY_S, -365 * DAY_S)


def test_pauses_grow_with_each_failure_up_to_a_bound_and_end_with_a_success() -> None:
    made = schedule()
    now, pauses = 2000.0, []
    for _ in range(40):
        made.tried("a", now, failed=True)
        pause = 60.0
        assert not made.is_due("a", now + 59.0, DAY_S, None)
        while not made.is_due("a", now + pause, DAY_S, 5.0):
            pause += 60.0
        pauses.append(pause)
        now += pause
    assert pauses[:4] == [60.0, 120.0, 240.0, 480.0]
    assert all(before <= after for before, after in pairwise(pauses))
    assert pauses[-1] == MAX_PAUSE_S
    assert made.is_due("a", now, HOUR_S, 5.0)
    made.tried("a", now, failed=True)
    assert made.is_due("a", now + HOUR_S, HOUR_S, 5.0), "a pause is never longer than the interval"
    made.tried("a", now, failed=False)
    assert not made.is_due("a", now + DAY_S, DAY_S, 5.0)


def test_a_list_that_is_gone_begins_anew_when_it_is_back_and_others_go_on() -> None:
    made = schedule()
    made.keep(["a", "b"])
    made.tried("a", 2000.0, failed=True)
    made.keep(["a"])
    assert not made.is_due("a", 2001.0, DAY_S, None)
    made.keep(["b"])
    made.keep(["a", "b"])
    assert made.is_due("a", 2001.0, DAY_S, None)
