"""Budgets for tests, and what becomes of reservations on them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from headgate.ledger.budget import BudgetExceeded, BudgetHold, MemoryBudgets
from headgate.types.money import Price
from headgate.types.policy import Allowance, Budget, Exhausted, Period
from tests.unit.ledger.immediate import immediate

USD = 10**12
CENT = USD // 100
KEY, TOKEN, WORKSPACE = "key:a", "token:t", "workspace:w"


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


NOON = at("2026-11-25T12:00")  # a Wednesday
DAY = int(NOON // 86_400)


def allowed(*budgets: Budget, scope: str = KEY) -> tuple[Allowance]:
    return (Allowance(scope=scope, budgets=budgets),)


def budget(
    limit: int, per: Period = Period.MONTH, *, until: int | None = None, cheaper: tuple[int, int] | None = None
) -> Budget:
    if cheaper is None:
        return Budget(limit_pusd=limit, per=per, until=until)
    price = Price(input_pusd_per_mtok=cheaper[0], output_pusd_per_mtok=cheaper[1])
    return Budget(limit_pusd=limit, per=per, until=until, on_exhausted=Exhausted.CHEAPER, cheaper_than=price)


def reserve(
    budgets: MemoryBudgets, allowances: tuple[Allowance, ...], worst: int, now: float = NOON, *, beyond: bool = False
) -> BudgetHold:
    return immediate(budgets.reserve(allowances, worst, now, beyond=beyond))


def refused(
    budgets: MemoryBudgets, allowances: tuple[Allowance, ...], worst: int, now: float = NOON, *, beyond: bool = False
) -> BudgetExceeded:
    with pytest.raises(BudgetExceeded) as caught:
        reserve(budgets, allowances, worst, now, beyond=beyond)
    return caught.value


def figures(budgets: MemoryBudgets, now: float = NOON, scope: str = KEY) -> list[tuple[int, int]]:
    """Spent and reserved of the day, week, month and total."""
    return [(state.spent_pusd, state.reserved_pusd) for state in budgets.state(scope, now)]
