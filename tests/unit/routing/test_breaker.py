"""When a breaker opens, whom it lets through, when it closes."""

from __future__ import annotations

import pytest

from headgate.routing.breaker import ENOUGH, LEASE, WINDOW_S, Breaker, State
from headgate.routing.crowd import CROWD, PATIENCE_S, USUAL, Passage
from headgate.types.policy import HealthPolicy

POLICY = HealthPolicy(failures=5, cooldown_s=10.0)


def begun(breaker: Breaker, now: float = 0.0, policy: HealthPolicy = POLICY) -> Passage:
    passage = breaker.begin(now, policy)
    assert passage is not None
    return passage


def fails(breaker: Breaker, now: float = 0.0, jitter: float = 0.5, policy: HealthPolicy = POLICY) -> None:
    breaker.failure(begun(breaker, now, policy), now, policy, jitter)


def succeeds(breaker: Breaker, now: float = 0.0) -> None:
    breaker.success(begun(breaker, now), now)


def opened(now: float = 0.0) -> Breaker:
    breaker = Breaker()
    for _ in range(POLICY.failures):
        fails(breaker, now)
    return breaker


def retry_at(breaker: Breaker) -> float:
    assert breaker.retry_at is not None
    return breaker.retry_at


@pytest.mark.parametrize("failures", [1, 2, 5, 15])
def test_so_many_failures_in_a_row_as_the_policy_says_open_it(failures: int) -> None:
    policy, breaker = HealthPolicy(failures=failures), Breaker()
    for _ in range(failures - 1):
        fails(breaker, policy=policy)
    assert breaker.state(0) is State.CLOSED
    fails(breaker, policy=policy)
    assert breaker.state(0) is State.OPEN
    assert breaker.begin(0, policy) is None
    assert breaker.begin(0, policy, pressed=True) is None


def test_a_success_ends_a_row() -> None:
    breaker = Breaker()
    for _ in range(4):
        fails(breaker)
        fails(breaker)
        succeeds(breaker)
        succeeds(breaker)
        succeeds(breaker)
    assert breaker.state(0) is State.CLOSED


