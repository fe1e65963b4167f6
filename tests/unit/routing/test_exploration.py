"""Finding out: who is tried although somebody else seems better, how often, and what is made of surprises."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.routing.averages import FAR, Average, Ratio
from headgate.routing.facts import Facts
from headgate.routing.plan import EAGERNESS, EXPLORE, EXPLORE_MOST, Asked, plan
from headgate.routing.requirements import Extent
from headgate.routing.resolve import Resolution
from headgate.routing.score import Size, expected_cost, least_cost
from headgate.routing.shortlist import Shortlist, Wanted, shortlist
from headgate.types.deployment import Candidate, Credential, Deployment, Offer, Operation, Upstream
from headgate.types.money import Price
from headgate.types.policy import HealthPolicy, Order

USD = 10**12
NOW = 1_000.0


class Seller:
    """A deployment and what is known of it."""

    def __init__(self, name: str, usd: int = 1, cached_usd: int | None = None) -> None:
        price = Price(
            input_pusd_per_mtok=usd * USD,
            output_pusd_per_mtok=usd * USD,
            cached_input_pusd_per_mtok=None if cached_usd is None else cached_usd * USD,
        )
        offer = Offer(provider=name, upstream_id="m", model="m", price=price)
        upstream = Upstream(provider=name, dialect="openai", base_url="http://h/v1", auth_header=None)
        credential = Credential(name="default", secret=None)
        self.deployment = Deployment(offer=offer, credential=credential, upstream=upstream)
        self.facts = Facts()

    def answers(self, seconds: float, times: int = 1, *, at: float = NOW - 30, cached: int = 0) -> Seller:
        for _ in range(times):
            self.facts.begin(600, at)
            self.facts.end()
            self.facts.answered(seconds / 2, seconds, 500, at)
            self.facts.billed(cached, 100, None, None, at)
        return self


def listed(sellers: tuple[Seller, ...]) -> Shortlist:
    facts = {id(one.deployment): one.facts for one in sellers}
    targets = tuple(Candidate(one.deployment, "m") for one in sellers)
    return shortlist(
        [Resolution(targets=targets)], Wanted(Operation.CHAT), {}, lambda one: facts[id(one)], lambda _: Ratio()
    )


def first(*sellers: Seller, order: Order = Order.FASTEST, draw: float = 0.0, now: float = NOW) -> str:
    asked = Asked(extent=Extent(text=40_000), at=0.0, now=now, draw=lambda: draw, order=order, usual=500.0, rests=True)
    return plan(listed(sellers), asked).candidates[0].deployment.upstream.provider


def test_who_is_well_known_to_be_slower_is_not_tried_at_any_draw() -> None:
    quick, slow = Seller("quick").answers(1.0, 30), Seller("slow").answers(3.0, 30)
    assert first(quick, slow, draw=0.0) == "quick"


def test_who_is_little_known_is_tried_now_and_then_and_no_more_than_that() -> None:
    quick, vague = Seller("quick").answers(1.0, 30), Seller("vague").answers(1.5, 2)
    assert first(quick, vague, draw=0.0) == "vague"
    chance = min(EXPLORE / 0.5, EXPLORE_MOST) * EAGERNESS
    assert first(quick, vague, draw=chance * 0.99) == "vague"
    assert first(quick, vague, draw=chance * 1.01) == "quick"


def test_what_was_known_grows_old_and_is_looked_at_again() -> None:
    quick, slow = Seller("quick").answers(1.0, 30), Seller("slow").answers(3.0, 30)
    later = NOW + 3_600
    quick.answers(1.0, 30, at=later - 1)
    assert first(quick, slow, draw=0.0, now=later) == "slow"
    assert first(quick, slow, draw=EXPLORE, now=later) == "quick", "a slower one costs more time, and has fewer tries"


def test_balanced_looks_again_at_a_dearer_one_that_would_move_its_limit() -> None:
    later = NOW + 3_600
    usual, swift = Seller("usual", 1).answers(3.0, 30, at=later - 30), Seller("swift", 9).answers(15.0, 30)
    assert first(usual, swift, order=Order.BALANCED, draw=0.0, now=later) == "swift"
    swift.answers(2.5, 30, at=later - 30)
    assert first(usual, swift, order=Order.BALANCED, draw=0.0, now=later) == "usual", "it is dearer and no such gain"
    swift.facts.answered(0.1, 0.2, 500, later - 20)
    assert swift.facts.startled
    assert first(usual, swift, order=Order.BALANCED, draw=0.0, now=later) == "swift"


def test_nobody_is_tried_twice_at_a_time_or_within_seconds() -> None:
    quick, vague = Seller("quick").answers(1.0, 30), Seller("vague").answers(1.5)
    vague.facts.begin(600, NOW - 20)
    assert first(quick, vague, draw=0.0) == "quick"
    vague.facts.end()
    assert first(quick, vague, draw=0.0, now=NOW - 12) == "quick"
    assert first(quick, vague, draw=0.0, now=NOW) == "vague"


def test_the_cheapest_is_sought_behind_a_dearer_list_price_only_where_a_cache_could_make_it_so() -> None:
    cheap = Seller("cheap", 2).answers(1.0, 30)
    assert first(cheap, Seller("dear", 3), order=Order.CHEAPEST) == "cheap", "its price says all"
    assert first(cheap, Seller("dear", 3, cached_usd=2), order=Order.CHEAPEST) == "cheap", "no cache helps"
    hopeful = Seller("dear", 3, cached_usd=0)
    assert first(cheap, hopeful, order=Order.CHEAPEST) == "dear"
    hopeful.answers(1.0, 30)
    assert first(cheap, hopeful, order=Order.CHEAPEST) == "cheap", "by now it is known not to have cached anything"


def test_a_cache_that_was_found_makes_the_cheapest() -> None:
    cheap, cached = Seller("cheap", 2), Seller("cached", 3, cached_usd=0).answers(1.0, 10, cached=90)
    assert first(cheap, cached, order=Order.CHEAPEST, draw=0.9) == "cached"


@given(st.integers(0, 10**6), st.integers(0, 10**5), st.lists(st.integers(0, 100), max_size=20))
def test_the_least_cost_is_never_above_the_expected_one(prompt: int, written: int, cached: list[int]) -> None:
    seller = Seller("s", 3, cached_usd=1)
    for tokens in cached:
        seller.answers(1.0, cached=tokens)
    size = Size(prompt, written, 0.0)
    expected = expected_cost(seller.deployment.offer, size, seller.facts, NOW)
    least = least_cost(seller.deployment.offer, size, seller.facts, NOW)
    assert expected is not None
    assert least is not None
    assert 0 <= least <= expected


@pytest.mark.parametrize("order", [Order.FASTEST, Order.BALANCED, Order.CHEAPEST])
def test_exploring_never_puts_one_first_that_is_at_its_limits_fails_or_retires(order: Order) -> None:
    known = Seller("known", 2).answers(1.0, 30)
    for spoil in (
        lambda one: one.facts.refused(600.0, NOW),
        lambda one: [one.facts.failed(NOW) for _ in range(HealthPolicy().failures)],
    ):
        vague = Seller("vague", 3, cached_usd=0).answers(1.1)
        spoil(vague)
        assert first(known, vague, order=order, draw=0.0) == "known"


def test_one_surprise_is_chance_and_two_in_a_row_are_news() -> None:
    mean = Average()
    for _ in range(100):
        mean.add(1.0, 0.0)
    mean.add(5.0, 0.0)
    assert mean.mean < 1.2
    mean.add(5.0, 0.0)
    assert mean.mean > 2.5
    mean.add(5.0, 0.0)
    assert mean.mean > 3.5


def test_a_pace_is_surprising_for_its_tokens_and_not_for_its_length() -> None:
    pace = Ratio()
    for tokens in (10, 1_000, 10, 2_000, 3_000, 10):
        pace.add(tokens * 0.01, tokens, 0.0)
        assert pace.surprises == 0
    for _ in range(2):
        pace.add(10 * 0.01 * FAR * 1.1, 10, 0.0)
    assert pace.surprises == 2


def test_who_has_just_been_much_quicker_is_asked_again_soon() -> None:
    quick, recovered = Seller("quick").answers(1.0, 30), Seller("recovered").answers(4.0, 5, at=NOW - 400)
    chance = EXPLORE / 3 * 1.5
    assert first(quick, recovered, draw=chance) == "quick"
    recovered.answers(0.8)
    assert recovered.facts.startled
    assert first(quick, recovered, draw=chance) == "recovered"


def test_who_keeps_failing_comes_behind_and_is_tried_once_in_a_cooldown() -> None:
    health = HealthPolicy(failures=3, cooldown_s=10)
    facts = Facts()
    for _ in range(2):
        facts.failed(NOW)
    assert not facts.rests(NOW, health)
    facts.failed(NOW)
    assert facts.rests(NOW + 9, health)
    assert not facts.rests(NOW + 10, health)
    facts.begin(1, NOW + 10)
    assert facts.rests(NOW + 10, health), "one is enough to find out"
    facts.end()
    facts.answered(0.1, 1.0, 10, NOW + 11)
    assert not facts.rests(NOW + 11, health)


def test_an_unknown_one_that_failed_is_not_tried_again_at_once() -> None:
    known, new = Seller("known").answers(1.0, 30), Seller("new")
    assert first(known, new, draw=0.9) == "new", "unknown is optimistic"
    new.facts.begin(600, NOW)
    new.facts.end()
    new.facts.failed(NOW)
    assert first(known, new, draw=0.9) == "known"
    assert first(known, new, draw=0.9, now=NOW + 11) == "new"
