"""Budgets against a model that only remembers what was spent on which day: they agree whatever happens."""

from __future__ import annotations

from typing import NamedTuple

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from headgate.ledger.budget import BudgetExceeded, BudgetHold, MemoryBudgets
from headgate.ledger.periods import DAY_S, PERIODS, day_of, first_days
from headgate.types.money import Price
from headgate.types.policy import Allowance, Budget, Exhausted, Period
from tests.unit.ledger.immediate import immediate

START = 1_796_000_000.0
SCOPES = ("key:a", "key:b", "token:t", "workspace:w")
PRINCIPALS = st.sampled_from([("key:a",), ("key:a", "workspace:w"), ("key:b", "token:t", "workspace:w")])
PRICE = Price(input_pusd_per_mtok=1, output_pusd_per_mtok=1)

# One budget for each period at most, as the store has it.
BUDGETS = st.lists(
    st.builds(
        Budget,
        limit_pusd=st.sampled_from([0, 50, 100, 1000, 10_000]),
        per=st.sampled_from(PERIODS),
        until=st.none() | st.integers(int(START) - 1, int(START) + 60 * DAY_S),
        on_exhausted=st.sampled_from([Exhausted.REFUSE, Exhausted.REFUSE, Exhausted.CHEAPER]),
        cheaper_than=st.just(PRICE),
    ),
    max_size=3,
    unique_by=lambda budget: budget.per,
).map(tuple)


class Open(NamedTuple):
    """A hold: its worst case, and the day each scope was on when it was reserved."""

    hold: BudgetHold
    worst: int
    days: dict[str, int]


def same(period: Period, one: int, other: int) -> bool:
    index = PERIODS.index(period)
    return first_days(one)[index] == first_days(other)[index]


