"""Budgets: the worst case is reserved, the truth is booked, and nothing is spent that is not there."""

from __future__ import annotations

import asyncio
import random

import pytest

from headgate.ledger.budget import EXHAUSTED, REFUSED, WARNING, BudgetExceeded, BudgetState, MemoryBudgets
from headgate.types.policy import Period
from tests.unit.ledger.spending import (
    CENT,
    DAY,
    KEY,
    NOON,
    TOKEN,
    USD,
    WORKSPACE,
    allowed,
    at,
    budget,
    figures,
    refused,
    reserve,
)


@pytest.fixture
def budgets() -> MemoryBudgets:
    return MemoryBudgets({}, NOON)


def test_the_worst_is_set_aside_and_the_cost_is_booked(budgets: MemoryBudgets) -> None:
    hold = reserve(budgets, allowed(budget(USD)), 30 * CENT)
    assert hold.reserved_pusd == 30 * CENT
    assert figures(budgets) == [(0, 30 * CENT)] * 4
    hold.settle(10 * CENT)
    assert figures(budgets) == [(10 * CENT, 0)] * 4


def test_exactly_what_is_left_can_be_spent_and_no_pico_dollar_more(budgets: MemoryBudgets) -> None:
    allowances = allowed(budget(USD))
    reserve(budgets, allowances, 60 * CENT).settle(50 * CENT)
    refused(budgets, allowances, 50 * CENT + 1)
    reserve(budgets, allowances, 50 * CENT).settle(50 * CENT)
    assert refused(budgets, allowances, 1).left == 0
    reserve(budgets, allowances, 0).settle(0)


@pytest.mark.parametrize("ends", [("settle", "release"), ("release", "settle"), ("settle", "settle")])
def test_only_the_first_end_of_a_hold_counts(budgets: MemoryBudgets, ends: tuple[str, ...]) -> None:
    hold = reserve(budgets, allowed(budget(USD)), 30)
    for number, end in enumerate(ends):
        hold.release() if end == "release" else hold.settle(20 + number)
    assert figures(budgets) == [(20 if ends[0] == "settle" else 0, 0)] * 4


def test_a_cost_above_the_reservation_is_booked_in_full_and_keeps_the_next_out(budgets: MemoryBudgets) -> None:
    allowances = allowed(budget(100))
    reserve(budgets, allowances, 90).settle(150)
    error = refused(budgets, allowances, 0)
    assert (error.spent, error.left) == (150, 0)


def test_all_allowances_and_all_budgets_pay_or_none(budgets: MemoryBudgets) -> None:
    key, token = allowed(budget(100), budget(60, Period.DAY)), allowed(budget(1000), scope=TOKEN)
    workspace = allowed(budget(40, Period.WEEK), scope=WORKSPACE)
    assert refused(budgets, (*key, *token, *workspace), 41).scope == WORKSPACE
    assert refused(budgets, key, 61).budget.per is Period.DAY
    for scope in (KEY, TOKEN, WORKSPACE):
        assert figures(budgets, scope=scope) == [(0, 0)] * 4
    reserve(budgets, (*key, *token, *workspace), 40).settle(30)
    for scope in (KEY, TOKEN, WORKSPACE):
        assert figures(budgets, scope=scope) == [(30, 0)] * 4


def test_a_budget_that_is_added_later_counts_what_was_spent_and_is_being_spent_before(budgets: MemoryBudgets) -> None:
    reserve(budgets, allowed(), 50).settle(50)
    budgets.book((KEY,), DAY, 20)
    running = reserve(budgets, allowed(), 25)
    error = refused(budgets, allowed(budget(100)), 6)
    assert (error.spent, error.reserved, error.left) == (70, 25, 5)
    running.release()
    reserve(budgets, allowed(budget(100)), 30)


def test_spending_before_the_start_counts() -> None:
    budgets = MemoryBudgets({KEY: (10, 20, 30, 40)}, NOON)
    assert figures(budgets) == [(10, 0), (20, 0), (30, 0), (40, 0)]
    for per, left in zip(Period, (90, 80, 70, 60), strict=True):
        refused(budgets, allowed(budget(100, per)), left + 1)
        reserve(budgets, allowed(budget(100, per)), left).release()


