"""What holds for every plan, whoever could serve and whatever is asked."""

from __future__ import annotations

import random
from collections import Counter

import msgspec
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from headgate.routing.observed import Observed
from headgate.routing.plan import BALANCE, plan
from headgate.routing.requirements import MODALITIES, Extent
from headgate.routing.shortlist import KINDS, Wanted
from headgate.types.deployment import Candidate, Offer, Operation
from headgate.types.headroom import Headroom
from headgate.types.policy import Order
from headgate.types.request import Plan
from tests.unit.routing.snapshots import (
    CANDIDATES,
    CAPABLE,
    EXTENTS,
    NEEDS,
    ORDERS,
    asked,
    candidate,
    capable,
    credentials,
    listed,
    planned,
    resolution,
    seen,
    sold,
)

SEVERAL = capable()
SPEEDS = st.lists(st.floats(0.01, 100.0), min_size=8, max_size=8)
THROWS = 3_000
NEAR = 0.04
"""How far a share of so many throws may be from what it should be; the dice are seeded."""


def known_as(one: Candidate) -> tuple[int, str]:
    return id(one.deployment), one.upstream_id


def offers(made: Plan) -> list[Offer]:
    return [one.deployment.offer for one in made.candidates]


@given(SEVERAL, SEVERAL, NEEDS, EXTENTS, ORDERS)
def test_no_plan_has_a_deployment_that_lacks_what_the_request_requires(
    targets: list[Candidate], fallback: list[Candidate], needs: frozenset[str], extent: Extent, order: Order
) -> None:
    wanted = Wanted(Operation.CHAT, needs)
    made = planned(*targets, fallback=fallback, wanted=wanted, request=asked(extent, order=order))
    for one, figures in zip(made.candidates, made.figures, strict=True):
        offer = one.deployment.offer
        assert not needs & (offer.lacks | one.deployment.upstream.lacks)
        assert set(figures.unsure) == needs - (offer.capabilities or frozenset())
        if offer.capabilities:
            assert not figures.unsure or not MODALITIES & set(figures.unsure)
        if extent.each is not None and offer.max_output_tokens is not None:
            assert extent.each <= offer.max_output_tokens
        if extent.exact is not None and offer.context_tokens is not None:
            assert extent.exact + (extent.each or 0) <= offer.context_tokens
        if extent.exact is not None and offer.max_input_tokens is not None:
            assert extent.exact <= offer.max_input_tokens


@given(CANDIDATES, st.sampled_from(Operation), ORDERS)
def test_no_plan_has_a_deployment_that_cannot_do_what_is_wanted(
    targets: list[Candidate], operation: Operation, order: Order
) -> None:
    made = planned(*targets, wanted=Wanted(operation), request=asked(order=order))
    for one in targets:
        can = operation in one.deployment.upstream.operations and one.deployment.offer.kind in KINDS[operation]
        assert can == any(one.deployment is chosen.deployment for chosen in made.candidates)


@settings(suppress_health_check=[HealthCheck.filter_too_much])  # many a draw has nobody with a price
@given(SEVERAL, CAPABLE, EXTENTS, st.integers(0, 100))
def test_another_offer_that_is_cheaper_never_makes_the_request_dearer(
    targets: list[Candidate], model: Candidate, extent: Extent, percent: int
) -> None:
    before = planned(*targets, request=asked(extent))
    assume(before.candidates)
    cost = before.figures[0].cost_pusd
    assume(cost is not None)
    price = before.candidates[0].deployment.offer.price
    assert price.input_pusd_per_mtok is not None
    cheaper = price.input_pusd_per_mtok * percent // 100, (price.output_pusd_per_mtok or 0) * percent // 100
    newcomer = candidate("new", price=cheaper, max_output_tokens=10**9, context_tokens=10**9)
    for place in (0, len(targets)):
        after = planned(*targets[:place], newcomer, *targets[place:], request=asked(extent))
        assert after.figures[0].cost_pusd is not None
        assert cost is not None
        assert after.figures[0].cost_pusd <= cost


