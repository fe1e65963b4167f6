"""How deployments stand, and what each class of fault does to them, their credentials and their offers."""

from __future__ import annotations

import gc
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.providers.sandbox import sandbox_scripts
from headgate.routing import health as health_module
from headgate.routing.health import COUNTED, Health
from headgate.routing.parking import HOUR_S
from headgate.routing.places import Permit
from headgate.routing.standing import OK, Condition, span
from headgate.types.deployment import Candidate, Credential, Deployment, Offer, Upstream
from headgate.types.fault import FaultClass
from headgate.types.policy import HealthPolicy
from headgate.types.secret import Secret

POLICY = HealthPolicy()
NEUTRAL = {
    FaultClass.UNSUPPORTED,
    FaultClass.CONTEXT_TOO_LONG,
    FaultClass.CONTENT_FILTERED,
    FaultClass.BAD_REQUEST,
    FaultClass.TOTAL_TIMEOUT,
}


def served(
    model: str = "m",
    *,
    secret: str | None = "s",
    name: str = "default",
    asked: str | None = None,
    sandbox: bool = False,
    base_url: str = "http://h/v1",
) -> Candidate:
    upstream = Upstream(
        provider="p",
        dialect="openai",
        base_url=base_url,
        auth_header=None,
        script=sandbox_scripts() if sandbox else None,
    )
    credential = Credential(name=name, secret=None if secret is None else Secret(secret))
    offer = Offer(provider="p", upstream_id=model, model=model)
    return Candidate(Deployment(offer=offer, credential=credential, upstream=upstream), asked or model)


def begun(health: Health, one: Candidate, now: float = 0.0) -> Permit:
    permit = health.begin(one, now, POLICY)
    assert permit is not None
    return permit


def ends(
    health: Health, one: Candidate, fault: FaultClass | None, now: float = 0.0, wait_s: float | None = None
) -> None:
    over(health, begun(health, one, now), fault, now + 0.5, wait_s)


def over(health: Health, permit: Permit, fault: FaultClass | None, now: float, wait_s: float | None = None) -> None:
    if fault is None:
        health.answered(permit, now)
    else:
        health.failed(permit, fault, now, POLICY, 0.5, wait_s)


def condition(health: Health, one: Candidate, now: float) -> Condition:
    return health.standing(one, now, POLICY).condition


def test_what_is_not_known_stands_well() -> None:
    assert Health().standing(served(), 0, POLICY) is OK
    assert OK.told(0) == ""


@pytest.mark.parametrize("fault", sorted(COUNTED))
def test_faults_of_the_provider_open_the_breaker_after_so_many(fault: FaultClass) -> None:
    health, one = Health(), served()
    for _ in range(5):
        assert condition(health, one, 0) is Condition.OK
        ends(health, one, fault)
    standing = health.standing(one, 0.5, POLICY)
    assert (standing.condition, standing.ready, standing.last_resort) == (Condition.COOLING, False, False)
    assert standing.fault is fault
    assert standing.told(0.5) == "sits out after 5 failures in a row, next try in 2 s"
    due = standing.until
    assert due is not None
    assert health.standing(one, due, POLICY).ready
    assert condition(health, one, due) is Condition.PROBING
    probe = begun(health, one, due)
    standing = health.standing(one, due + 1, POLICY)
    assert (standing.condition, standing.ready) == (Condition.PROBING, False)
    assert standing.told(due + 1) == "is being tried again after 5 failures in a row, next try in 5 s"
    health.answered(probe, due + 2)
    assert health.standing(one, due + 2, POLICY) is OK


@pytest.mark.parametrize("fault", sorted(NEUTRAL))
def test_faults_of_the_request_change_nothing(fault: FaultClass) -> None:
    health, one = Health(), served()
    for now in range(100):
        ends(health, one, fault, now)
    assert health.standing(one, 100, POLICY) is OK
    assert health.drain() == []


def test_every_class_of_fault_does_something_or_is_known_to_do_nothing() -> None:
    parks = {
        FaultClass.RATE_LIMITED,
        FaultClass.QUOTA_EXHAUSTED,
        FaultClass.BAD_CREDENTIAL,
        FaultClass.MODEL_NOT_FOUND,
    }
    assert sorted([*COUNTED, *NEUTRAL, *parks]) == sorted(FaultClass)


def test_a_rate_limit_makes_one_deployment_cool_for_as_long_as_it_asks() -> None:
    health, one = Health(), served()
    ends(health, one, FaultClass.RATE_LIMITED, wait_s=30)
    standing = health.standing(one, 1, POLICY)
    assert (standing.condition, standing.until, standing.ready) == (Condition.LIMITED, 30.5, False)
    assert standing.told(1) == "takes no more requests for now, by its own word, next try in 30 s"
    assert health.begin(one, 30, POLICY, pressed=True) is None
    assert health.standing(served("other"), 1, POLICY) is OK
    assert health.standing(one, 30.5, POLICY) is OK


