"""The state machine that decides about cooldowns: closed, open, half-open. Pure: time and chance are handed in.

Two rules keep a herd away from what is dead. An open breaker lets through one probe at a time, after pauses that grow
and never get longer than what a recovered deployment may be left waiting. And already a closed one is *crowded* when
more attempts than usual have begun after the youngest that gave a sign of life: whoever has another choice takes it. So
requests which all come before the first failure is seen do not all go the same way, not even while older answers still
come to their end.
"""

from __future__ import annotations

from collections import deque
from enum import StrEnum

from headgate.routing.crowd import Crowd, Passage
from headgate.types.policy import HealthPolicy

WINDOW_S = 60.0
WINDOW = 50
"""The share of failures is taken of so many outcomes at most, none older than that."""

ENOUGH = 20
"""So many outcomes and their share of failures counts."""

FIRST_PAUSE = 1 / 5
LONGEST_PAUSE = 1 / 2
JITTER = 0.2
"""Pauses are parts of the policy's `cooldown_s`, give or take a fifth: 2 s, 4 s and from then on 5 s with the default
of 10 s. They are counted from one probe's beginning to the next one's, and none is longer than 0.6 of `cooldown_s`:
what is left of it is for the probe's answer, so that traffic is back within `cooldown_s` of a recovery."""

LEASE = LONGEST_PAUSE * (1 + JITTER)
"""For such a part of `cooldown_s` a probe that shows nothing holds the others up; then the next may go."""


