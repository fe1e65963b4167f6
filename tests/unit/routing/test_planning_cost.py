"""What a plan costs, counted in calls and in candidates and never in seconds: every request makes one."""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any

import pytest

from bench.planning import listed, planned
from headgate.routing.shortlist import Shortlist
from headgate.types.policy import Order

MOST_CALLS = 20
"""For one more candidate, into functions of Python and of C: as many as a busy microsecond or two hold."""

FIXED_CALLS = 25


def calls(candidates: Shortlist, order: Order, draw: float) -> int:
    """How many functions one plan calls."""
    counted = 0

    def count(frame: FrameType, event: str, argument: Any) -> None:
        nonlocal counted
        counted += event in ("call", "c_call")

    planned(candidates, order, draw)
    sys.setprofile(count)
    try:
        planned(candidates, order, draw)
    finally:
        sys.setprofile(None)
    return counted


@pytest.mark.parametrize("order", Order)
def test_a_plan_for_five_candidates_is_a_few_dozen_calls(order: Order) -> None:
    assert calls(listed(5), order, 0.9) <= FIXED_CALLS + 5 * MOST_CALLS


@pytest.mark.parametrize("order", Order)
def test_each_further_candidate_costs_the_same(order: Order) -> None:
    few, many, more = (calls(listed(count), order, 0.9) for count in (5, 50, 100))
    assert (many - few) / 45 <= MOST_CALLS
    assert (more - many) / 50 <= (many - few) / 45 * 1.1, "twice as many candidates are twice the work and no more"


@pytest.mark.parametrize("order", [Order.CHEAPEST, Order.FASTEST, Order.BALANCED])
def test_looking_for_somebody_to_explore_is_cheap_too(order: Order) -> None:
    exploring = calls(listed(20), order, 0.0)
    assert exploring <= calls(listed(20), order, 0.9) * 2
    assert exploring <= FIXED_CALLS + 20 * MOST_CALLS