@pytest.mark.parametrize(
    ("later", "spent"),
    [
        ("2026-11-25T23:59:59.999", [5, 5, 5, 5]),
        ("2026-11-26T00:00", [0, 5, 5, 5]),
        ("2026-11-29T23:59", [0, 5, 5, 5]),
        ("2026-11-30T00:00", [0, 0, 5, 5]),
        ("2026-12-01T00:00", [0, 0, 0, 5]),
    ],
)
@pytest.mark.parametrize("settled", ["before", "after"])
def test_periods_begin_at_midnight_utc_on_monday_and_on_the_first(
    budgets: MemoryBudgets, later: str, spent: list[int], settled: str
) -> None:
    """Also for a request that is settled when its day is over: it belongs to the day on which it was reserved."""
    allowances = allowed()
    hold = reserve(budgets, allowances, 9)
    if settled == "before":
        hold.settle(5)
    reserve(budgets, allowances, 0, at(later)).release()
    assert [reserved for _, reserved in figures(budgets, at(later))] == [
        0 if settled == "before" else 9 * bool(s) for s in spent
    ]
    hold.settle(5)
    assert figures(budgets, at(later)) == [(s, 0) for s in spent]


def test_the_state_is_that_of_the_time_asked_for_though_nobody_has_sent_since(budgets: MemoryBudgets) -> None:
    hold = reserve(budgets, allowed(), 9)
    reserve(budgets, allowed(), 9).settle(5)
    monday = at("2026-11-30T08:00")
    assert figures(budgets, monday) == [(0, 0), (0, 0), (5, 9), (5, 9)]
    assert figures(budgets) == [(5, 9)] * 4
    hold.release()


def test_the_state_tells_limit_left_and_reset(budgets: MemoryBudgets) -> None:
    reserve(budgets, allowed(), 40).settle(30)
    reserve(budgets, allowed(), 20)
    week, month = budgets.state(KEY, NOON, (budget(100), budget(40, Period.TOTAL)))[1:3]
    assert week == BudgetState(
        per=Period.WEEK,
        spent_pusd=30,
        reserved_pusd=20,
        limit_pusd=None,
        left_pusd=None,
        reset_at=int(at("2026-11-30")),
    )
    assert (month.limit_pusd, month.left_pusd, month.reset_at) == (100, 50, int(at("2026-12-01")))
    total = budgets.state(KEY, NOON, (budget(40, Period.TOTAL),))[3]
    assert (total.left_pusd, total.reset_at) == (0, None)
    assert [state.spent_pusd for state in budgets.state("key:unknown", NOON)] == [0] * 4


def test_a_clock_that_is_set_back_brings_no_fresh_money(budgets: MemoryBudgets) -> None:
    allowances = allowed(budget(100, Period.DAY))
    midnight = at("2026-11-26")
    reserve(budgets, allowances, 60, midnight).settle(60)
    refused(budgets, allowances, 41, midnight - 1)
    reserve(budgets, allowances, 40, midnight - 1).settle(40)
    refused(budgets, allowances, 1, midnight)


def test_a_clock_that_was_far_ahead_and_is_put_right_counts_on_by_the_right_one(budgets: MemoryBudgets) -> None:
    allowances = allowed(budget(100, Period.DAY))
    reserve(budgets, allowances, 60, at("2036-11-25")).settle(60)
    hold = reserve(budgets, allowances, 30, at("2036-11-25"))
    assert refused(budgets, allowances, 41).reset_at == at("2026-11-26")
    hold.settle(30)
    assert figures(budgets) == [(90, 0)] * 4
    reserve(budgets, allowances, 100, at("2026-11-26"))


def test_a_request_without_a_reservation_counts_on_the_day_it_arrived(budgets: MemoryBudgets) -> None:
    budgets.book((KEY, WORKSPACE), DAY, 7)
    budgets.book((KEY,), DAY - 1, 10)
    budgets.book((KEY,), DAY - 10, 100)
    budgets.book((KEY,), DAY - 40, 1000)
    assert [spent for spent, _ in figures(budgets)] == [7, 17, 117, 1117]
    assert figures(budgets, scope=WORKSPACE) == [(7, 0)] * 4
    budgets.book((KEY,), DAY + 1, 1)
    assert [spent for spent, _ in figures(budgets)] == [1, 18, 118, 1118]


