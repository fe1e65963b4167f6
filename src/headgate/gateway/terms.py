"""On what terms a candidate is asked: what its route says, else what its provider's entry says. Pure."""

from __future__ import annotations

from headgate.gateway.steps import rule_of
from headgate.types.fault import FaultClass
from headgate.types.policy import HealthPolicy, HedgePolicy, Rule, Timeouts
from headgate.types.request import Plan

HOLD_ALL = "full"
"""Streams are held until they are whole."""


class Terms:
    """The terms of one plan. Candidates are named by their places in it."""

    __slots__ = ("_plan",)

    def __init__(self, plan: Plan) -> None:
        self._plan = plan

    def timeouts(self, place: int) -> Timeouts:
        """The clocks of its attempts."""
        route, upstream = self._plan.routes[place], self._plan.candidates[place].deployment.upstream
        if route is None or route.timeouts is None:
            return upstream.timeouts
        return route.provider_timeouts.get(upstream.provider, route.timeouts)

    def retries(self, place: int) -> int:
        """How often it may be asked once more."""
        route, upstream = self._plan.routes[place], self._plan.candidates[place].deployment.upstream
        return upstream.retries if route is None or route.retries is None else route.retries

    def rule(self, kind: FaultClass, place: int) -> Rule:
        """What may follow a fault of this class."""
        route = self._plan.routes[place]
        return rule_of(kind, None if route is None else route.rules)

    def health(self, place: int) -> HealthPolicy:
        """When its breaker opens, and for how long."""
        route, upstream = self._plan.routes[place], self._plan.candidates[place].deployment.upstream
        if route is None or route.health is None:
            return upstream.health
        return route.provider_health.get(upstream.provider, route.health)

    def holds(self, place: int) -> bool:
        """Whether the whole answer has to be here before any of it is sent."""
        route, upstream = self._plan.routes[place], self._plan.candidates[place].deployment.upstream
        return (upstream.hold if route is None or route.hold is None else route.hold) == HOLD_ALL

    def hedge(self, place: int) -> HedgePolicy | None:
        """When a second attempt is made beside it; None: only when it is late."""
        route, upstream = self._plan.routes[place], self._plan.candidates[place].deployment.upstream
        return upstream.hedge if route is None or route.hedge is None else route.hedge

    def hedged_as(self, place: int) -> str:
        """Whose allowance of second attempts is used: the route's, or the provider's where there is none."""
        route = self._plan.routes[place]
        return self._plan.candidates[place].deployment.upstream.provider if route is None else f"route {route.name}"
