"""Limits against a model in fractions: whatever happens in whatever order, no level leaves its bounds."""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from headgate.ledger.limits import CONCURRENT, LimitHold, LimitReached, MemoryLimiter
from headgate.types.policy import Allowance, KeyLimits
from tests.unit.ledger.immediate import immediate

MINUTE_NS = 60 * 10**9
SCOPES = ("key:a", "key:b", "token:t", "workspace:w")

LIMITS = st.builds(
    KeyLimits,
    rpm=st.none() | st.sampled_from([0, 2, 7, 60, 600]),
    tpm=st.none() | st.sampled_from([0, 90, 1000, 7777, 10**6]),
    concurrent=st.none() | st.integers(0, 4),
)
PRINCIPALS = st.sampled_from(
    [
        ("key:a",),
        ("key:b",),
        ("key:a", "workspace:w"),
        ("key:b", "token:t", "workspace:w"),
    ]
)


class Level:
    """How much there is of one thing, in whole and broken tokens."""

    def __init__(self, limit: int, now: int) -> None:
        self.limit, self.left, self.at = limit, Fraction(limit), now

    def when(self, now: int, limit: int) -> Fraction:
        return min(Fraction(limit), self.left + Fraction(max(0, now - self.at) * limit, MINUTE_NS))

    def touch(self, now: int, limit: int) -> None:
        self.left, self.limit, self.at = self.when(now, limit), limit, now


class Held(NamedTuple):
    """A hold, its scopes, those of them with a limit of requests, and the tokens it took of those with one."""

    hold: LimitHold
    scopes: tuple[str, ...]
    counted: list[str]
    shares: dict[str, int]


