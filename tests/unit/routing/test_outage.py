"""A dead deployment beside a live one under steady traffic, by a virtual clock: what an outage costs, how it ends."""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Callable

import pytest

from headgate.routing.crowd import USUAL
from headgate.routing.health import Health
from headgate.types.deployment import Candidate
from headgate.types.fault import FaultClass
from headgate.types.policy import HealthPolicy
from tests.unit.routing.snapshots import candidate

POLICY = HealthPolicy()
RATE = 100
DOWN_AT, UP_AT = 30.0, 630.0
END = 670.0
RETURN_S = 10.0


class Traffic:
    """Requests go to the first of two candidates that has leave for them, and on to the second after a failure.

    A dead primary makes an attempt wait for `hang_s`, then fail. A live one has its first content after `first_s` and
    the whole answer after `whole_s`; None shows nothing before the end.
    """

    def __init__(self, *, hang_s: float, first_s: float | None, whole_s: float) -> None:
        self.health = Health()
        self.primary, self.spare = candidate("primary"), candidate("spare")
        self.hang_s, self.first_s, self.whole_s = hang_s, first_s, whole_s
        self.attempts: list[float] = []
        self.unserved: list[float] = []
        self.dice = random.Random(7)
        self._order = itertools.count()
        self._due: list[tuple[float, int, Callable[[float], None]]] = []

    def at(self, time: float, what: Callable[[float], None]) -> None:
        heapq.heappush(self._due, (time, next(self._order), what))

    def run(self) -> None:
        while self._due:
            now, _, what = heapq.heappop(self._due)
            what(now)

    def request(self, now: float) -> None:
        if not self.attempt(self.primary, now, pressed=False) and not self.attempt(self.spare, now, pressed=True):
            self.unserved.append(now)

    def attempt(self, one: Candidate, now: float, *, pressed: bool) -> bool:
        permit = self.health.begin(one, now, POLICY, pressed=pressed)
        assert (permit is not None) == self.ready_before(one, now, permit is not None, pressed)
        if permit is None:
            return False
        dead = one is self.primary and DOWN_AT <= now < UP_AT
        if one is self.primary:
            self.attempts.append(now)

        def fail(then: float) -> None:
            self.health.failed(permit, FaultClass.CONNECT_FAILED, then, POLICY, self.dice.random())
            if not self.attempt(self.spare, then, pressed=True):
                self.unserved.append(then)

        if dead:
            self.at(now + self.hang_s, fail)
            return True
        if self.first_s is not None:
            self.at(now + self.first_s, lambda then: self.health.heard(permit, then))
        self.at(now + self.whole_s, lambda then: self.health.answered(permit, then))
        return True

    def ready_before(self, one: Candidate, now: float, began: bool, pressed: bool) -> bool:
        """Whoever is refused stands so that it may not be sent; asking again shows it."""
        standing = self.health.standing(one, now, POLICY)
        return began or (standing.last_resort if pressed else standing.ready)

    def between(self, start: float, end: float) -> list[float]:
        return [at for at in self.attempts if start <= at < end]


@pytest.mark.parametrize(
    ("hang_s", "first_s", "whole_s", "most"),
    [
        pytest.param(0.001, 0.3, 4.0, RATE * 0.3 / 2 + 10, id="refused"),
        pytest.param(0.001, None, 2.0, RATE * 2.0 / 2 + 10, id="refused, and answers come whole"),
        pytest.param(5.0, 0.3, 30.0, USUAL * 0.3 * RATE + 1, id="black hole"),
        pytest.param(15.0, 1.0, 30.0, USUAL * 1.0 * RATE + 1, id="takes requests and shows nothing"),
    ],
)
def test_ten_minutes_dead_at_a_hundred_requests_a_second(
    hang_s: float, first_s: float | None, whole_s: float, most: float
) -> None:
    """What was sent before keeps answering to its end: until its first content has come, it looks half alive."""
    traffic = Traffic(hang_s=hang_s, first_s=first_s, whole_s=whole_s)
    for i in range(int(END * RATE)):
        traffic.at(i / RATE, traffic.request)
    traffic.run()
    assert traffic.unserved == []

    dead = traffic.between(DOWN_AT, UP_AT)
    herd = [at for at in dead if at < DOWN_AT + max(hang_s, first_s or whole_s) + 1.0]
    assert len(herd) <= most
    probes = dead[len(herd) :]
    gaps = [later - earlier for earlier, later in itertools.pairwise(probes)]
    assert min(gaps) >= 1.6
    assert max(gaps) <= 6.0 + 1 / RATE
    assert 600 / 6.5 <= len(probes) <= 600 / 4 + 2
    assert traffic.between(UP_AT, UP_AT + RETURN_S)
    back = traffic.between(UP_AT + RETURN_S, END)
    assert len(back) >= 0.99 * (END - UP_AT - RETURN_S) * RATE


@pytest.mark.parametrize("warm", [0, 1, 500])
def test_fifty_simultaneous_requests_at_a_dead_primary_make_at_most_ten_attempts(warm: int) -> None:
    traffic = Traffic(hang_s=1.0, first_s=0.3, whole_s=4.0)
    for i in range(warm):
        traffic.at(i / RATE, traffic.request)
    for _ in range(50):
        traffic.at(DOWN_AT, traffic.request)
    traffic.run()
    assert len(traffic.between(DOWN_AT, END)) == 10
    assert traffic.unserved == []


def test_a_live_primary_keeps_its_traffic() -> None:
    traffic = Traffic(hang_s=1.0, first_s=0.3, whole_s=4.0)
    now = 0.0
    while now < DOWN_AT:
        now += traffic.dice.expovariate(RATE)
        traffic.at(now, traffic.request)
    traffic.run()
    steady = traffic.between(3, DOWN_AT)
    assert len(steady) >= 0.97 * RATE * (DOWN_AT - 3)


def test_without_a_spare_nobody_is_refused_for_the_sake_of_a_crowd() -> None:
    traffic = Traffic(hang_s=1.0, first_s=0.3, whole_s=4.0)
    traffic.spare = traffic.primary
    for _ in range(500):
        traffic.at(0, traffic.request)
    traffic.run()
    assert len(traffic.attempts) == 500
    assert traffic.unserved == []
