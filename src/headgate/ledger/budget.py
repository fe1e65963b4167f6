"""What the scopes of a request may spend, and what they have spent, in pico-dollars.

The worst case of a request is reserved before anybody is asked and settled once to what it cost, so requests that run
at the same time never overspend together. The figures live in memory, start from the durable spending by UTC day, and
are kept for scopes without a budget too: one that is added later counts what was spent before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NoReturn, Protocol

import msgspec

from headgate.ledger.periods import PERIODS, day_of, first_days, render_budget, render_time, resets_at
from headgate.ledger.refusal import WHOSE, admits_cheaper, ended, tightest_price
from headgate.ledger.refusal import BudgetExceeded as BudgetExceeded
from headgate.ledger.tally import Tally, Window
from headgate.types.money import render_usd
from headgate.types.policy import Allowance, Budget, Period

OnEvent = Callable[[str, str, str], None]
"""Called with the kind of an event, the scope, and a message for operators; never with the same crossing twice."""

WARNING = "budget_warning"
EXHAUSTED = "budget_exhausted"
REFUSED = "budget_refused"

_WARN_PERCENT = 80
_INDEX = {period: index for index, period in enumerate(PERIODS)}


class BudgetHold(Protocol):
    """A running request's worst case, set aside. The first `settle` or `release` counts, any later one is nothing.

    Either books into the periods in which the request was reserved. Neither waits for anything.
    """

    @property
    def reserved_pusd(self) -> int:
        """What was set aside."""

    def settle(self, cost_pusd: int) -> None:
        """The request cost so much; all of it is booked, also what is more than was set aside."""

    def release(self) -> None:
        """The request cost nothing."""

    @property
    def warning(self) -> str | None:
        """What to tell the client of the budget that is nearest to its end, from 80 % on."""


class Budgets(Protocol):
    """Whoever knows what every scope has spent."""

    async def reserve(
        self, allowances: tuple[Allowance, ...], worst_pusd: int, now: float, *, beyond: bool = False
    ) -> BudgetHold:
        """Set the worst case aside in every allowance, or in none. `now` is Unix seconds.

        With `beyond`, budgets that admit cheaper candidates do not stand in the way: for a plan of nothing else.
        Raises BudgetExceeded.
        """

    def book(self, scopes: Iterable[str], day: int, pusd: int) -> None:
        """Count what a request cost that nothing was reserved for, on the UTC day on which it arrived."""


class BudgetState(msgspec.Struct, frozen=True, kw_only=True):
    """One period of one scope. `limit_pusd` and `left_pusd` are None without a budget for it."""

    per: Period
    spent_pusd: int
    reserved_pusd: int
    limit_pusd: int | None
    left_pusd: int | None
    reset_at: int | None


_Check = tuple[str, Budget, Window, int]
"""A scope, its budget, the window that one is about, and the day the scope was on."""

_Taken = tuple[Tally, tuple[Window, ...]]
"""A scope, and the windows it had when something was set aside."""


class _Hold(msgspec.Struct, eq=False):
    _taken: list[_Taken] | None
    _checks: list[_Check]
    reserved_pusd: int
    _on_event: OnEvent | None

    def settle(self, cost_pusd: int) -> None:
        taken = self._taken
        if taken is None:
            return
        self._taken = None
        worst = self.reserved_pusd
        for tally, windows in taken:
            if tally.windows is windows:
                sums = tally.sums
                sums.reserved -= worst
                sums.spent += cost_pusd
                continue
            # A period has begun since. It knows nothing of what was set aside before, and nothing of the cost.
            for window in windows:
                window.book(cost_pusd, worst)
        for check in self._checks:
            # What is compared first is nearly all there is to do for nearly every request.
            if check[2].spent * 100 >= check[1].limit_pusd * _WARN_PERCENT and self._on_event is not None:
                _tell_crossings(check, cost_pusd, self._on_event)

    def release(self) -> None:
        self.settle(0)

    @property
    def warning(self) -> str | None:
        nearest: tuple[int, _Check] | None = None
        for check in self._checks:
            spent, limit = check[2].spent, check[1].limit_pusd
            if spent * 100 >= limit * _WARN_PERCENT:
                percent = spent * 100 // limit if limit else 100
                if nearest is None or percent > nearest[0]:
                    nearest = percent, check
        return None if nearest is None else _warning(*nearest)


class MemoryBudgets:
    """Budgets of one process and one event loop.

    `spent` is the spending of each scope in the day, week, month and all time that `now` (Unix seconds) belongs to.
    `on_event` is called at a crossing of 80 % and 100 %, and at the first refusal in a period. There is a tally for
    every scope that has ever spent; none is dropped, because what it has spent would be forgotten with it.
    """

    def __init__(
        self, spent: Mapping[str, tuple[int, int, int, int]], now: float, on_event: OnEvent | None = None
    ) -> None:
        day = day_of(now)
        self._tallies = {scope: Tally(day, figures) for scope, figures in spent.items()}
        self._on_event = on_event

    async def reserve(
        self, allowances: tuple[Allowance, ...], worst_pusd: int, now: float, *, beyond: bool = False
    ) -> BudgetHold:
        taken: list[_Taken] = []
        checks: list[_Check] = []
        blocking: list[_Check] = []
        tallies = self._tallies
        for allowance in allowances:
            tally = tallies.get(allowance.scope)
            if tally is None:
                tally = tallies[allowance.scope] = Tally(day_of(now))
            elif not tally.begins <= now < tally.ends:
                tally.turn(day_of(now))
            windows = tally.windows
            taken.append((tally, windows))
            for budget in allowance.budgets:
                window = windows[_INDEX[budget.per]]
                check = (allowance.scope, budget, window, tally.day)
                checks.append(check)
                too_much = window.engaged + worst_pusd > budget.limit_pusd
                if too_much or (budget.until is not None and ended(budget, now)):
                    blocking.append(check)
        if blocking and not (beyond and all(admits_cheaper(check[1], now) for check in blocking)):
            self._refuse(blocking, worst_pusd, now)
        for tally, _ in taken:
            tally.sums.reserved += worst_pusd
        return _Hold(taken, checks, worst_pusd, self._on_event)

    def book(self, scopes: Iterable[str], day: int, pusd: int) -> None:
        for scope in scopes:
            tally = self._tallies.get(scope)
            if tally is None:
                tally = self._tallies[scope] = Tally(day)
            elif day > tally.day:
                tally.turn(day)
            for window in tally.of(day):
                window.book(pusd, 0)

    def state(self, scope: str, now: float, budgets: tuple[Budget, ...] = ()) -> tuple[BudgetState, ...]:
        """Every period of a scope, with the limits that `budgets` set. Changes nothing, so it may be any thread's."""
        tally = self._tallies.get(scope)
        day = day_of(now)
        if tally is None:
            tally = Tally(day)
        limits = {budget.per: budget.limit_pusd for budget in budgets}
        day = max(day, tally.day) if day >= tally.day - 1 else day
        current = first_days(day) if day > tally.day else first_days(tally.day)
        states = []
        for per, window, first, then in zip(PERIODS, tally.windows, current, first_days(tally.day), strict=True):
            spent, reserved = (window.spent, window.reserved) if first == then else (0, 0)
            limit = limits.get(per)
            states.append(
                BudgetState(
                    per=per,
                    spent_pusd=spent,
                    reserved_pusd=reserved,
                    limit_pusd=limit,
                    left_pusd=None if limit is None else max(0, limit - spent - reserved),
                    reset_at=resets_at(per, day),
                )
            )
        return tuple(states)

    def _refuse(self, blocking: list[_Check], worst: int, now: float) -> NoReturn:
        # One that admits nobody decides, whatever the others admit.
        strict = [check for check in blocking if not admits_cheaper(check[1], now)]
        check = max(strict or blocking, key=lambda check: _lasts(check, now))
        scope, budget, window, day = check
        if strict and not window.told and self._on_event is not None:
            window.told = True
            message = f"{_figures(check)}; a request that could have cost ${render_usd(worst)} was refused"
            self._on_event(REFUSED, scope, message)
        raise BudgetExceeded(
            scope,
            budget,
            spent=window.spent,
            reserved=window.reserved,
            worst=worst,
            now=now,
            reset_at=resets_at(budget.per, day),
            cheaper_than=None if strict else tightest_price([check[1] for check in blocking], now),
        )


