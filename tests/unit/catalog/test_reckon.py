"""What an attempt cost, and the most one can cost."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.catalog.cost import MAX_COST_PUSD, reckon, worst_case_pusd, worst_of
from headgate.catalog.estimate import Writing
from headgate.types.deployment import DOCUMENT, Candidate, Offer
from headgate.types.money import Change, Cost, CostSource, Price, Terms, Tier, Window
from headgate.types.usage import Usage
from tests.unit.catalog.test_cost import CLASSES, INPUT
from tests.unit.routing.snapshots import candidate

M = 10**6
"""Pico-dollars for a million tokens that make one a token."""

WORKDAY = frozenset({1, 2, 3, 4, 5})


def unix(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


NOW = unix("2026-11-23T08:00:00Z")


def price(entered: int | None, written: int | None, **more: int) -> Price:
    return Price(
        input_pusd_per_mtok=None if entered is None else entered * M,
        output_pusd_per_mtok=None if written is None else written * M,
        **{f"{name}_pusd_per_mtok": value * M for name, value in more.items()},
    )


def offer(base: Price, source: str = "a list, 2026-11-12", **terms: Any) -> Offer:
    made = Terms(**terms) if terms else None
    return Offer(provider="p", upstream_id="m", model="m", price=base, terms=made, price_source=source)


def cost(sold: Offer, at: float = NOW, **usage: Any) -> Cost:
    return reckon(sold, Usage(**usage), at)


def test_tokens_times_price_are_computed_and_the_price_and_its_source_kept() -> None:
    base = price(3, 15)
    made = cost(offer(base), input=10, output=2)
    assert made == Cost(
        pusd=60, source=CostSource.COMPUTED, computed_pusd=60, price=base, price_source="a list, 2026-11-12"
    )


def test_our_own_counts_make_an_estimate() -> None:
    assert cost(offer(price(3, 15)), input=10, estimated=True).source is CostSource.ESTIMATED
    declared = offer(price(3, 15), DOCUMENT)
    assert cost(declared, input=10, estimated=True).source is CostSource.ESTIMATED


def test_a_reported_cost_counts_before_a_price_of_the_catalogue_and_behind_one_of_the_operator() -> None:
    catalogued = cost(offer(price(3, 15)), input=10, reported_pusd=29)
    assert (catalogued.pusd, catalogued.source, catalogued.computed_pusd) == (29, CostSource.REPORTED, 30)
    declared = cost(offer(price(3, 15), DOCUMENT), input=10, reported_pusd=29)
    assert (declared.pusd, declared.source, declared.reported_pusd) == (30, CostSource.COMPUTED, 29)


def test_without_a_price_the_reported_cost_counts_and_without_either_it_is_unknown() -> None:
    for unknown in (price(None, None), price(3, None), price(None, 15)):
        for source in ("", DOCUMENT):
            assert cost(offer(unknown, source), input=1, output=1) == Cost()
            told = cost(offer(unknown, source), input=1, output=1, reported_pusd=7)
            assert told == Cost(pusd=7, source=CostSource.REPORTED, reported_pusd=7)


def test_a_reported_cost_of_nothing_is_a_cost() -> None:
    made = cost(offer(price(3, 15)), input=10, reported_pusd=0)
    assert (made.pusd, made.source, made.disagree) == (0, CostSource.REPORTED, True)


@pytest.mark.parametrize(
    ("reported", "flagged"),
    [(1_000_000, False), (990_000, False), (989_999, True), (1_010_101, False), (1_010_102, True), (0, True)],
)
def test_more_than_one_percent_apart_is_flagged(reported: int, flagged: bool) -> None:
    assert cost(offer(price(1, 1)), input=1_000_000, reported_pusd=reported).disagree is flagged


def test_a_pico_dollar_of_rounding_is_no_disagreement() -> None:
    assert not cost(offer(price(1, 1)), input=1, reported_pusd=2).disagree
    assert not cost(offer(price(1, 1)), input=1, reported_pusd=0).disagree
    assert cost(offer(price(1, 1)), input=1, reported_pusd=3).disagree


def test_a_product_no_request_can_cost_is_unknown() -> None:
    dear = offer(Price(input_pusd_per_mtok=MAX_COST_PUSD, output_pusd_per_mtok=0))
    assert cost(dear, input=10**6).pusd == MAX_COST_PUSD
    assert cost(dear, input=10**6 + 1) == Cost()
    assert MAX_COST_PUSD * 9 < 2**63


TIERS = (Tier(100, price(2, 20)), Tier(1000, price(5, 30, cached_input=1)))


@pytest.mark.parametrize(("tokens", "pusd"), [(100, 100 + 10), (101, 202 + 20), (1000, 2000 + 20), (1001, 5005 + 30)])
def test_a_long_prompt_costs_the_highest_tier_it_passes_as_a_whole(tokens: int, pusd: int) -> None:
    assert cost(offer(price(1, 10), tiers=TIERS), input=tokens, output=1).pusd == pusd


def test_every_class_of_input_makes_a_prompt_long() -> None:
    sold = offer(price(1, 10), tiers=TIERS)
    made = cost(sold, input=26, cached_input=25, cache_write=25, audio_input=25)
    assert made.price == price(2, 20)
    assert cost(sold, input=1, output=10**6).price == price(1, 10)


def test_what_a_tier_does_not_name_costs_what_it_costs_without_it() -> None:
    sold = offer(price(4, 10, cached_input=1), tiers=(Tier(10, Price(output_pusd_per_mtok=20 * M)),))
    assert cost(sold, input=5, cached_input=6, output=1).pusd == 20 + 6 + 20


def test_a_change_counts_from_its_first_second_on_and_the_last_one_that_has_come() -> None:
    begins, again = unix("2026-12-01T00:00:00Z"), unix("2027-01-01T00:00:00Z")
    changes = (Change(int(begins), price(2, 2)), Change(int(again), price(3, 3)))
    sold = offer(price(1, 1), changes=changes)
    for at, each in ((begins - 0.001, 1), (begins, 2), (again - 1, 2), (again, 3), (again + 10**9, 3)):
        assert cost(sold, at, input=10).pusd == 10 * each


@pytest.mark.parametrize(
    ("at", "each"),
    [
        ("2026-11-23T00:00:00Z", 1),
        ("2026-11-23T00:59:59Z", 1),
        ("2026-11-23T01:00:00Z", 2),
        ("2026-11-23T09:59:59Z", 2),
        ("2026-11-23T10:00:00Z", 1),
        ("2026-11-23T23:59:59Z", 1),
        ("2026-11-21T05:00:00Z", 1),
        ("2026-11-22T23:59:59Z", 1),
        ("2026-11-23T02:00:00+02:00", 1),
        ("2026-11-20T01:00:00Z", 2),
        ("1970-01-01T05:00:00Z", 2),
        ("1970-01-03T05:00:00Z", 1),
    ],
)
def test_windows_are_hours_and_weekdays_in_utc(at: str, each: int) -> None:
    windows = (
        Window(WORKDAY, ((0, 60), (600, 1440)), price(1, 1)),
        Window(frozenset({6, 7}), ((0, 1440),), price(1, 1)),
    )
    assert cost(offer(price(2, 2), windows=windows), unix(at), input=10).pusd == 10 * each


def test_a_window_may_go_over_midnight() -> None:
    sold = offer(price(2, 2), windows=(Window(frozenset(range(1, 8)), ((1380, 60),), price(1, 1)),))
    for hour, each in ((22, 2), (23, 1), (0, 1), (1, 2)):
        assert cost(sold, unix(f"2026-11-23T{hour:02}:00:00Z"), input=1).pusd == each


def test_a_service_tier_costs_what_the_operator_declared_and_that_is_the_last_word() -> None:
    sold = offer(price(1, 10, cached_input=1), service_tiers=(("priority", price(2, 20)),))
    made = cost(sold, input=10, cached_input=5, output=1, service_tier="priority", reported_pusd=3)
    assert (made.pusd, made.source, made.price_source) == (20 + 5 + 20, CostSource.COMPUTED, DOCUMENT)
    usual = cost(sold, input=10, output=1, reported_pusd=3)
    assert (usual.pusd, usual.price_source) == (3, "a list, 2026-11-12")


def test_a_service_tier_may_cost_a_share_of_the_price_that_would_apply() -> None:
    sold = offer(price(3, 10), tiers=(Tier(10, price(5, 20)),), tier_percent=(("flex", 50),))
    assert cost(sold, input=10, output=1, service_tier="flex").pusd == 15 + 5
    assert cost(sold, input=20, output=1, service_tier="flex").pusd == 50 + 10


def test_a_service_tier_nobody_told_the_price_of_is_unknown_unless_everything_is_free() -> None:
    for sold in (offer(price(1, 1)), offer(price(1, 1), DOCUMENT), offer(price(1, 1), tier_percent=(("flex", 50),))):
        assert cost(sold, input=1, service_tier="priority") == Cost()
        assert worst_case_pusd(sold, 1, 1, "priority") is None
    assert cost(offer(price(0, 0)), input=1, service_tier="priority").pusd == 0
    assert worst_case_pusd(offer(price(0, 0)), 1, 1, "priority") == 0


def test_a_request_may_cost_a_fee_and_the_highest_where_nothing_tells_which() -> None:
    sold = offer(price(1, 1), request_fees=(("low", 50), ("high", 120)))
    assert cost(sold, input=1, search_size="low").pusd == 51
    assert cost(sold, input=1, search_size="huge").pusd == 121
    assert cost(sold, input=1).pusd == 121
    assert worst_case_pusd(sold, 1, 0) == 121


def test_the_worst_case_is_the_dearest_class_at_the_dearest_price_that_can_apply() -> None:
    assert worst_case_pusd(offer(price(1, 10)), 100, 10) == 200
    assert worst_case_pusd(offer(price(1, 10, cache_write=2, reasoning=11)), 100, 10) == 310
    assert worst_case_pusd(offer(price(1, 10, cached_input=3, audio_output=12)), 100, 10) == 420
    sold = offer(price(1, 10), tiers=TIERS)
    assert [worst_case_pusd(sold, tokens, 0) for tokens in (100, 101, 1001)] == [100, 202, 5005]
    assert worst_case_pusd(offer(price(1, 1), changes=(Change(2**40, price(7, 1)),)), 10, 0) == 70
    assert worst_case_pusd(offer(price(1, 1), windows=(Window(WORKDAY, ((0, 1),), price(7, 1)),)), 10, 0) == 70


def test_the_worst_case_at_a_tier_asked_for_is_never_below_the_usual_one() -> None:
    sold = offer(price(2, 10), service_tiers=(("priority", price(4, 20)),), tier_percent=(("flex", 50), ("fast", 300)))
    worst = [worst_case_pusd(sold, 10, 1, tier) for tier in (None, "auto", "default", "flex", "Priority", "fast")]
    assert worst == [30, 30, 30, 30, 60, 90]


def test_the_worst_case_of_an_unknown_price_is_unknown() -> None:
    assert worst_case_pusd(offer(price(None, 1)), 1, 1) is None
    assert worst_case_pusd(offer(price(1, None)), 1, 1) is None
    assert worst_case_pusd(offer(price(1, None)), 1, 0) == 1
    assert worst_case_pusd(offer(price(1, None), tiers=(Tier(0, price(1, 1)),)), 1, 1) is None


RATE = st.integers(0, 10**14)
SOME = {f"{name}_pusd_per_mtok": st.none() | RATE for name in CLASSES}
BASES = st.builds(Price, **SOME | {"input_pusd_per_mtok": RATE, "output_pusd_per_mtok": RATE})
PARTS = st.builds(Price, **SOME)
SPAN = st.tuples(st.integers(0, 1439), st.integers(1, 1440))
TERMS = st.builds(
    Terms,
    tiers=st.lists(st.builds(Tier, st.integers(1, 3000), PARTS), max_size=3).map(
        lambda tiers: tuple(sorted(tiers, key=lambda tier: tier.above_tokens))
    ),
    windows=st.lists(
        st.builds(Window, st.frozensets(st.integers(1, 7)), st.lists(SPAN, max_size=2).map(tuple), PARTS), max_size=2
    ).map(tuple),
    changes=st.lists(st.builds(Change, st.integers(0, 10**9), PARTS), max_size=2).map(
        lambda changes: tuple(sorted(changes, key=lambda change: change.from_s))
    ),
    service_tiers=st.just(()) | st.builds(lambda part: (("priority", part),), PARTS),
    tier_percent=st.just(()) | st.builds(lambda percent: (("flex", percent),), st.integers(1, 400)),
    request_fees=st.just(()) | st.builds(lambda fee: (("low", fee), ("high", 2 * fee)), RATE),
)
OFFERS = st.builds(
    lambda base, terms: Offer(provider="p", upstream_id="m", model="m", price=base, terms=terms),
    BASES,
    st.none() | TERMS,
)
COUNT = st.integers(0, 1500)
USED = st.fixed_dictionaries(dict.fromkeys(CLASSES, COUNT))


@given(OFFERS, USED, st.sampled_from([None, "priority", "flex"]), st.floats(0, 2e9), COUNT, COUNT)
def test_the_worst_case_covers_whatever_a_request_within_its_bounds_costs(
    sold: Offer, used: dict[str, Any], tier: str | None, at: float, more_in: int, more_out: int
) -> None:
    usage = Usage(**used, service_tier=tier)
    made = reckon(sold, usage, at)
    worst = worst_case_pusd(sold, usage.prompt_tokens + more_in, usage.completion_tokens + more_out, tier)
    if worst is None:
        assert made.computed_pusd is None
    else:
        assert made.computed_pusd is not None
        assert worst >= made.computed_pusd
        # Served at the usual tier after all, it costs no more either.
        usual = reckon(sold, Usage(**used), at).computed_pusd
        assert usual is not None
        assert worst >= usual


def sold_at(base: Price, terms: Terms | None, longest: int | None) -> Candidate:
    made = candidate()
    sold = msgspec.structs.replace(made.deployment.offer, price=base, terms=terms, max_output_tokens=longest)
    return msgspec.structs.replace(made, deployment=msgspec.structs.replace(made.deployment, offer=sold))


@given(
    st.lists(
        st.builds(
            sold_at,
            st.builds(Price, **SOME),
            st.none() | TERMS,
            st.sampled_from([None, 100, 500]),
        ),
        max_size=4,
    ),
    COUNT,
    st.builds(Writing, st.integers(0, 3), st.none() | COUNT),
    st.sampled_from([None, "priority", "flex"]),
)
def test_the_worst_of_several_is_that_of_the_dearest_of_those_whose_price_is_known(
    several: list[Candidate], entered: int, asked: Writing, tier: str | None
) -> None:
    offers = [one.deployment.offer for one in several]
    each = [worst_case_pusd(sold, entered, asked.bound(sold), tier) for sold in offers]
    worst, unpriced = worst_of(several, entered, asked, tier)
    assert worst == max((pusd for pusd in each if pusd is not None), default=None)
    assert unpriced == [place for place, pusd in enumerate(each) if pusd is None]


@given(OFFERS, USED, st.sampled_from(CLASSES), COUNT, st.floats(0, 2e9))
def test_more_tokens_never_cost_less_where_long_prompts_are_no_cheaper(
    sold: Offer, used: dict[str, Any], name: str, more: int, at: float
) -> None:
    terms = sold.terms
    if terms is not None and name in INPUT and terms.tiers:
        return
    before = reckon(sold, Usage(**used), at).pusd
    after = reckon(sold, Usage(**used | {name: used[name] + more}), at).pusd
    assert before is not None
    assert after is not None
    assert after >= before


@given(OFFERS, USED, st.none() | st.integers(0, 10**16), st.floats(0, 2e9))
def test_the_cost_that_counts_is_one_of_the_two_and_both_are_kept(
    sold: Offer, used: dict[str, Any], reported: int | None, at: float
) -> None:
    made = reckon(sold, Usage(**used, reported_pusd=reported), at)
    assert made.reported_pusd == reported
    assert made.pusd == (made.computed_pusd if reported is None else reported)
    assert made.source is (CostSource.COMPUTED if reported is None else CostSource.REPORTED)
