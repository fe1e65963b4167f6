"""Budgets in the store."""

from __future__ import annotations

import pytest

from headgate.store.engine import Store
from headgate.store.errors import BadValue, NotFound, Refused
from headgate.store.records import TokenFields
from headgate.types.policy import Budget, Period
from tests.unit.store.opening import DAILY, MONTHLY

ME = "tester"


def test_the_budgets_of_a_scope_are_replaced_as_a_whole(store: Store) -> None:
    store.budgets.replace("default", "workspace:default", [DAILY, MONTHLY], actor=ME)
    total = Budget(limit_pusd=2**63 - 1, per=Period.TOTAL)
    (made,) = store.budgets.replace("default", "workspace:default", [total], actor=ME)
    assert made.budget == total
    assert store.budgets.of("default", "workspace:default") == (made,)
    assert store.load().budgets == (made,)
    assert store.budgets.list(workspace="default") == (made,)


def test_nothing_is_written_where_there_was_nothing_and_is_nothing(store: Store) -> None:
    assert store.budgets.replace("default", "workspace:default", [], actor=ME) == ()
    assert store.audit.list(workspace=None) == ()


def test_two_budgets_of_the_same_period_make_no_sense(store: Store) -> None:
    store.budgets.replace("default", "workspace:default", [DAILY], actor=ME)
    with pytest.raises(Refused):
        store.budgets.replace("default", "workspace:default", [MONTHLY, MONTHLY], actor=ME)
    assert [record.budget for record in store.budgets.of("default", "workspace:default")] == [DAILY]


@pytest.mark.parametrize("scope", ["key:none", "token:none", "workspace:none"])
def test_a_scope_that_is_not_there_has_no_budgets(store: Store, scope: str) -> None:
    with pytest.raises(NotFound):
        store.budgets.replace(None, scope, [MONTHLY], actor=ME)
    with pytest.raises(NotFound):
        store.budgets.of(None, scope)


def test_a_workspace_has_no_say_over_the_budgets_of_another(store: Store) -> None:
    store.workspaces.create("acme", actor=ME)
    store.budgets.replace("acme", "workspace:acme", [MONTHLY], actor=ME)
    with pytest.raises(NotFound):
        store.budgets.replace("default", "workspace:acme", [], actor=ME)
    with pytest.raises(NotFound):
        store.budgets.of("default", "workspace:acme")
    assert store.budgets.list(workspace="default") == ()


def test_a_scope_of_no_kind_is_refused(store: Store) -> None:
    with pytest.raises(BadValue):
        store.budgets.replace(None, "planet:earth", [MONTHLY], actor=ME)


def test_the_audit_log_keeps_the_budget_of_a_token_of_every_workspace_from_each_of_them(store: Store) -> None:
    token, _ = store.tokens.create(TokenFields(name="ops", role="admin"), actor=ME)
    bound, _ = store.tokens.create(TokenFields(name="own", role="admin", workspace="default"), actor=ME)
    for one in (token, bound):
        store.budgets.replace(None, f"token:{one.id}", [MONTHLY], actor=ME)
    replaced = {
        row.object_id: row.workspace for row in store.audit.list(workspace=None) if row.action == "budgets.replace"
    }
    assert replaced == {f"token:{token.id}": None, f"token:{bound.id}": "default"}
