"""Why a budget does not pay: what clients are told, and whom they may still ask."""

from __future__ import annotations

import pytest

from headgate.errors import GatewayError
from headgate.ledger.budget import MemoryBudgets
from headgate.types.money import Price
from headgate.types.policy import Budget, Exhausted, Period
from tests.unit.ledger.spending import (
    CENT,
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


class TestRefusal:
    def test_is_a_429_that_clients_do_not_try_again(self, budgets: MemoryBudgets) -> None:
        error = refused(budgets, allowed(budget(100)), 101)
        assert isinstance(error, GatewayError)
        assert (error.status, error.code, error.type) == (429, "budget_exceeded", "insufficient_quota")
        assert (b"x-should-retry", b"false") in error.headers

    def test_tells_a_budget_that_is_used_up(self, budgets: MemoryBudgets) -> None:
        allowances = allowed(budget(25 * USD))
        reserve(budgets, allowances, 25 * USD).settle(25 * USD)
        error = refused(budgets, allowances, 30 * CENT)
        assert (error.scope, error.budget, error.spent, error.reserved, error.left, error.worst) == (
            KEY,
            allowances[0].budgets[0],
            25 * USD,
            0,
            0,
            30 * CENT,
        )
        assert error.reset_at == at("2026-12-01")
        assert error.message == (
            "this key's budget of $25 per month is used up, and this request could cost up to $0.3; "
            "it resets 2026-12-01T00:00:00Z; wait until then"
        )
        assert dict(error.headers)[b"retry-after"] == b"%d" % (5.5 * 86_400)

    def test_tells_a_budget_that_has_too_little_left_for_this_one(self, budgets: MemoryBudgets) -> None:
        allowances = allowed(budget(USD, Period.DAY))
        reserve(budgets, allowances, USD).settle(88 * CENT)
        assert refused(budgets, allowances, 30 * CENT).message == (
            "this key's budget of $1 per day has $0.12 left, and this request could cost up to $0.3; "
            "it resets 2026-11-26T00:00:00Z; lower max_tokens, or wait until then"
        )

    def test_tells_that_waiting_does_not_help_a_request_above_the_whole_budget(self, budgets: MemoryBudgets) -> None:
        error = refused(budgets, allowed(budget(USD)), 2 * USD)
        assert error.message.endswith("lower max_tokens: it would not fit a new one either")
        assert b"retry-after" not in dict(error.headers)

    def test_tells_when_only_running_requests_are_in_the_way(self, budgets: MemoryBudgets) -> None:
        allowances = allowed(budget(USD))
        reserve(budgets, allowances, 80 * CENT)
        error = refused(budgets, allowances, 30 * CENT)
        assert "$0.2 left" in error.message
        assert "try again when requests that run now have ended" in error.message
        assert error.headers == ((b"retry-after", b"1"),)

    def test_tells_of_a_total_that_never_resets(self, budgets: MemoryBudgets) -> None:
        allowances = allowed(budget(USD, Period.TOTAL))
        reserve(budgets, allowances, USD).settle(USD)
        error = refused(budgets, allowances, 1)
        assert error.reset_at is None
        assert error.message == (
            "this key's budget of $1 in total is used up, and this request could cost up to $0.000000000001; "
            "nothing can be spent until it is raised"
        )

    def test_tells_of_a_budget_that_has_ended(self, budgets: MemoryBudgets) -> None:
        allowances = allowed(budget(USD, until=int(NOON)))
        reserve(budgets, allowances, 1, NOON - 0.001).release()
        error = refused(budgets, allowances, 0)
        assert (error.ended, error.reset_at) == (True, None)
        assert error.message == (
            "this key's budget ended at 2026-11-25T12:00:00Z; nothing can be spent until it is extended"
        )

    @pytest.mark.parametrize(("scope", "whose"), [(WORKSPACE, "the workspace's"), (TOKEN, "this key's creator's")])
    def test_says_no_figure_of_what_others_spend(self, budgets: MemoryBudgets, scope: str, whose: str) -> None:
        allowances = allowed(budget(777 * USD), scope=scope)
        reserve(budgets, allowances, 776 * USD).settle(776 * USD)
        short = refused(budgets, allowances, 3 * USD).message
        reserve(budgets, allowances, USD).settle(USD)
        for message in (short, refused(budgets, allowances, 3 * USD).message):
            assert message.startswith(f"{whose} budget for this month ")
            assert "77" not in message
            assert "$1" not in message
            assert "up to $3;" in message

    def test_is_of_the_budget_that_lasts_longest(self, budgets: MemoryBudgets) -> None:
        allowances = allowed(budget(1, Period.WEEK), budget(1, Period.MONTH), budget(1, Period.DAY))
        assert refused(budgets, allowances, 2).budget.per is Period.MONTH


class TestCheaper:
    def test_candidates_under_the_tightest_price_may_be_asked_beyond_the_budget(self, budgets: MemoryBudgets) -> None:
        allowances = (
            *allowed(budget(100, cheaper=(5, 9))),
            *allowed(budget(50, Period.DAY, cheaper=(7, 8)), scope=WORKSPACE),
        )
        error = refused(budgets, allowances, 101)
        assert error.cheaper
        assert error.cheaper_than == Price(input_pusd_per_mtok=5, output_pusd_per_mtok=8)
        hold = reserve(budgets, allowances, 60, beyond=True)
        assert figures(budgets) == [(0, 60)] * 4
        hold.settle(55)
        assert figures(budgets, scope=WORKSPACE) == [(55, 0)] * 4
        error = refused(budgets, allowances, 10)
        assert error.scope == WORKSPACE
        assert error.cheaper_than == Price(input_pusd_per_mtok=7, output_pusd_per_mtok=8)

    def test_a_budget_that_refuses_decides(self, budgets: MemoryBudgets) -> None:
        allowances = (*allowed(budget(100, cheaper=(5, 9))), *allowed(budget(100, Period.DAY), scope=WORKSPACE))
        error = refused(budgets, allowances, 101)
        assert (error.scope, error.cheaper, error.cheaper_than) == (WORKSPACE, False, None)
        refused(budgets, allowances, 101, beyond=True)
        assert figures(budgets) == [(0, 0)] * 4

    @pytest.mark.parametrize(
        "strict",
        [
            budget(100, until=int(NOON), cheaper=(5, 9)),
            Budget(limit_pusd=100, per=Period.MONTH, on_exhausted=Exhausted.CHEAPER),
            Budget(
                limit_pusd=100,
                per=Period.MONTH,
                on_exhausted=Exhausted.CHEAPER,
                cheaper_than=Price(input_pusd_per_mtok=1),
            ),
        ],
        ids=["ended", "no price", "half a price"],
    )
    def test_a_budget_that_has_ended_or_names_no_price_admits_nobody(
        self, budgets: MemoryBudgets, strict: Budget
    ) -> None:
        assert not refused(budgets, allowed(strict), 101).cheaper
        refused(budgets, allowed(strict), 101, beyond=True)

    def test_the_message_names_the_price(self, budgets: MemoryBudgets) -> None:
        error = refused(budgets, allowed(budget(USD, cheaper=(5 * CENT, USD))), 2 * USD)
        assert error.message.endswith(
            "; now it pays only for models of at most $0.05 per million tokens of input and $1 of output"
        )
