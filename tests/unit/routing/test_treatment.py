"""What holds for a candidate: the route's word, a provider's own between it and the document's, else the provider's."""

from __future__ import annotations

from headgate.routing.treatment import treatment_of
from headgate.types.deployment import Upstream
from headgate.types.fault import FaultClass
from headgate.types.policy import HealthPolicy, HedgePolicy, Rule, Timeouts
from headgate.types.snapshot import Route

NEVER_AGAIN: dict[str, Rule] = {FaultClass.RESET: Rule(retry=False, fall_back=False)}
UPSTREAM = Upstream(
    provider="p",
    dialect="openai",
    base_url="http://h/v1",
    auth_header=None,
    timeouts=Timeouts(total_s=1.0),
    retries=3,
    health=HealthPolicy(failures=7),
    hold="full",
    hedge=HedgePolicy(after="2"),
)


def test_without_a_route_all_is_as_the_provider_says() -> None:
    made = treatment_of(None, UPSTREAM)
    assert (made.timeouts, made.retries, made.health) == (UPSTREAM.timeouts, 3, UPSTREAM.health)
    assert (made.rules, made.holds, made.hedge, made.hedged_as) == ({}, True, UPSTREAM.hedge, "p")


def test_a_route_that_says_nothing_leaves_it_at_that() -> None:
    made = treatment_of(Route(name="r"), UPSTREAM)
    assert (made.timeouts, made.retries, made.health) == (UPSTREAM.timeouts, 3, UPSTREAM.health)
    assert (made.rules, made.holds, made.hedge, made.hedged_as) == ({}, True, UPSTREAM.hedge, "route r")


def test_what_a_route_says_counts() -> None:
    health, hedge, timeouts = HealthPolicy(failures=2), HedgePolicy(after="p50"), Timeouts(total_s=9.0)
    route = Route(name="r", timeouts=timeouts, retries=0, rules=NEVER_AGAIN, health=health, hold="", hedge=hedge)
    made = treatment_of(route, UPSTREAM)
    assert (made.timeouts, made.retries, made.rules, made.health) == (timeouts, 0, NEVER_AGAIN, health)
    assert (made.holds, made.hedge) == (False, hedge)


def test_a_providers_own_figures_stand_between_the_routes_and_the_documents() -> None:
    own, others = Timeouts(gap_s=5.0), Timeouts(gap_s=6.0)
    patient, strict = HealthPolicy(failures=9), HealthPolicy(failures=1)
    route = Route(
        name="r", timeouts=others, provider_timeouts={"p": own}, health=strict, provider_health={"p": patient}
    )
    made = treatment_of(route, UPSTREAM)
    assert (made.timeouts, made.health) == (own, patient)
    route = Route(
        name="r", timeouts=others, provider_timeouts={"q": own}, health=strict, provider_health={"q": patient}
    )
    made = treatment_of(route, UPSTREAM)
    assert (made.timeouts, made.health) == (others, strict)
