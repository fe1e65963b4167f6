"""Shapes that several resources share."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from headgate.config.fields import refuse
from headgate.control.fields import Fields, FutureInstant, Limit, Rate, Usd, View, instant_text, pusd
from headgate.types.money import Price, render_usd
from headgate.types.policy import Budget, Exhausted, KeyLimits, Period

Source = Literal["document", "store"]
PeriodName = Literal["day", "week", "month", "total"]


class LimitsBody(Fields):
    """How much may be asked for; null or left out is no limit of its own."""

    rpm: Rate | None = Field(default=None, description="Requests a minute.")
    tpm: Rate | None = Field(default=None, description="Tokens a minute.")
    concurrent: Limit | None = Field(default=None, description="Requests at the same time.")

    def limits(self) -> KeyLimits:
        return KeyLimits(rpm=self.rpm, tpm=self.tpm, concurrent=self.concurrent)


class LimitsView(View):
    """How much may be asked for; null is no limit."""

    rpm: int | None
    tpm: int | None
    concurrent: int | None


class CheaperBody(Fields):
    """A candidate is cheaper when neither of its prices is above these."""

    input_usd_per_mtok: Usd = Field(description="US dollars per million tokens of input.")
    output_usd_per_mtok: Usd = Field(description="US dollars per million tokens of output.")


class BudgetBody(Fields):
    """How much may be spent in a period."""

    usd: Usd = Field(description='US dollars as text: "25".')
    per: PeriodName = Field(description="Periods begin at 00:00 UTC, weeks on Monday; total never begins again.")
    until: FutureInstant | None = Field(default=None, description="After this moment nothing may be spent.")
    on_exhausted: Literal["refuse", "cheaper"] = Field(
        default="refuse", description="Refuse requests, or ask only candidates that cost at most cheaper_than."
    )
    cheaper_than: CheaperBody | None = Field(default=None, description="Needed with on_exhausted: cheaper.")

    @model_validator(mode="after")
    def _says_what_is_cheap(self) -> BudgetBody:
        if (self.on_exhausted == "cheaper") != (self.cheaper_than is not None):
            refuse("must have both on_exhausted: cheaper and cheaper_than, or neither")
        return self

    def budget(self) -> Budget:
        cheaper = self.cheaper_than
        return Budget(
            limit_pusd=pusd(self.usd),
            per=Period(self.per),
            until=self.until,
            on_exhausted=Exhausted(self.on_exhausted),
            cheaper_than=None
            if cheaper is None
            else Price(
                input_pusd_per_mtok=pusd(cheaper.input_usd_per_mtok),
                output_pusd_per_mtok=pusd(cheaper.output_usd_per_mtok),
            ),
        )


def _one_for_each(budgets: list[BudgetBody]) -> list[BudgetBody]:
    periods = [budget.per for budget in budgets]
    for per in periods:
        if periods.count(per) > 1:
            refuse(f"must not have two budgets per {per}")
    return budgets


BudgetList = Annotated[list[BudgetBody], Field(max_length=4), AfterValidator(_one_for_each)]
"""At most one budget for each period."""


class CheaperView(View):
    input_usd_per_mtok: str | None
    output_usd_per_mtok: str | None


class BudgetView(View):
    """A budget as it is set."""

    usd: str
    per: PeriodName
    until: str | None
    on_exhausted: Literal["refuse", "cheaper"]
    cheaper_than: CheaperView | None


def limits_view(limits: KeyLimits) -> LimitsView:
    return LimitsView(rpm=limits.rpm, tpm=limits.tpm, concurrent=limits.concurrent)


def budget_view(budget: Budget) -> BudgetView:
    cheaper = budget.cheaper_than
    return BudgetView(
        usd=render_usd(budget.limit_pusd),
        per=budget.per.value,
        until=instant_text(budget.until),
        on_exhausted=budget.on_exhausted.value,
        cheaper_than=None
        if cheaper is None
        else CheaperView(
            input_usd_per_mtok=_usd(cheaper.input_pusd_per_mtok), output_usd_per_mtok=_usd(cheaper.output_pusd_per_mtok)
        ),
    )


def budget_views(budgets: Iterable[Budget]) -> list[BudgetView]:
    """The shortest period first, however they were stored."""
    order = list(Period)
    return [budget_view(budget) for budget in sorted(budgets, key=lambda budget: order.index(budget.per))]


def _usd(amount: int | None) -> str | None:
    return None if amount is None else render_usd(amount)
