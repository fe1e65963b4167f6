"""Virtual keys as people and programs read them: those of the store and those of the document, with what they spent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal

import msgspec

from headgate.cli.session import Session
from headgate.config.check_keys import budgets_of
from headgate.config.document import KeyPart
from headgate.config.issued import FILE_NAME, first_key
from headgate.config.keys import budget_of, budgets_by_scope
from headgate.config.problems import shorten
from headgate.ledger.periods import PERIODS, day_of, render_time, resets_at
from headgate.store.records import Everything, Key
from headgate.types.money import Price, render_usd
from headgate.types.policy import Budget, KeyLimits
from headgate.types.principal import DEFAULT_WORKSPACE

Source = Literal["document", "store", "first run"]
Spending = Mapping[str, tuple[int, int, int, int]]
"""Scope → pico-dollars of this day, week, month, and of all time."""

NOTHING_SPENT = (0, 0, 0, 0)


class BudgetView(msgspec.Struct, frozen=True, kw_only=True):
    """A budget, and what of it is spent in its present period; dollars are decimal text."""

    usd: str
    per: str
    spent_usd: str
    resets_at: str | None
    until: str | None
    on_exhausted: str
    cheaper_than: dict[str, str] | None


class KeyView(msgspec.Struct, frozen=True, kw_only=True):
    """A key with everything but its secret."""

    id: str
    name: str
    workspace: str
    source: Source
    state: Literal["active", "disabled", "expired"]
    hint: str | None = None
    models: tuple[str, ...] = ("*",)
    addresses: tuple[str, ...] = ()
    policy: str | None = None
    limits: KeyLimits = KeyLimits()
    budgets: tuple[BudgetView, ...] = ()
    spent_usd: str = "0"
    metadata: dict[str, Any] = {}
    creator: str | None = None
    created_by: str
    created_at: str | None = None
    expires_at: str | None = None
    previous_until: str | None = None


def views(opened: Session, everything: Everything, workspace: str | None) -> Iterator[KeyView]:
    """Every key of a workspace, with None of all: those of the document first, then the store's by age."""
    spending = opened.store.ledger.spending(day_of(opened.now))
    if not opened.loaded.document.keys and workspace in (None, DEFAULT_WORKSPACE):
        yield from _first_run(opened, spending)
    for part in opened.loaded.document.keys:
        if workspace in (None, part.workspace):
            yield _declared(part, spending, opened.now)
    budgets = budgets_by_scope(everything)
    for live in everything.keys:
        if workspace in (None, live.key.workspace):
            yield stored_view(live.key, budgets.get(f"key:{live.key.id}", ()), spending, opened.now)


def stored_view(key: Key, budgets: Iterable[Budget], spending: Spending, now: float) -> KeyView:
    spent = spending.get(f"key:{key.id}", NOTHING_SPENT)
    expired = key.expires_at is not None and key.expires_at <= now
    previous = key.previous_until if key.previous_until is not None and key.previous_until > now else None
    return KeyView(
        id=key.id,
        name=key.name,
        workspace=key.workspace,
        source="store",
        state="disabled" if key.disabled_at is not None else "expired" if expired else "active",
        hint=key.hint,
        models=key.models,
        addresses=key.addresses,
        policy=key.policy,
        limits=key.limits,
        budgets=budget_views(budgets, spent, now),
        spent_usd=render_usd(spent[-1]),
        metadata=key.metadata,
        creator=key.creator_token,
        created_by=key.created_by,
        created_at=render_time(key.created_at),
        expires_at=_time(key.expires_at),
        previous_until=_time(previous),
    )


def _declared(part: KeyPart, spending: Spending, now: float) -> KeyView:
    id = f"document:{part.name}"
    spent = spending.get(f"key:{id}", NOTHING_SPENT)
    limits = part.limits
    return KeyView(
        id=id,
        name=part.name,
        workspace=part.workspace,
        source="document",
        state="expired" if part.expires_at is not None and part.expires_at <= now else "active",
        models=tuple(part.models),
        addresses=tuple(str(network) for network in part.addresses),
        policy=part.policy,
        limits=KeyLimits(rpm=limits.rpm, tpm=limits.tpm, concurrent=limits.concurrent) if limits else KeyLimits(),
        budgets=budget_views((budget_of(budget) for _, budget in budgets_of(part)), spent, now),
        spent_usd=render_usd(spent[-1]),
        metadata=dict(part.metadata),
        created_by="document",
        expires_at=_time(part.expires_at),
    )


