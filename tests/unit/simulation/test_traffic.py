"""The requests of a scenario, and the luck each of them has with each provider."""

from __future__ import annotations

import pytest

from headgate.simulation.traffic import traffic_of
from tests.unit.simulation.scenarios import provider, scenario

SPREAD = {"median": 0.5, "sigma": 0.5}


def test_the_same_seed_draws_the_same_traffic_and_another_seed_other_traffic() -> None:
    drawn = [traffic_of(scenario(provider("p", first_token_s=SPREAD)), seed) for seed in (1, 1, 2)]
    times = [[one.at for one in traffic.arrivals] for traffic in drawn]
    assert times[0] == times[1] != times[2]
    assert drawn[0].luck[0].first_s == drawn[1].luck[0].first_s


def test_a_provider_has_the_same_luck_whoever_stands_beside_it() -> None:
    alone = traffic_of(scenario(provider("p", first_token_s=SPREAD)), 1)
    beside = traffic_of(scenario(provider("q"), provider("p", first_token_s=SPREAD)), 1)
    assert alone.luck[0].first_s == beside.luck[1].first_s


def test_requests_arrive_as_often_as_each_step_says() -> None:
    steps = [{"from_s": 0, "per_s": 2}, {"from_s": 1000, "per_s": 8}, {"from_s": 3000, "per_s": 0.5}]
    times = [one.at for one in traffic_of(scenario(duration_s=5000, arrivals_per_s=steps), 1).arrivals]
    assert times == sorted(times)
    assert times[-1] < 5000
    counts = [sum(low <= at < high for at in times) for low, high in ((0, 1000), (1000, 3000), (3000, 5000))]
    assert counts == [pytest.approx(2_000, rel=0.1), pytest.approx(16_000, rel=0.05), pytest.approx(1_000, rel=0.15)]


def test_requests_are_as_the_mix_says() -> None:
    mix = {
        "prompt_tokens": {"low": 10, "high": 20},
        "output_tokens": {"median": 100, "sigma": 1},
        "max_tokens": 150,
        "prefix": {"share": 0.5, "prefixes": 3},
        "stream_share": 0.25,
    }
    arrivals = traffic_of(scenario(duration_s=4000, mix=mix), 1).arrivals
    count = len(arrivals)
    assert all(10 <= one.prompt <= 20 for one in arrivals)
    assert max(one.written for one in arrivals) == 150, "the cap holds"
    assert sum(one.prefix is not None for one in arrivals) / count == pytest.approx(0.5, abs=0.04)
    assert {one.prefix for one in arrivals} == {None, 0, 1, 2}
    assert sum(one.stream for one in arrivals) / count == pytest.approx(0.25, abs=0.04)
