"""How long an attempt may be slow before somebody else is asked as well.

Limits are learned per deployment: an answer that is late by far more than usual is waited for no longer than the
configured clock, and often much less.
"""

from __future__ import annotations

from headgate.routing.facts import Facts
from headgate.types.deployment import Deployment
from headgate.types.policy import HedgePolicy, Timeouts

REASONING_S = 120.0
"""Models that think before they speak may keep silent for so long."""

LEARNED = 8.0
"""So many times the usual first-token time is late."""

LEAST_S = 2.0
ENOUGH = 10.0
"""Observations from which on the usual time is known."""

WHOLE_S = 60.0
"""A JSON answer says nothing until it is whole; before its usual time is known, this long is late."""

WHOLE_LEARNED = 4.0
TOGETHER = 4.0
"""With a rival beside it, a slow attempt may go on for so many times its first-token clock."""


ROUNDING = 1e-9
"""A share is a sum of many fractions."""

MOST_SAVED = 5.0
"""So many hedges may quiet times save for a bad one: an incident must not find the unused share of a day."""


Counted = tuple[str, str]
"""A workspace, and what of it has an allowance of its own."""


class Patience:
    """Says when an attempt is late. Holds what may still be hedged, so that a route's share is kept."""

    __slots__ = ("_allowed",)

    def __init__(self) -> None:
        self._allowed: dict[Counted, float] = {}

    def first_token_s(self, deployment: Deployment, timeouts: Timeouts, *, rival: bool) -> float:
        """The first-token clock of one attempt, in seconds."""
        limit = configured_s(deployment, timeouts)
        return limit * TOGETHER if rival else limit

    def late_s(self, deployment: Deployment, facts: Facts, timeouts: Timeouts, tokens: int, *, stream: bool) -> float:
        """When an attempt without content is late enough for the next candidate to be asked as well."""
        limit = configured_s(deployment, timeouts)
        if stream:
            usual = facts.first_token_s
            return min(limit, max(LEAST_S, usual.mean * LEARNED)) if usual.weight >= ENOUGH else limit
        expected = facts.expected_s(tokens)
        if expected is None or facts.per_token.weight < ENOUGH:
            return max(limit, WHOLE_S)
        return max(limit, expected * WHOLE_LEARNED)

    def hedge_s(self, counted_as: Counted, policy: HedgePolicy, facts: Facts, *, stream: bool) -> float | None:
        """When to ask somebody else as well where hedging is on; None: not before it is late. Counts the request."""
        self._allowed[counted_as] = min(self._allowed.get(counted_as, 0.0) + policy.budget, MOST_SAVED)
        after = policy.after
        return facts.content_within_s(float(after[1:]), stream=stream) if after.startswith("p") else float(after)

    def may_hedge(self, counted_as: Counted) -> bool:
        """Whether the share of requests that may be hedged has room for one now."""
        return self._allowed.get(counted_as, 0.0) >= 1.0 - ROUNDING

    def uncount(self, counted_as: Counted) -> None:
        """It came to nothing before anything was sent."""
        if counted_as in self._allowed:
            self._allowed[counted_as] += 1.0

    def count(self, counted_as: Counted) -> None:
        """A second attempt was made: a hedge, or in place of one that is late."""
        if counted_as in self._allowed:
            self._allowed[counted_as] -= 1.0


def configured_s(deployment: Deployment, timeouts: Timeouts) -> float:
    """The first-token clock as configured; longer for models that reason where nobody has set one."""
    can = deployment.offer.capabilities
    reasons = timeouts.patient and can is not None and "reasoning" in can
    return max(timeouts.first_token_s, REASONING_S) if reasons else timeouts.first_token_s