@given(SEVERAL, ORDERS, NEEDS, EXTENTS, SPEEDS)
def test_an_order_is_total_and_stable(
    targets: list[Candidate], order: Order, needs: frozenset[str], extent: Extent, speeds: list[float]
) -> None:
    observed, request = Observed(), asked(extent, order=order)
    wanted = Wanted(Operation.CHAT, needs)
    for one, first_s in zip(targets, speeds, strict=False):
        seen(observed, one, first_s)
    made = planned(*targets, observed=observed, wanted=wanted, request=request)
    assert planned(*targets, observed=observed, wanted=wanted, request=request).candidates == made.candidates
    again = planned(*made.candidates, observed=observed, wanted=wanted, request=request)
    assert again.candidates == made.candidates, "a plan of a plan is another one"
    assert again.figures == made.figures
    if order in (Order.CHEAPEST, Order.FASTEST, Order.BALANCED) and len({f.cost_pusd for f in made.figures}) == len(
        made.figures
    ):
        turned = planned(*reversed(targets), observed=observed, wanted=wanted, request=request)
        assert turned.candidates == made.candidates, "the written order decides more than ties"


@given(capable(most=6), st.data(), NEEDS, EXTENTS, ORDERS, st.booleans())
def test_nobody_is_lost_and_nobody_is_there_twice(
    pool: list[Candidate], data: st.DataObject, needs: frozenset[str], extent: Extent, order: Order, first_only: bool
) -> None:
    some = st.lists(st.sampled_from(pool), max_size=5) if pool else st.just([])
    quantised = [msgspec.structs.replace(one, upstream_id="q") for one in pool]
    others = st.lists(st.sampled_from(quantised), max_size=3) if pool else st.just([])
    named = [
        resolution(*data.draw(some), fallback=data.draw(some), variants=data.draw(others))
        for _ in range(data.draw(st.integers(1, 3)))
    ]
    everybody = {known_as(one) for each in named for one in (*each.targets, *each.fallback, *each.variants)}
    short = listed(*named, wanted=Wanted(Operation.CHAT, needs))
    made = plan(short, asked(extent, order=order, first_only=first_only))
    assert len(made.candidates) + len(made.dropped) == len(everybody)
    assert {known_as(one) for one in made.candidates} <= everybody
    assert len({known_as(one) for one in made.candidates}) == len(made.candidates)
    assert len(made.candidates) == len(made.figures) == len(made.treatments)
    assert all(one.reason for one in made.dropped)


@given(SEVERAL, SEVERAL, ORDERS, EXTENTS)
def test_a_fallback_never_comes_before_a_target_unless_that_has_retired(
    targets: list[Candidate], fallback: list[Candidate], order: Order, extent: Extent
) -> None:
    made = planned(*targets, fallback=fallback, request=asked(extent, order=order, draw=random.Random(1).random))
    wanted = {known_as(one) for one in targets}
    ranks = [(one.deployment.offer.retired, known_as(one) not in wanted) for one in made.candidates]
    assert ranks == sorted(ranks)


@given(SEVERAL, ORDERS, st.lists(st.booleans(), min_size=7, max_size=7), st.randoms(use_true_random=False))
def test_what_has_retired_comes_last_and_before_it_what_is_limited_in_every_policy(
    targets: list[Candidate], order: Order, limited: list[bool], dice: random.Random
) -> None:
    observed = Observed()
    full = [one for one, is_full in zip(targets, limited, strict=False) if is_full]
    for one in full:
        observed.of(one.deployment).told(Headroom(requests=0, requests_reset_s=60.0), now=0.0)
    made = planned(*targets, observed=observed, request=asked(order=order, draw=dice.random))
    is_full = {id(one.deployment) for one in full}
    ranks = [(one.deployment.offer.retired, id(one.deployment) in is_full) for one in made.candidates]
    assert ranks == sorted(ranks)
    assert all((figures.health == "limited") == rank[1] for figures, rank in zip(made.figures, ranks, strict=True))


@given(SEVERAL)
def test_doubtful_prices_come_behind_known_ones_and_unknown_ones_behind_both(targets: list[Candidate]) -> None:
    made = planned(*targets, request=asked(Extent(text=1)))
    ranks = [(offer.retired, not offer.price.known, offer.price.known and offer.unconfirmed) for offer in offers(made)]
    assert ranks == sorted(ranks)
    for offer, figures in zip(offers(made), made.figures, strict=True):
        assert offer.price.known == (figures.cost_pusd is not None)