def _lasts(check: _Check, now: float) -> float:
    """Until when a budget stands in the way, in Unix seconds."""
    reset_at = resets_at(check[1].per, check[3])
    return float("inf") if reset_at is None or ended(check[1], now) else reset_at


def _figures(check: _Check) -> str:
    scope, budget, window, _ = check
    whole = f"the budget of {render_budget(budget.limit_pusd, budget.per)} of {scope}"
    return f"${render_usd(window.spent)} of {whole} is spent"


def _tell_crossings(check: _Check, cost: int, on_event: OnEvent) -> None:
    """Tell of a mark that this cost has crossed and none before it: that needs no memory, not even over a restart."""
    scope, budget, window, _ = check
    before, limit = window.spent - cost, budget.limit_pusd
    if before < limit <= window.spent:
        on_event(EXHAUSTED, scope, _figures(check))
    elif before * 100 < limit * _WARN_PERCENT:
        on_event(WARNING, scope, _figures(check))


def _warning(percent: int, check: _Check) -> str:
    scope, budget, _, day = check
    reset_at = resets_at(budget.per, day)
    reset = "" if reset_at is None else f"; it resets {render_time(reset_at)}"
    if scope.startswith("key:"):
        return f"{percent}% of the budget of {render_budget(budget.limit_pusd, budget.per)} is used{reset}"
    # How near it is would tell what other keys spend.
    whose = WHOSE.get(scope.partition(":")[0], WHOSE["workspace"])
    return f"{_WARN_PERCENT}% or more of {whose}'s budget is used{reset}"
