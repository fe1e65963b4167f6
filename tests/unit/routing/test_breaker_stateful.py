"""A breaker against a model that keeps the whole history: many attempts at once, a clock that jumps, any order."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from headgate.routing.breaker import ENOUGH, WINDOW, WINDOW_S, Breaker, State
from headgate.routing.crowd import CROWD, PATIENCE_S, SILENCE, USUAL, Passage
from headgate.types.policy import HealthPolicy

JITTER = st.floats(0, 1)


class Sent:
    """An attempt: when it began, whether as a probe, and after how many changes."""

    def __init__(self, passage: Passage, at: float, probe: bool, change: int) -> None:
        self.passage, self.at, self.probe, self.change = passage, at, probe, change


class Breaking(RuleBasedStateMachine):
    """`changes` counts openings and closings. `younger` are those that run and began after the youngest that gave a
    sign of life, `fresh` the failures among them since that sign, `lag` how many usually begin meanwhile.
    """

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0
        self.policy = HealthPolicy()
        self.breaker = Breaker()
        self.running: list[Sent] = []
        self.changes = self.row = self.step = 0
        self.younger: list[Sent] = []
        self.begun: list[Sent] = []
        self.fresh = 0
        self.lag = self.usual_s = 0.0
        self.proven_at: float | None = None
        self.begun_at = 0.0
        self.trial = False
        self.recent: list[tuple[float, bool]] = []
        self.pause: tuple[float, float] | None = None
        self.probe: Sent | None = None
        self.closed_at: float | None = None
        self.probes: list[float] = []
        self.given_back: float | None = None

    @initialize(failures=st.integers(1, 8), cooldown_s=st.sampled_from([0.5, 10.0, 60.0]))
    def choose(self, failures: int, cooldown_s: float) -> None:
        self.policy = HealthPolicy(failures=failures, cooldown_s=cooldown_s)

    @rule(by=st.floats(0, 3) | st.floats(0, 100) | st.floats(0, 10**6))
    def wait(self, by: float) -> None:
        self.now += by

    @precondition(lambda self: self.pause is not None)
    @rule(late=st.floats(0, 1))
    def wait_for_the_next_try(self, late: float) -> None:
        self.now = max(self.now, (self.breaker.retry_at or 0.0) + late)

    @rule(count=st.integers(1, 30), pressed=st.booleans())
    def begin(self, count: int, pressed: bool) -> None:
        for _ in range(count):
            may = self.may_begin(pressed)
            passage = self.breaker.begin(self.now, self.policy, pressed=pressed)
            assert (passage is not None) == may
            if passage is not None:
                self.sent(passage)

    def may_begin(self, pressed: bool) -> bool:
        if self.pause is None:
            most: float = max(CROWD, 2 * self.policy.failures)
            if self.proven_at is not None and self.now - self.proven_at <= SILENCE * self.usual_s:
                most = max(most, USUAL * self.lag)
            full = len(self.younger) + self.fresh >= most
            return pressed or not full or self.now - self.begun_at >= PATIENCE_S
        if self.probe is not None:
            return self.now - self.probe.at >= 0.6 * self.policy.cooldown_s - 1e-9
        return self.now >= (self.breaker.retry_at or 0.0)

    def sent(self, passage: Passage) -> None:
        one = Sent(passage, self.now, self.pause is not None, self.changes)
        self.running.append(one)
        if one.probe:
            shortest = 0.8 / 5 * self.policy.cooldown_s
            assert not self.probes or self.now - self.probes[-1] >= shortest - 1e-6
            self.probes.append(self.now)
            self.probe = one
        else:
            self.younger.append(one)
            self.begun.append(one)
            self.begun_at = self.now

    @precondition(lambda self: self.running)
    @rule(data=st.data(), count=st.integers(1, 30), jitter=JITTER)
    def fail(self, data: st.DataObject, count: int, jitter: float) -> None:
        for _ in range(min(count, len(self.running))):
            one = self.taken(data, failed=True)
            self.breaker.failure(one.passage, self.now, self.policy, jitter)
            if one.change != self.changes:
                continue
            if self.pause is None:
                self.failed_while_closed()
            elif one is self.probe:
                self.opens(self.step + 1, one.at)

    def failed_while_closed(self) -> None:
        self.row += 1
        self.remember(failed=True)
        share = sum(failed for _, failed in self.recent) / len(self.recent)
        many = len(self.recent) >= ENOUGH and share >= 0.5
        if self.trial or max(self.row, self.fresh) >= self.policy.failures or many:
            soon = self.closed_at is not None and self.now - self.closed_at < WINDOW_S
            self.changes += 1
            self.opens(self.step + 1 if self.trial or soon else 0, self.now)

    def opens(self, step: int, since: float) -> None:
        self.step, self.trial, self.probe, self.given_back = step, False, None, None
        middle = min(2.0 ** min(step, 50) / 5, 1 / 2) * self.policy.cooldown_s
        self.pause = since + 0.8 * middle, since + 1.2 * middle

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def succeed(self, data: st.DataObject) -> None:
        one = self.taken(data)
        self.breaker.success(one.passage, self.now)
        if one.change == self.changes:
            if self.pause is not None:
                self.closes()
            else:
                self.remember(failed=False)
            self.trial, self.row = False, 0
            self.lives(one)

    def lives(self, one: Sent) -> None:
        if one in self.begun:
            self.begun = self.begun[self.begun.index(one) + 1 :]
            self.younger = [other for other in self.younger if other in self.begun]
            self.lag = max(len(self.begun), self.lag + (len(self.begun) - self.lag) / 8)
            self.usual_s = max(self.now - one.at, self.usual_s + (self.now - one.at - self.usual_s) / 8)
            self.proven_at, self.fresh = self.now, 0

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def hear(self, data: st.DataObject) -> None:
        one = data.draw(st.sampled_from(self.running))
        self.breaker.heard(one.passage, self.now)
        if one.change == self.changes:
            if self.pause is not None:
                self.closes()
                self.trial, one.change = True, self.changes
            self.lives(one)

    def closes(self) -> None:
        self.pause, self.probe, self.row, self.recent, self.closed_at = None, None, 0, [], self.now
        self.changes += 1
        self.probes, self.younger, self.begun, self.proven_at, self.fresh = [], [], [], self.now, 0

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def abandon(self, data: st.DataObject) -> None:
        one = self.taken(data)
        self.breaker.abandoned(one.passage)
        if one is self.probe:
            self.probe, self.given_back = None, one.at

    def taken(self, data: st.DataObject, *, failed: bool = False) -> Sent:
        one = self.running.pop(data.draw(st.integers(0, len(self.running) - 1)))
        if failed:
            self.proven_at = None
            self.fresh += one in self.younger
        if one in self.younger:
            self.younger.remove(one)
        return one

    def remember(self, *, failed: bool) -> None:
        """The window begins with a failure, and holds as many as it may, none too old."""
        if not failed and not any(failed for _, failed in self.recent):
            return
        recent = [(at, bad) for at, bad in self.recent if self.now - at <= WINDOW_S][-(WINDOW - 1) :]
        recent.append((self.now, failed))
        self.recent = recent if any(bad for _, bad in recent) else []

    @invariant()
    def it_is_open_exactly_when_the_history_says_so(self) -> None:
        retry_at = self.breaker.retry_at
        if self.pause is None:
            assert retry_at is None
            assert self.breaker.state(self.now) is State.CLOSED
            assert self.breaker.failures == self.row
            return
        assert retry_at is not None
        assert self.breaker.state(self.now) is not State.CLOSED
        if self.probe is not None:
            assert retry_at == pytest.approx(self.probe.at + 0.6 * self.policy.cooldown_s)
        elif self.given_back is not None:
            assert retry_at == pytest.approx(self.given_back + 0.8 / 5 * self.policy.cooldown_s)
        else:
            assert self.pause[0] - 1e-6 <= retry_at <= self.pause[1] + 1e-6

    @invariant()
    def nobody_waits_longer_for_the_next_try_than_a_return_may_take(self) -> None:
        if self.breaker.retry_at is not None:
            assert self.breaker.retry_at - self.now <= 0.6 * self.policy.cooldown_s + 1e-6


TestBreaking = Breaking.TestCase
TestBreaking.settings = settings(max_examples=120, stateful_step_count=60, deadline=None)
