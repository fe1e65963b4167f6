"""Budgets of keys, tokens and workspaces, with what is left of them."""

from __future__ import annotations

import time
from collections.abc import Iterable

from pydantic import Field

from headgate.config.check_keys import budgets_of
from headgate.config.keys import budget_of
from headgate.control.calls import Call, InOneOrEvery
from headgate.control.ceiling import check_may_lift, is_held
from headgate.control.common import BudgetList, BudgetView, PeriodName, Source, budget_views
from headgate.control.context import Control
from headgate.control.declared import keys_of, read_only
from headgate.control.failures import Forbidden
from headgate.control.fields import Fields, Id, View, instant_text
from headgate.control.mount import Mount
from headgate.control.paging import Cursor, Page, PageSize, merged_page
from headgate.control.permissions import Permission, Role
from headgate.control.store_failures import nothing_here
from headgate.types.money import render_usd
from headgate.types.policy import Budget


class BudgetsBody(Fields):
    """The budgets of a scope, all of them."""

    budgets: BudgetList = Field(description="At most one for each period; none takes them away.")


class SpentView(View):
    """What was spent in a period that runs now."""

    per: PeriodName
    spent_usd: str
    reserved_usd: str = Field(description="Set aside for requests that are running.")
    limit_usd: str | None
    left_usd: str | None
    resets_at: str | None


class ScopeView(View):
    """A scope's budgets, and what it spent in every period, also in those without a budget."""

    scope: str
    source: Source
    budgets: list[BudgetView]
    periods: list[SpentView]


class Budgets:
    """The endpoints below /api/budgets. A scope is `key:ID`, `token:ID` or `workspace:NAME`."""

    def __init__(self, control: Control) -> None:
        self._control = control
        self._store = control.store

    def mount(self, mount: Mount) -> None:
        mount.route("GET", "/budgets", self.page, permission=Permission.BUDGETS_READ)
        mount.route("GET", "/budgets/{scope}", self.get, permission=Permission.BUDGETS_READ)
        mount.route("PUT", "/budgets/{scope}", self.replace, permission=Permission.BUDGETS_CHANGE, errors=(409,))

    def page(self, call: InOneOrEvery, limit: PageSize = 50, after: Cursor = None) -> Page[ScopeView]:
        """List scopes that have budgets, those of the document first."""

        def stored(last: str, most: int) -> list[tuple[str, str]]:
            found = self._store.budgets.list(workspace=call.workspace, after=last, limit=most)
            return [(record.id, record.scope) for record in found]

        keys = keys_of(self._control.document(), call.workspace)
        declared = [f"key:{id}" for id, key in keys.items() if any(True for _ in budgets_of(key))]
        tokens_too = call.actor.role.includes(Role.ADMIN)
        scopes, following = merged_page(
            declared, stored, after=after, limit=limit, keep=lambda scope: tokens_too or not scope.startswith("token:")
        )
        return Page(data=[self._view(call, scope) for scope in dict.fromkeys(scopes)], next=following)

    def get(self, call: InOneOrEvery, scope: Id) -> ScopeView:
        """Read a scope's budgets and what is left of them."""
        return self._view(call, scope)

    def replace(self, call: InOneOrEvery, scope: Id, body: BudgetsBody) -> ScopeView:
        """Give a scope these budgets and no others. What was spent before counts."""
        loaded = self._control.document()
        kind, _, name = scope.partition(":")
        if kind == "key" and name in keys_of(loaded, call.workspace):
            raise read_only(loaded, f"the key {keys_of(loaded, call.workspace)[name].name}")
        budgets = [budget.budget() for budget in body.budgets]
        self._stored(call, scope)
        self._check_reach(call, kind, name)
        self._store.budgets.replace(call.workspace, scope, budgets, actor=call.actor.signature)
        self._control.changed()
        return self._view(call, scope)

    def _check_reach(self, call: Call, kind: str, name: str) -> None:
        """Raise Forbidden where a budget would be lifted that holds the caller itself."""
        actor = call.actor
        if kind == "key":
            check_may_lift(self._store, actor, self._store.keys.get(call.workspace, name))
        if kind == "workspace" and actor.workspace is not None:
            raise Forbidden("the budget of a workspace is set with a token of every workspace")
        if kind == "token":
            if name == actor.token:
                raise Forbidden("nobody sets the budget of their own token")
            token = self._store.tokens.get(call.workspace, name)
            if not actor.role.includes(Role(token.role)):
                raise Forbidden(f"the role {actor.role} may not change a token with the role {token.role}")
            if is_held(self._store, actor):
                raise Forbidden("a token with a ceiling or a budget may not set those of other tokens")

    def _view(self, call: Call, scope: str) -> ScopeView:
        kind, _, id = scope.partition(":")
        declared = keys_of(self._control.document(), call.workspace).get(id) if kind == "key" else None
        if declared is not None:
            budgets = tuple(budget_of(part) for _, part in budgets_of(declared))
            ledger_scope = f"key:document:{declared.name}"
            return self._scope_view(scope, ledger_scope, "document", budgets)
        return self._scope_view(scope, scope, "store", self._stored(call, scope))

    def _stored(self, call: Call, scope: str) -> tuple[Budget, ...]:
        """The budgets of a scope in the store. Raises NotFound."""
        kind, _, name = scope.partition(":")
        if kind not in ("key", "token", "workspace") or not name:
            raise nothing_here()
        if kind == "token" and not call.actor.role.includes(Role.ADMIN):
            raise Forbidden("tokens are for the role admin or more to see")
        return tuple(record.budget for record in self._store.budgets.of(call.workspace, scope))

    def _scope_view(self, scope: str, counted_as: str, source: Source, budgets: tuple[Budget, ...]) -> ScopeView:
        return ScopeView(
            scope=scope,
            source=source,
            budgets=budget_views(budgets),
            periods=list(self._periods(counted_as, budgets)),
        )

    def _periods(self, scope: str, budgets: tuple[Budget, ...]) -> Iterable[SpentView]:
        for state in self._control.budgets.state(scope, time.time(), budgets):
            yield SpentView(
                per=state.per.value,
                spent_usd=render_usd(state.spent_pusd),
                reserved_usd=render_usd(state.reserved_pusd),
                limit_usd=None if state.limit_pusd is None else render_usd(state.limit_pusd),
                left_usd=None if state.left_pusd is None else render_usd(state.left_pusd),
                resets_at=instant_text(state.reset_at),
            )
