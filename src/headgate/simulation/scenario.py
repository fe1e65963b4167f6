"""A scenario as a type: every key its file may hold, and what each means. Nothing here reads a file.

Times are seconds from the start of the simulation, prices decimal text in US dollars for a million tokens.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Annotated, Any, Literal, NoReturn

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator, model_validator
from pydantic_core import PydanticCustomError

from headgate.simulation.spread import Constant, Lognormal, Spread, Uniform
from headgate.types.money import pusd_per_mtok
from headgate.types.policy import Order

REFUSED = "refused"
"""The type of error raised here: its message is already in plain words."""

MOST_REQUESTS = 5_000_000
_MOST_PRICE = 10**6
_NAME = re.compile(r"[^/#*\s]{1,60}")


def refuse(message: str) -> NoReturn:
    """Raise an error whose message reaches its reader as it stands."""
    raise PydanticCustomError(REFUSED, "{words}", {"words": message})


def _number(value: Any) -> Any:
    if isinstance(value, bool):
        refuse(f"must be a number, not {str(value).lower()}")
    return value


def _price(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, str | int):
        refuse('must be an amount in US dollars as text, such as "0.15"')
    try:
        amount = Decimal(value)
        if not 0 <= amount <= _MOST_PRICE:
            refuse(f"must be between 0 and {_MOST_PRICE:,} US dollars")
        return pusd_per_mtok(amount)
    except (ArithmeticError, ValueError):
        refuse('must be an amount in US dollars as text, such as "0.15"')


def _spread(value: Any) -> Spread:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _positive(Constant(float(value)), float(value))
    if isinstance(value, dict) and all(
        isinstance(one, int | float) and not isinstance(one, bool) for one in value.values()
    ):
        if set(value) == {"median", "sigma"}:
            if not 0 <= value["sigma"] <= 3:
                refuse("its sigma must be between 0 and 3")
            return _positive(Lognormal(float(value["median"]), float(value["sigma"])), float(value["median"]))
        if set(value) == {"low", "high"}:
            if value["high"] < value["low"]:
                refuse("its high is below its low")
            return _positive(Uniform(float(value["low"]), float(value["high"])), float(value["low"]))
    refuse("must be a number, {median: …, sigma: …} or {low: …, high: …}")


def _positive(spread: Spread, least: float) -> Spread:
    if not (math.isfinite(spread.mean) and least > 0):
        refuse("must be more than 0")
    return spread


def _name(value: str) -> str:
    if not _NAME.fullmatch(value):
        refuse("must be a word of at most 60 characters, without / # *")
    return value


def _outage(value: Any) -> Any:
    return {True: "refuses", False: "over"}.get(value, value) if isinstance(value, bool) else value


Moment = Annotated[float, BeforeValidator(_number), Field(ge=0, allow_inf_nan=False)]
Positive = Annotated[float, BeforeValidator(_number), Field(gt=0, allow_inf_nan=False)]
Part01 = Annotated[float, BeforeValidator(_number), Field(ge=0, le=1)]
Count = Annotated[int, BeforeValidator(_number), Field(ge=1)]
Usd = Annotated[int, PlainValidator(_price)]
"""Pico-dollars for a million tokens, written as decimal US dollars."""
Drawn = Annotated[Spread, PlainValidator(_spread)]
"""A number that is drawn anew each time."""
Name = Annotated[str, AfterValidator(_name)]
Outage = Annotated[Literal["refuses", "hangs", "over"], BeforeValidator(_outage)]


class Part(BaseModel):
    """A mapping of the scenario. Unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


class TierPart(Part):
    above_tokens: Count
    input_usd_per_mtok: Usd | None = None
    output_usd_per_mtok: Usd | None = None
    cached_input_usd_per_mtok: Usd | None = None


class PricesPart(Part):
    """What a million tokens cost; `tiers` hold for whole requests whose prompt is longer."""

    input_usd_per_mtok: Usd
    output_usd_per_mtok: Usd
    cached_input_usd_per_mtok: Usd | None = None
    tiers: tuple[TierPart, ...] = ()


class ErrorsPart(Part):
    """The part of attempts that fail, how, and after how long. A `timeout` shows after the first-token clock."""

    rate: Part01
    kind: Literal["server_error", "rate_limited", "timeout"] = "server_error"
    after_s: Positive = 0.3
    retry_after_s: Positive | None = None


class LimitsPart(Part):
    """Requests a minute. They come back one by one (`continuous`) or all at once each minute (`window`); `told` is
    whether replies say what is left."""

    requests_per_minute: Count
    refill: Literal["continuous", "window"] = "continuous"
    told: bool = True


class CachePart(Part):
    """The part of a prompt read from the cache when its prefix was seen in the last `kept_s`."""

    share: Part01
    kept_s: Positive = 300.0


class ProviderPart(Part):
    """A synthetic provider. `price` is what the catalogue says, absent when nobody says; `charged` what it truly costs
    where that is something else. `slots` is how many requests it works on at once before others wait;
    `concurrent` how many it is known to take. `weight` counts for the policy `weighted`."""

    name: Name
    price: PricesPart | None = None
    charged: PricesPart | None = None
    first_token_s: Drawn
    tokens_per_s: Drawn
    slots: Count | None = None
    concurrent: Count | None = None
    weight: Positive = 1.0
    errors: ErrorsPart | None = None
    limits: LimitsPart | None = None
    cache: CachePart | None = None
    reports_cost: bool = False

    @model_validator(mode="after")
    def _costs_something(self) -> ProviderPart:
        if self.price is None and self.charged is None:
            refuse("has neither a price nor what is charged")
        return self


