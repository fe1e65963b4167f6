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
"""The status of a request whose client left before it got one."""
NOTHING = Extent(text=0)


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


class Booking(msgspec.Struct, eq=False):
    """One request's holds and its entry. `close` pays them; whoever comes second finds it done.

    `at_us` is when the request arrived, in Unix microseconds; `clock` is the event loop's, `arrived` the same moment
    by it. `more` are reservations for further answers.
    """

    books: Books
    clock: Callable[[], float]
    account: Account
    principal: Principal
    operation: str
    at_us: int
    arrived: float
    model: str = ""
    stream: bool = False
    plan: Plan | None = None
    extent: Extent = NOTHING
    limits: LimitHold | None = None
    budget: BudgetHold | None = None
    more: list[BudgetHold] = []
    closed: bool = False

    async def set_aside_another(self) -> bool:
        """Reserve the worst of one more answer; whether that was possible. A key without a budget need not."""
        if self.budget is None:
            return True
        try:
            hold = await self.books.budgets.reserve(
                self.principal.allowances, self.budget.reserved_pusd, self.at_us / 1_000_000
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
        account, principal = self.account, self.principal
        charged = self._charge(principal.scopes)
        for hold in self.more:
            hold.release()
        if self.limits is not None:
            if account.usage is None:
                self.limits.release()
            else:
                self.limits.settle(account.usage.tokens)
        arrived, plan = self.arrived, self.plan
        asked, served = self.model, account.model
        self.books.ledger.record(
            Entry(
                account.request_id,
                self.at_us,
                principal.workspace,
                principal.key_id,
                principal.key,
                self.operation,
                asked if len(asked) <= LONGEST_NAME else _cut(asked),
                self.stream,
                status,
                outcome,
                error,
                account.provider,
                served if len(served) <= LONGEST_NAME else _cut(served),
                account.usage,
                account.cost_pusd,
                charged,
                int((now - arrived) * 1_000_000),
                principal.scopes,
                tuple([_row(attempt, arrived, now) for attempt in account.tries]),
                None if plan is None else plan_row(plan),
            )
        )

    def _charge(self, scopes: tuple[str, ...]) -> int:
        """Pico-dollars booked on the spending counters."""
        cost = self.account.cost_pusd
        if self.budget is None:
            if cost:
                self.books.budgets.book(scopes, self.at_us // DAY_US, cost)
            return cost or 0
        if self.account.usage is None:
            # Nobody answered and nobody reports a cost: nothing was bought.
            self.budget.release()
            return 0
        # A cost that turns out to be unknown is charged as the worst: a budget is never the one to lose.
        charged = self.budget.reserved_pusd if cost is None else cost
        self.budget.settle(charged)
        return charged


def _row(attempt: Attempt, arrived: float, now: float) -> AttemptRow:
    candidate, started, connected = attempt.candidate, attempt.started, attempt.connected
    first_token, done = attempt.first_token, now if attempt.done is None else attempt.done
    deployment, model = candidate.deployment, candidate.upstream_id
    name = deployment.name
    # None is before the arrival: all are of the event loop's clock, which never goes back.
    return AttemptRow(
        name if len(name) <= LONGEST_NAME else _cut(name),
        deployment.upstream.provider,
        model if len(model) <= LONGEST_NAME else _cut(model),
        deployment.credential.name,
        attempt.result or "cancelled",
        attempt.status,
        int((started - arrived) * 1_000_000),
        None if connected is None else int((connected - arrived) * 1_000_000),
        None if first_token is None else int((first_token - arrived) * 1_000_000),
        int((done - arrived) * 1_000_000),
        attempt.usage,
        attempt.cost,
    )


def _cut(name: str) -> str:
    """A name a client may have written; a megabyte of it would leave no room in the journal for others."""
    return name[: LONGEST_NAME - 1] + "…"


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