def test_whichever_of_a_limit_and_a_cooldown_lasts_longer_is_told() -> None:
    health, one = Health(), served()
    permits = [begun(health, one) for _ in range(6)]
    for permit in permits[:5]:
        health.failed(permit, FaultClass.RESET, 1, POLICY, 0.5)
    health.failed(permits[5], FaultClass.RATE_LIMITED, 1, POLICY, 0.5, 1.0)
    assert condition(health, one, 1.5) is Condition.COOLING
    assert health.standing(one, 1.5, POLICY).until == 3
    ends(health, one, FaultClass.RATE_LIMITED, 3, 60)
    assert condition(health, one, 8) is Condition.LIMITED
    assert health.begin(one, 8, POLICY) is None


@pytest.mark.parametrize("wait_s", [None, 90.0])
def test_a_used_up_quota_parks_the_credential_everywhere_and_nobody_elses(wait_s: float | None) -> None:
    health = Health()
    ends(health, served("a"), FaultClass.QUOTA_EXHAUSTED, wait_s=wait_s)
    standing = health.standing(served("b"), 1, POLICY)
    assert standing.condition is Condition.PARKED_CREDENTIAL
    assert standing.fault is FaultClass.QUOTA_EXHAUSTED
    assert standing.until == 0.5 + (wait_s or HOUR_S)
    assert "its credential 'default' has used up its quota, next try in" in standing.told(1)
    assert health.begin(served("b"), 1, POLICY, pressed=True) is None
    assert health.standing(served("b", secret="t"), 1, POLICY) is OK
    assert health.standing(served("b", base_url="http://other/v1"), 1, POLICY) is OK


def test_after_a_quota_one_probe_over_all_models_of_the_credential_looks_and_its_success_frees_all() -> None:
    health = Health()
    ends(health, served("a"), FaultClass.QUOTA_EXHAUSTED, wait_s=10)
    assert condition(health, served("b"), 10.5) is Condition.PROBING
    probe = begun(health, served("b"), 10.5)
    assert health.begin(served("a"), 10.5, POLICY) is None
    health.failed(probe, FaultClass.BAD_REQUEST, 11, POLICY, 0.5)
    probe = begun(health, served("a"), 11)
    health.abandon(probe)
    probe = begun(health, served("a"), 12)
    health.heard(probe, 13)
    assert health.standing(served("b"), 13, POLICY) is OK


def test_a_refused_credential_is_out_until_its_secret_changes() -> None:
    health = Health()
    ends(health, served("a"), FaultClass.BAD_CREDENTIAL)
    standing = health.standing(served("b"), 1e9, POLICY)
    assert (standing.until, standing.wait_s(1e9)) == (math.inf, None)
    assert standing.told(1e9) == "its credential 'default' was refused, and is not used until its secret changes"
    assert health.standing(served("a", secret="new"), 1, POLICY) is OK


def test_a_model_that_is_gone_parks_its_offer_and_is_asked_for_hourly() -> None:
    health, now = Health(), 0.0
    for _ in range(3):
        ends(health, served(), FaultClass.MODEL_NOT_FOUND, now)
        standing = health.standing(served(), now + 1, POLICY)
        assert (standing.condition, standing.until) == (Condition.PARKED_OFFER, now + 0.5 + HOUR_S)
        assert standing.fault is FaultClass.MODEL_NOT_FOUND
        assert health.standing(served("else"), now + 1, POLICY) is OK
        other = served(secret="t", name="other")
        assert health.standing(other, now + 1, POLICY) is OK, "another account may still have it"
        now += 0.5 + HOUR_S
    assert len(health.drain()) == 1


def test_a_name_that_a_client_made_up_parks_nothing_and_tells_nobody() -> None:
    health = Health()
    for now in range(30):
        ends(health, served("*", asked="nonsense"), FaultClass.MODEL_NOT_FOUND, now)
    assert health.standing(served("*", asked="nonsense"), 31, POLICY) is OK
    assert health.drain() == []


def test_what_a_star_stood_for_has_a_health_of_its_own() -> None:
    health = Health()
    for _ in range(5):
        ends(health, served("*", asked="broken"), FaultClass.SERVER_ERROR)
    assert condition(health, served("*", asked="broken"), 1) is Condition.COOLING
    assert health.standing(served("*", asked="fine"), 1, POLICY) is OK


def test_what_a_model_of_the_sandbox_says_of_a_credential_is_said_of_that_model_alone() -> None:
    health = Health()
    ends(health, served("*", asked="401", secret=None, sandbox=True), FaultClass.BAD_CREDENTIAL)
    assert condition(health, served("*", asked="401", secret=None, sandbox=True), 1) is Condition.PARKED_CREDENTIAL
    assert health.standing(served("*", asked="ok", secret=None, sandbox=True), 1, POLICY) is OK


