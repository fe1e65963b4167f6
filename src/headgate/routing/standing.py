"""How a deployment stands at a moment: whether it may be sent a request, and if not, why and until when. Pure."""

from __future__ import annotations

import math
from enum import StrEnum

import msgspec

from headgate.types.fault import FaultClass


class Condition(StrEnum):
    """In one word, fit for tables and metrics."""

    OK = "ok"
    CROWDED = "crowded"  # many under way and no sign of life yet: for those who have no other choice
    LIMITED = "limited"  # at a rate limit of the provider
    COOLING = "cooling"  # its breaker is open
    PROBING = "probing"  # half-open: one may pass, or is under way
    PARKED_CREDENTIAL = "parked_credential"
    PARKED_OFFER = "parked_offer"


class Standing(msgspec.Struct, frozen=True):
    """`ready` when an attempt may begin now. `until` is when the next may, in the time of whoever asked: infinity when
    nobody can say, None when it does not wait for a time. `fault` is what a client would be told in its place, `why`
    the reason in words.
    """

    condition: Condition
    ready: bool
    until: float | None = None
    fault: FaultClass | None = None
    why: str = ""

    @property
    def last_resort(self) -> bool:
        """Whether it may be sent what nobody else can take."""
        return self.ready or self.condition is Condition.CROWDED

    def wait_s(self, now: float) -> float | None:
        """How long to wait for the next try; None when that is not a matter of time."""
        return None if self.until is None or math.isinf(self.until) else max(self.until - now, 0.0)

    def told(self, now: float) -> str:
        """For people: why it sits out and until when; empty when it does not."""
        wait_s = self.wait_s(now)
        return self.why if wait_s is None or self.ready else f"{self.why}, next try in {span(wait_s)}"


OK = Standing(Condition.OK, True)


def span(seconds: float) -> str:
    """A length of time as people say it, rounded up: 3 s, 12 min, 5 h."""
    if seconds < 120:
        return f"{max(math.ceil(seconds), 1)} s"
    return f"{math.ceil(seconds / 60)} min" if seconds < 7_200 else f"{math.ceil(seconds / 3_600)} h"
