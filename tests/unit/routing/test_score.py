"""Expected cost in pico-dollars, and expected time in seconds."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.catalog.cost import cost_pusd, reckon
from headgate.routing.facts import Facts
from headgate.routing.requirements import Extent
from headgate.routing.score import FACTOR_HALF_LIFE_S, Size, cost_factor, expected_cost
from headgate.routing.shortlist import Wanted
from headgate.types.deployment import DOCUMENT, Offer, Operation
from headgate.types.money import Change, Price, Terms, Tier, Window
from headgate.types.policy import Preferences
from headgate.types.request import Plan
from headgate.types.usage import Usage
from tests.unit.routing.snapshots import MTOK, PRICE, asked, planned, providers, reasons, sold

TOKENS = st.integers(0, 10**8)
HOUR = 3600


def offer(entered: int | None = 4 * MTOK, written: int | None = 8 * MTOK, **said: Any) -> Offer:
    price = Price(
        input_pusd_per_mtok=entered,
        output_pusd_per_mtok=written,
        cached_input_pusd_per_mtok=said.pop("cached", None),
    )
    return Offer(provider="p", upstream_id="m", model="m", price=price, **said)


def cost(one: Offer, size: Size, facts: Facts | None = None, now: float = 0.0) -> int | None:
    return expected_cost(one, size, facts or Facts(), now)


@given(PRICE, PRICE, TOKENS, TOKENS)
def test_the_expected_cost_is_what_so_many_tokens_cost(
    entered: int | None, written: int | None, prompt: int, answer: int
) -> None:
    priced = offer(entered, written)
    assert cost(priced, Size(prompt, answer, 0.0)) == cost_pusd(priced.price, Usage(input=prompt, output=answer))


def test_an_unknown_price_is_an_unknown_cost_and_never_zero() -> None:
    assert cost(offer(None, None), Size(0, 0, 0.0)) is None
    assert cost(offer(None, 5), Size(10, 10, 0.0)) is None
    assert cost(offer(5, None), Size(10, 10, 0.0)) is None
    assert cost(offer(5 * MTOK, None), Size(10, 0, 0.0)) == 50
    assert cost(offer(0, 0), Size(10, 10, 0.0)) == 0


@given(
    st.builds(
        Terms,
        tiers=st.lists(
            st.builds(Tier, st.integers(0, 1000), st.builds(Price, input_pusd_per_mtok=PRICE)), max_size=2
        ).map(lambda tiers: tuple(sorted(tiers, key=lambda one: one.above_tokens))),
        windows=st.lists(
            st.builds(
                Window,
                st.just(frozenset(range(1, 8))),
                st.just(((60, 120),)),
                st.builds(Price, output_pusd_per_mtok=PRICE),
            ),
            max_size=1,
        ).map(tuple),
        changes=st.lists(
            st.builds(Change, st.integers(0, 10**5), st.builds(Price, input_pusd_per_mtok=PRICE)), max_size=2
        ).map(lambda changes: tuple(sorted(changes, key=lambda one: one.from_s))),
        tier_percent=st.sampled_from([(), (("flex", 50),), (("priority", 175),)]),
        request_fees=st.sampled_from([(), (("low", 5), ("high", 12))]),
    ),
    st.integers(1, 2000),
    TOKENS,
    st.floats(0, 2 * 10**5),
    st.sampled_from([None, "flex", "priority"]),
)
def test_the_expected_cost_of_a_request_is_what_it_is_reckoned_at_afterwards(
    terms: Terms, prompt: int, answer: int, at: float, tier: str | None
) -> None:
    priced = offer(terms=terms)
    afterwards = reckon(priced, Usage(input=prompt, output=answer, service_tier=tier), at)
    assert cost(priced, Size(prompt, answer, at, tier)) == afterwards.computed_pusd


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_what_is_usually_cached_costs_what_cached_input_costs(share: float) -> None:
    facts = Facts()
    facts.billed(int(1_000 * share), 1_000, None, None, 0.0)
    discounted = offer(cached=MTOK)
    assert cost(discounted, Size(1_000, 10, 0.0), facts) == 4_000 - int(3_000 * share) + 80
    assert cost(offer(), Size(1_000, 10, 0.0), facts) == 4_080, "a price nobody named is no discount"
    assert cost(discounted, Size(1_000, 10, 0.0)) == 4_080


def test_a_long_prompt_a_date_and_an_hour_change_who_is_cheapest() -> None:
    tiered = sold("tiered", 2, terms=Terms(tiers=(Tier(1_000, Price(input_pusd_per_mtok=9 * MTOK)),)))
    raised = sold("raised", 1, terms=Terms(changes=(Change(100, Price(input_pusd_per_mtok=8 * MTOK)),)))
    nightly = Window(frozenset(range(1, 8)), ((60, 120),), Price(input_pusd_per_mtok=0, output_pusd_per_mtok=0))
    night = sold("night", 7, terms=Terms(windows=(nightly,)))

    def first(text: int, at: float) -> str:
        return providers(planned(tiered, raised, night, request=asked(Extent(text=text), at=at)))[0]

    assert first(400, at=99.0) == "raised"
    assert first(400, at=100.0) == "tiered"
    assert first(40_000, at=100.0) == "night"
    assert first(400, at=1.5 * HOUR) == "night"
    assert first(400, at=2 * HOUR) == "tiered"


def test_the_highest_price_a_request_allows_is_for_the_price_that_applies() -> None:
    tiered = sold("tiered", 2, terms=Terms(tiers=(Tier(1_000, Price(input_pusd_per_mtok=9 * MTOK)),)))
    raised = sold("raised", 1, terms=Terms(changes=(Change(100, Price(input_pusd_per_mtok=8 * MTOK)),)))
    cheap = Price(input_pusd_per_mtok=2 * MTOK, output_pusd_per_mtok=2 * MTOK)
    lowered = sold("lowered", 9, terms=Terms(changes=(Change(100, cheap),)))
    flexible = sold("flexible", 6, terms=Terms(tier_percent=(("flex", 50),)))
    most = Preferences(max_input_pusd_per_mtok=5 * MTOK, max_output_pusd_per_mtok=5 * MTOK)
    wanted = Wanted(Operation.CHAT, preferences=most)

    def made(text: int = 400, at: float = 0.0, tier: str | None = None) -> Plan:
        request = asked(Extent(text=text), at=at, tier=tier)
        return planned(tiered, raised, lowered, flexible, request=request, wanted=wanted)

    assert sorted(providers(made())) == ["raised", "tiered"]
    assert sorted(providers(made(text=40_000))) == ["raised"]
    assert sorted(providers(made(at=100.0))) == ["lowered", "tiered"]
    assert reasons(made(at=100.0))["raised/m"] == "its input price is above the highest the request allows"
    assert providers(made(tier="flex")) == ["flexible"]
    assert "not known" in reasons(made(tier="flex"))["tiered/m"]


def test_a_service_tier_that_nobody_priced_is_not_taken_for_the_usual_one() -> None:
    usual = sold("usual", 1)
    flexible = sold("flexible", 9, terms=Terms(tier_percent=(("flex", 50),)))
    assert providers(planned(usual, flexible, request=asked(tier="flex")))[0] == "flexible"
    assert providers(planned(usual, flexible, request=asked()))[0] == "usual"


def test_a_provider_whose_bills_differ_from_its_list_is_expected_to_go_on_so_and_forgiven_with_time() -> None:
    facts = Facts()
    facts.billed(0, 1_000, 3_000, 1_000, 0.0)
    size = Size(1_000, 0, 0.0)
    assert cost(offer(), size, facts, now=0.0) == 12_000
    assert cost(offer(), size, facts, now=FACTOR_HALF_LIFE_S) == 8_000
    later = [cost(offer(), size, facts, now=FACTOR_HALF_LIFE_S * count) or 0 for count in range(20)]
    assert later == sorted(later, reverse=True)
    assert later[-1] == pytest.approx(4_000, rel=0.01)
    assert cost(offer(price_source=DOCUMENT), size, facts, now=0.0) == 4_000, "the operator's price is the last word"


def test_a_discount_that_nobody_bills_any_more_fades_as_a_surcharge_does() -> None:
    facts = Facts()
    facts.billed(0, 1_000, 500, 1_000, 0.0)
    assert cost_factor(facts, 0.0) == 0.5
    assert cost_factor(facts, FACTOR_HALF_LIFE_S) == 0.75
    assert cost_factor(facts, FACTOR_HALF_LIFE_S * 20) == pytest.approx(1.0, abs=1e-5)
    facts.begin(1, 0.0)
    assert cost_factor(facts, FACTOR_HALF_LIFE_S) == 0.5, "an attempt under way finds out"


def test_a_reported_cost_of_nothing_makes_nobody_free() -> None:
    facts = Facts()
    for _ in range(30):
        facts.billed(0, 1_000, 0, 1_000, 0.0)
    assert cost(offer(), Size(1_000, 0, 0.0), facts) == 4_000
    facts.billed(0, 1_000, 1, 1_000_000, 0.0)
    assert cost(offer(), Size(1_000, 0, 0.0), facts) == 400, "no bill makes anybody cheaper than a tenth of the list"


@given(st.integers(0, 10**18), st.integers(1, 10**18), st.floats(0, 10**9))
def test_whatever_a_provider_bills_the_factor_stays_within_bounds(reported: int, computed: int, now: float) -> None:
    facts = Facts()
    facts.billed(0, 0, reported, computed, 0.0)
    assert 0.0999 <= cost_factor(facts, now) <= 1_000
    assert (cost(offer(), Size(10, 10, 0.0), facts, now) or 0) >= 0


@given(st.floats(0.001, 100), st.floats(0.0001, 1), st.integers(1, 10**5))
def test_the_expected_time_is_in_seconds(first_s: float, per_token_s: float, tokens: int) -> None:
    facts = Facts()
    assert facts.expected_s(tokens) is None
    facts.answered(first_s, first_s + 1_000 * per_token_s, 1_000, 0.0)
    assert facts.expected_s(tokens) == pytest.approx(first_s + tokens * per_token_s, rel=0.001)