def test_operators_are_told_once_until_it_works_again() -> None:
    health = Health()
    for fault in (FaultClass.BAD_CREDENTIAL, FaultClass.QUOTA_EXHAUSTED, FaultClass.MODEL_NOT_FOUND):
        permits = [begun(health, served(fault.value, secret=fault)) for _ in range(10)]
        for permit in permits:
            health.failed(permit, fault, 1, POLICY, 0.5)
    notices = health.drain()
    assert [(notice.fault, notice.provider, notice.credential) for notice in notices] == [
        (FaultClass.BAD_CREDENTIAL, "p", "default"),
        (FaultClass.QUOTA_EXHAUSTED, "p", "default"),
        (FaultClass.MODEL_NOT_FOUND, "p", "default"),
    ]
    assert [notice.words for notice in notices] == [
        "the credential 'default' of p was refused; it is not used until its secret changes",
        "the credential 'default' of p has used up its quota; next try in 60 min",
        "p says it has no model 'model_not_found'; it is asked again every hour",
    ]
    assert health.drain() == []
    one = served(FaultClass.QUOTA_EXHAUSTED.value, secret=FaultClass.QUOTA_EXHAUSTED)
    ends(health, one, FaultClass.QUOTA_EXHAUSTED, 1 + HOUR_S)
    assert health.drain() == [], "the same again is no news"
    ends(health, one, None, 1 + 4 * HOUR_S)
    ends(health, one, FaultClass.QUOTA_EXHAUSTED, 2 + 4 * HOUR_S)
    assert len(health.drain()) == 1


def test_a_reload_that_keeps_a_deployment_keeps_its_state_and_what_is_in_flight_still_counts() -> None:
    health, old = Health(), served()
    permits = [begun(health, old) for _ in range(5)]
    del old
    gc.collect()
    for permit in permits:
        health.failed(permit, FaultClass.RESET, 1, POLICY, 0.5)
    assert condition(health, served(), 1) is Condition.COOLING
    assert condition(health, served(name="other", secret="t"), 1) is Condition.COOLING, "it is the server that is dead"
    assert health.standing(served("else"), 1, POLICY) is OK


def test_a_permit_counts_once() -> None:
    health, one = Health(), served()
    permit = begun(health, one)
    for _ in range(5):
        health.failed(permit, FaultClass.RESET, 1, POLICY, 0.5)
        health.abandon(permit)
        health.heard(permit, 1)
    assert health.standing(one, 1, POLICY) is OK


def test_a_crowd_goes_elsewhere_if_it_can() -> None:
    health, one = Health(), served()
    for _ in range(10):
        begun(health, one)
    standing = health.standing(one, 0, POLICY)
    assert (standing.condition, standing.ready, standing.last_resort) == (Condition.CROWDED, False, True)
    assert health.begin(one, 0, POLICY) is None
    assert health.begin(one, 0, POLICY, pressed=True) is not None


def test_what_an_operator_wants_forgotten_may_be_tried_at_once() -> None:
    health, one = Health(), served()
    for fault in (FaultClass.BAD_CREDENTIAL, FaultClass.MODEL_NOT_FOUND, FaultClass.RATE_LIMITED):
        ends(health, one, fault)
        assert not health.standing(one, 1, POLICY).ready
        health.forget(one)
        assert health.standing(one, 1, POLICY) is OK


def test_only_so_many_deployments_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health_module, "MOST_DEPLOYMENTS", 20)
    health = Health()
    for i in range(200):
        for _ in range(5):
            ends(health, served("*", asked=str(i)), FaultClass.RESET)
    remembered = [i for i in range(200) if condition(health, served("*", asked=str(i)), 1) is Condition.COOLING]
    assert remembered == list(range(180, 200))
    for i in (180, 500):
        ends(health, served("*", asked=str(i)), FaultClass.RESET, 100)
    assert condition(health, served("*", asked="180"), 100) is not Condition.OK, "what is in use is kept"


STEP = st.tuples(
    st.sampled_from(["a", "b"]),
    st.sampled_from(["s", "t"]),
    st.sampled_from([*FaultClass, None, None, None, None]),
    st.none() | st.floats(0, 100),
    st.floats(0, 5) | st.floats(0, 5000),
    st.sampled_from(["end", "abandon", "keep"]),
)


@given(st.lists(STEP, max_size=60))
def test_a_standing_says_what_begin_does(
    steps: list[tuple[str, str, FaultClass | None, float | None, float, str]],
) -> None:
    health, now = Health(), 0.0
    for model, secret, fault, wait_s, by, then in steps:
        now += by
        one = served(model, secret=secret)
        standing = health.standing(one, now, POLICY)
        permit = health.begin(one, now, POLICY)
        assert (permit is not None) == standing.ready
        if permit is None:
            permit = health.begin(one, now, POLICY, pressed=True)
            assert (permit is not None) == standing.last_resort
            assert standing.why
            if standing.condition is not Condition.CROWDED:
                assert standing.until is not None
                assert standing.until > now
        if permit is not None and then == "end":
            over(health, permit, fault, now + 0.1, wait_s)
        elif permit is not None and then == "abandon":
            health.abandon(permit)


def test_times_are_told_as_people_say_them() -> None:
    assert [span(s) for s in (0, 2.1, 119, 120, 3600, 7200, 86_400)] == [
        "1 s",
        "3 s",
        "119 s",
        "2 min",
        "60 min",
        "2 h",
        "24 h",
    ]
