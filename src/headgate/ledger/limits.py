"""How many requests and tokens a minute, and how many requests at once, the scopes of a request may have.

A request takes its share of every allowance before it is sent and puts it right when its tokens are known. The
limiter here keeps its state in this process; one that is shared by several has to fit the same two protocols.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Protocol

import msgspec

from headgate.errors import GatewayError
from headgate.ledger.bucket import UNITS, Bucket, Headers, rate_headers
from headgate.types.policy import Allowance
from headgate.types.principal import NO_LIMITS

REQUESTS = "requests"
TOKENS = "tokens"
CONCURRENT = "concurrent"

_SECOND_NS = 10**9
CONCURRENT_WAIT_NS = _SECOND_NS
"""Nobody knows when a running request ends; a second is short for the client and long for us."""


class LimitHold(Protocol):
    """A running request's share of its allowances. The first `settle` or `release` counts, any later one is nothing.

    Neither waits for anything, so both can stand in a `finally`.
    """

    def settle(self, tokens: int) -> None:
        """The request used so many tokens: what it took too much is given back, what is missing is taken."""

    def release(self) -> None:
        """The request used no tokens. It still counts as a request."""

    def headers(self) -> Headers:
        """The x-ratelimit headers of whichever allowance has least left; empty when none is limited."""


class Limiter(Protocol):
    """Whoever knows the level of every limit."""

    async def reserve(self, allowances: tuple[Allowance, ...], tokens: int, input_tokens: int = 0) -> LimitHold:
        """Take one request and `tokens` of every allowance, or nothing at all.

        `tokens` is the most the request is expected to use, its `input_tokens` included. Where that is more than an
        allowance ever holds, all it holds is taken, provided the input alone would fit.
        Raises LimitReached.
        """


class LimitReached(GatewayError):
    """A limit has no room for this request. `retry_after_s` is when it has; never, when `never`.

    `limit` is one of requests, tokens and concurrent, `value` what the scope's limit is.
    """

    status = 429
    code = "rate_limit_exceeded"

    def __init__(self, scope: str, limit: str, value: int, wait_ns: int | None, headers: Headers) -> None:
        self.scope = scope
        self.limit = limit
        self.value = value
        self.never = wait_ns is None
        self.retry_after_s = (wait_ns or 0) / _SECOND_NS
        wait_s = -(-(wait_ns or 0) // _SECOND_NS)
        if self.never:
            # The official clients try a 429 again unless told not to.
            advice = (b"x-should-retry", b"false")
        else:
            advice = (b"retry-after", b"%d" % wait_s)
        super().__init__(_refusal(scope, limit, value, None if self.never else wait_s), headers=(*headers, advice))
        self.type = TOKENS if limit == TOKENS else REQUESTS


_WHO = {
    "key": "this key may",
    "token": "the limit of this key's creator, for all keys it made, is to",
    "workspace": "the workspace's limit, for all its keys, is to",
}


def _refusal(scope: str, limit: str, value: int, wait_s: int | None) -> str:
    noun = "token" if limit == TOKENS else "request"
    amount = f"{value} {noun}" if value == 1 else f"{value} {noun}s"
    kind = scope.partition(":")[0]
    if limit == CONCURRENT:
        what, way_out = f"have {amount} at once", "try again when another request has ended"
    else:
        what, way_out = f"{'use' if limit == TOKENS else 'make'} {amount} a minute", f"try again in {wait_s} s"
    if wait_s is None:
        way_out = "the input of this request alone is more: shorten it" if limit == TOKENS else "none can be served"
    return f"{_WHO.get(kind, _WHO['workspace'])} {what}; {way_out}"


class LimitState(msgspec.Struct, frozen=True, kw_only=True):
    """The levels of one scope: whole requests and tokens that could be taken now, None where there was no limit yet.

    `token_debt` is what was used beyond the limit and is yet to be paid off.
    """

    requests: int | None
    tokens: int | None
    token_debt: int
    concurrent: int


class _Meter:
    """The state of one scope. A bucket exists from the first request that came under such a limit."""

    __slots__ = ("requests", "running", "tokens")

    def __init__(self) -> None:
        self.requests: Bucket | None = None
        self.tokens: Bucket | None = None
        self.running = 0

    def share(self, allowance: Allowance, tokens: int, input_tokens: int, now: int) -> _Share:
        """What a request would take under these limits, which may be others than at the last one."""
        limits = allowance.limits
        rpm, tpm = limits.rpm, limits.tpm
        fits = limits.concurrent is None or self.running < limits.concurrent
        requests = bucket = None
        parts = 0
        if rpm is not None:
            requests = self.requests
            if requests is None:
                requests = self.requests = Bucket(rpm, now)
            elif requests.limit != rpm:
                requests.change(rpm)
            if requests.refill(now) < UNITS:
                fits = False
        if tpm is not None:
            bucket = self.tokens
            if bucket is None:
                bucket = self.tokens = Bucket(tpm, now)
            elif bucket.limit != tpm:
                bucket.change(tpm)
            if tokens > tpm:
                tokens = tpm
            parts = tokens * UNITS
            if bucket.refill(now) < parts or input_tokens > tpm:
                fits = False
        return _Share(allowance, self, requests, bucket, tokens, parts, fits)

    def rested(self, now: int) -> bool:
        """Whether a new meter would be the same as this one."""
        return not self.running and all(
            bucket is None or bucket.level_at(now) >= bucket.full for bucket in (self.requests, self.tokens)
        )


class _Share(msgspec.Struct, eq=False):
    """What one request takes of one scope that has limits, and whether there was room for it.

    Its buckets are those whose limits were in force when it came; `parts` are its tokens in parts of a bucket.
    """

    allowance: Allowance
    meter: _Meter
    requests: Bucket | None
    bucket: Bucket | None
    tokens: int
    parts: int
    fits: bool

    def waits(self, input_tokens: int) -> Iterable[tuple[int | None, str, int]]:
        """How long each limit that is reached keeps the request out, None for ever; which it is, and its value."""
        requests, bucket, concurrent = self.requests, self.bucket, self.allowance.limits.concurrent
        if concurrent is not None and self.meter.running >= concurrent:
            yield CONCURRENT_WAIT_NS if concurrent > 0 else None, CONCURRENT, concurrent
        if requests is not None and requests.level < UNITS:
            yield requests.wait_ns(1) if requests.limit > 0 else None, REQUESTS, requests.limit
        if bucket is not None and input_tokens > bucket.limit:
            yield None, TOKENS, bucket.limit
        elif bucket is not None and bucket.level < self.parts:
            yield bucket.wait_ns(self.tokens) if bucket.limit > 0 else None, TOKENS, bucket.limit


class _Hold(msgspec.Struct, eq=False):
    """A request counts as running in every scope, and has a share of those with limits."""

    _meters: list[_Meter]
    _shares: list[_Share]
    _clock: Callable[[], int]
    _open: bool = True

    def settle(self, tokens: int) -> None:
        if not self._open:
            return
        self._open = False
        for meter in self._meters:
            meter.running -= 1
        now = self._clock()
        for share in self._shares:
            if share.bucket is not None:
                share.bucket.give_back(share.tokens - tokens, now)

    def release(self) -> None:
        self.settle(0)

    def headers(self) -> Headers:
        return _headers(self._shares, self._clock())


class MemoryLimiter:
    """A Limiter for one process and one event loop. `clock` gives nanoseconds that never depend on the wall clock."""

    def __init__(self, clock: Callable[[], int] = time.monotonic_ns) -> None:
        self._clock = clock
        self._meters: dict[str, _Meter] = {}

    async def reserve(self, allowances: tuple[Allowance, ...], tokens: int, input_tokens: int = 0) -> LimitHold:
        now = self._clock()
        known = self._meters
        meters: list[_Meter] = []
        shares: list[_Share] = []
        fits = True
        for allowance in allowances:
            meter = known.get(allowance.scope)
            if meter is None:
                meter = known[allowance.scope] = _Meter()
            meters.append(meter)
            if allowance.limits != NO_LIMITS:
                share = meter.share(allowance, tokens, input_tokens, now)
                shares.append(share)
                fits = fits and share.fits
        if not fits:
            raise _reached(shares, input_tokens, now)
        for meter in meters:
            meter.running += 1
        for share in shares:
            if share.requests is not None:
                share.requests.level -= UNITS
            if share.bucket is not None:
                share.bucket.level -= share.parts
        return _Hold(meters, shares, self._clock)

    def forget(self, scopes_in_use: Collection[str]) -> None:
        """Drop the meters of all other scopes, but for those a request still runs on or that are not full again.

        To be called after every reload and now and then: what is dropped can be made anew without a difference.
        """
        now = self._clock()
        idle = [scope for scope, meter in self._meters.items() if scope not in scopes_in_use and meter.rested(now)]
        for scope in idle:
            del self._meters[scope]

    def state(self, scope: str) -> LimitState | None:
        """The levels of a scope under the limits it last had; None for one that has sent nothing. From any thread."""
        meter = self._meters.get(scope)
        if meter is None:
            return None
        now = self._clock()
        requests, tokens = meter.requests, meter.tokens
        level = 0 if tokens is None else tokens.level_at(now)
        return LimitState(
            requests=None if requests is None else max(0, requests.level_at(now)) // UNITS,
            tokens=None if tokens is None else max(0, level) // UNITS,
            token_debt=-(min(0, level) // UNITS),
            concurrent=meter.running,
        )


def _headers(shares: Iterable[_Share], now: int) -> Headers:
    requests = tokens = None
    for share in shares:
        mine = share.requests
        if mine is not None:
            level = mine.refill(now)
            if requests is None or level < requests.level:
                requests = mine
        mine = share.bucket
        if mine is not None:
            level = mine.refill(now)
            if tokens is None or level < tokens.level:
                tokens = mine
    return rate_headers(requests, tokens)


def _reached(shares: Sequence[_Share], input_tokens: int, now: int) -> LimitReached:
    """The refusal by whichever limit has room last: whoever waits for that one waits once."""
    refusals = [
        (wait_ns, share.allowance.scope, limit, value)
        for share in shares
        for wait_ns, limit, value in share.waits(input_tokens)
    ]
    wait_ns, scope, limit, value = max(refusals, key=lambda refusal: (refusal[0] is None, refusal[0] or 0))
    return LimitReached(scope, limit, value, wait_ns, _headers(shares, now))
