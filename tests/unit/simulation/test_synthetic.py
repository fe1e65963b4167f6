"""Synthetic providers: prices, times, limits, slots, caches and failures as the scenario says."""

from __future__ import annotations

from typing import Any

import pytest

from headgate.simulation.scenario import LimitsPart
from headgate.simulation.synthetic import HANG_S, REFUSAL_S, Bucket, Synthetic
from headgate.simulation.traffic import Arrival, Luck
from headgate.types.fault import FaultClass
from tests.unit.simulation.scenarios import provider, scenario

TOKENS = 1_000_000


def made(**more: Any) -> Synthetic:
    part = scenario(provider("p", first_token_s=1, tokens_per_s=100, **more)).providers[0]
    return Synthetic(part, Luck(error=[0.5] * 50, first_s=[1.0] * 50, per_token_s=[0.01] * 50))


def arrival(index: int = 0, prompt: int = 1_000, prefix: int | None = None) -> Arrival:
    return Arrival(index, 0.0, prompt, 200, prefix, True)


def test_an_answer_takes_its_first_token_and_its_writing_and_costs_its_tokens() -> None:
    outcome = made().take(arrival(), 10.0)
    assert outcome.fault is None
    assert (outcome.first_token, outcome.done) == (11.0, 13.0)
    assert outcome.charged_pusd == 1_200 * 100_000_000_000 // TOKENS


def test_a_slower_provider_is_slower_in_everything() -> None:
    one = made()
    one.slow = 5.0
    assert one.take(arrival(), 0.0).done == 15.0


def test_who_charges_otherwise_than_the_list_says_charges_that() -> None:
    one = made(charged={"input_usd_per_mtok": "1", "output_usd_per_mtok": "2"})
    assert one.take(arrival(), 0.0).charged_pusd == (1_000 * 10**12 + 200 * 2 * 10**12) // TOKENS


def test_long_prompts_cost_what_their_tier_says() -> None:
    tiers = [{"above_tokens": 2_000, "input_usd_per_mtok": "3"}]
    one = made(charged={"input_usd_per_mtok": "1", "output_usd_per_mtok": "0", "tiers": tiers})
    costs = [one.take(arrival(prompt=prompt), 0.0).charged_pusd for prompt in (2_000, 2_001)]
    assert costs == [2_000 * 10**12 // TOKENS, 2_001 * 3 * 10**12 // TOKENS]


def test_a_prefix_is_cached_once_it_was_seen_and_for_as_long_as_it_is_kept() -> None:
    one = made(cache={"share": 0.8, "kept_s": 60})
    usages = [
        one.take(arrival(prefix=prefix), at).usage for prefix, at in ((1, 0), (1, 50), (2, 51), (1, 111), (None, 112))
    ]
    assert [usage.cached_input for usage in usages if usage is not None] == [0, 800, 0, 0, 0]
    assert all(usage is not None and usage.prompt_tokens == 1_000 for usage in usages)


def test_a_quote_is_what_an_attempt_then_comes_to_and_changes_nothing() -> None:
    one = made(cache={"share": 0.8}, slots=1)
    one.take(arrival(prefix=1), 0.0)
    quoted = [one.quote(arrival(prefix=1), 1.0) for _ in range(2)]
    outcome = one.take(arrival(prefix=1), 1.0)
    assert quoted == [(outcome.done - 1.0, outcome.charged_pusd)] * 2


def test_requests_wait_for_a_slot_in_the_order_they_came() -> None:
    one = made(slots=2)
    assert [one.take(arrival(index), 0.0).done for index in range(5)] == [3.0, 3.0, 6.0, 6.0, 9.0]
    assert one.waiting_s(0.0) == 6.0
    assert one.waiting_s(6.0) == 0.0


def test_an_outage_refuses_at_once_or_hangs() -> None:
    one = made()
    for outage, fault, seconds in (
        ("refuses", FaultClass.SERVER_ERROR, REFUSAL_S),
        ("hangs", FaultClass.NO_FIRST_TOKEN, HANG_S),
    ):
        one.outage = outage
        outcome = one.take(arrival(), 5.0)
        assert (outcome.fault, outcome.done, outcome.charged_pusd) == (fault, 5.0 + seconds, 0)


def test_errors_come_for_whom_luck_has_them() -> None:
    one = made(errors={"rate": 0.4, "kind": "rate_limited", "after_s": 2, "retry_after_s": 9})
    assert one.take(arrival(), 0.0).fault is None, "its draw is 0.5"
    one.error_rate = 0.6
    outcome = one.take(arrival(), 0.0)
    assert (outcome.fault, outcome.done, outcome.wait_s) == (FaultClass.RATE_LIMITED, 2.0, 9)


@pytest.mark.parametrize(("refill", "wait_s"), [("continuous", 20.0), ("window", 50.0)])
def test_a_limit_refuses_what_is_beyond_it_and_says_for_how_long(refill: Any, wait_s: float) -> None:
    one = made(limits={"requests_per_minute": 3, "refill": refill})
    taken = [one.take(arrival(index), 10.0) for index in range(4)]
    assert [outcome.fault for outcome in taken] == [None, None, None, FaultClass.RATE_LIMITED]
    assert taken[-1].wait_s == pytest.approx(wait_s)
    told = [outcome.headroom.requests for outcome in taken if outcome.headroom is not None]
    assert told == [2, 1, 0, 0]
    assert one.take(arrival(5), 10.0 + wait_s).fault is None


def test_headroom_says_when_everything_is_back() -> None:
    bucket = Bucket(LimitsPart(requests_per_minute=60))
    for _ in range(30):
        assert bucket.take(100.0) is None
    told = bucket.headroom(100.0)
    assert told.requests == 30
    assert told.requests_reset_s == pytest.approx(30.0)
    assert bucket.left(130.0) == 60.0


def test_a_provider_may_keep_its_limits_to_itself() -> None:
    assert made(limits={"requests_per_minute": 3, "told": False}).take(arrival(), 0.0).headroom is None