class EventPart(Part):
    """Something that changes at a provider. `slow_down` is how many times slower than at first it becomes.

    A new `price` is known to the catalogue at once when it was `announced`, else `catalogue_updates_after_s` later,
    and never without either.
    """

    at_s: Moment
    provider: str
    slow_down: Positive | None = None
    price: PricesPart | None = None
    announced: bool = False
    catalogue_updates_after_s: Moment | None = None
    outage: Outage | None = None
    error_rate: Part01 | None = None

    @model_validator(mode="after")
    def _changes_something(self) -> EventPart:
        if self.slow_down is None and self.price is None and self.outage is None and self.error_rate is None:
            refuse("changes nothing: give slow_down, price, outage or error_rate")
        if self.price is None and (self.announced or self.catalogue_updates_after_s is not None):
            refuse("says when a price becomes known, and names no price")
        if self.announced and self.catalogue_updates_after_s is not None:
            refuse("is both announced and found out later; keep one of them")
        return self

    def __str__(self) -> str:
        words = []
        if self.slow_down is not None:
            words.append("as at first" if self.slow_down == 1 else f"{self.slow_down:g} times slower")
        if self.price is not None:
            words.append("another price")
        if self.outage is not None:
            words.append({"over": "back", "refuses": "down", "hangs": "hanging"}[self.outage])
        if self.error_rate is not None:
            words.append(f"{self.error_rate:.0%} errors")
        return f"{self.provider} {', '.join(words)}"


class StepPart(Part):
    from_s: Moment
    per_s: Positive


class PrefixPart(Part):
    """The part of requests that begin with one of so many prefixes."""

    share: Part01
    prefixes: Count = 1


class MixPart(Part):
    """What requests are like. `max_tokens` caps answers and is in the request."""

    prompt_tokens: Drawn
    output_tokens: Drawn
    max_tokens: Count | None = None
    prefix: PrefixPart = PrefixPart(share=0.0)
    stream_share: Part01 = 1.0
    bytes_per_token: Positive = 4.0


CHEAPEST_COST = 2.0
FASTEST_P95 = 10.0
EXPLORATION = 2.0
"""What policies must reach, in per cent over the oracle that knows the truth."""


class TargetsPart(Part):
    """What policies must reach over the whole run; `because` says why that is not the usual. In the windows from ten
    minutes after an event the usual targets always hold."""

    cheapest_cost: Positive = CHEAPEST_COST
    fastest_p95: Positive = FASTEST_P95
    exploration: Positive = EXPLORATION
    because: str | None = None

    @model_validator(mode="after")
    def _has_a_reason(self) -> TargetsPart:
        usual = (CHEAPEST_COST, FASTEST_P95, EXPLORATION)
        if self.because is None and (self.cheapest_cost, self.fastest_p95, self.exploration) != usual:
            refuse("differ from the usual ones and give no reason; write one under because")
        return self


def _steps(value: Any) -> Any:
    return [{"from_s": 0.0, "per_s": value}] if isinstance(value, int | float) else value


Steps = Annotated[tuple[StepPart, ...], BeforeValidator(_steps), Field(min_length=1)]
"""When how many requests a second arrive; a number is always as many."""


class Scenario(Part):
    """The whole file."""

    about: str = ""
    seed: Annotated[int, BeforeValidator(_number), Field(ge=0)] = 1
    duration_s: Annotated[float, BeforeValidator(_number), Field(gt=0, le=10**7)]
    arrivals_per_s: Steps
    mix: MixPart
    policies: Annotated[tuple[Order, ...], Field(min_length=1)] = tuple(Order)
    providers: Annotated[tuple[ProviderPart, ...], Field(min_length=1)]
    events: tuple[EventPart, ...] = ()
    targets: TargetsPart = TargetsPart()

    def problems(self) -> Iterator[tuple[tuple[str | int, ...], str]]:
        """What is wrong with parts that are right each by itself: paths and words."""
        names = [one.name for one in self.providers]
        for index, name in enumerate(names):
            if name in names[:index]:
                yield ("providers", index, "name"), f"{name} is the name of another provider too"
        for index, event in enumerate(self.events):
            if event.provider not in names:
                yield ("events", index, "provider"), f"no provider is called {event.provider}; {_choices(names)}"
            if event.at_s >= self.duration_s:
                yield ("events", index, "at_s"), "comes after the end"
        for index, (step, before) in enumerate(
            zip(self.arrivals_per_s[1:], self.arrivals_per_s, strict=False), start=1
        ):
            if step.from_s <= before.from_s:
                yield ("arrivals_per_s", index, "from_s"), "must come after the step before"
        if self.arrivals_per_s[0].from_s != 0:
            yield ("arrivals_per_s",), "must have a first step from_s: 0"
        elif max(step.per_s for step in self.arrivals_per_s) * self.duration_s > MOST_REQUESTS:
            yield ("arrivals_per_s",), f"come to more than {MOST_REQUESTS:,} requests"


def _choices(names: list[str]) -> str:
    return f"there are {', '.join(names)}"