class TestWarnings:
    def test_a_client_is_warned_from_80_percent_on(self, budgets: MemoryBudgets) -> None:
        allowances = allowed(budget(25 * USD))
        reserve(budgets, allowances, 25 * USD).settle(20 * USD - 1)
        hold = reserve(budgets, allowances, 1)
        assert hold.warning is None
        hold.settle(1)
        hold = reserve(budgets, allowances, 1)
        assert hold.warning == "80% of the budget of $25 per month is used; it resets 2026-12-01T00:00:00Z"

    def test_the_nearest_budget_is_told_and_no_figure_of_what_others_spend(self, budgets: MemoryBudgets) -> None:
        allowances = (*allowed(budget(100)), *allowed(budget(90, Period.TOTAL), scope=WORKSPACE))
        reserve(budgets, allowances, 85).settle(85)
        warning = reserve(budgets, allowances, 0).warning
        assert warning == "80% or more of the workspace's budget is used"

    def test_operators_hear_of_80_and_100_percent_once_a_period(self) -> None:
        heard: list[tuple[str, str, str]] = []
        budgets = MemoryBudgets({}, NOON, lambda *event: heard.append(event))
        allowances = allowed(budget(10 * USD, Period.DAY))
        for _ in range(10):
            reserve(budgets, allowances, USD).settle(USD)
        for _ in range(3):
            refused(budgets, allowances, 50 * CENT)
        spent = "of the budget of $10 per day of key:a is spent"
        first_day = [
            (WARNING, KEY, f"$8 {spent}"),
            (EXHAUSTED, KEY, f"$10 {spent}"),
            (REFUSED, KEY, f"$10 {spent}; a request that could have cost $0.5 was refused"),
        ]
        assert heard == first_day
        reserve(budgets, allowances, 10 * USD, NOON + 86_400).settle(9 * USD)
        assert heard[3:] == [(WARNING, KEY, f"$9 {spent}")]
        reserve(budgets, allowances, USD, NOON + 86_400).settle(5 * USD)
        assert heard[4:] == [(EXHAUSTED, KEY, f"$14 {spent}")]

    def test_a_leap_over_both_marks_is_told_as_the_second(self) -> None:
        heard: list[str] = []
        budgets = MemoryBudgets({}, NOON, lambda kind, *_: heard.append(kind))
        reserve(budgets, allowed(budget(10)), 10).settle(10)
        assert heard == [EXHAUSTED]

    def test_a_restart_above_a_mark_tells_nothing_again(self) -> None:
        heard: list[str] = []
        budgets = MemoryBudgets({KEY: (85, 85, 85, 85)}, NOON, lambda kind, *_: heard.append(kind))
        for _ in range(10):
            reserve(budgets, allowed(budget(100)), 1).settle(1)
        assert heard == []
        reserve(budgets, allowed(budget(100)), 5).settle(5)
        assert heard == [EXHAUSTED]


async def test_500_requests_at_the_edge_of_a_budget_never_overspend() -> None:
    chance = random.Random(7)
    limit = 100 * CENT
    budgets = MemoryBudgets({}, NOON)
    allowances = (*allowed(budget(limit)), *allowed(budget(2 * limit, Period.DAY), scope=WORKSPACE))
    served = refusals = 0

    def check() -> None:
        for state in budgets.state(KEY, NOON):
            assert state.reserved_pusd >= 0
            assert state.spent_pusd + state.reserved_pusd <= limit

    async def request(worst: int, cost: int, pauses: int, fails: bool) -> None:
        nonlocal served, refusals
        try:
            hold = await budgets.reserve(allowances, worst, NOON)
        except BudgetExceeded:
            refusals += 1
            return
        try:
            for _ in range(pauses):
                await asyncio.sleep(0)
                check()
            if fails:
                raise TimeoutError
            hold.settle(cost)
            served += cost
        finally:
            hold.release()
            check()

    async def client() -> None:
        for _ in range(4):
            worst = chance.randint(1, CENT)
            try:
                await request(worst, chance.randint(0, worst), chance.randint(0, 9), chance.random() < 0.1)
            except TimeoutError:
                continue

    async with asyncio.TaskGroup() as group:
        for _ in range(500):
            group.create_task(client())
    assert refusals > 0
    assert figures(budgets) == [(served, 0)] * 4
    assert limit * 9 // 10 < served <= limit
