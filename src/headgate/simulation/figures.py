"""What the runs of a scenario come to: cost, time, regret against the oracle, availability, exploration."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from headgate.simulation.run import Run, Served
from headgate.simulation.scenario import Scenario, TargetsPart
from headgate.simulation.traffic import traffic_of
from headgate.types.policy import Order

SETTLED_S = 600.0
"""So long after something has changed a policy must have found its way."""

USUAL = TargetsPart()

_EXPLORING = frozenset({Order.CHEAPEST, Order.FASTEST, Order.BALANCED})


class Span(msgspec.Struct, frozen=True):
    """A part of a run: the requests that came in it. `after` are the events it follows, empty for the whole run."""

    after: str
    from_s: float
    until_s: float


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """One policy, or one oracle, over one span.

    Money in pico-dollars, times in seconds from the request's arrival to the end of its answer. The regrets are per
    cent over the oracle: of cost over the requests that both served, of the time within which 95 of 100 were served.
    They are None for oracles. `shares` are the parts of the served requests by provider, `explored` the part of the
    requests that were used to find something out, and `exploration_cost`, `exploration_time` what these took more than
    they would have otherwise, in per cent of everything.
    """

    requests: int
    success: float
    cost_pusd: int
    mean_s: float
    p50_s: float
    p95_s: float
    attempts: float
    cost_regret: float | None = None
    p95_regret: float | None = None
    shares: dict[str, float] = {}
    explored: float = 0.0
    exploration_cost: float = 0.0
    exploration_time: float = 0.0


class Result(msgspec.Struct, frozen=True):
    """The figures of one policy or oracle: of the whole run, and of the windows after its events."""

    name: str
    whole: Figures
    windows: dict[str, Figures]


class Report(msgspec.Struct, frozen=True):
    """All results of a scenario for one seed."""

    seed: int
    duration_s: float
    policies: list[Result]
    oracles: list[Result]
    missed: list[str]


def simulate(scenario: Scenario, *, seed: int | None = None, policies: Sequence[Order] | None = None) -> Report:
    """Play a scenario for each policy and for the oracles they are measured against.

    The same seed always has the same result.
    """
    seed = scenario.seed if seed is None else seed
    chosen = list(dict.fromkeys(scenario.policies if policies is None else policies))
    traffic = traffic_of(scenario, seed)
    names = [one.name for one in scenario.providers]
    against = [Order.CHEAPEST, Order.FASTEST, *([Order.BALANCED] if Order.BALANCED in chosen else [])]
    known = {order: Run(scenario, traffic, order, seed, oracle=True).play() for order in against}
    whole, windows = Span("", 0.0, scenario.duration_s), spans_of(scenario)
    results = []
    for order in chosen:
        served = Run(scenario, traffic, order, seed).play()
        by_cost, by_time = known[_cheap(order)], known[_fast(order)]
        results.append(_result(str(order), names, [whole, *windows], served, by_cost, by_time))
    oracles = [_result(str(order), names, [whole, *windows], served) for order, served in known.items()]
    return Report(seed, scenario.duration_s, results, oracles, missed_by(scenario, results))


def spans_of(scenario: Scenario) -> list[Span]:
    """From ten minutes after an event until the next one, where there is time left."""
    events = sorted(scenario.events, key=lambda event: event.at_s)
    moments = sorted({event.at_s for event in events})
    spans = []
    for at, until in zip(moments, [*moments, scenario.duration_s][1:], strict=True):
        if at + SETTLED_S < until:
            after = "; ".join(str(event) for event in events if event.at_s == at)
            spans.append(Span(after, at + SETTLED_S, until))
    return spans


def missed_by(scenario: Scenario, results: Sequence[Result]) -> list[str]:
    """Which of the scenario's targets policies did not reach, in words; none is what it should be."""
    found: list[str] = []
    for result in results:
        spans = {"": result.whole, **result.windows}
        for name, one in spans.items():
            targets = USUAL if name else scenario.targets
            checks: list[tuple[str, float | None, float]] = []
            if result.name == Order.CHEAPEST:
                checks.append(("cost", one.cost_regret, targets.cheapest_cost))
            if result.name == Order.FASTEST:
                checks.append(("p95 time", one.p95_regret, targets.fastest_p95))
            if result.name in _EXPLORING and not name:
                checks.append(("cost of exploration", one.exploration_cost, targets.exploration))
                checks.append(("time of exploration", one.exploration_time, targets.exploration))
            where = f" from {SETTLED_S / 60:g} minutes after {name}" if name else ""
            found += [
                f"{result.name}{where}: {what} {value:+.1f} %, at most {most:g} %"
                for what, value, most in checks
                if value is not None and value > most
            ]
    return found