@given(SEVERAL, SPEEDS, EXTENTS)
def test_balanced_takes_the_cheapest_of_those_that_are_not_much_slower_than_the_fastest(
    targets: list[Candidate], speeds: list[float], extent: Extent
) -> None:
    observed = Observed()
    able = [one for one in targets if not one.deployment.offer.retired and one.deployment.offer.context_tokens is None]
    able = [one for one in able if one.deployment.offer.max_input_tokens is None]
    for one, first_s in zip(able, speeds, strict=False):
        seen(observed, one, first_s, per_token_s=first_s / 100)
    made = planned(*able, observed=observed, request=asked(extent, order=Order.BALANCED))
    if not made.candidates:
        # The prompt is too long for all of them.
        return
    times = [figures.time_s or 0.0 for figures in made.figures]
    assert times[0] <= BALANCE * min(times)
    quick = [
        (figures.cost_pusd is None, offer.unconfirmed, figures.cost_pusd)
        for figures, offer, time in zip(made.figures, offers(made), times, strict=True)
        if time <= BALANCE * min(times)
    ]
    priced = [one for one in quick if not one[0]]
    assert quick[0] == min(priced) if priced else quick[0][0]
    fastest = planned(*able, observed=observed, request=asked(extent, order=Order.FASTEST))
    assert [figures.time_s for figures in fastest.figures] == sorted(figures.time_s or 0 for figures in made.figures)


def first_places(targets: list[Candidate], order: Order) -> Counter[str]:
    """How often each deployment comes first."""
    short, dice = listed(resolution(*targets)), random.Random(20)
    counted: Counter[str] = Counter()
    for _ in range(THROWS):
        made = plan(short, asked(order=order, draw=dice.random))
        counted[made.candidates[0].deployment.name] += 1
    return counted


@pytest.mark.parametrize("weights", [(1.0, 1.0), (3.0, 1.0), (0.1, 0.2, 0.7), (5.0, 0.001)])
def test_shares_of_the_traffic_are_those_of_the_weights(weights: tuple[float, ...]) -> None:
    targets = [candidate(f"p{number}", weight=weight) for number, weight in enumerate(weights)]
    counted = first_places(targets, Order.WEIGHTED)
    for number, weight in enumerate(weights):
        assert abs(counted[f"p{number}/m"] / THROWS - weight / sum(weights)) < NEAR


@pytest.mark.parametrize("order", Order)
def test_several_credentials_of_one_offer_share_by_weight_under_every_policy(order: Order) -> None:
    own = credentials(sold("own", 1), small=1.0, large=3.0)
    counted = first_places([*own, sold("other", 9)], order)
    ours = counted["own/m#small"] + counted["own/m#large"]
    assert ours == THROWS or order is Order.WEIGHTED
    assert abs(counted["own/m#large"] / ours - 0.75) < NEAR


def test_a_limited_credential_leaves_its_share_to_the_others() -> None:
    small, large = credentials(sold("own", 1), small=1.0, large=3.0)
    observed = Observed()
    observed.of(large.deployment).told(Headroom(requests=0, requests_reset_s=60.0), now=0.0)
    dice = random.Random(3)
    short = listed(resolution(small, large, sold("other", 9)), observed=observed)
    firsts = {plan(short, asked(draw=dice.random)).candidates[0].deployment.name for _ in range(200)}
    assert firsts == {"own/m#small"}


@given(capable(least=1, most=4), NEEDS, EXTENTS)
def test_a_request_that_allows_no_fallback_gets_the_first_of_what_it_would_have_got(
    targets: list[Candidate], needs: frozenset[str], extent: Extent
) -> None:
    wanted = Wanted(Operation.CHAT, needs)
    whole = planned(*targets, wanted=wanted, request=asked(extent))
    first = planned(*targets, wanted=wanted, request=asked(extent, first_only=True))
    assert first.candidates == whole.candidates[:1]
    assert len(first.dropped) == len(whole.dropped) + max(len(whole.candidates) - 1, 0)
