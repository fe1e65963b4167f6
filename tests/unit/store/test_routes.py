"""Routes in the store."""

from __future__ import annotations

import pytest

from headgate.store.engine import Store
from headgate.store.errors import Duplicate, NotFound

ME = "tester"


def test_a_route_is_made_changed_and_deleted(store: Store) -> None:
    route = store.routes.create("default", "fast", '{"targets":["a/b"]}', actor=ME)
    assert store.routes.get("default", route.id) == route
    changed = store.routes.update("default", route.id, '{"targets":["c/d"]}', actor=ME)
    assert changed.definition == '{"targets":["c/d"]}'
    assert store.routes.update("default", route.id, '{"targets":["c/d"]}', actor=ME) == changed
    assert store.routes.list(workspace="default") == (changed,)
    assert store.load().routes == (changed,)
    store.routes.delete("default", route.id, actor=ME)
    assert store.load().routes == ()
    assert [row.action for row in store.audit.list(workspace="default")] == [
        "route.delete",
        "route.update",
        "route.create",
    ]


def test_a_name_is_used_once_in_a_workspace(store: Store) -> None:
    store.workspaces.create("acme", actor=ME)
    store.routes.create("default", "fast", "{}", actor=ME)
    store.routes.create("acme", "fast", "{}", actor=ME)
    with pytest.raises(Duplicate):
        store.routes.create("acme", "fast", "{}", actor=ME)
    with pytest.raises(NotFound):
        store.routes.create("other", "fast", "{}", actor=ME)


def test_a_route_of_another_workspace_is_not_there(store: Store) -> None:
    store.workspaces.create("acme", actor=ME)
    route = store.routes.create("acme", "fast", "{}", actor=ME)
    with pytest.raises(NotFound):
        store.routes.get("default", route.id)
    with pytest.raises(NotFound):
        store.routes.update("default", route.id, "[]", actor=ME)
    with pytest.raises(NotFound):
        store.routes.delete("default", route.id, actor=ME)
    assert store.routes.list(workspace="default") == ()
    assert store.routes.get(None, route.id) == route