class State(StrEnum):
    """Of a breaker: all may pass, none may, one may."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Breaker:
    """Closed until failures open it: so many in a row, or half of the recent outcomes.

    Times are seconds of any clock that only goes forward; `jitter` is a number from 0 to 1. What an attempt says that
    began before the breaker last changed comes too late to change it again. `reason` is why it opened, in words.
    """

    __slots__ = (
        "_closed_at",
        "_crowd",
        "_epoch",
        "_open_until",
        "_probe",
        "_probe_until",
        "_row",
        "_spacing",
        "_step",
        "_trial",
        "_window",
        "reason",
    )

    def __init__(self) -> None:
        self.reason = ""
        self._epoch = 0
        self._crowd = Crowd()
        self._row = 0
        self._window: Window | None = None
        self._open_until: float | None = None
        self._step = 0
        self._probe: Passage | None = None
        self._probe_until = 0.0
        self._spacing = 0.0
        self._trial = False
        self._closed_at = float("-inf")

    @property
    def failures(self) -> int:
        """Failures in a row, while it is closed."""
        return self._row

    @property
    def retry_at(self) -> float | None:
        """When the next probe may go; None while it is closed."""
        return self._open_until if self._probe is None else self._probe_until

    @property
    def probing(self) -> bool:
        """Whether a probe is under way."""
        return self._probe is not None

    def state(self, now: float) -> State:
        if self._open_until is None:
            return State.CLOSED
        return State.OPEN if now < self._open_until else State.HALF_OPEN

    def crowded(self, now: float, policy: HealthPolicy) -> bool:
        """Whether it is closed and too many are under way without a sign of life."""
        return self._open_until is None and self._crowd.full(now, policy.failures)

    def allows(self, now: float, policy: HealthPolicy) -> bool:
        """Whether an attempt may begin that could go elsewhere as well."""
        retry_at = self.retry_at
        return now >= retry_at if retry_at is not None else not self.crowded(now, policy)

    def begin(self, now: float, policy: HealthPolicy, *, pressed: bool = False) -> Passage | None:
        """Let an attempt through, as the probe if it is open; None: it must not be sent.

        `pressed` when it can go nowhere else: then a crowd is no obstacle.
        """
        if self._open_until is None:
            crowd = self._crowd
            return crowd.begin(now, self._epoch) if pressed or not crowd.full(now, policy.failures) else None
        if not self.allows(now, policy):
            return None
        probe = self._probe = Passage(now, self._epoch, 0)
        self._probe_until = now + LEASE * policy.cooldown_s
        self._spacing = (1 - JITTER) * FIRST_PAUSE * policy.cooldown_s
        return probe

    def heard(self, passage: Passage, now: float) -> None:
        """The first content of an answer has come. After a cooldown that is enough to close it, on trial: until an
        answer is whole, one failure opens it again."""
        if passage.epoch != self._epoch:
            return
        if self._open_until is not None:
            self._close(now)
            self._trial = True
            passage.epoch = self._epoch
        self._crowd.alive(passage, now)

    def success(self, passage: Passage, now: float) -> None:
        """A whole answer has come."""
        if passage.epoch != self._epoch:
            self._crowd.left(passage)
            return
        if self._open_until is not None:
            self._close(now)
        self._trial = False
        self._row = 0
        if self._window is not None:
            self._window.add(now, failed=False)
            if not self._window.failed:
                self._window = None
        # First the sign of life, which takes it out of the crowd.
        self._crowd.alive(passage, now)
        passage.over = True

    def failure(self, passage: Passage, now: float, policy: HealthPolicy, jitter: float) -> None:
        """The deployment has failed. Of an open breaker only the probe that it waits for makes the pause longer."""
        self._crowd.left(passage, failed=True)
        if passage.epoch != self._epoch:
            return
        if self._open_until is not None:
            if passage is self._probe:
                self._pause(self._step + 1, passage.at, policy, jitter)
            return
        self._row += 1
        # Answers that older attempts still get must not hide that no younger one gets any.
        row = max(self._row, self._crowd.failed)
        if self._window is None:
            self._window = Window()
        self._window.add(now, failed=True)
        if self._trial or row >= policy.failures:
            self.reason = f"{row} failures in a row" if row > 1 else "a failure"
        elif self._window.bad:
            self.reason = f"{self._window.failed} failures among its last {self._window.total} answers"
        else:
            return
        # What opens again soon after it was closed goes on from the pause it had.
        again = self._trial or now - self._closed_at < WINDOW_S
        self._epoch += 1
        self._trial = False
        self._pause(self._step + 1 if again else 0, now, policy, jitter)

    def abandoned(self, passage: Passage) -> None:
        """The attempt ended in a way that says nothing of the deployment: cancelled, or its request was at fault.

        A probe's place is free again, but the next does not begin sooner after this one than the shortest pause lasts.
        """
        if passage is self._probe:
            self._probe = None
            self._open_until = passage.at + self._spacing
        self._crowd.left(passage)

    def _close(self, now: float) -> None:
        self._epoch += 1
        self._open_until = None
        self._probe = None
        self._row = 0
        self._window = None
        self._closed_at = now
        self._crowd.clear(now)

    def _pause(self, step: int, since: float, policy: HealthPolicy, jitter: float) -> None:
        # Doubling reaches the longest pause long before the number gets out of hand.
        self._step = min(step, 8)
        pause = min(FIRST_PAUSE * 2.0**self._step, LONGEST_PAUSE) * policy.cooldown_s
        self._open_until = since + pause * (1 - JITTER + 2 * JITTER * jitter)
        self._probe = None


class Window:
    """The latest outcomes: how many, and how many of them were failures. It is begun by a failure."""

    __slots__ = ("_outcomes", "failed")

    def __init__(self) -> None:
        self._outcomes: deque[tuple[float, bool]] = deque()
        self.failed = 0

    @property
    def total(self) -> int:
        return len(self._outcomes)

    @property
    def bad(self) -> bool:
        """Whether at least half of enough outcomes were failures."""
        return self.total >= ENOUGH and 2 * self.failed >= self.total

    def add(self, now: float, *, failed: bool) -> None:
        outcomes = self._outcomes
        while outcomes and (len(outcomes) >= WINDOW or now - outcomes[0][0] > WINDOW_S):
            self.failed -= outcomes.popleft()[1]
        outcomes.append((now, failed))
        self.failed += failed
