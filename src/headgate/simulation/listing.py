"""What the gateway believes of synthetic providers: the catalogue's side of a scenario, as snapshots.

A price that becomes known is a new snapshot with new deployments, as after a reload; an announced one is in the
catalogue from the start, with its date.
"""

from __future__ import annotations

from collections.abc import Sequence

from headgate.simulation.scenario import EventPart, ProviderPart, Scenario
from headgate.simulation.synthetic import price_of
from headgate.types.deployment import Credential, Deployment, Offer, Upstream
from headgate.types.money import Change, Price, Terms
from headgate.types.snapshot import ModelEntry, Snapshot

MODEL = "simulated"
"""The one model that every provider of a scenario sells."""

START_S = 1_767_225_600
"""Unix time at which simulations begin: 2026-01-01T00:00:00Z."""

_ADDRESS = "http://127.0.0.1:9/v1"
"""Nobody is called."""


class Listing:
    """The catalogue as it stands, and the snapshot made of it."""

    def __init__(self, scenario: Scenario) -> None:
        self._parts = scenario.providers
        self._prices = {one.name: (Price(), None) if one.price is None else price_of(one.price) for one in self._parts}
        self._changes = {one.name: _announced(one.name, scenario.events) for one in self._parts}
        self._revision = 0
        self.snapshot = self._publish()

    def learns(self, event: EventPart) -> None:
        """Take up the price of an event."""
        assert event.price is not None, "only events with a price are found out"
        self._prices[event.provider] = price_of(event.price)
        self.snapshot = self._publish()

    def _publish(self) -> Snapshot:
        self._revision += 1
        return _snapshot(
            [_deployment(part, self._prices[part.name][0], self._terms(part.name)) for part in self._parts],
            self._revision,
        )

    def _terms(self, name: str) -> Terms | None:
        terms, changes = self._prices[name][1], self._changes[name]
        if terms is None and not changes:
            return None
        return Terms(tiers=() if terms is None else terms.tiers, changes=changes)


def _snapshot(deployments: Sequence[Deployment], revision: int) -> Snapshot:
    return Snapshot(
        revision=revision,
        created=START_S,
        keys={},
        routes={},
        patterns=(),
        pins={one.upstream.provider: {one.offer.upstream_id: (one,)} for one in deployments},
        open_pins={},
        catch_all={},
        models={MODEL: ModelEntry(name=MODEL, model=MODEL, deployments=tuple(deployments))},
        listed=(MODEL,),
        providers=tuple(one.upstream.provider for one in deployments),
    )


def _announced(name: str, events: Sequence[EventPart]) -> tuple[Change, ...]:
    return tuple(
        Change(START_S + int(event.at_s), price_of(event.price)[0])
        for event in sorted(events, key=lambda event: event.at_s)
        if event.provider == name and event.announced and event.price is not None
    )


def _deployment(part: ProviderPart, price: Price, terms: Terms | None) -> Deployment:
    return Deployment(
        offer=Offer(
            provider=part.name, upstream_id=MODEL, model=MODEL, price=price, terms=terms, price_source="scenario"
        ),
        credential=Credential(name="default", secret=None, weight=part.weight),
        upstream=Upstream(
            provider=part.name,
            dialect="openai",
            base_url=_ADDRESS,
            auth_header=None,
            concurrent=part.concurrent,
        ),
    )
