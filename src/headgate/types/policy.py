"""Policies are values: small, frozen, compared by content."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

import msgspec

from headgate.types.fault import FaultClass
from headgate.types.money import Price


class Order(StrEnum):
    """How candidates are put in order."""

    CHEAPEST = "cheapest"
    FASTEST = "fastest"
    BALANCED = "balanced"
    ORDERED = "ordered"
    WEIGHTED = "weighted"


class Preferences(msgspec.Struct, frozen=True, kw_only=True):
    """What a request says about who may serve it, in the words of OpenRouter's `models` and `provider`.

    `models` are tried in turn after the request's own. Providers are named as the operator names them, in any letter
    case. `quantizations` None admits the plain serving alone; a set admits exactly those, `unknown` among them. The
    highest prices are pico-dollars for a million tokens, and for the request itself. `ignored` are wishes that are
    understood and not acted on; the client is told.
    """

    models: tuple[str, ...] = ()
    order: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    allow_fallbacks: bool = True
    require_parameters: bool = False
    quantizations: frozenset[str] | None = None
    sort: Order | None = None
    max_input_pusd_per_mtok: int | None = None
    max_output_pusd_per_mtok: int | None = None
    max_request_pusd: int | None = None
    ignored: tuple[str, ...] = ()


class Timeouts(msgspec.Struct, frozen=True, kw_only=True):
    """The four clocks, in seconds. `patient` while nobody has set the first-token clock: models that reason may then
    take longer."""

    connect_s: float = 5.0
    first_token_s: float = 15.0
    gap_s: float = 20.0
    total_s: float = 600.0
    patient: bool = True


class Rule(msgspec.Struct, frozen=True):
    """What a class of faults allows: the same deployment again, the next one. `most` is how often the same may be tried
    again, None: as often as the policy says.
    """

    retry: bool
    fall_back: bool
    most: int | None = None


_ONCE = Rule(retry=True, fall_back=True, most=1)
_NEXT = Rule(retry=False, fall_back=True)
_END = Rule(retry=False, fall_back=False)

RULES: dict[FaultClass, Rule] = {
    FaultClass.RATE_LIMITED: Rule(retry=True, fall_back=True),
    FaultClass.OVERLOADED: _ONCE,
    FaultClass.SERVER_ERROR: _ONCE,
    FaultClass.CONNECT_FAILED: _ONCE,
    FaultClass.RESET: _ONCE,
    FaultClass.NO_FIRST_TOKEN: _NEXT,
    FaultClass.STALLED: _NEXT,
    FaultClass.TOTAL_TIMEOUT: _END,
    FaultClass.QUOTA_EXHAUSTED: _NEXT,
    FaultClass.BAD_CREDENTIAL: _NEXT,
    FaultClass.MODEL_NOT_FOUND: _NEXT,
    FaultClass.UNSUPPORTED: _NEXT,
    FaultClass.CONTEXT_TOO_LONG: _NEXT,
    FaultClass.CONTENT_FILTERED: _END,
    FaultClass.BAD_REQUEST: _END,
    FaultClass.BROKEN_STREAM: _NEXT,
    FaultClass.SOFT_ERROR: _NEXT,
}
"""What each class allows where a route does not say otherwise."""


class HealthPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """When a breaker opens (consecutive failures) and how long the first cooldown lasts."""

    failures: int = 5
    cooldown_s: float = 10.0


class HedgePolicy(msgspec.Struct, frozen=True, kw_only=True):
    """A second attempt when the first shows no content by `after` (a percentile such as "p95", or seconds), for at most
    the share `budget` of requests, 0.05 being five in a hundred."""

    after: str = "p95"
    budget: float = 0.05


class Treatment(msgspec.Struct, frozen=True):
    """How a candidate is asked, and what is made of its failures.

    `rules` are those that differ from `RULES`. With `holds` none of a stream is sent before all of it is here.
    `hedged_as` is whose allowance of second attempts is used: the route's, or the provider's where there is none.
    """

    timeouts: Timeouts
    retries: int
    rules: Mapping[str, Rule]
    health: HealthPolicy
    holds: bool
    hedge: HedgePolicy | None
    hedged_as: str


class KeyLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Requests and tokens a minute, and requests at once; None is no limit."""

    rpm: int | None = None
    tpm: int | None = None
    concurrent: int | None = None


class Period(StrEnum):
    """How long a budget lasts before spending starts at 0 again; all periods begin at 00:00 UTC."""

    DAY = "day"
    WEEK = "week"  # begins on Monday
    MONTH = "month"
    TOTAL = "total"  # never begins again


class Exhausted(StrEnum):
    """What happens to a request that a budget cannot pay."""

    REFUSE = "refuse"
    CHEAPER = "cheaper"  # only candidates under a price are asked


class Budget(msgspec.Struct, frozen=True, kw_only=True):
    """Pico-dollars that may be spent in a period. After `until` (Unix seconds) nothing may be spent.

    With `on_exhausted` cheaper, candidates that cost at most `cheaper_than` (both its input and its output price) are
    asked even when the budget is used up; what they cost is still counted.
    """

    limit_pusd: int
    per: Period
    until: int | None = None
    on_exhausted: Exhausted = Exhausted.REFUSE
    cheaper_than: Price | None = None


class Allowance(msgspec.Struct, frozen=True, kw_only=True):
    """What one scope may use. A scope is `key:ID`, `token:ID` (the creator of keys) or `workspace:NAME`.

    A request counts against every allowance of its principal: that is how a key never exceeds its creator.
    """

    scope: str
    limits: KeyLimits = KeyLimits()
    budgets: tuple[Budget, ...] = ()
