"""How many requests are hedged, whatever comes when."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from headgate.gateway.patience import MOST_SAVED, Patience
from headgate.routing.facts import Facts
from headgate.types.policy import HedgePolicy

ROUTE = "default", "route r"


@given(st.lists(st.booleans(), max_size=400), st.sampled_from([0.01, 0.05, 0.3, 1.0]))
def test_no_order_of_requests_and_slow_answers_is_hedged_beyond_the_budget(slow: list[bool], budget: float) -> None:
    patience, policy, hedged = Patience(), HedgePolicy(after="0.1", budget=budget), 0
    for number, late in enumerate(slow, 1):
        assert patience.hedge_s(ROUTE, policy, Facts(), stream=True) == 0.1
        if late and patience.may_hedge(ROUTE):
            patience.count(ROUTE)
            hedged += 1
        assert hedged <= budget * number + 1e-6


@given(st.integers(0, 2_000))
def test_a_quiet_time_saves_little_for_a_bad_one(quiet: int) -> None:
    patience, policy, hedged = Patience(), HedgePolicy(after="0.1", budget=0.05), 0
    for _ in range(quiet):
        patience.hedge_s(ROUTE, policy, Facts(), stream=True)
    while patience.may_hedge(ROUTE):
        patience.count(ROUTE)
        hedged += 1
    assert hedged == int(min(quiet * 0.05 + 1e-6, MOST_SAVED))


def test_routes_have_budgets_of_their_own_and_who_was_never_counted_has_none() -> None:
    patience, policy = Patience(), HedgePolicy(after="0.1", budget=1.0)
    patience.hedge_s(("w", "a"), policy, Facts(), stream=True)
    assert (patience.may_hedge(("w", "a")), patience.may_hedge(("w", "b"))) == (True, False)
