"""Fallback around retry around attempt, under one deadline.

One object for one request. It makes the attempts, keeps what went wrong, and tells health and facts how each went.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from headgate.dialects.openai.seam import Seam
from headgate.gateway.begin import Asking, Begun, begin, give_up
from headgate.gateway.booking import Booking
from headgate.gateway.learn import note
from headgate.gateway.patience import LEAST_S, Patience
from headgate.gateway.pipe import Diverged
from headgate.gateway.settle import settle
from headgate.gateway.steps import Situation, Step, most_useful, next_step, rule_of
from headgate.gateway.turns import Turn, Turns
from headgate.routing.health import Health
from headgate.routing.observed import Observed
from headgate.routing.places import Permit
from headgate.types.fault import Fault, FaultClass
from headgate.types.policy import Rule
from headgate.types.request import Attempt, Envelope, Plan, Request
from headgate.upstream.call import Caller
from headgate.upstream.exchange import Clocks

TICK_S = 0.01
"""The loop tells the time in milliseconds: who sleeps until a moment must not wake just before it."""

MOST_OF_DEADLINE = 0.5
"""An attempt that has used so much of the time that was left when it began is late, whatever its clocks say."""


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

    __slots__ = ("_reserved", "booking", "deadline", "faults", "means", "plan", "request", "turns")

    def __init__(self, means: Means, request: Request, plan: Plan, booking: Booking) -> None:
        self.means = means
        self.request = request
        self.plan = plan
        self.booking = booking
        self.faults: list[Fault] = []
        self._reserved = 0
        total_s = plan.treatments[0].timeouts.total_s
        if request.total_s is not None and request.total_s < total_s:
            total_s = request.total_s
        self.deadline = booking.clock() + total_s
        self.turns = Turns(plan, means.health, booking, self.deadline, means.draw)

    async def tried(self, turn: Turn) -> Running:
        """Attempts at one candidate, as many as its faults and the policy allow. Raises Fault."""
        turns, (place, permit) = self.turns, turn
        turns.occupy(place)
        try:
            while True:
                try:
                    return await self.once(place, permit, self.asking(place))
                except Fault as fault:
                    step, wait_s = next_step(fault, self._situation(place), self._rule(fault, place))
                    if step is not Step.RETRY:
                        raise
                    await turns.wait(wait_s + TICK_S)
                    if not (turns.is_ready(place, self.booking.clock()) and await self.affords()):
                        raise
                    leave = turns.enter(place, self.booking.clock())
                    if leave is None:
                        raise
                    permit = leave
        finally:
            turns.vacate(place)

    async def once(self, place: int, permit: Permit, asking: Asking) -> Running:
        """One attempt at one candidate, up to the beginning of its answer. Raises Fault, which is kept; Diverged."""
        means, booking, candidate = self.means, self.booking, permit.candidate
        now = permit.passage.at
        means.observed.of(candidate.deployment).begin(self.plan.tokens, now)
        one, account = Attempt(candidate, now), booking.account
        account.tries.append(one)
        # Until one has an answer, what is said of the request is said of the last who was asked.
        account.provider, account.model = candidate.deployment.upstream.provider, candidate.upstream_id
        try:
            begun = await begin(means.caller, asking, one, booking)
        except BaseException as failure:  # a client that leaves, or a rival that was faster, ends it as well
            self._failed(one, permit, failure, place)
            raise
        if asking.envelope.stream:
            means.health.heard(permit, booking.clock())
        return Running(begun, permit, place)

    def _failed(self, one: Attempt, permit: Permit, failure: BaseException, place: int) -> None:
        """An attempt has ended without a whole answer: keep what that says of the deployment."""
        now, means = self.booking.clock(), self.means
        fault = failure if isinstance(failure, Fault) else None
        wait_s = None if fault is None else fault.retry_after_s
        note(means.observed, self.request, self.booking.extent, one, wait_s, now)
        if fault is None:
            means.health.abandon(permit)
            if isinstance(failure, asyncio.CancelledError):
                self.turns.give_back(place)
            return
        means.health.failed(permit, fault.kind, now, self.plan.treatments[place].health, means.draw(), wait_s)
        self.faults.append(fault)
        if fault.kind is FaultClass.CONTEXT_TOO_LONG:
            self.turns.too_long_for(place)

    def whole(self, running: Running) -> None:
        """The whole answer was delivered."""
        now, means = self.booking.clock(), self.means
        note(means.observed, self.request, self.booking.extent, running.begun.attempt, None, now)
        means.health.answered(running.permit, now)

    def broke(self, running: Running, failure: BaseException) -> Fault | Diverged:
        """Why an answer broke off while it was delivered. Raises what is no fault of an upstream's."""
        begun = running.begun
        try:
            give_up(self.means.caller, self.request.envelope, begun.attempt, begun.exchange, failure, self.booking)
        except BaseException as ended:  # a client that left is a cancellation
            self._failed(begun.attempt, running.permit, ended, running.place)
            if isinstance(ended, Fault | Diverged):
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
        self._failed(one, running.permit, asyncio.CancelledError(), running.place)

    def asking(self, place: int, envelope: Envelope | None = None, seam: Seam | None = None) -> Asking:
        """How a candidate is asked: for the request itself, or for what another answer lacks."""
        envelope = envelope or self.request.envelope
        treatment = self.plan.treatments[place]
        timeouts = treatment.timeouts
        # A JSON answer comes only when it is whole, so that its first byte says nothing about progress.
        first_token_s: float | None = None
        if envelope.stream:
            deployment, rival = self.plan.candidates[place].deployment, self.turns.others
            first_token_s = self.means.patience.first_token_s(deployment, timeouts, rival=rival)
        clocks = Clocks(timeouts.connect_s, first_token_s, timeouts.gap_s, self.deadline)
        return Asking(envelope, clocks, seam is None and treatment.holds, seam)

    @property
    def is_first(self) -> bool:
        """Whether no attempt has been made yet."""
        return not self.booking.account.tries

    async def affords(self) -> bool:
        """Whether the budgets of the key have room for the worst of one more answer.

        What is reserved pays for one; each that runs, or has failed and used something, wants a reservation of its own.
        """
        engaged = sum(one.usage is not None or one.done is None for one in self.booking.account.tries)
        while engaged > self._reserved:
            if not await self.booking.set_aside_another():
                return False
            self._reserved += 1
        return True

    def ends(self, fault: Fault, place: int) -> bool:
        """Whether a fault is the last word, whoever else could be asked."""
        return not self._rule(fault, place).fall_back

    def verdict(self) -> Fault:
        """What the client is told when nobody is left: of all that happened, what tells it most."""
        if not self.faults:
            return self.turns.nobody(range(len(self.plan.candidates)))
        fault = most_useful(self.faults)
        if fault.kind is FaultClass.RATE_LIMITED and fault.retry_after_s is None:
            # The provider named no time; how long it is left alone is what there is to say.
            return fault.retold(retry_after_s=self.turns.limited_s())
        return fault

    def speaks(self, place: int) -> bool:
        """Whether the stream of a candidate under way has content, be it held back: then it is not late."""
        candidate = self.plan.candidates[place]
        tries = self.booking.account.tries if self.request.envelope.stream else ()
        return any(one.candidate is candidate and one.done is None and one.first_token is not None for one in tries)

    def late_s(self, place: int, since: float) -> float:
        """When an attempt that began then and has no content is late enough for somebody else to be asked as well."""
        deployment = self.plan.candidates[place].deployment
        facts, stream = self.means.observed.of(deployment), self.request.envelope.stream
        timeouts = self.plan.treatments[place].timeouts
        late_s = self.means.patience.late_s(deployment, facts, timeouts, self.plan.tokens, stream=stream)
        # A clock that runs out with the deadline would leave nobody the time to answer in the first one's place.
        return min(late_s, (self.deadline - since) * MOST_OF_DEADLINE)

    def soonest_s(self, place: int, since: float) -> float:
        """Before this no attempt that began then is late, whatever is known of the deployment."""
        left_s = (self.deadline - since) * MOST_OF_DEADLINE
        limit_s = self.plan.treatments[place].timeouts.first_token_s
        soonest_s = limit_s if limit_s < LEAST_S else LEAST_S
        return soonest_s if soonest_s < left_s else left_s

    def hedge_s(self, place: int) -> float | None:
        """When somebody else may be asked before this attempt, a request's first, is late; None: never."""
        hedge = self.plan.treatments[place].hedge
        if hedge is None or self.booking.account.tries:
            return None
        facts = self.means.observed.of(self.plan.candidates[place].deployment)
        stream = self.request.envelope.stream
        return self.means.patience.hedge_s(self._hedged_as(place), hedge, facts, stream=stream)

    def may_hedge(self, place: int) -> bool:
        """Whether the share of requests that may be hedged has room for this one."""
        return self.means.patience.may_hedge(self._hedged_as(place))

    def count_rival(self, place: int) -> None:
        """A second attempt is made beside the one at this place."""
        self.means.patience.count(self._hedged_as(place))

    def uncount_rival(self, place: int) -> None:
        """There was nobody to make it at."""
        self.means.patience.uncount(self._hedged_as(place))

    def _hedged_as(self, place: int) -> tuple[str, str]:
        """What requests are counted under that share one allowance of second attempts."""
        return self.request.principal.workspace, self.plan.treatments[place].hedged_as

    def _rule(self, fault: Fault, place: int) -> Rule:
        return rule_of(fault.kind, self.plan.treatments[place].rules)

    def _situation(self, place: int) -> Situation:
        return Situation(
            tries=self.turns.tries(place),
            retries=self.plan.treatments[place].retries,
            left_s=self.deadline - self.booking.clock(),
            patience_s=self.turns.patience_s,
            has_next=self.turns.has_next,
            draw=self.means.draw(),
        )