def test_half_of_enough_recent_outcomes_open_it_without_a_row() -> None:
    breaker = Breaker()
    for _ in range(ENOUGH // 2 - 1):
        fails(breaker)
        succeeds(breaker)
    succeeds(breaker)
    assert breaker.state(0) is State.CLOSED
    fails(breaker)
    assert breaker.state(0) is State.OPEN
    assert breaker.reason == "10 failures among its last 20 answers"


def test_less_than_half_never_opens_it() -> None:
    breaker = Breaker()
    for now in range(200):
        fails(breaker, now)
        succeeds(breaker, now)
        succeeds(breaker, now)
    assert breaker.state(200) is State.CLOSED


def test_what_is_long_ago_counts_in_no_share() -> None:
    breaker = Breaker()
    for now in range(0, 100 * int(WINDOW_S), 7):  # 18 outcomes a minute
        fails(breaker, now)
        succeeds(breaker, now)
    assert breaker.state(now) is State.CLOSED


def test_after_the_cooldown_one_may_pass_and_its_success_closes_it() -> None:
    breaker = opened()
    due = retry_at(breaker)
    assert not breaker.allows(due - 0.01, POLICY)
    assert breaker.state(due) is State.HALF_OPEN
    probe = begun(breaker, due)
    assert [breaker.begin(due + i / 10, POLICY, pressed=True) for i in range(50)] == [None] * 50
    breaker.success(probe, due + 6)
    assert breaker.state(due + 6) is State.CLOSED
    assert breaker.retry_at is None
    assert breaker.allows(due + 6, POLICY)


def test_cooldowns_grow_with_each_failed_probe_and_stay_short_enough_for_traffic_to_return() -> None:
    for jitter, expected in (
        (0.0, [1.6, 3.2, 4.0, 4.0]),
        (0.5, [2.0, 4.0, 5.0, 5.0]),
        (1.0, [2.4, 4.8, 6.0, 6.0]),
    ):
        breaker, now, pauses = Breaker(), 0.0, []
        for _ in range(POLICY.failures):
            fails(breaker, now, jitter)
        for _ in expected:
            pauses.append(round(retry_at(breaker) - now, 2))
            now = retry_at(breaker)
            fails(breaker, now, jitter)
        assert pauses == expected


def test_failures_of_attempts_from_before_it_opened_change_nothing() -> None:
    breaker = Breaker()
    early = [begun(breaker) for _ in range(10)]
    for passage in early[:5]:
        breaker.failure(passage, 1, POLICY, 0.5)
    due = retry_at(breaker)
    for passage in early[5:7]:
        breaker.failure(passage, 1.5, POLICY, 1.0)
    assert retry_at(breaker) == due
    probe = begun(breaker, due)
    breaker.failure(early[7], due + 1, POLICY, 1.0)
    assert breaker.begin(due + 1, POLICY) is None, "a failure from before has freed the probe's place"
    breaker.success(early[8], due + 1)
    assert breaker.state(due + 1) is State.HALF_OPEN, "an answer from before has closed it"
    breaker.success(probe, due + 2)
    breaker.failure(early[9], due + 3, POLICY, 0.5)
    assert breaker.state(due + 3) is State.CLOSED
    assert breaker.failures == 0


def test_the_first_content_of_a_probe_closes_it_on_trial() -> None:
    breaker = opened()
    due = retry_at(breaker)
    probe = begun(breaker, due)
    breaker.heard(probe, due + 1)
    assert breaker.state(due + 1) is State.CLOSED
    other = begun(breaker, due + 1)
    breaker.failure(other, due + 2, POLICY, 0.5)
    assert breaker.state(due + 2) is State.OPEN, "one failure is enough while no answer is whole"
    assert retry_at(breaker) == pytest.approx(due + 2 + 4.0), "the cooldown goes on growing"


def test_a_probe_whose_stream_breaks_after_its_first_content_opens_it_again() -> None:
    breaker = opened()
    due = retry_at(breaker)
    probe = begun(breaker, due)
    breaker.heard(probe, due + 1)
    breaker.failure(probe, due + 2, POLICY, 0.5)
    assert breaker.state(due + 2) is State.OPEN


def test_a_whole_answer_ends_the_trial() -> None:
    breaker = opened()
    due = retry_at(breaker)
    probe = begun(breaker, due)
    breaker.heard(probe, due + 1)
    breaker.success(probe, due + 5)
    fails(breaker, due + 6)
    assert breaker.state(due + 6) is State.CLOSED


def test_an_abandoned_probe_gives_its_place_to_another_but_never_to_one_after_the_other() -> None:
    breaker = opened()
    due = retry_at(breaker)
    breaker.abandoned(begun(breaker, due))
    assert breaker.begin(due + 1.5, POLICY) is None
    again = begun(breaker, due + 1.61)
    assert breaker.begin(due + 1.7, POLICY) is None
    breaker.success(again, due + 1.8)
    assert breaker.state(due + 1.8) is State.CLOSED


def test_a_probe_that_shows_nothing_holds_up_the_others_only_for_a_while() -> None:
    breaker = opened()
    due = retry_at(breaker)
    silent = begun(breaker, due)
    late = due + LEASE * POLICY.cooldown_s
    assert breaker.begin(late - 0.01, POLICY) is None
    second = begun(breaker, late)
    breaker.failure(silent, late + 1, POLICY, 1.0)
    assert breaker.begin(late + 1, POLICY) is None, "the second is still under way"
    breaker.success(second, late + 2)
    assert breaker.state(late + 2) is State.CLOSED


def test_an_answer_closes_it_though_its_probe_was_given_up_as_silent() -> None:
    breaker = opened()
    silent = begun(breaker, retry_at(breaker))
    begun(breaker, retry_at(breaker))
    breaker.success(silent, 60)
    assert breaker.state(60) is State.CLOSED


def test_what_opens_again_soon_goes_on_from_the_pause_it_had_and_long_after_begins_anew() -> None:
    for wait_s, expected in ((1.0, 4.0), (WINDOW_S, 2.0)):
        breaker = opened()
        now = retry_at(breaker)
        succeeds(breaker, now)
        for _ in range(POLICY.failures):
            fails(breaker, now + wait_s)
        assert retry_at(breaker) - now - wait_s == pytest.approx(expected)


def test_of_many_at_once_only_a_few_go_where_nothing_has_answered_yet() -> None:
    breaker = Breaker()
    first = [breaker.begin(0, POLICY) for _ in range(50)]
    assert sum(one is not None for one in first) == CROWD
    assert breaker.begin(0, POLICY, pressed=True) is not None
    breaker.heard(begun_of(first[0]), 0.3)
    assert sum(breaker.begin(0.3, POLICY) is not None for _ in range(50)) == (USUAL - 1) * CROWD


def begun_of(passage: Passage | None) -> Passage:
    assert passage is not None
    return passage


def test_failed_attempts_stay_in_the_crowd_and_abandoned_ones_leave_it() -> None:
    breaker = Breaker()
    crowd = [begun(breaker) for _ in range(CROWD)]
    breaker.failure(crowd[0], 1, POLICY, 0.5)
    assert not breaker.allows(1, POLICY)
    breaker.abandoned(crowd[1])
    begun(breaker, 1)
    assert not breaker.allows(1, POLICY)


def test_a_crowd_that_is_never_heard_of_again_does_not_lock_a_deployment_out() -> None:
    breaker = Breaker()
    for _ in range(CROWD):
        begun(breaker)
    assert not breaker.allows(PATIENCE_S - 1, POLICY)
    begun(breaker, PATIENCE_S)
    assert not breaker.allows(PATIENCE_S + 1, POLICY)


def test_fifty_simultaneous_requests_at_a_dead_deployment_make_at_most_ten_attempts() -> None:
    breaker = Breaker()
    passages = [passage for _ in range(50) if (passage := breaker.begin(0, POLICY)) is not None]
    retries = 0
    for passage in passages:
        breaker.failure(passage, 0.1, POLICY, 0.5)
        retries += breaker.begin(0.1, POLICY) is not None
    assert len(passages) + retries <= 10


def busy(breaker: Breaker) -> list[Passage]:
    """Ten are always under way, and each is heard of a second after it began."""
    running = [begun(breaker, i / 10) for i in range(CROWD)]
    for i in range(500):
        now = 1 + i / 10
        breaker.success(running.pop(0), now)
        running.append(begun(breaker, now))
    return running


def passing(breaker: Breaker, now: float) -> int:
    """How many may begin at once before it is crowded."""
    return sum(breaker.begin(now, POLICY) is not None for _ in range(1000))


def test_while_answers_come_as_usual_more_than_a_few_may_be_under_way() -> None:
    breaker = Breaker()
    busy(breaker)
    assert CROWD < passing(breaker, 51) <= USUAL * CROWD


def test_after_a_silence_or_a_failure_nothing_is_as_usual_until_somebody_is_heard_of() -> None:
    breaker = Breaker()
    running = busy(breaker)
    assert passing(breaker, 60) <= 1, "ten are under way since long"
    breaker = Breaker()
    running = busy(breaker)
    breaker.failure(running.pop(), 51, POLICY, 0.5)
    assert passing(breaker, 51) <= 1
    breaker.heard(running.pop(), 51)
    assert passing(breaker, 51) > CROWD


def test_answers_of_older_attempts_are_no_sign_of_life_for_younger_ones() -> None:
    breaker = Breaker()
    running = busy(breaker)
    breaker.heard(running[-1], 51)
    assert passing(breaker, 55) == CROWD
    for passage in running:
        breaker.success(passage, 55)
    assert passing(breaker, 55) == 0


def test_answers_of_older_attempts_do_not_keep_it_closed_while_all_younger_ones_fail() -> None:
    breaker = Breaker()
    old = [begun(breaker) for _ in range(CROWD)]
    breaker.heard(old[-1], 1)
    for passage in old[: POLICY.failures]:
        assert breaker.state(2) is State.CLOSED
        fails(breaker, 2)
        breaker.success(passage, 2)
    assert breaker.state(2) is State.OPEN


def test_the_pause_after_a_probe_that_took_long_to_fail_is_counted_from_its_beginning() -> None:
    breaker = opened()
    due = retry_at(breaker)
    probe = begun(breaker, due)
    breaker.failure(probe, due + 3, POLICY, 0.5)
    assert retry_at(breaker) == pytest.approx(due + 4)
