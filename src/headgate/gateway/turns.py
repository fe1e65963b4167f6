"""Whose turn it is: the candidates of a plan in their order, those who cannot be asked now left out."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterator, Sequence

from headgate.gateway.booking import Booking
from headgate.gateway.steps import MOST_PATIENCE, MOST_WAIT_S, most_useful
from headgate.routing.health import Health
from headgate.routing.places import Permit
from headgate.routing.standing import Condition, Standing
from headgate.types.fault import Fault, FaultClass
from headgate.types.request import Plan

SPREAD = 0.25
"""Waits for a rate limit are longer than it by up to this part."""

LEAST_PAUSE_S = 0.01
"""A clock that is read a moment early must not find the limit still there."""

_NEVER = math.inf, -1

MOST_TOLD = 5
"""Candidates that the error of a request which nobody can take speaks of."""


Turn = tuple[int, Permit]
"""The place of a candidate, and leave to send it one attempt, which is made or given back."""


class Turns:
    """The turns of one request. `others`, of a stream, is whether there was somebody else to ask when leave for the
    latest attempt was taken."""

    __slots__ = (
        "_at_work",
        "_awaited",
        "_booking",
        "_crowded",
        "_deadline",
        "_draw",
        "_health",
        "_next",
        "_plan",
        "_pressed",
        "_recalled",
        "_returned",
        "_too_small",
        "_waited_s",
        "others",
    )

    def __init__(
        self, plan: Plan, health: Health, booking: Booking, deadline: float, draw: Callable[[], float]
    ) -> None:
        self._plan = plan
        self._health = health
        self._booking = booking
        self._deadline = deadline
        self._draw = draw
        self._next = 0
        # Tuples, because nearly no request ever puts anything into them.
        self._at_work: tuple[int, ...] = ()
        self._crowded: tuple[int, ...] = ()
        self._awaited: int | None = None
        self._recalled: tuple[int, ...] = ()
        self._returned: tuple[int, ...] = ()
        self._waited_s = 0.0
        self._too_small: int | None = None
        # When nobody is left but those before whom many wait already.
        self._pressed = False
        self.others = False

    @property
    def has_next(self) -> bool:
        """Whether somebody else may be asked."""
        now = self._booking.clock()
        ahead = range(self._next, len(self._plan.candidates))
        return any(self.is_ready(place, now) for place in ahead) or next(self._again(now), None) is not None

    @property
    def has_rival(self) -> bool:
        """Whether somebody may be asked now, or when a rate limit is over that can be waited for."""
        now = self._booking.clock()
        return self.has_next or min(self._waits(now), default=_NEVER)[0] <= self._longest_wait_s(now)

    def limited_s(self) -> float | None:
        """How long until the first rate limit of a candidate is over; None when none is at one."""
        now = self._booking.clock()
        standings = [self._standing(place, now) for place in range(len(self._plan.candidates))]
        limits = [one.wait_s(now) for one in standings if one.condition is Condition.LIMITED]
        return min((wait_s for wait_s in limits if wait_s is not None), default=None)

    @property
    def patience_s(self) -> float:
        """How long the request may still wait in all."""
        return MOST_WAIT_S - self._waited_s

    async def wait(self, seconds: float) -> None:
        """Wait, and keep in mind how long the request has waited."""
        self._waited_s += seconds
        await asyncio.sleep(seconds)

    async def next(self) -> Turn | None:
        """The next candidate to ask once nobody can be asked at this moment (`take`); None when nobody will.

        Only rate limits are waited for, and only where the wait fits: others may be quicker when one is over, so that
        there may be several waits. Who sat out when its turn came and is back, with no attempt of this request made at
        it, is asked without a wait.
        """
        turn: Turn | None = None
        while turn is None:
            now = self._booking.clock()
            wait_s, place = min(self._waits(now), default=_NEVER)
            if wait_s > self._longest_wait_s(now):
                return None
            await self.wait(wait_s)
            self._awaited = place
            self._recalled = (*self._recalled, place)
            turn = self.take()
        return turn

    def occupy(self, place: int) -> None:
        """While attempts are made at a candidate nobody else's turn is there: two that race must not both retry it."""
        self._at_work = (*self._at_work, place)

    def vacate(self, place: int) -> None:
        """No more attempts are made at it."""
        at_work = self._at_work
        self._at_work = () if at_work == (place,) else tuple([one for one in at_work if one != place])

    def give_back(self, place: int) -> None:
        """An attempt was given up through no fault of the candidate, such as for a rival: it may be asked again."""
        if place not in self._returned:
            self._returned = (*self._returned, place)

    def enter(self, place: int, now: float) -> Permit | None:
        """Leave to send a candidate an attempt; None while it must not be sent."""
        plan = self._plan
        if self._booking.stream and (self._pressed or self.is_ready(place, now)):
            # Beforehand: while it is a probe, others at the same server or with the same credential seem to sit out.
            self.others = self.has_next
        return self._health.begin(plan.candidates[place], now, plan.treatments[place].health, pressed=self._pressed)

    def is_ready(self, place: int, now: float) -> bool:
        """Whether it may be asked at this moment, and the prompt is not known to be too long for it."""
        return self._fits(place) and self._standing(place, now).ready

    def tries(self, place: int) -> int:
        """The attempts that this request has made at a candidate."""
        candidate = self._plan.candidates[place]
        return sum(one.candidate is candidate for one in self._booking.account.tries)

    def too_long_for(self, place: int) -> None:
        """The prompt does not fit into this candidate's window, and so into no smaller one."""
        window = self._plan.candidates[place].deployment.offer.context_tokens
        if window is not None:
            self._too_small = window if self._too_small is None else max(window, self._too_small)

    def nobody(self, places: Sequence[int]) -> Fault:
        """The fault of candidates none of which may be asked now: what each waits for, and how long the first does."""
        now = self._booking.clock()
        standings = [(self._plan.candidates[place].deployment.name, self._standing(place, now)) for place in places]
        waits = [wait_s for _, standing in standings if (wait_s := standing.wait_s(now)) is not None]
        kinds = [standing.fault for _, standing in standings if standing.fault is not None]
        told = "; ".join(
            f"{name} {standing.told(now)}" for name, standing in standings[:MOST_TOLD] if not standing.ready
        )
        kind = most_useful([Fault(one, "") for one in kinds]).kind if kinds else FaultClass.OVERLOADED
        return Fault(kind, f"nobody can be asked now: {told}", retry_after_s=min(waits, default=None))

    def take(self) -> Turn | None:
        """The next candidate that may be asked now; None when there is none.

        Those before which many requests wait already are asked when nobody else is left, the last of them first: a
        herd must not come back to the first choice.
        """
        now = self._booking.clock()
        if self._awaited is not None:
            place, self._awaited = self._awaited, None
            # `enter` alone would join it to a crowd as soon as one was joined for want of anybody else.
            if self.is_ready(place, now) and (permit := self.enter(place, now)) is not None:
                return place, permit
        while self._next < len(self._plan.candidates):
            place, self._next = self._next, self._next + 1
            if self._too_small is None or self._fits(place):
                permit = self.enter(place, now)
                if permit is not None:
                    return place, permit
                if self._standing(place, now).last_resort:
                    self._crowded = (*self._crowded, place)
        for place in self._again(now):
            self._returned = tuple([one for one in self._returned if one != place])
            permit = self.enter(place, now)
            if permit is not None:
                return place, permit
        while self._crowded:
            *others, place = self._crowded
            self._crowded, self._pressed = tuple(others), True
            permit = self.enter(place, now)
            if permit is not None:
                return place, permit
        return None

    def _again(self, now: float) -> Iterator[int]:
        """Those that were given up and may be asked once more."""
        for place in self._returned:
            if self.tries(place) <= self._plan.treatments[place].retries and self.is_ready(place, now):
                yield place

    def _longest_wait_s(self, now: float) -> float:
        return min((self._deadline - now) * MOST_PATIENCE, self.patience_s)

    def _waits(self, now: float) -> Iterator[tuple[float, int]]:
        """How long until a candidate may be asked, and its place. Those who wait for one limit come back spread out."""
        for place in range(len(self._plan.candidates)):
            if place in self._at_work or not self._fits(place):
                continue
            standing, tries = self._standing(place, now), self.tries(place)
            if standing.ready and not tries and place not in self._recalled:
                yield 0.0, place
            elif standing.condition is Condition.LIMITED and tries <= self._plan.treatments[place].retries:
                yield (standing.wait_s(now) or 0.0) * (1 + SPREAD * self._draw()) + LEAST_PAUSE_S, place

    def _fits(self, place: int) -> bool:
        """Whether the prompt, which was too long for another, is not known to be too long for this one."""
        window = self._plan.candidates[place].deployment.offer.context_tokens
        return self._too_small is None or window is None or window > self._too_small

    def _standing(self, place: int, now: float) -> Standing:
        return self._health.standing(self._plan.candidates[place], now, self._plan.treatments[place].health)
