"""What a request owes when it ends, paid exactly once: limits, budgets and the ledger's entry."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import msgspec

from headgate.ledger.budget import BudgetExceeded, BudgetHold, Budgets
from headgate.ledger.limits import Limiter, LimitHold
from headgate.routing.explain import plan_row
from headgate.routing.requirements import Extent
from headgate.types.entry import SUCCESS, AttemptRow, Entry, Outcome
from headgate.types.principal import Principal
from headgate.types.request import Account, Attempt, Plan
from headgate.types.usage import Usage

DAY_US = 86_400_000_000
LONGEST_NAME = 256
"""Characters kept of a model's name."""
LEFT = 499
NOTHING = Extent(text=0)
"""The status of a request whose client left before it got one."""


class Recorder(Protocol):
    """Keeps entries. `refuses` is true while it cannot, and the operator wants no request unrecorded."""

    @property
    def refuses(self) -> bool: ...

    def record(self, entry: Entry) -> None: ...


class Books(msgspec.Struct, frozen=True, eq=False):
    """Where requests are counted: what may be used, what may be spent, and what was."""

    limiter: Limiter
    budgets: Budgets
    ledger: Recorder


class Booking:
    """One request's holds and its entry. `close` pays them; whoever comes second finds it done.

    `at_us` is when the request arrived, in Unix microseconds; `clock` is the event loop's.
    """

    __slots__ = (
        "_arrived",
        "_books",
        "_operation",
        "_principal",
        "account",
        "at_us",
        "budget",
        "clock",
        "closed",
        "extent",
        "limits",
        "model",
        "more",
        "plan",
        "stream",
    )

    def __init__(
        self,
        books: Books,
        clock: Callable[[], float],
        account: Account,
        principal: Principal,
        operation: str,
        at_us: int,
        arrived: float,
    ) -> None:
        self.account = account
        self.clock = clock
        self.at_us = at_us
        self.model = ""
        self.stream = False
        self.plan: Plan | None = None
        self.extent = NOTHING
        self.limits: LimitHold | None = None
        self.budget: BudgetHold | None = None
        self.more: list[BudgetHold] = []
        self.closed = False
        self._books = books
        self._principal = principal
        self._operation = operation
        self._arrived = arrived

    async def set_aside_another(self) -> bool:
        """Reserve the worst of one more answer; whether that was possible. A key without a budget need not."""
        if self.budget is None:
            return True
        try:
            hold = await self._books.budgets.reserve(
                self._principal.allowances, self.budget.reserved_pusd, self.at_us / 1_000_000
            )
        except BudgetExceeded:
            return False
        if self.closed:
            hold.release()
            return False
        self.more.append(hold)
        return True

    def answered(self, attempt: Attempt) -> None:
        """The whole answer is there, and its last bytes go out next: from here on nothing of it can be lost."""
        attempt.done = self.clock()
        attempt.result = SUCCESS
        self.close(Outcome.ANSWERED, 200)

    def close(self, outcome: Outcome, status: int, error: str | None = None) -> None:
        """Give back what was held, charge what was used, write the entry."""
        if self.closed:
            return
        self.closed = True
        now = self.clock()
        account, principal = self.account, self._principal
        charged = self._charge(principal.scopes)
        for hold in self.more:
            hold.release()
        if self.limits is not None:
            if account.usage is None:
                self.limits.release()
            else:
                self.limits.settle(account.usage.tokens)
        self._books.ledger.record(
            Entry(
                account.request_id,
                self.at_us,
                principal.workspace,
                principal.key_id,
                principal.key,
                self._operation,
                _short(self.model),
                self.stream,
                status,
                outcome,
                error,
                account.provider,
                _short(account.model),
                account.usage,
                account.cost_pusd,
                charged,
                self._since(now),
                principal.scopes,
                tuple([self._row(attempt, now) for attempt in account.tries]),
                None if self.plan is None else plan_row(self.plan),
            )
        )

    def _charge(self, scopes: tuple[str, ...]) -> int:
        """Pico-dollars booked on the spending counters."""
        cost = self.account.cost_pusd
        if self.budget is None:
            if cost:
                self._books.budgets.book(scopes, self.at_us // DAY_US, cost)
            return cost or 0
        if self.account.usage is None:
            # Nobody answered and nobody reports a cost: nothing was bought.
            self.budget.release()
            return 0
        # A cost that turns out to be unknown is charged as the worst: a budget is never the one to lose.
        charged = self.budget.reserved_pusd if cost is None else cost
        self.budget.settle(charged)
        return charged

    def _row(self, attempt: Attempt, now: float) -> AttemptRow:
        deployment = attempt.candidate.deployment
        return AttemptRow(
            _short(deployment.name),
            deployment.upstream.provider,
            _short(attempt.candidate.upstream_id),
            deployment.credential.name,
            attempt.result or "cancelled",
            attempt.status,
            self._since(attempt.started),
            None if attempt.connected is None else self._since(attempt.connected),
            None if attempt.first_token is None else self._since(attempt.first_token),
            self._since(now if attempt.done is None else attempt.done),
            attempt.usage,
            attempt.cost,
        )

    def _since(self, moment: float) -> int:
        return max(0, int((moment - self._arrived) * 1_000_000))


def _short(name: str) -> str:
    """A name a client may have written; a megabyte of it would leave no room in the journal for others."""
    return name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 1] + "…"


def total_usage(tries: list[Attempt]) -> Usage | None:
    """Tokens of all attempts together; None when none has any."""
    used = [attempt.usage for attempt in tries if attempt.usage is not None]
    if len(used) <= 1:
        return used[0] if used else None
    return Usage(
        input=sum(usage.input for usage in used),
        cached_input=sum(usage.cached_input for usage in used),
        cache_write=sum(usage.cache_write for usage in used),
        audio_input=sum(usage.audio_input for usage in used),
        output=sum(usage.output for usage in used),
        reasoning=sum(usage.reasoning for usage in used),
        audio_output=sum(usage.audio_output for usage in used),
        estimated=any(usage.estimated for usage in used),
        service_tier=used[-1].service_tier,
    )


def total_cost(tries: list[Attempt]) -> int | None:
    """Pico-dollars of all attempts that used something; None when one of their costs is unknown."""
    total = 0
    for attempt in tries:
        if attempt.usage is None:
            continue
        if attempt.cost.pusd is None:
            return None
        total += attempt.cost.pusd
    return total if any(attempt.usage is not None for attempt in tries) else None
