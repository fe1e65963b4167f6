"""Which candidates, and in which order."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.routing.plan import KINDS, plan, why_nobody
from headgate.routing.resolve import Resolution
from headgate.types.deployment import Candidate, Operation
from headgate.types.policy import Order
from tests.unit.routing.snapshots import CANDIDATES, candidate, envelope


def order_of(*targets: Candidate, cap: int | None = None, size: int = 400, order: Order | None = None) -> list[str]:
    made = plan(Resolution(targets=targets), envelope(cap=cap, size=size), order)
    return [chosen.deployment.upstream.provider for chosen in made.candidates]


def test_the_cheapest_comes_first_and_an_unknown_price_last() -> None:
    dear, cheap = candidate("dear", price=(10**9, 10**9)), candidate("cheap", price=(1, 1))
    assert order_of(candidate("unknown"), dear, cheap) == ["cheap", "dear", "unknown"]


def test_a_price_of_which_half_is_unknown_is_unknown() -> None:
    half = candidate("half", price=(0, None))
    assert order_of(half, candidate("dear", price=(10**15, 10**15))) == ["dear", "half"]


def test_an_unconfirmed_price_does_not_win_against_one_that_is_sure_but_against_none_at_all() -> None:
    rumour = candidate("rumour", price=(0, 0), unconfirmed=True)
    assert order_of(candidate("none"), rumour, candidate("sure", price=(10**9, 10**9))) == ["sure", "rumour", "none"]


def test_a_retired_offer_comes_behind_every_other() -> None:
    retired = candidate("retired", price=(0, 0), retired=True)
    assert order_of(retired, candidate("unknown")) == ["unknown", "retired"]


def test_ties_stay_as_they_were_written() -> None:
    same = [candidate(name, price=(5, 5)) for name in ("c", "a", "b")]
    assert order_of(*same) == ["c", "a", "b"]


def test_what_is_cheapest_depends_on_how_much_goes_in_and_out() -> None:
    reader, writer = candidate("reader", price=(1, 100)), candidate("writer", price=(100, 1))
    assert order_of(reader, writer, cap=1, size=400_000) == ["reader", "writer"]
    assert order_of(reader, writer, cap=500, size=40) == ["writer", "reader"]


def test_any_other_order_is_as_written_and_the_requests_order_wins_over_the_routes() -> None:
    dear, cheap = candidate("dear", price=(9, 9)), candidate("cheap", price=(1, 1))
    for order in Order:
        expected = ["cheap", "dear"] if order is Order.CHEAPEST else ["dear", "cheap"]
        assert order_of(dear, cheap, order=order) == expected
        made = plan(Resolution(targets=(dear, cheap), order=order), envelope(), None)
        assert [one.deployment.upstream.provider for one in made.candidates] == expected


def test_the_fallback_comes_behind_every_target_however_cheap_it_is() -> None:
    target, spare = candidate("target", price=(9, 9)), candidate("spare", price=(0, 0))
    made = plan(Resolution(targets=(target,), fallback=(spare,)), envelope(), None)
    assert made.candidates == (target, spare)


@pytest.mark.parametrize("operation", Operation)
@pytest.mark.parametrize("kind", ["chat", "completion", "embedding", "any", "responses"])
def test_a_model_serves_what_its_kind_can(operation: Operation, kind: str) -> None:
    made = plan(Resolution(targets=(candidate(kind=kind),)), envelope(operation), None)
    assert bool(made.candidates) == (kind in KINDS[operation])
    assert bool(made.dropped) != bool(made.candidates)


def test_a_provider_without_the_endpoint_is_dropped_with_the_reason() -> None:
    made = plan(
        Resolution(targets=(candidate("p", operations=frozenset({Operation.CHAT})), candidate("q", kind="embedding"))),
        envelope(Operation.COMPLETION),
        None,
    )
    assert made.candidates == ()
    assert "p has no completion endpoint" in why_nobody(made)
    assert "kind embedding" in why_nobody(made)


@given(CANDIDATES, CANDIDATES, st.sampled_from(Operation), st.none() | st.sampled_from(Order), st.integers(0, 10**7))
def test_a_plan_is_total_and_stable_and_loses_nobody(
    targets: list[Candidate], fallback: list[Candidate], operation: Operation, order: Order | None, size: int
) -> None:
    resolution = Resolution(targets=tuple(targets), fallback=tuple(fallback))
    wanted = envelope(operation, size=size)
    made = plan(resolution, wanted, order)
    assert plan(resolution, wanted, order) == made or plan(resolution, wanted, order).candidates == made.candidates
    assert len(made.candidates) + len(made.dropped) == len(targets) + len(fallback)
    assert {id(one) for one in made.candidates} <= {id(one) for one in [*targets, *fallback]}
    able = [one for one in targets if any(one is chosen for chosen in made.candidates)]
    assert sorted(map(id, made.candidates[: len(able)])) == sorted(map(id, able)), "a fallback came before a target"
    again = plan(Resolution(targets=made.candidates[: len(able)]), wanted, order)
    assert again.candidates == made.candidates[: len(able)], "a plan of a plan is another one"


@given(CANDIDATES)
def test_unknown_prices_are_never_before_known_ones_and_retired_offers_never_before_others(
    targets: list[Candidate],
) -> None:
    made = plan(Resolution(targets=tuple(targets)), envelope(), Order.CHEAPEST).candidates
    offers = [one.deployment.offer for one in made]
    ranks = [(offer.retired, not offer.price.known) for offer in offers]
    assert ranks == sorted(ranks)
