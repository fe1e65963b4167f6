"""Which candidates, and in which order."""

from __future__ import annotations

import pytest

from headgate.routing.observed import Observed
from headgate.routing.plan import plan
from headgate.routing.requirements import Extent
from headgate.routing.shortlist import KINDS, Wanted
from headgate.types.deployment import Candidate, Operation
from headgate.types.headroom import Headroom
from headgate.types.policy import Order
from headgate.types.request import Dropped
from tests.unit.routing.snapshots import (
    MTOK,
    asked,
    candidate,
    listed,
    planned,
    providers,
    reasons,
    resolution,
    seen,
    sold,
)


def order_of(*targets: Candidate, cap: int | None = None, size: int = 400, order: Order | None = None) -> list[str]:
    return providers(planned(*targets, request=asked(Extent(text=size, each=cap), order=order)))


def test_the_cheapest_comes_first_and_an_unknown_price_last() -> None:
    dear, cheap = candidate("dear", price=(10**9, 10**9)), sold("cheap", 1)
    assert order_of(candidate("unknown"), dear, cheap) == ["cheap", "dear", "unknown"]


def test_a_price_of_which_half_is_unknown_is_unknown() -> None:
    half = candidate("half", price=(0, None))
    assert order_of(half, candidate("dear", price=(10**15, 10**15))) == ["dear", "half"]


def test_an_unconfirmed_price_does_not_win_against_one_that_is_sure_but_against_none_at_all() -> None:
    rumour = candidate("rumour", price=(0, 0), unconfirmed=True)
    assert order_of(candidate("none"), rumour, candidate("sure", price=(10**9, 10**9))) == ["sure", "rumour", "none"]


def test_ties_stay_as_they_were_written() -> None:
    same = [sold(name, 5) for name in ("c", "a", "b")]
    assert order_of(*same) == ["c", "a", "b"]


def test_what_is_cheapest_depends_on_how_much_goes_in_and_out() -> None:
    reader, writer = candidate("reader", price=(MTOK, 100 * MTOK)), candidate("writer", price=(100 * MTOK, MTOK))
    assert order_of(reader, writer, cap=1, size=400_000) == ["reader", "writer"]
    assert order_of(reader, writer, cap=500, size=40) == ["writer", "reader"]


def test_the_usual_length_of_answers_decides_and_the_cap_of_the_request_bounds_it() -> None:
    reader, writer = candidate("reader", price=(1, MTOK)), candidate("writer", price=(MTOK, 1))

    def first(usual: float | None, each: int | None = None) -> str:
        return providers(planned(reader, writer, request=asked(Extent(text=4000, each=each), usual=usual)))[0]

    assert first(usual=10.0) == "reader"
    assert first(usual=10_000.0) == "writer"
    assert first(usual=10_000.0, each=10) == "reader"
    assert planned(reader, request=asked(Extent(text=4000), usual=70.0)).tokens == 1070


@pytest.mark.parametrize("order", Order)
def test_without_anything_known_of_speed_every_policy_falls_back_on_price_or_on_the_written_order(
    order: Order,
) -> None:
    dear, cheap = sold("dear", 9), sold("cheap", 1)
    expected = ["dear", "cheap"] if order in (Order.ORDERED, Order.WEIGHTED) else ["cheap", "dear"]
    assert order_of(dear, cheap, order=order) == expected
    of_route = planned(dear, cheap, order=order)
    assert (providers(of_route), of_route.order) == (expected, order)


def test_the_fallback_comes_behind_every_target_however_cheap_it_is_and_in_its_written_order() -> None:
    target, dear, spare = sold("target", 9), sold("dear", 5), sold("spare", 1)
    for order in Order:
        made = planned(target, fallback=(dear, spare), request=asked(order=order))
        assert made.candidates == (target, dear, spare)
        assert made.order is order


@pytest.mark.parametrize("order", Order)
def test_a_retired_offer_comes_behind_every_other(order: Order) -> None:
    retired = candidate("retired", price=(0, 0), retired=True)
    assert order_of(retired, candidate("unknown"), order=order) == ["unknown", "retired"]


@pytest.mark.parametrize("order", Order)
def test_an_offer_retires_on_its_day(order: Order) -> None:
    leaving = candidate("leaving", price=(0, 0), deprecated_on="1970-01-02")
    staying = sold("staying", 9)
    before, after = (planned(leaving, staying, request=asked(order=order, at=at)) for at in (86_399.0, 86_400.0))
    assert (providers(before)[0], providers(after)[0]) == ("leaving", "staying")


