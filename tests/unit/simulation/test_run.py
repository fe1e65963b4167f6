"""Runs: fallback, windows, regret, and that nothing but choice makes a difference."""

from __future__ import annotations

import msgspec
import pytest

from headgate.simulation.figures import Report, missed_by, simulate, spans_of
from headgate.simulation.run import Run
from headgate.simulation.traffic import traffic_of
from headgate.types.policy import Order
from tests.unit.simulation.scenarios import PRICE, provider, scenario

SPREAD = {"median": 0.5, "sigma": 0.5}
CHANGING = scenario(
    provider("cheap", "0.10", SPREAD, errors={"rate": 0.1}, limits={"requests_per_minute": 50}, reports_cost=True),
    provider("dear", "0.30", {"low": 0.1, "high": 0.4}, 300, cache={"share": 0.5}, slots=3),
    duration_s=2000,
    mix={"prompt_tokens": 900, "output_tokens": SPREAD | {"median": 90}, "prefix": {"share": 0.5}, "stream_share": 0.5},
    events=[
        {"at_s": 500, "provider": "dear", "slow_down": 5},
        {"at_s": 700, "provider": "cheap", "price": PRICE, "catalogue_updates_after_s": 50},
        {"at_s": 900, "provider": "cheap", "outage": "hangs"},
        {"at_s": 1100, "provider": "cheap", "outage": False},
    ],
)


def test_the_same_seed_has_the_same_result_to_the_last_figure() -> None:
    reports = [msgspec.to_builtins(simulate(CHANGING, seed=seed)) for seed in (4, 4, 5)]
    assert reports[0] == reports[1] != reports[2]


def test_a_policy_is_not_changed_by_who_is_simulated_beside_it() -> None:
    together = simulate(CHANGING)
    alone = simulate(CHANGING, policies=[Order.FASTEST])
    assert alone.policies[0] == next(one for one in together.policies if one.name == Order.FASTEST)


def test_every_request_ends_and_counts_once() -> None:
    traffic = traffic_of(CHANGING, 1)
    for order in Order:
        for oracle in (False, True):
            served = Run(CHANGING, traffic, order, 1, oracle=oracle).play()
            assert len(served) == len(traffic.arrivals)
            assert all(one.attempts >= 1 and one.time_s > 0 for one in served)
            assert all((one.cost_pusd > 0) == (one.provider is not None) for one in served)


def test_whoever_fails_is_followed_by_the_next_and_its_time_is_lost() -> None:
    down = [{"at_s": 0, "provider": "first", "outage": True}]
    calm = scenario(provider("first", first_token_s=1), provider("second", first_token_s=1), events=down)
    served = Run(calm, traffic_of(calm, 1), Order.ORDERED, 1).play()
    assert {one.provider for one in served} == {1}
    assert served[0].attempts == 2
    assert served[0].time_s == pytest.approx(0.1 + 1 + 200 / 100)
    assert served[-1].time_s == pytest.approx(1 + 200 / 100), "by now it is known to fail"


def test_beside_one_that_keeps_silent_the_next_is_asked_before_the_clock_has_run_out() -> None:
    hanging = [{"at_s": 300, "provider": "first", "outage": "hangs"}]
    calm = scenario(provider("first", first_token_s=0.5), provider("second", first_token_s=0.5), events=hanging)
    served = Run(calm, traffic_of(calm, 1), Order.ORDERED, 1).play()
    late = next(one for one in served if one.at > 301)
    assert (late.provider, late.attempts) == (1, 2)
    assert late.time_s == pytest.approx(8 * 0.5 + 0.5 + 2), "eight times as long as usual is late"


def test_a_request_fails_when_everybody_does() -> None:
    down = [{"at_s": 300, "provider": "only", "outage": True}, {"at_s": 400, "provider": "only", "outage": False}]
    report = simulate(scenario(events=down), policies=[Order.CHEAPEST])
    failed = 1 - report.policies[0].whole.success
    assert failed == pytest.approx(100 / 600, rel=0.25)
    assert report.policies[0].whole.cost_regret == 0.0, "what nobody served is not counted as saved"


def test_a_slow_and_dear_choice_has_the_regret_it_deserves() -> None:
    two = scenario(provider("worse", "0.30", 1, 50), provider("better", "0.10", 0.5, 100))
    worse, best = simulate(two, policies=[Order.ORDERED, Order.CHEAPEST]).policies
    assert worse.whole.cost_regret == pytest.approx(200.0)
    assert worse.whole.p95_regret == pytest.approx(100.0)
    assert worse.whole.shares == {"worse": 1.0}
    assert best.whole.cost_regret == 0.0


def test_windows_begin_ten_minutes_after_an_event_and_end_at_the_next() -> None:
    events = [
        {"at_s": 100, "provider": "only", "slow_down": 2},
        {"at_s": 1000, "provider": "only", "slow_down": 1},
        {"at_s": 1500, "provider": "only", "outage": True},
        {"at_s": 1500, "provider": "only", "error_rate": 0.5},
    ]
    spans = spans_of(scenario(duration_s=3000, events=events))
    assert [(one.from_s, one.until_s) for one in spans] == [(700, 1000), (2100, 3000)]
    assert spans[1].after == "only down; only 50% errors"
    assert spans_of(scenario()) == []


def test_a_target_that_is_missed_is_named() -> None:
    report: Report = simulate(scenario(provider("a", "0.30"), provider("b", "0.10")), policies=[Order.ORDERED])
    renamed = msgspec.structs.replace(report.policies[0], name="cheapest")
    assert missed_by(scenario(), [renamed]) == ["cheapest: cost +200.0 %, at most 2 %"]
    excused = scenario(targets={"cheapest_cost": 300, "because": "a test"})
    assert missed_by(excused, [renamed]) == []