def _cheap(order: Order) -> Order:
    return Order.BALANCED if order is Order.BALANCED else Order.CHEAPEST


def _fast(order: Order) -> Order:
    return Order.BALANCED if order is Order.BALANCED else Order.FASTEST


def _result(
    name: str,
    names: Sequence[str],
    spans: Sequence[Span],
    served: Sequence[Served],
    by_cost: Sequence[Served] | None = None,
    by_time: Sequence[Served] | None = None,
) -> Result:
    whole, *windows = [
        _figures(
            names,
            _within(served, span),
            None if by_cost is None else _within(by_cost, span),
            None if by_time is None else _within(by_time, span),
        )
        for span in spans
    ]
    return Result(name, whole, {_label(span): one for span, one in zip(spans[1:], windows, strict=True)})


def _label(span: Span) -> str:
    return f"{span.after} at {span.from_s - SETTLED_S:g} s"


def _within(served: Sequence[Served], span: Span) -> Sequence[Served]:
    return served if not span.after else [one for one in served if span.from_s <= one.at < span.until_s]


def _figures(
    names: Sequence[str],
    served: Sequence[Served],
    by_cost: Sequence[Served] | None = None,
    by_time: Sequence[Served] | None = None,
) -> Figures:
    answered = [one for one in served if one.provider is not None]
    times = sorted(one.time_s for one in answered)
    cost = sum(one.cost_pusd for one in answered)
    spent_s = sum(times)
    p95 = _percentile(times, 0.95)
    shares = {name: sum(one.provider == place for one in answered) for place, name in enumerate(names)}
    return Figures(
        requests=len(served),
        success=len(answered) / len(served) if served else 1.0,
        cost_pusd=cost,
        mean_s=spent_s / len(times) if times else 0.0,
        p50_s=_percentile(times, 0.5),
        p95_s=p95,
        attempts=sum(one.attempts for one in served) / len(served) if served else 0.0,
        cost_regret=None if by_cost is None else _cost_regret(served, by_cost),
        p95_regret=None if by_time is None else _over(p95, _percentile(_times(by_time), 0.95)),
        shares={name: count / len(answered) for name, count in shares.items() if count},
        explored=sum(one.explored for one in served) / len(served) if served else 0.0,
        exploration_cost=100 * sum(one.extra_pusd for one in served) / cost if cost else 0.0,
        exploration_time=100 * sum(one.extra_s for one in served) / spent_s if spent_s else 0.0,
    )


def _times(served: Sequence[Served]) -> list[float]:
    return sorted(one.time_s for one in served if one.provider is not None)


def _cost_regret(served: Sequence[Served], known: Sequence[Served]) -> float:
    both = [
        (one.cost_pusd, other.cost_pusd)
        for one, other in zip(served, known, strict=True)
        if one.provider is not None and other.provider is not None
    ]
    return _over(sum(one for one, _ in both), sum(other for _, other in both))


def _over(one: float, other: float) -> float:
    """Per cent by which one is more than the other."""
    return 100 * (one - other) / other if other else 0.0


def _percentile(ordered: Sequence[float], part: float) -> float:
    return ordered[min(int(part * len(ordered)), len(ordered) - 1)] if ordered else 0.0
