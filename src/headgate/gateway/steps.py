"""What follows a fault: the same deployment again, the next candidate, or the end. Pure.

The table is that of architecture §4; a route may say otherwise for a class.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

import msgspec

from headgate.types.fault import Fault, FaultClass
from headgate.types.policy import RULES, Rule

FIRST_PAUSE_S = 0.25
MOST_PAUSE_S = 8.0
"""Pauses before a retry double from the first to the longest, each drawn between half of it and all of it."""

MOST_PATIENCE = 0.5
MOST_WAIT_S = 30.0
"""A wait that a provider asks for is kept only up to this part of the time that is left; no request waits longer than
this in all."""


class Step(StrEnum):
    """What to do after a failed attempt."""

    RETRY = "retry"
    FALL_BACK = "fall_back"
    STOP = "stop"


USEFUL = (
    FaultClass.BAD_REQUEST,
    FaultClass.CONTENT_FILTERED,
    FaultClass.CONTEXT_TOO_LONG,
    FaultClass.UNSUPPORTED,
    FaultClass.RATE_LIMITED,
    FaultClass.QUOTA_EXHAUSTED,
    FaultClass.OVERLOADED,
    FaultClass.TOTAL_TIMEOUT,
    FaultClass.NO_FIRST_TOKEN,
    FaultClass.STALLED,
    FaultClass.BROKEN_STREAM,
    FaultClass.SOFT_ERROR,
    FaultClass.SERVER_ERROR,
    FaultClass.RESET,
    FaultClass.CONNECT_FAILED,
    FaultClass.MODEL_NOT_FOUND,
    FaultClass.BAD_CREDENTIAL,
)
"""Classes by how much they tell a client: first what it can mend itself, then what waiting mends, last what is the
operator's: a model that one provider no longer has is the client's mistake only where nobody has it."""


class Situation(msgspec.Struct, frozen=True):
    """Where a request stands after a fault. Times in seconds; `draw` is a number from 0 to 1.

    `left_s` is the time to the deadline, `patience_s` how much of it may still be spent waiting.
    """

    tries: int
    retries: int
    left_s: float
    patience_s: float
    has_next: bool
    draw: float


def rule_of(kind: FaultClass, own: Mapping[str, Rule] | None) -> Rule:
    """What a class of faults allows; `own` are the route's rules."""
    return (own or {}).get(kind) or RULES[kind]


def next_step(fault: Fault, now: Situation, rule: Rule) -> tuple[Step, float]:
    """What to do, and how long to wait before a retry.

    A wait the provider asks for is kept where it fits and where nobody else is at hand; else the next candidate is
    asked at once.
    """
    onward = Step.FALL_BACK if rule.fall_back and now.has_next else Step.STOP
    most = now.retries if rule.most is None else min(now.retries, rule.most)
    if not rule.retry or now.tries > most:
        return onward, 0.0
    wait_s = pause_s(now.tries, now.draw)
    if fault.retry_after_s is not None:
        if onward is Step.FALL_BACK:
            # Somebody else can answer now.
            return onward, 0.0
        wait_s = max(wait_s, fault.retry_after_s)
    elif fault.kind is FaultClass.RATE_LIMITED and onward is Step.FALL_BACK:
        return onward, 0.0
    if wait_s > min(now.left_s * MOST_PATIENCE, now.patience_s):
        return onward, 0.0
    return Step.RETRY, wait_s


def pause_s(tries: int, draw: float) -> float:
    """The pause before the next try, after so many."""
    longest = min(FIRST_PAUSE_S * 2.0 ** (tries - 1), MOST_PAUSE_S)
    return longest * (0.5 + 0.5 * draw)


def most_useful(faults: list[Fault]) -> Fault:
    """The fault that tells the client most; of several of a class the last, with the shortest of their waits."""
    chosen = min(reversed(faults), key=lambda fault: USEFUL.index(fault.kind))
    waits = [fault.retry_after_s for fault in faults if fault.kind is chosen.kind and fault.retry_after_s is not None]
    return chosen.retold(retry_after_s=min(waits)) if waits else chosen