@pytest.mark.parametrize("order", Order)
def test_a_limited_one_comes_behind_those_with_room_and_is_back_after_its_reset(order: Order) -> None:
    observed = Observed()
    first, second = sold("first", 1), sold("second", 9)
    observed.of(first.deployment).told(Headroom(requests=0, requests_reset_s=30.0), now=100.0)

    def at(now: float) -> list[str]:
        return providers(planned(first, second, observed=observed, request=asked(order=order, now=now)))

    assert at(101.0) == ["second", "first"]
    assert at(129.9) == ["second", "first"]
    assert at(131.0) == ["first", "second"]


def test_a_request_that_does_not_fit_what_is_left_of_the_tokens_goes_elsewhere() -> None:
    observed = Observed()
    first, second = sold("first", 1), sold("second", 9)
    observed.of(first.deployment).told(Headroom(tokens=5_000, tokens_reset_s=60.0), now=0.0)
    small, large = Extent(text=400), Extent(text=40_000)
    assert providers(planned(first, second, observed=observed, request=asked(small)))[0] == "first"
    made = planned(first, second, observed=observed, request=asked(large))
    assert (providers(made)[0], made.figures[1].health) == ("second", "limited")


def test_load_spills_where_a_provider_takes_only_so_many_at_once() -> None:
    observed = Observed()
    first, second = (
        sold("first", 1, called={"concurrent": 2}),
        sold("second", 9),
    )
    served = []
    for _ in range(3):
        made = planned(first, second, observed=observed)
        served.append(providers(made)[0])
        observed.of(made.candidates[0].deployment).begin(made.tokens, 0.0)
    assert served == ["first", "first", "second"]
    observed.of(first.deployment).end()
    assert providers(planned(first, second, observed=observed))[0] == "first"


def test_the_fastest_is_the_one_whose_answer_ends_first() -> None:
    observed = Observed()
    early, quick, slow = (sold(name, 1) for name in ("early", "quick", "slow"))
    seen(observed, early, first_s=0.1, per_token_s=0.01)
    seen(observed, quick, first_s=1.0, per_token_s=0.001)
    seen(observed, slow, first_s=3.0, per_token_s=0.1)

    def order(tokens: int) -> list[str]:
        request = asked(Extent(text=400, each=tokens), order=Order.FASTEST)
        return providers(planned(slow, quick, early, observed=observed, request=request))

    assert order(10) == ["early", "quick", "slow"]
    assert order(500) == ["quick", "early", "slow"]


def test_balanced_is_the_cheapest_of_those_that_are_not_much_slower_than_the_fastest() -> None:
    observed = Observed()
    fast, near, far = (sold(name, price) for name, price in (("fast", 9), ("near", 5), ("far", 1)))
    for one, first_s in ((fast, 1.0), (near, 1.4), (far, 1.6)):
        seen(observed, one, first_s)
    made = planned(far, fast, near, observed=observed, request=asked(order=Order.BALANCED))
    assert providers(made)[0] == "near"
    assert providers(made)[-1] == "far"


@pytest.mark.parametrize("operation", Operation)
@pytest.mark.parametrize("kind", ["chat", "completion", "embedding", "any", "responses"])
def test_a_model_serves_what_its_kind_can(operation: Operation, kind: str) -> None:
    made = planned(candidate(kind=kind), wanted=Wanted(operation))
    assert bool(made.candidates) == (kind in KINDS[operation])
    assert bool(made.dropped) != bool(made.candidates)


def test_a_provider_without_the_endpoint_is_dropped_with_the_reason() -> None:
    chats, embeds = candidate("p", operations=frozenset({Operation.CHAT})), candidate("q", kind="embedding")
    made = planned(chats, embeds, wanted=Wanted(Operation.COMPLETION))
    assert made.candidates == ()
    assert reasons(made) == {
        "p/m": "p has no completion endpoint",
        "q/m": "a model of kind embedding cannot serve completion",
    }


def test_what_certainly_does_not_fit_is_dropped_with_figures_and_what_may_not_fit_comes_last() -> None:
    small = candidate("small", price=(0, 0), context_tokens=1_000)
    tight = candidate("tight", price=(0, 0), context_tokens=10_000)
    large = sold("large", 9, context_tokens=100_000)
    made = planned(small, tight, large, request=asked(Extent(text=32_000, each=500)))
    assert providers(made) == ["large", "tight"]
    (dropped,) = made.dropped
    assert dropped.deployment == "small/m"
    assert "1000 tokens" in dropped.reason
    assert "2666" in dropped.reason
    assert "500" in dropped.reason


