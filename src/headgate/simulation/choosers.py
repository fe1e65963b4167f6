"""Who decides where a request goes: the planner that serves traffic, or an oracle that knows the truth."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Protocol

import msgspec

from headgate.catalog.cost import reckon
from headgate.catalog.terms import standing
from headgate.routing.lesson import Lesson, learn
from headgate.routing.observed import Observed
from headgate.routing.plan import BALANCE
from headgate.routing.planner import Planner
from headgate.routing.requirements import Extent
from headgate.simulation.listing import MODEL, START_S, Listing
from headgate.simulation.scenario import MixPart, Scenario
from headgate.simulation.synthetic import HANG_S, Outcome, Synthetic
from headgate.simulation.traffic import Arrival, Traffic
from headgate.types.deployment import Deployment, Operation
from headgate.types.money import TOKENS_PER_MTOK
from headgate.types.policy import Order
from headgate.types.principal import Principal
from headgate.types.request import Envelope, Plan

LATE = 8.0
LEAST_LATE_S = 2.0
LATE_IS_KNOWN = 10.0
"""When the gateway asks the next candidate beside one that keeps silent: after so many times its usual first-token
time, no sooner than so many seconds, once so many answers have shown what is usual; else when the first-token clock
ends."""

_NEVER = 1.0
"""A draw that no chance is high enough for."""

_CLIENT = Principal(key="client", key_id="simulated")
_ENVELOPE = Envelope(operation=Operation.CHAT, model=MODEL, fields={}, size=0)


_FOREVER_S = 1e9


def late_s(usual_s: float) -> float:
    """After how long one that usually begins to answer within so many seconds is late."""
    return min(max(usual_s * LATE, LEAST_LATE_S), HANG_S)


class Choice(msgspec.Struct, frozen=True, eq=False):
    """Providers, by their place in the scenario, in the order in which they are tried. `usual` is who would have been
    first if nothing were to be found out; None when that is who is first."""

    order: Sequence[int]
    usual: int | None = None
    deployments: Sequence[Deployment] = ()


class Chooser(Protocol):
    """Decides, and is told how it went."""

    def choose(self, arrival: Arrival, now: float) -> Choice: ...

    def begins(self, choice: Choice, place: int, arrival: Arrival, now: float) -> None: ...

    def late_s(self, choice: Choice, place: int, arrival: Arrival) -> float:
        """After how long the next candidate is asked beside one that keeps silent."""
        ...

    def ended(self, choice: Choice, place: int, arrival: Arrival, outcome: Outcome, begun: float) -> None: ...


class Routed:
    """The planner, with what it can know: the catalogue and its own traffic."""

    def __init__(self, scenario: Scenario, listing: Listing, order: Order, seed: int) -> None:
        self._order = order
        self._listing = listing
        self._mix = scenario.mix
        self._places = {part.name: place for place, part in enumerate(scenario.providers)}
        self._reports = [part.reports_cost for part in scenario.providers]
        self._observed = Observed()
        dice = random.Random(f"{order} {seed}")
        self._draw = dice.random
        self._drawn: list[float] = []
        self._planner = Planner(self._observed, self._next, rests=True)
        self._settled = Planner(self._observed, lambda: _NEVER, rests=True)

    def _next(self) -> float:
        drawn = self._draw()
        self._drawn.append(drawn)
        return drawn

    def choose(self, arrival: Arrival, now: float) -> Choice:
        self._drawn.clear()
        made = self._plan(self._planner, arrival, now)
        deployments = [one.deployment for one in made.candidates]
        order = [self._places[one.upstream.provider] for one in deployments]
        return Choice(order, self._usual(made, arrival, now, order[0]), deployments)

    def _usual(self, made: Plan, arrival: Arrival, now: float, first: int) -> int | None:
        if self._order is Order.ORDERED or self._order is Order.WEIGHTED:
            return None
        if self._drawn and self._drawn[-1] < 0.2:
            # Only now can chance have put anybody first.
            settled = self._plan(self._settled, arrival, now).candidates[0].deployment.upstream.provider
            return None if self._places[settled] == first else self._places[settled]
        if self._order is not Order.CHEAPEST and made.figures[0].time_s is None:
            # Nobody has tried it: the best of those that somebody has.
            known = [place for place, one in enumerate(made.figures) if one.time_s is not None]
            return self._places[made.candidates[known[0]].deployment.upstream.provider] if known else None
        return None

    def _plan(self, planner: Planner, arrival: Arrival, now: float) -> Plan:
        extent = Extent(text=int(arrival.prompt * self._mix.bytes_per_token), each=self._mix.max_tokens)
        made = planner.plan_for(
            self._listing.snapshot, _CLIENT, _ENVELOPE, extent, order=self._order, at=START_S + now, now=now
        )
        assert made is not None, "the model is in every snapshot"
        return made

    def begins(self, choice: Choice, place: int, arrival: Arrival, now: float) -> None:
        tokens = arrival.prompt + arrival.written
        self._observed.of(choice.deployments[place]).begin(tokens, now)

    def late_s(self, choice: Choice, place: int, arrival: Arrival) -> float:
        usual = self._observed.of(choice.deployments[place]).first_token_s
        return late_s(usual.mean) if arrival.stream and usual.weight >= LATE_IS_KNOWN else HANG_S

    def ended(self, choice: Choice, place: int, arrival: Arrival, outcome: Outcome, begun: float) -> None:
        deployment, usage = choice.deployments[place], outcome.usage
        now = outcome.done
        if usage is None:
            lesson = Lesson(
                deployment=deployment, fault=outcome.fault, wait_s=outcome.wait_s, headroom=outcome.headroom
            )
            learn(self._observed, lesson, now)
            return
        if self._reports[choice.order[place]]:
            usage = msgspec.structs.replace(usage, reported_pusd=outcome.charged_pusd)
        lesson = Lesson(
            deployment=deployment,
            headroom=outcome.headroom,
            usage=usage,
            cost=reckon(deployment.offer, usage, START_S + begun),
            first_token_s=outcome.first_token - begun if arrival.stream else None,
            total_s=now - begun,
            text=int(arrival.prompt * self._mix.bytes_per_token),
            key_id=_CLIENT.key_id,
            model=MODEL,
        )
        learn(self._observed, lesson, now)


class Oracle:
    """Knows of every provider what is true of it now, on average: price, pace, errors, outages, limits, waiting
    requests. It knows neither the luck of the single request nor what is to come."""

    def __init__(self, order: Order, world: Sequence[Synthetic], traffic: Traffic, mix: MixPart) -> None:
        self._order = order
        self._world = world
        self._written = traffic.mean_written
        self._prefix = mix.prefix.share

    def choose(self, arrival: Arrival, now: float) -> Choice:
        figures = [self._figures(one, arrival, now) for one in self._world]
        if self._order is Order.BALANCED:
            best = min(able for able, _, _ in figures)
            limit = BALANCE * min(time for able, time, _ in figures if able == best)
            keys = [(able, time > limit, cost, time) for able, time, cost in figures]
            return Choice(sorted(range(len(keys)), key=keys.__getitem__))
        if self._order is Order.FASTEST:
            return Choice(sorted(range(len(figures)), key=figures.__getitem__))
        by_cost = [(able, cost, time) for able, time, cost in figures]
        return Choice(sorted(range(len(by_cost)), key=by_cost.__getitem__))

    def begins(self, choice: Choice, place: int, arrival: Arrival, now: float) -> None:
        """It learns nothing: it knows."""

    def late_s(self, choice: Choice, place: int, arrival: Arrival) -> float:
        one = self._world[choice.order[place]]
        return late_s(one.slow * one.part.first_token_s.mean) if arrival.stream else HANG_S

    def ended(self, choice: Choice, place: int, arrival: Arrival, outcome: Outcome, begun: float) -> None:
        """It learns nothing: it knows."""

    def _figures(self, one: Synthetic, arrival: Arrival, now: float) -> tuple[int, float, float]:
        """Whether it would fail (0: it would not), expected seconds and pico-dollars of an answer.

        An attempt that may fail costs, beside the answer's own time, that of the failures before one succeeds.
        """
        able = 2 if one.outage != "over" else 1 if one.bucket is not None and one.bucket.left(now) < 1 else 0
        part = one.part
        time = one.slow * (part.first_token_s.mean + part.tokens_per_s.mean_inverse * self._written)
        if part.slots is not None:
            time += one.waiting_s(now)
        failing = one.error_rate
        if failing:
            lost_s = one.failure_s
            if lost_s == HANG_S and arrival.stream:
                lost_s = late_s(one.slow * part.first_token_s.mean)
            time += lost_s * failing / (1 - failing) if failing < 1 else _FOREVER_S
        price = one.price if one.terms is None else standing(one.price, one.terms, arrival.prompt, START_S + now)
        entered, written = price.input_pusd_per_mtok or 0, price.output_pusd_per_mtok or 0
        cost = arrival.prompt * entered + self._written * written
        cached = price.cached_input_pusd_per_mtok
        if part.cache is not None and cached is not None:
            cost -= arrival.prompt * self._prefix * part.cache.share * (entered - cached)
        return able, time, cost / TOKENS_PER_MTOK