class Spending(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.now = self.latest = START
        self.allowed: dict[str, tuple[Budget, ...]] = dict.fromkeys(SCOPES, ())
        # What a database would hold: amounts by scope and day.
        self.spent: list[tuple[str, int, int]] = []
        self.days: dict[str, int] = {}
        self.open: list[Open] = []
        # Scopes that had nothing booked but by holds within their budgets, and budgets that never changed.
        self.plain = set(SCOPES)
        self.budgets = MemoryBudgets({}, self.now)

    @initialize(budgets=st.tuples(BUDGETS, BUDGETS, BUDGETS, BUDGETS))
    def begin(self, budgets: tuple[tuple[Budget, ...], ...]) -> None:
        self.allowed = dict(zip(SCOPES, budgets, strict=True))

    @rule(scope=st.sampled_from(SCOPES), budgets=BUDGETS)
    def change_budgets(self, scope: str, budgets: tuple[Budget, ...]) -> None:
        self.allowed[scope] = budgets
        self.plain.discard(scope)

    @rule(by=st.floats(0, 3600) | st.integers(0, 3 * DAY_S) | st.integers(0, 40 * DAY_S))
    def move_clock(self, by: float) -> None:
        self.latest = self.now = self.latest + by

    @rule(by=st.integers(1, DAY_S // 2))
    def set_clock_back(self, by: int) -> None:
        self.now = self.latest - by

    def day(self, scope: str) -> int:
        """The day a scope is on: time never goes back for it."""
        return max(day_of(self.now), self.days.get(scope, 0))

    def booked(self, scope: str, period: Period) -> int:
        """What was spent in the period a scope is in."""
        return sum(pusd for whose, day, pusd in self.spent if whose == scope and same(period, day, self.day(scope)))

    def held(self, scope: str, period: Period) -> int:
        return sum(
            one.worst for one in self.open if scope in one.days and same(period, one.days[scope], self.day(scope))
        )

    def blocking(self, scopes: tuple[str, ...], worst: int) -> list[tuple[str, Budget]]:
        return [
            (scope, budget)
            for scope in scopes
            for budget in self.allowed[scope]
            if self.booked(scope, budget.per) + self.held(scope, budget.per) + worst > budget.limit_pusd
            or (budget.until is not None and self.now >= budget.until)
        ]

    @rule(scopes=PRINCIPALS, worst=st.integers(0, 120) | st.integers(0, 2000), beyond=st.booleans())
    def reserve(self, scopes: tuple[str, ...], worst: int, beyond: bool) -> None:
        for scope in scopes:
            self.days[scope] = self.day(scope)
        blocking = self.blocking(scopes, worst)
        strict = [
            budget
            for _, budget in blocking
            if budget.on_exhausted is Exhausted.REFUSE or (budget.until is not None and self.now >= budget.until)
        ]
        refusing = strict if beyond else blocking
        allowances = tuple(Allowance(scope=scope, budgets=self.allowed[scope]) for scope in scopes)
        try:
            hold = immediate(self.budgets.reserve(allowances, worst, self.now, beyond=beyond))
        except BudgetExceeded as error:
            assert refusing
            self.check(error, blocking, bool(strict))
            return
        assert not refusing
        if blocking:
            self.plain -= set(scopes)
        self.open.append(Open(hold, worst, {scope: self.days[scope] for scope in scopes}))

    def check(self, error: BudgetExceeded, blocking: list[tuple[str, Budget]], strict: bool) -> None:
        assert error.cheaper == (not strict)
        assert (error.scope, error.budget) in blocking
        assert error.spent == self.booked(error.scope, error.budget.per)
        assert error.reserved == self.held(error.scope, error.budget.per)
        assert error.left == max(0, error.budget.limit_pusd - error.spent - error.reserved)
        assert error.reset_at is None or error.reset_at > self.now

    @precondition(lambda self: self.open)
    @rule(data=st.data(), share=st.sampled_from([0.0, 0.3, 1.0, 1.0, 1.5]), release=st.booleans(), again=st.booleans())
    def end(self, data: st.DataObject, share: float, release: bool, again: bool) -> None:
        one = self.open.pop(data.draw(st.integers(0, len(self.open) - 1)))
        cost = 0 if release else int(one.worst * share)
        if release:
            one.hold.release()
        else:
            one.hold.settle(cost)
        if again:
            one.hold.release()
            one.hold.settle(77)
        for scope, day in one.days.items():
            self.spent.append((scope, day, cost))
            if cost > one.worst:
                self.plain.discard(scope)

    @rule(scopes=PRINCIPALS, ago=st.just(0) | st.integers(0, 45), pusd=st.integers(0, 60))
    def book(self, scopes: tuple[str, ...], ago: int, pusd: int) -> None:
        day = day_of(self.now) - ago
        self.budgets.book(scopes, day, pusd)
        for scope in scopes:
            self.days[scope] = max(day, self.days.get(scope, 0))
            self.spent.append((scope, day, pusd))
            self.plain.discard(scope)

    @rule(chance=st.integers(0, 5))
    def crash_and_restart(self, chance: int) -> None:
        """All that is left is what was spent; holds that were open come to nothing, also when they end later."""
        if chance:
            return
        self.now = self.latest
        lost, self.open, self.days = self.open, [], {}
        spent = {}
        for scope in SCOPES:
            day, week, month, total = (self.booked(scope, period) for period in PERIODS)
            spent[scope] = (day, week, month, total)
        self.budgets = MemoryBudgets(spent, self.now)
        self.days = dict.fromkeys(SCOPES, day_of(self.now))
        for one in lost:
            one.hold.settle(one.worst)

    @invariant()
    def figures_are_those_of_the_model(self) -> None:
        for scope in SCOPES:
            for state in self.budgets.state(scope, self.now, self.allowed[scope]):
                assert state.spent_pusd == self.booked(scope, state.per)
                assert state.reserved_pusd == self.held(scope, state.per) >= 0

    @invariant()
    def nothing_is_overspent_where_every_request_kept_to_its_worst_case(self) -> None:
        for scope in self.plain:
            for state in self.budgets.state(scope, self.now, self.allowed[scope]):
                if state.limit_pusd is not None:
                    assert state.spent_pusd + state.reserved_pusd <= state.limit_pusd

    def teardown(self) -> None:
        while self.open:
            self.open.pop().hold.release()
        self.figures_are_those_of_the_model()


TestSpending = Spending.TestCase
TestSpending.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
