"""Policies are values: small, frozen, compared by content."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Order(StrEnum):
    """How candidates are put in order."""

    CHEAPEST = "cheapest"
    FASTEST = "fastest"
    BALANCED = "balanced"
    ORDERED = "ordered"
    WEIGHTED = "weighted"


class Timeouts(msgspec.Struct, frozen=True, kw_only=True):
    """The four clocks, in seconds."""

    connect_s: float = 5.0
    first_token_s: float = 15.0
    gap_s: float = 20.0
    total_s: float = 600.0


class HealthPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """When a breaker opens (consecutive failures) and how long the first cooldown lasts."""

    failures: int = 5
    cooldown_s: float = 10.0


class HedgePolicy(msgspec.Struct, frozen=True, kw_only=True):
    """A second attempt when the first shows no content by `after` (a percentile such as "p95", or seconds)."""

    after: str = "p95"
    budget_percent: float = 5.0


class KeyLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Requests and tokens a minute, and requests at once; None is no limit."""

    rpm: int | None = None
    tpm: int | None = None
    concurrent: int | None = None


class Budget(msgspec.Struct, frozen=True, kw_only=True):
    """Pico-dollars a key may spend in a period (day, week, month, total)."""

    limit_pusd: int
    per: str
