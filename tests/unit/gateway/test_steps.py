"""What follows each class of fault."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.gateway.steps import MOST_WAIT_S, USEFUL, Situation, Step, most_useful, next_step, pause_s, rule_of
from headgate.types.fault import Fault, FaultClass
from headgate.types.policy import RULES, Rule

F = FaultClass


def after(
    kind: FaultClass, *, tries: int = 1, has_next: bool = True, wait_s: float | None = None, left_s: float = 600.0
) -> tuple[Step, float]:
    situation = Situation(tries=tries, retries=2, left_s=left_s, patience_s=30.0, has_next=has_next, draw=0.5)
    return next_step(Fault(kind, "no", retry_after_s=wait_s), situation, rule_of(kind, None))


def test_every_class_has_a_rule_and_a_place_among_what_is_told() -> None:
    assert set(RULES) == set(FaultClass) == set(USEFUL)


@pytest.mark.parametrize("kind", [F.BAD_REQUEST, F.CONTENT_FILTERED, F.TOTAL_TIMEOUT])
def test_what_another_would_say_as_well_is_the_end(kind: FaultClass) -> None:
    assert after(kind)[0] is Step.STOP


@pytest.mark.parametrize("kind", [F.SERVER_ERROR, F.OVERLOADED, F.CONNECT_FAILED, F.RESET])
def test_what_may_be_a_mishap_is_tried_once_more_and_then_elsewhere(kind: FaultClass) -> None:
    assert after(kind)[0] is Step.RETRY
    assert after(kind, tries=2)[0] is Step.FALL_BACK
    assert after(kind, tries=2, has_next=False)[0] is Step.STOP


@pytest.mark.parametrize("kind", [F.QUOTA_EXHAUSTED, F.BAD_CREDENTIAL, F.MODEL_NOT_FOUND, F.STALLED, F.SOFT_ERROR])
def test_what_will_not_change_is_tried_elsewhere_at_once(kind: FaultClass) -> None:
    assert after(kind) == (Step.FALL_BACK, 0.0)
    assert after(kind, has_next=False)[0] is Step.STOP


def test_a_rate_limit_moves_on_and_is_waited_for_only_where_nobody_else_is() -> None:
    assert after(F.RATE_LIMITED, wait_s=3.0)[0] is Step.FALL_BACK
    assert after(F.RATE_LIMITED, wait_s=3.0, has_next=False) == (Step.RETRY, 3.0)
    assert after(F.RATE_LIMITED, wait_s=3.0, has_next=False, left_s=5.0)[0] is Step.STOP
    assert after(F.RATE_LIMITED, wait_s=MOST_WAIT_S + 1, has_next=False)[0] is Step.STOP


def test_a_routes_own_rule_counts() -> None:
    own: dict[str, Rule] = {F.CONTENT_FILTERED: Rule(retry=False, fall_back=True)}
    situation = Situation(tries=1, retries=2, left_s=9.0, patience_s=30.0, has_next=True, draw=0.0)
    fault = Fault(F.CONTENT_FILTERED, "no")
    assert next_step(fault, situation, rule_of(fault.kind, own))[0] is Step.FALL_BACK


@given(st.sampled_from(FaultClass), st.integers(1, 9), st.integers(0, 9), st.floats(0, 900), st.floats(0, 1e6))
def test_no_retry_beyond_the_policy_and_no_wait_beyond_the_time_that_is_left(
    kind: FaultClass, tries: int, retries: int, left_s: float, wait_s: float
) -> None:
    situation = Situation(tries=tries, retries=retries, left_s=left_s, patience_s=30.0, has_next=False, draw=0.5)
    step, pause = next_step(Fault(kind, "no", retry_after_s=wait_s), situation, rule_of(kind, None))
    if step is Step.RETRY:
        assert tries <= retries
        assert wait_s <= pause <= left_s
    else:
        assert pause == 0.0


@given(st.integers(1, 50), st.floats(0, 1))
def test_pauses_grow_to_an_end_and_are_never_nothing(tries: int, draw: float) -> None:
    assert 0.1 < pause_s(tries, draw) <= 8.0


def test_the_client_is_told_what_it_can_mend_before_what_only_the_operator_can() -> None:
    faults = [Fault(F.BAD_CREDENTIAL, "a"), Fault(F.CONTEXT_TOO_LONG, "b"), Fault(F.SERVER_ERROR, "c")]
    assert most_useful(faults).message == "b"
    assert most_useful([Fault(F.SERVER_ERROR, "first"), Fault(F.SERVER_ERROR, "last")]).message == "last"