class Limits(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.now = 10**15
        self.limits = dict.fromkeys(SCOPES, KeyLimits())
        self.start()

    def start(self) -> None:
        self.limiter = MemoryLimiter(lambda: self.now)
        self.requests: dict[str, Level] = {}
        self.tokens: dict[str, Level] = {}
        self.holds: list[Held] = []

    @initialize(limits=st.tuples(LIMITS, LIMITS, LIMITS, LIMITS))
    def begin(self, limits: tuple[KeyLimits, ...]) -> None:
        self.limits = dict(zip(SCOPES, limits, strict=True))

    @rule(scope=st.sampled_from(SCOPES), limits=LIMITS)
    def change_limits(self, scope: str, limits: KeyLimits) -> None:
        self.limits[scope] = limits

    @rule(by=st.integers(0, 2 * 10**9) | st.integers(0, 2 * MINUTE_NS) | st.integers(-(10**10), 0))
    def move_clock(self, by: int) -> None:
        self.now += by

    @rule(scopes=PRINCIPALS, entered=st.integers(0, 1200), written=st.integers(0, 3000))
    def reserve(self, scopes: tuple[str, ...], entered: int, written: int) -> None:
        tokens = entered + written
        for scope in scopes:
            limits = self.limits[scope]
            if limits.rpm is not None:
                self.requests.setdefault(scope, Level(limits.rpm, self.now)).touch(self.now, limits.rpm)
            if limits.tpm is not None:
                self.tokens.setdefault(scope, Level(limits.tpm, self.now)).touch(self.now, limits.tpm)
        shares = {scope: min(tokens, self.limits[scope].tpm or 0) for scope in scopes}
        crowded = any(self.crowded(scope) for scope in scopes)
        allowances = tuple(Allowance(scope=scope, limits=self.limits[scope]) for scope in scopes)
        try:
            hold = immediate(self.limiter.reserve(allowances, tokens, entered))
        except LimitReached as error:
            assert crowded or not self.fits(scopes, shares, entered, self.now)
            self.check_wait(error, scopes, shares, entered)
            return
        assert not crowded
        assert self.fits(scopes, shares, entered, self.now)
        for scope in scopes:
            if self.limits[scope].rpm is not None:
                self.requests[scope].left -= 1
            if self.limits[scope].tpm is not None:
                self.tokens[scope].left -= shares[scope]
        limited = {scope: shares[scope] for scope in scopes if self.limits[scope].tpm is not None}
        counted = [scope for scope in scopes if self.limits[scope].rpm is not None]
        self.holds.append(Held(hold, scopes, counted, limited))

    def crowded(self, scope: str) -> bool:
        most = self.limits[scope].concurrent
        return most is not None and self.running(scope) >= most

    def running(self, scope: str) -> int:
        return sum(scope in held.scopes for held in self.holds)

    def fits(self, scopes: tuple[str, ...], shares: dict[str, int], entered: int, now: int) -> bool:
        for scope in scopes:
            rpm, tpm = self.limits[scope].rpm, self.limits[scope].tpm
            if rpm is not None and self.requests[scope].when(now, rpm) < 1:
                return False
            if tpm is not None and (entered > tpm or self.tokens[scope].when(now, tpm) < shares[scope]):
                return False
        return True

    def check_wait(self, error: LimitReached, scopes: tuple[str, ...], shares: dict[str, int], entered: int) -> None:
        assert error.scope in scopes
        if error.never:
            assert not self.fits(scopes, shares, entered, self.now + 1000 * MINUTE_NS) or error.limit == CONCURRENT
            return
        then = self.now + round(error.retry_after_s * 10**9)
        assert self.fits(scopes, shares, entered, then)
        if error.limit != CONCURRENT:
            assert not self.fits(scopes, shares, entered, then - 1)

    @precondition(lambda self: self.holds)
    @rule(data=st.data(), release=st.booleans(), used=st.integers(0, 6000), again=st.booleans())
    def end(self, data: st.DataObject, release: bool, used: int, again: bool) -> None:
        held = self.holds.pop(data.draw(st.integers(0, len(self.holds) - 1)))
        if release:
            held.hold.release()
            used = 0
        else:
            held.hold.settle(used)
        if again:
            held.hold.settle(used + 5)
            held.hold.release()
        for scope, share in held.shares.items():
            level = self.tokens[scope]
            level.touch(self.now, level.limit)
            level.left = min(Fraction(level.limit), level.left + share - used)

    @precondition(lambda self: self.holds)
    @rule(data=st.data())
    def read_headers(self, data: st.DataObject) -> None:
        held = data.draw(st.sampled_from(self.holds))
        for name, value in held.hold.headers():
            if not name.startswith(b"x-ratelimit-reset"):
                assert int(value) >= 0
        for scope in held.counted:
            self.requests[scope].touch(self.now, self.requests[scope].limit)
        for scope in held.shares:
            self.tokens[scope].touch(self.now, self.tokens[scope].limit)

    @rule(in_use=st.sets(st.sampled_from(SCOPES)))
    def forget(self, in_use: set[str]) -> None:
        known = {scope for scope in SCOPES if self.limiter.state(scope)}
        self.limiter.forget(in_use)
        for scope in known:
            levels = [levels[scope] for levels in (self.requests, self.tokens) if scope in levels]
            full = all(level.when(self.now, level.limit) == level.limit for level in levels)
            gone = self.limiter.state(scope) is None
            assert gone == (full and not self.running(scope) and scope not in in_use)
            if gone:
                self.requests.pop(scope, None)
                self.tokens.pop(scope, None)

    @rule(chance=st.integers(0, 9))
    def crash_and_restart(self, chance: int) -> None:
        if chance:
            return
        lost = self.holds
        self.start()
        for held in lost:
            held.hold.release()

    @invariant()
    def levels_are_those_of_the_model_and_within_their_bounds(self) -> None:
        for scope in SCOPES:
            state = self.limiter.state(scope)
            if state is None:
                assert scope not in self.requests
                assert scope not in self.tokens
                assert not self.running(scope)
                continue
            assert state.concurrent == self.running(scope)
            for levels, left, debt in (
                (self.requests, state.requests, 0),
                (self.tokens, state.tokens, state.token_debt),
            ):
                level = levels.get(scope)
                if level is None:
                    assert left is None
                    continue
                assert left is not None
                assert 0 <= left <= level.limit
                assert debt >= 0
                exact = level.when(self.now, level.limit)
                assert left == max(0, exact // 1)
                assert debt == max(0, -(exact // 1))


TestLimits = Limits.TestCase
TestLimits.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
