"""Synthetic providers under a virtual clock: what they charge, how long they take, when they refuse."""

from __future__ import annotations

import math
from heapq import heappop, heappush

import msgspec

from headgate.catalog.cost import cost_pusd
from headgate.catalog.terms import standing
from headgate.simulation.scenario import ErrorsPart, LimitsPart, PricesPart, ProviderPart
from headgate.simulation.traffic import Arrival, Luck
from headgate.types.fault import FaultClass
from headgate.types.headroom import Headroom
from headgate.types.money import Price, Terms, Tier
from headgate.types.policy import Timeouts
from headgate.types.usage import Usage

REFUSAL_S = 0.1
"""How long a provider takes to say no at once."""

HANG_S = Timeouts().first_token_s
"""How long somebody waits for a provider that does not answer."""

_MINUTE_S = 60.0
_FAULTS = {
    "server_error": FaultClass.SERVER_ERROR,
    "rate_limited": FaultClass.RATE_LIMITED,
    "timeout": FaultClass.NO_FIRST_TOKEN,
}


class Outcome(msgspec.Struct, frozen=True, eq=False):
    """What came of an attempt. `fault` is None for a whole answer; times are of the virtual clock."""

    fault: FaultClass | None
    first_token: float
    done: float
    usage: Usage | None = None
    charged_pusd: int = 0
    headroom: Headroom | None = None
    wait_s: float | None = None


def price_of(part: PricesPart) -> tuple[Price, Terms | None]:
    """The price and the terms that a part of a scenario means."""
    price = Price(
        input_pusd_per_mtok=part.input_usd_per_mtok,
        output_pusd_per_mtok=part.output_usd_per_mtok,
        cached_input_pusd_per_mtok=part.cached_input_usd_per_mtok,
    )
    tiers = tuple(
        Tier(
            tier.above_tokens,
            Price(
                input_pusd_per_mtok=tier.input_usd_per_mtok,
                output_pusd_per_mtok=tier.output_usd_per_mtok,
                cached_input_pusd_per_mtok=tier.cached_input_usd_per_mtok,
            ),
        )
        for tier in sorted(part.tiers, key=lambda tier: tier.above_tokens)
    )
    return price, Terms(tiers=tiers) if tiers else None


class Bucket:
    """What is left of so many requests a minute."""

    def __init__(self, limits: LimitsPart) -> None:
        self._most = float(limits.requests_per_minute)
        self._continuous = limits.refill == "continuous"
        self._left = self._most
        self._at = 0.0
        self.told = limits.told

    def left(self, now: float) -> float:
        """Requests that would be taken now."""
        if self._continuous:
            self._left = min(self._left + (now - self._at) * self._most / _MINUTE_S, self._most)
        elif now // _MINUTE_S > self._at // _MINUTE_S:
            self._left = self._most
        self._at = now
        return self._left

    def take(self, now: float) -> float | None:
        """Take one; None when there was one, else the seconds until there is."""
        left = self.left(now)
        if left >= 1:
            self._left -= 1
            return None
        return (1 - left) * _MINUTE_S / self._most if self._continuous else _MINUTE_S - now % _MINUTE_S

    def headroom(self, now: float) -> Headroom:
        """What a reply says, as OpenAI and Anthropic do: what is left, and when all of it is back."""
        left = self.left(now)
        missing = (self._most - left) * _MINUTE_S / self._most if self._continuous else _MINUTE_S - now % _MINUTE_S
        return Headroom(requests=math.floor(left), requests_reset_s=missing)


class Synthetic:
    """One provider as it truly is at the moment; events change its public fields."""

    def __init__(self, part: ProviderPart, luck: Luck) -> None:
        charged = part.charged or part.price
        assert charged is not None, "a scenario has been checked"
        self.part = part
        self.price, self.terms = price_of(charged)
        self.slow = 1.0
        self.outage: str = "over"
        self.errors = part.errors or ErrorsPart(rate=0.0)
        self.error_rate = self.errors.rate
        self.bucket = Bucket(part.limits) if part.limits else None
        self._luck = luck
        self._busy: list[float] = []
        self._seen: dict[int, float] = {}

    @property
    def failure_s(self) -> float:
        """How long a failed attempt takes."""
        if self.outage == "hangs":
            return HANG_S
        if self.outage == "refuses":
            return REFUSAL_S
        return HANG_S if self.errors.kind == "timeout" else self.errors.after_s

    def waiting_s(self, now: float) -> float:
        """How long a request would wait until it is worked on."""
        slots, busy = self.part.slots, self._busy
        if slots is None:
            return 0.0
        while busy and busy[0] <= now:
            heappop(busy)
        # The answers that end first make room for those that came before.
        return 0.0 if len(busy) < slots else sorted(busy)[len(busy) - slots] - now

    def quote(self, arrival: Arrival, now: float) -> tuple[float, int]:
        """Seconds and pico-dollars that a whole answer would take now; changes nothing."""
        first, writing = self._work(arrival)
        return self.waiting_s(now) + first + writing, self._charge(self._usage(arrival, now), now)

    def take(self, arrival: Arrival, now: float) -> Outcome:
        """Let it have an attempt that begins now."""
        if self.outage != "over":
            at = now + self.failure_s
            fault = FaultClass.SERVER_ERROR if self.outage == "refuses" else FaultClass.NO_FIRST_TOKEN
            return Outcome(fault, at, at)
        headroom = None
        if self.bucket is not None:
            wait_s = self.bucket.take(now)
            headroom = self.bucket.headroom(now) if self.bucket.told else None
            if wait_s is not None:
                at = now + REFUSAL_S
                return Outcome(FaultClass.RATE_LIMITED, at, at, headroom=headroom, wait_s=wait_s)
        if self._luck.error[arrival.index] < self.error_rate:
            at = now + self.failure_s
            return Outcome(_FAULTS[self.errors.kind], at, at, headroom=headroom, wait_s=self.errors.retry_after_s)
        first, writing = self._work(arrival)
        begun = now + self.waiting_s(now)
        done = begun + first + writing
        if self.part.slots is not None:
            heappush(self._busy, done)
        usage = self._usage(arrival, now)
        if arrival.prefix is not None and self.part.cache is not None:
            self._seen[arrival.prefix] = now
        return Outcome(None, begun + first, done, usage, self._charge(usage, now), headroom)

    def _work(self, arrival: Arrival) -> tuple[float, float]:
        index, luck, slow = arrival.index, self._luck, self.slow
        return slow * luck.first_s[index], slow * luck.per_token_s[index] * arrival.written

    def _usage(self, arrival: Arrival, now: float) -> Usage:
        cache, cached = self.part.cache, 0
        if cache is not None and arrival.prefix is not None:
            seen = self._seen.get(arrival.prefix)
            if seen is not None and now - seen <= cache.kept_s:
                cached = int(arrival.prompt * cache.share)
        return Usage(input=arrival.prompt - cached, cached_input=cached, output=arrival.written)

    def _charge(self, usage: Usage, now: float) -> int:
        price, terms = self.price, self.terms
        if terms is not None:
            price = standing(price, terms, usage.prompt_tokens, now)
        cost = cost_pusd(price, usage)
        assert cost is not None, "what is charged has both prices"
        return cost
