"""One run: the requests of a scenario, one chooser, and a clock that jumps from event to event."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from heapq import heappop, heappush
from itertools import count

import msgspec

from headgate.simulation.choosers import Choice, Chooser, Oracle, Routed
from headgate.simulation.listing import Listing
from headgate.simulation.scenario import EventPart, Scenario
from headgate.simulation.synthetic import Outcome, Synthetic, price_of
from headgate.simulation.traffic import Arrival, Traffic
from headgate.types.fault import FaultClass
from headgate.types.policy import Order


class Served(msgspec.Struct, eq=False):
    """What became of one request. `provider` is the place of the one that answered, None when none did.

    `extra_s` and `extra_pusd` are what it took and cost beyond the provider that would have been asked, had the
    request not been used to find something out; `explored` is whether it was.
    """

    at: float
    provider: int | None = None
    time_s: float = 0.0
    cost_pusd: int = 0
    attempts: int = 0
    explored: bool = False
    extra_s: float = 0.0
    extra_pusd: int = 0


class _Running(msgspec.Struct, frozen=True, eq=False):
    arrival: Arrival
    choice: Choice
    place: int
    begun: float
    outcome: Outcome
    overtaken: bool
    """Whether the next candidate is asked before this one has failed."""


Happening = Callable[[], None]


class Run:
    """Plays a scenario once, for one policy."""

    def __init__(self, scenario: Scenario, traffic: Traffic, order: Order, seed: int, *, oracle: bool = False) -> None:
        self._traffic = traffic
        self._world = [Synthetic(*pair) for pair in zip(scenario.providers, traffic.luck, strict=True)]
        self._by_name = {one.part.name: one for one in self._world}
        listing = Listing(scenario)
        self._chooser: Chooser = (
            Oracle(order, self._world, traffic, scenario.mix) if oracle else Routed(scenario, listing, order, seed)
        )
        self._served = [Served(one.at) for one in traffic.arrivals]
        self._numbers = count()
        self._pending: list[tuple[float, int, _Running | Happening]] = []
        for event in scenario.events:
            self._push(event.at_s, partial(self._happens, event))
            if event.price is not None and event.catalogue_updates_after_s is not None:
                at = event.at_s + event.catalogue_updates_after_s
                self._push(at, partial(listing.learns, event))

    def play(self) -> list[Served]:
        """What became of each request, in the order in which they came."""
        for arrival in self._traffic.arrivals:
            self._until(arrival.at)
            choice = self._chooser.choose(arrival, arrival.at)
            self._note_exploration(choice, arrival)
            self._begin(arrival, choice, 0, arrival.at)
        self._until(float("inf"))
        return self._served

    def _push(self, at: float, what: _Running | Happening) -> None:
        heappush(self._pending, (at, next(self._numbers), what))

    def _until(self, now: float) -> None:
        """Let everything happen that does so by a time."""
        pending = self._pending
        while pending and pending[0][0] <= now:
            _, _, what = heappop(pending)
            if isinstance(what, _Running):
                self._end(what)
            else:
                what()

    def _begin(self, arrival: Arrival, choice: Choice, place: int, now: float) -> None:
        self._chooser.begins(choice, place, arrival, now)
        outcome = self._world[choice.order[place]].take(arrival, now)
        overtaken = False
        if outcome.fault is FaultClass.NO_FIRST_TOKEN and place + 1 < len(choice.order):
            at = now + self._chooser.late_s(choice, place, arrival)
            overtaken = at < outcome.done
            if overtaken:
                self._push(at, partial(self._begin, arrival, choice, place + 1, at))
        self._push(outcome.done, _Running(arrival, choice, place, now, outcome, overtaken))

    def _end(self, one: _Running) -> None:
        arrival, choice, place, outcome = one.arrival, one.choice, one.place, one.outcome
        self._chooser.ended(choice, place, arrival, outcome, one.begun)
        served = self._served[arrival.index]
        served.attempts += 1
        if one.overtaken:
            return
        served.time_s = outcome.done - arrival.at
        if outcome.fault is None:
            served.provider = choice.order[place]
            served.cost_pusd = outcome.charged_pusd
        elif place + 1 < len(choice.order):
            self._begin(arrival, choice, place + 1, outcome.done)

    def _note_exploration(self, choice: Choice, arrival: Arrival) -> None:
        if choice.usual is None:
            return
        chosen_s, chosen_pusd = self._world[choice.order[0]].quote(arrival, arrival.at)
        usual_s, usual_pusd = self._world[choice.usual].quote(arrival, arrival.at)
        served = self._served[arrival.index]
        served.explored = True
        served.extra_s, served.extra_pusd = chosen_s - usual_s, chosen_pusd - usual_pusd

    def _happens(self, event: EventPart) -> None:
        one = self._by_name[event.provider]
        if event.slow_down is not None:
            one.slow = event.slow_down
        if event.price is not None:
            one.price, one.terms = price_of(event.price)
        if event.outage is not None:
            one.outage = event.outage
        if event.error_rate is not None:
            one.error_rate = event.error_rate