def test_what_a_models_prompts_have_shown_of_its_tokens_counts_after_five_answers() -> None:
    observed = Observed()
    tight, large = (sold(n, p, context_tokens=w) for n, p, w in (("t", 0, 10_000), ("l", 9, 99_000)))
    request = asked(Extent(text=36_000))
    for answered in range(7):
        expected = ["l", "t"] if answered < 5 else ["t", "l"]
        assert providers(planned(tight, large, observed=observed, request=request)) == expected, answered
        observed.answered("key", "m", "m", 5_000, 1_000, 10, now=0.0)
    assert planned(tight, observed=observed, request=request).tokens == 36_000 // 5 + 500
    assert reasons(planned(tight, observed=observed, request=asked(Extent(text=90_000)))) != {}


def test_a_prompt_is_as_long_for_each_candidate_as_its_own_models_prompts_have_shown() -> None:
    observed = Observed()
    for _ in range(7):
        observed.answered("key", "m", "dense", 1_000, 1_000, 10, now=0.0)
    targets = [sold(name, 1, model=model) for name, model in (("a", "dense"), ("b", "thin"), ("c", "dense"))]
    made = planned(*targets, observed=observed, request=asked(Extent(text=4_000)))
    costs = {name: one.cost_pusd for name, one in zip(providers(made), made.figures, strict=True)}
    assert costs == {"a": 4_500, "b": 1_500, "c": 4_500}


def test_a_prompt_that_somebody_has_counted_is_neither_doubtful_nor_guessed() -> None:
    exact = candidate("exact", price=(0, 0), context_tokens=1_000)
    large = sold("large", 9, context_tokens=100_000)
    assert providers(planned(exact, large, request=asked(Extent(text=10**6, exact=1_000)))) == ["exact", "large"]
    made = planned(exact, large, request=asked(Extent(text=0, exact=1_001)))
    assert providers(made) == ["large"]
    assert "1001" in reasons(made)["exact/m"]


def test_a_picture_that_may_be_large_makes_nobody_certainly_too_small() -> None:
    small, large = (
        candidate("small", price=(0, 0), context_tokens=8_000),
        sold("large", 9, context_tokens=200_000),
    )
    made = planned(small, large, request=asked(Extent(text=400, other=100_000)))
    assert providers(made) == ["large", "small"]


def test_a_longer_answer_than_a_model_writes_is_a_reason() -> None:
    short, longer = candidate("short", max_output_tokens=100), candidate("longer", max_output_tokens=101)
    made = planned(short, longer, request=asked(Extent(text=400, each=101)))
    assert providers(made) == ["longer"]
    assert "100 tokens" in reasons(made)["short/m"]
    assert "101" in reasons(made)["short/m"]


@pytest.mark.parametrize("order", Order)
def test_what_has_retired_comes_behind_a_live_fallback_and_behind_the_next_model(order: Order) -> None:
    gone, late = sold("gone", 1, retired=True), sold("late", 1, retired=True)
    live, other = sold("live", 9), sold("other", 5)
    short = listed(resolution(gone, fallback=[late, live]), resolution(other))
    made = plan(short, asked(order=order))
    assert providers(made) == ["live", "other", "gone", "late"]
    assert [one.cost_pusd for one in made.figures] == [5_400, 3_000, 600, 600], "figures go with their candidates"
    alone = plan(short, asked(order=order, first_only=True))
    assert providers(alone) == ["live"]


def test_a_request_without_fallbacks_has_one_candidate_and_the_others_say_why_not() -> None:
    made = planned(
        sold("a", 9),
        sold("b", 1),
        request=asked(first_only=True),
    )
    assert providers(made) == ["b"]
    assert made.dropped == (Dropped("a/m", "no fallback is allowed"),)
    assert len(made.figures) == len(made.treatments) == 1


def test_the_models_of_a_list_are_tried_in_turn_each_by_the_policy() -> None:
    one, two = sold("one", 9), sold("two", 5)
    three = sold("three", 1)
    spare = candidate("spare", price=(0, 0))
    made = plan(listed(resolution(one, two, fallback=[spare]), resolution(three, two)), asked())
    assert providers(made) == ["two", "one", "spare", "three"]


def test_figures_and_treatments_run_beside_the_candidates() -> None:
    cheap, dear = candidate("cheap", price=(MTOK, 0)), candidate("dear", price=(3 * MTOK, 0))
    made = planned(dear, cheap, request=asked(Extent(text=400)))
    assert [(one, figures.cost_pusd) for one, figures in zip(providers(made), made.figures, strict=True)] == [
        ("cheap", 100),
        ("dear", 300),
    ]
    assert [one.hedged_as for one in made.treatments] == ["cheap", "dear"]
