"""How a candidate is treated: as its route says, else as its provider's entry says. Pure."""

from __future__ import annotations

from headgate.types.deployment import Upstream
from headgate.types.policy import Treatment
from headgate.types.snapshot import Route

HOLD_ALL = "full"
"""Streams are held until they are whole."""


def treatment_of(route: Route | None, upstream: Upstream) -> Treatment:
    """What holds for a provider's deployments where a route leads to them; None for a name that is no route."""
    if route is None:
        return Treatment(
            upstream.timeouts,
            upstream.retries,
            {},
            upstream.health,
            upstream.hold == HOLD_ALL,
            upstream.hedge,
            upstream.provider,
        )
    return Treatment(
        upstream.timeouts if route.timeouts is None else route.provider_timeouts.get(upstream.provider, route.timeouts),
        upstream.retries if route.retries is None else route.retries,
        route.rules,
        upstream.health if route.health is None else route.provider_health.get(upstream.provider, route.health),
        (upstream.hold if route.hold is None else route.hold) == HOLD_ALL,
        upstream.hedge if route.hedge is None else route.hedge,
        f"route {route.name}",
    )
