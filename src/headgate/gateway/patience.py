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


class Patience:
    """Says when an attempt is late. Holds how many requests were hedged, so that a route's share is kept."""

    def __init__(self) -> None:
        self._hedged: dict[str, tuple[int, int]] = {}

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
        if expected is None or facts.per_token.above.weight < ENOUGH:
            return max(limit, WHOLE_S)
        return max(limit, expected * WHOLE_LEARNED)

    def hedged_s(self, counted_as: str, policy: HedgePolicy, facts: Facts, late_s: float) -> float:
        """When to ask somebody else as well where hedging is on: earlier than when the attempt is late, as long as the
        share of requests that may be hedged is not used up. Counts the request."""
        requests, hedged = self._hedged.get(counted_as, (0, 0))
        self._hedged[counted_as] = requests + 1, hedged
        if (hedged + 1) * 100 > policy.budget_percent * (requests + 1):
            return late_s
        after = policy.after
        after_s = facts.first_token_within_s(float(after[1:])) if after.startswith("p") else float(after)
        return late_s if after_s is None else min(after_s, late_s)

    def count(self, counted_as: str) -> None:
        """A second attempt was made."""
        if counted_as in self._hedged:
            requests, hedged = self._hedged[counted_as]
            self._hedged[counted_as] = requests, hedged + 1


def configured_s(deployment: Deployment, timeouts: Timeouts) -> float:
    """The first-token clock as configured; longer for models that reason where nobody has set one."""
    can = deployment.offer.capabilities
    reasons = timeouts.patient and can is not None and "reasoning" in can
    return max(timeouts.first_token_s, REASONING_S) if reasons else timeouts.first_token_s