def _first_run(opened: Session, spending: Spending) -> Iterator[KeyView]:
    """The key made at the first start, which counts while the document declares none. It is not made here."""
    if not (opened.data_dir / FILE_NAME).exists():
        return
    principal = first_key(opened.data_dir).principal
    yield KeyView(
        id=principal.key_id,
        name=principal.key,
        workspace=principal.workspace,
        source="first run",
        state="active",
        spent_usd=render_usd(spending.get(f"key:{principal.key_id}", NOTHING_SPENT)[-1]),
        created_by="headgate up",
    )


def budget_views(budgets: Iterable[Budget], spent: tuple[int, int, int, int], now: float) -> tuple[BudgetView, ...]:
    """Budgets with what is spent of each, the shortest period first. `now` is in Unix seconds."""
    made = []
    for budget in sorted(budgets, key=lambda one: PERIODS.index(one.per)):
        of_period, reset = spent[PERIODS.index(budget.per)], resets_at(budget.per, day_of(now))
        made.append(
            BudgetView(
                usd=render_usd(budget.limit_pusd),
                per=budget.per.value,
                spent_usd=render_usd(of_period),
                resets_at=_time(reset),
                until=_time(budget.until),
                on_exhausted=budget.on_exhausted.value,
                cheaper_than=_prices(budget.cheaper_than),
            )
        )
    return tuple(made)


def budget_words(budget: BudgetView) -> str:
    """$3 spent of $25 per month, …"""
    period = "in total" if budget.resets_at is None else f"per {budget.per}"
    until = f", until {budget.until}" if budget.until else ""
    after = ", then only cheaper models" if budget.cheaper_than else ""
    return f"${budget.spent_usd} spent of ${budget.usd} {period}{until}{after}"


def key_lines(view: KeyView) -> Iterator[str]:
    """A key for people, a few lines."""
    hint = f"  {view.hint}…" if view.hint else ""
    read_only = "" if view.source == "store" else f"  ({view.source}, read-only)"
    yield f"{shorten(view.name, 100)}  {shorten(view.id, 120)}{hint}  {view.state}{read_only}"
    yield f"  workspace {view.workspace}, models {shorten(', '.join(view.models), 200)}"
    if limits := limits_words(view.limits):
        yield f"  limits {limits}"
    for budget in view.budgets:
        yield f"  budget {budget_words(budget)}"
    if not view.budgets:
        yield f"  ${view.spent_usd} spent, no budget"
    if view.addresses:
        yield f"  only from {', '.join(view.addresses)}"
    if view.policy:
        yield f"  policy {view.policy}"
    if view.metadata:
        yield "  " + shorten(", ".join(f"{name}={text}" for name, text in view.metadata.items()), 200)
    made = f"made by {shorten(view.created_by)}" + (f" at {view.created_at}" if view.created_at else "")
    yield f"  {made}, {'expires at ' + view.expires_at if view.expires_at else 'never expires'}"
    if view.previous_until:
        yield f"  the secret before the last rotation works until {view.previous_until}"


def limits_words(limits: KeyLimits) -> str:
    """600 requests a minute, … ; empty without any."""
    named = (
        (limits.rpm, "requests a minute"),
        (limits.tpm, "tokens a minute"),
        (limits.concurrent, "at the same time"),
    )
    return ", ".join(f"{limit:,} {words}" for limit, words in named if limit is not None)


def _time(at: int | None) -> str | None:
    return None if at is None else render_time(at)


def _prices(price: Price | None) -> dict[str, str] | None:
    if price is None or price.input_pusd_per_mtok is None or price.output_pusd_per_mtok is None:
        return None
    return {
        "input_usd_per_mtok": render_usd(price.input_pusd_per_mtok),
        "output_usd_per_mtok": render_usd(price.output_pusd_per_mtok),
    }
