"""Fallback around retry around attempt, under one deadline.

One object for one request. It hands out candidates in the order of the plan, keeps what went wrong, and tells health
and facts how each attempt went.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterator, Sequence

from headgate.dialects.openai.seam import Seam
from headgate.gateway.begin import Asking, Begun, begin, give_up
from headgate.gateway.booking import Booking
from headgate.gateway.learn import note
from headgate.gateway.patience import LEAST_S, Patience
from headgate.gateway.settle import settle
from headgate.gateway.steps import MOST_PATIENCE, MOST_WAIT_S, Situation, Step, most_useful, next_step, rule_of
from headgate.routing.health import Health, Permit
from headgate.routing.observed import Observed
from headgate.routing.standing import Condition, Standing
from headgate.types.fault import Fault, FaultClass
from headgate.types.policy import HealthPolicy, Rule, Timeouts
from headgate.types.request import Attempt, Envelope, Plan, Request
from headgate.upstream.call import Caller
from headgate.upstream.exchange import Clocks

HOLD_ALL = "full"
"""Streams are held until they are whole."""


TICK_S = 0.01
"""The loop tells the time in milliseconds: who sleeps until a moment must not wake just before it."""

MOST_OF_DEADLINE = 0.5
"""An attempt that has used so much of the time that was left when it began is late, whatever its clocks say."""

SPREAD = 0.25
"""Waits for a rate limit are longer than it by up to this part."""

LEAST_PAUSE_S = 0.01
"""A clock that is read a moment early must not find the limit still there."""


class Means:
    """What requests are served with, and what outlives them. `draw` gives numbers from 0 to 1."""

    __slots__ = ("caller", "draw", "health", "observed", "patience")

    def __init__(
        self, caller: Caller, observed: Observed, health: Health, patience: Patience, draw: Callable[[], float]
    ) -> None:
        self.caller = caller
        self.observed = observed
        self.health = health
        self.patience = patience
        self.draw = draw


class Running:
    """An attempt whose answer has begun, and the leave it was made with."""

    __slots__ = ("begun", "permit", "place")

    def __init__(self, begun: Begun, permit: Permit, place: int) -> None:
        self.begun = begun
        self.permit = permit
        self.place = place


class Ladder:
    """One request on its way through the candidates of its plan."""

    def __init__(self, means: Means, request: Request, plan: Plan, booking: Booking) -> None:
        self.means = means
        self.request = request
        self.plan = plan
        self.booking = booking
        self.faults: list[Fault] = []
        total_s = self.timeouts(0).total_s
        if request.total_s is not None and request.total_s < total_s:
            total_s = request.total_s
        self.deadline = booking.clock() + total_s
        self._next = 0
        self._crowded: list[int] = []
        self._awaited: list[int] = []
        self._recalled: set[int] = set()
        self._waited = False
        self._pressed = False
        self._too_small: int | None = None

    @property
    def has_next(self) -> bool:
        """Whether somebody else may be asked."""
        now = self.booking.clock()
        return any(self._is_ready(place, now) for place in range(self._next, len(self.plan.candidates)))

    @property
    def has_rival(self) -> bool:
        """Whether somebody may be asked now, or when a rate limit is over."""
        return self.has_next or next(self._waits(self.booking.clock()), None) is not None

    def take(self) -> int | None:
        """The place of the next candidate that may be asked now; None when there is none.

        Those before which many requests wait already are asked when nobody else is left, the last of them first: a
        herd must not come back to the first choice.
        """
        now = self.booking.clock()
        if self._awaited and self._is_ready(place := self._awaited.pop(), now):
            return place
        while self._next < len(self.plan.candidates):
            place, self._next = self._next, self._next + 1
            if self._fits(place):
                standing = self._standing(place, now)
                if standing.ready:
                    return place
                if standing.last_resort:
                    self._crowded.append(place)
        if not self._crowded:
            return None
        self._pressed = True
        return self._crowded.pop()

    async def turn(self) -> int | None:
        """The place of the next candidate to ask, after a wait where nobody can be asked yet; None when nobody will.

        Only rate limits are waited for, once a request, and only where the wait fits. Who sat out when its turn came
        and is back, with no attempt of this request made at it, is asked without a wait.
        """
        while (place := self.take()) is None:
            now = self.booking.clock()
            wait_s, place = min(self._waits(now), default=(math.inf, -1))
            if wait_s > min((self.deadline - now) * MOST_PATIENCE, MOST_WAIT_S):
                return None
            self._waited = self._waited or wait_s > 0
            await asyncio.sleep(wait_s)
            self._awaited.append(place)
            self._recalled.add(place)
        return place

    async def tried(self, place: int) -> Running:
        """Attempts at one candidate, as many as its faults and the policy allow. Raises Fault."""
        tries = self._tries(place)
        while True:
            tries += 1
            try:
                return await self.once(place, self.asking(place))
            except Fault as fault:
                step, wait_s = next_step(fault, self._situation(place, tries), self._rule(fault, place))
                if step is not Step.RETRY:
                    raise
                await asyncio.sleep(wait_s + TICK_S)
                if not self._is_ready(place, self.booking.clock()):
                    raise

    async def once(self, place: int, asking: Asking) -> Running:
        """One attempt at one candidate, up to the beginning of its answer. Raises Fault, which is kept; Diverged."""
        means, candidate = self.means, self.plan.candidates[place]
        now = self.booking.clock()
        permit = means.health.begin(candidate, now, self._policy(place), pressed=self._pressed)
        if permit is None:
            raise self._nobody([place])
        means.observed.of(candidate.deployment).begin(self.plan.tokens, now)
        made = len(self.booking.account.tries)
        try:
            begun = await begin(means.caller, asking, candidate, self.booking)
        except BaseException as failure:  # a client that leaves, or a rival that was faster, ends it as well
            self.over(self.booking.account.tries[made], permit, failure, place)
            raise
        means.health.heard(permit, self.booking.clock())
        return Running(begun, permit, place)

    def over(self, one: Attempt, permit: Permit, failure: BaseException | None, place: int) -> None:
        """An attempt has ended, with a failure or a whole answer: keep what it says of the deployment."""
        now, means = self.booking.clock(), self.means
        fault = failure if isinstance(failure, Fault) else None
        wait_s = None if fault is None else fault.retry_after_s
        note(means.observed, self.request, self.booking.extent, one, wait_s, now)
        if failure is not None and fault is None:
            means.health.abandon(permit)
            return
        kind = None if fault is None else fault.kind
        means.health.end(permit, kind, now, self._policy(place), means.draw(), wait_s)
        if fault is not None:
            self.faults.append(fault)
            if fault.kind is FaultClass.CONTEXT_TOO_LONG:
                self._too_small = self.plan.candidates[place].deployment.offer.context_tokens

    def whole(self, running: Running) -> None:
        """The whole answer was delivered."""
        self.over(running.begun.attempt, running.permit, None, running.place)

    def broke(self, running: Running, failure: BaseException) -> Fault:
        """The fault of an answer that broke off while it was delivered. Raises what is no fault."""
        begun = running.begun
        try:
            give_up(self.means.caller, self.request.envelope, begun.attempt, begun.exchange, failure, self.booking)
        except BaseException as ended:  # a client that left is a cancellation
            self.over(begun.attempt, running.permit, ended, running.place)
            if isinstance(ended, Fault):
                return ended
            raise

    def lose(self, running: Running) -> None:
        """An answer that came second: nobody wants it, but it was paid for."""
        begun = running.begun
        begun.exchange.cancel()
        one, pipe = begun.attempt, begun.pipe
        one.done = self.booking.clock()
        if one.usage is None:
            usage = begun.usage if pipe is None else pipe.reader.settled_usage()
            if usage is not None:
                settle(self.booking, one, usage)
        self.over(one, running.permit, asyncio.CancelledError(), running.place)

    def asking(self, place: int, envelope: Envelope | None = None, seam: Seam | None = None) -> Asking:
        """How a candidate is asked: for the request itself, or for what another answer lacks."""
        envelope = envelope or self.request.envelope
        timeouts, deployment = self.timeouts(place), self.plan.candidates[place].deployment
        route = self.plan.routes[place]
        hold = deployment.upstream.hold if route is None or route.hold is None else route.hold
        first_token_s = self.means.patience.first_token_s(deployment, timeouts, rival=self.has_next)
        clocks = Clocks(
            connect_s=timeouts.connect_s,
            # A JSON answer comes only when it is whole, so that its first byte says nothing about progress.
            first_token_s=first_token_s if envelope.stream else None,
            gap_s=timeouts.gap_s,
            deadline=self.deadline,
        )
        return Asking(envelope, clocks, hold=hold == HOLD_ALL and seam is None, seam=seam)

    def ends(self, fault: Fault, place: int) -> bool:
        """Whether a fault is the last word, whoever else could be asked."""
        return not self._rule(fault, place).fall_back

    def verdict(self) -> Fault:
        """What the client is told when nobody is left: of all that happened, what tells it most."""
        return most_useful(self.faults) if self.faults else self._nobody(range(len(self.plan.candidates)))

    def timeouts(self, place: int) -> Timeouts:
        """The clocks of a candidate under its route."""
        route, upstream = self.plan.routes[place], self.plan.candidates[place].deployment.upstream
        if route is None or route.timeouts is None:
            return upstream.timeouts
        return route.provider_timeouts.get(upstream.provider, route.timeouts)

    def late_s(self, place: int) -> float | None:
        """When an attempt without content is late enough for somebody else to be asked as well; None: never."""
        if not self.has_next:
            return None
        candidate, route = self.plan.candidates[place], self.plan.routes[place]
        deployment = candidate.deployment
        facts, stream = self.means.observed.of(deployment), self.request.envelope.stream
        late_s = self.means.patience.late_s(deployment, facts, self.timeouts(place), self.plan.tokens, stream=stream)
        # A clock that runs out with the deadline would leave nobody the time to answer in the first one's place.
        late_s = min(late_s, max(LEAST_S, (self.deadline - self.booking.clock()) * MOST_OF_DEADLINE))
        hedge = deployment.upstream.hedge if route is None or route.hedge is None else route.hedge
        if hedge is None:
            return late_s
        return self.means.patience.hedged_s(self._hedged_as(place), hedge, facts, late_s)

    def count_rival(self, place: int) -> None:
        """A second attempt is made beside the one at this place."""
        self.means.patience.count(self._hedged_as(place))

    # Inside

    def _hedged_as(self, place: int) -> str:
        """What requests are counted under that share one allowance of second attempts."""
        route = self.plan.routes[place]
        return self.plan.candidates[place].deployment.upstream.provider if route is None else f"route {route.name}"

    def _nobody(self, places: Sequence[int]) -> Fault:
        """The fault of candidates none of which may be asked now: what each waits for, and how long the first does."""
        now = self.booking.clock()
        standings = [(self.plan.candidates[place].deployment.name, self._standing(place, now)) for place in places]
        waits = [wait_s for _, standing in standings if (wait_s := standing.wait_s(now)) is not None]
        kinds = [standing.fault for _, standing in standings if standing.fault is not None]
        told = "; ".join(f"{name} {standing.told(now)}" for name, standing in standings[:5] if not standing.ready)
        kind = most_useful([Fault(one, "") for one in kinds]).kind if kinds else FaultClass.OVERLOADED
        return Fault(kind, f"nobody can be asked now: {told}", retry_after_s=min(waits, default=None))

    def _situation(self, place: int, tries: int) -> Situation:
        return Situation(
            tries=tries,
            retries=self._retries(place),
            left_s=self.deadline - self.booking.clock(),
            has_next=self.has_next,
            draw=self.means.draw(),
        )

    def _waits(self, now: float) -> Iterator[tuple[float, int]]:
        """How long until a candidate may be asked, and its place. Those who wait for one limit come back spread out."""
        for place in range(len(self.plan.candidates)):
            standing, tries = self._standing(place, now), self._tries(place)
            if not self._fits(place):
                continue
            if standing.ready and not tries and place not in self._recalled:
                yield 0.0, place
            elif standing.condition is Condition.LIMITED and not self._waited and tries <= self._retries(place):
                yield (standing.wait_s(now) or 0.0) * (1 + SPREAD * self.means.draw()) + LEAST_PAUSE_S, place

    def _tries(self, place: int) -> int:
        """The attempts that were made at a candidate."""
        candidate = self.plan.candidates[place]
        return sum(one.candidate is candidate for one in self.booking.account.tries)

    def _retries(self, place: int) -> int:
        route, upstream = self.plan.routes[place], self.plan.candidates[place].deployment.upstream
        return upstream.retries if route is None or route.retries is None else route.retries

    def _rule(self, fault: Fault, place: int) -> Rule:
        route = self.plan.routes[place]
        return rule_of(fault.kind, None if route is None else route.rules)

    def _fits(self, place: int) -> bool:
        """Whether the prompt, which was too long for another, is not known to be too long for this one."""
        window = self.plan.candidates[place].deployment.offer.context_tokens
        return self._too_small is None or window is None or window > self._too_small

    def _is_ready(self, place: int, now: float) -> bool:
        return self._fits(place) and self._standing(place, now).ready

    def _standing(self, place: int, now: float) -> Standing:
        return self.means.health.standing(self.plan.candidates[place], now, self._policy(place))

    def _policy(self, place: int) -> HealthPolicy:
        route, upstream = self.plan.routes[place], self.plan.candidates[place].deployment.upstream
        return upstream.health if route is None or route.health is None else route.health
