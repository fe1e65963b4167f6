"""Workspaces in the store."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from headgate.store.engine import Store
from headgate.store.errors import Duplicate, NotFound, Refused
from headgate.store.records import KeyFields, TokenFields
from headgate.types.secret import Secret
from tests.unit.store.opening import MONTHLY, Clock

ME = "tester"


def test_the_default_workspace_is_there_from_the_first_moment_and_stays(store: Store, clock: Clock) -> None:
    (default,) = store.workspaces.list()
    assert (default.name, default.created_at) == ("default", int(clock.at))
    with pytest.raises(Refused):
        store.workspaces.delete("default", actor=ME)
    with pytest.raises(Duplicate):
        store.workspaces.create("default", actor=ME)
    assert store.workspaces.get("default") == default


def test_workspaces_are_listed_by_name_in_pages(store: Store) -> None:
    for name in ("c", "a", "b"):
        store.workspaces.create(name, actor=ME, metadata={"of": name})
    assert [found.name for found in store.workspaces.list(limit=2)] == ["a", "b"]
    assert [found.name for found in store.workspaces.list(after="b")] == ["c", "default"]
    assert store.workspaces.get("c").metadata == {"of": "c"}
    with pytest.raises(NotFound):
        store.workspaces.get("d")


def _key(store: Store) -> Callable[[], object]:
    key, _ = store.keys.create("acme", KeyFields(name="k"), actor=ME)
    return lambda: store.keys.delete("acme", key.id, actor=ME)


def _token(store: Store) -> Callable[[], object]:
    token, _ = store.tokens.create(TokenFields(name="t", role="admin", workspace="acme"), actor=ME)
    return lambda: store.tokens.revoke("acme", token.id, actor=ME)


def _budget(store: Store) -> Callable[[], object]:
    store.budgets.replace("acme", "workspace:acme", [MONTHLY], actor=ME)
    return lambda: store.budgets.replace("acme", "workspace:acme", [], actor=ME)


def _credential(store: Store) -> Callable[[], object]:
    made = store.credentials.create("acme", provider="p", name="n", host="h", secret=Secret("s"), actor=ME)
    return lambda: store.credentials.delete("acme", made.id, actor=ME)


def _route(store: Store) -> Callable[[], object]:
    made = store.routes.create("acme", "r", "{}", actor=ME)
    return lambda: store.routes.delete("acme", made.id, actor=ME)


@pytest.mark.parametrize("give", [_key, _token, _budget, _credential, _route])
def test_a_workspace_that_owns_something_is_not_deleted_before_that_is(
    store: Store, give: Callable[[Store], Callable[[], object]]
) -> None:
    store.workspaces.create("acme", actor=ME)
    take = give(store)
    with pytest.raises(Refused):
        store.workspaces.delete("acme", actor=ME)
    take()
    store.workspaces.delete("acme", actor=ME)
    with pytest.raises(NotFound):
        store.workspaces.get("acme")


def test_the_name_of_a_deleted_workspace_opens_nothing_to_a_new_one(store: Store) -> None:
    store.workspaces.create("acme", actor=ME)
    store.workspaces.delete("acme", actor=ME)
    with pytest.raises(Duplicate):
        store.workspaces.create("acme", actor=ME)
    with pytest.raises(NotFound):
        store.workspaces.delete("acme", actor=ME)


def test_workspaces_that_are_missing_are_made_together_and_those_that_are_there_stay_as_they_are(store: Store) -> None:
    before = store.workspaces.create("acme", actor=ME, metadata={"a": "b"})
    made = store.workspaces.ensure({"default", "acme", "beta", "alpha"}, actor="headgate.yaml")
    assert [one.name for one in made] == ["alpha", "beta"]
    assert store.workspaces.get("acme") == before
    assert store.workspaces.get("beta").created_by == "headgate.yaml"
    rows = [(row.workspace, row.actor) for row in store.audit.list(workspace=None) if row.action == "workspace.create"]
    assert sorted(rows) == [("acme", ME), ("alpha", "headgate.yaml"), ("beta", "headgate.yaml")]


def test_nothing_changes_where_every_workspace_is_there(store: Store) -> None:
    store.workspaces.ensure(["acme"], actor=ME)
    before = store.load().revision
    assert store.workspaces.ensure(["acme", "default"], actor=ME) == ()
    assert store.workspaces.ensure([], actor=ME) == ()
    assert store.load().revision == before


def test_the_name_of_a_deleted_workspace_is_not_made_again_and_neither_are_those_beside_it(store: Store) -> None:
    store.workspaces.create("acme", actor=ME)
    store.workspaces.delete("acme", actor=ME)
    with pytest.raises(Duplicate, match="'acme' was a workspace and is not used again"):
        store.workspaces.ensure(["aaa", "acme", "beta"], actor=ME)
    assert [one.name for one in store.workspaces.list()] == ["default"]
