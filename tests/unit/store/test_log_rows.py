"""The audit log and the events."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from headgate.store.engine import Store
from headgate.store.errors import Duplicate
from headgate.store.records import KeyChange, KeyFields, TokenChange, TokenFields
from headgate.types.secret import Secret
from tests.unit.store.opening import DAILY, MONTHLY, Clock

ME = "tester"


def test_every_change_is_written_down_with_who_what_before_and_after(store: Store, clock: Clock) -> None:
    key, _ = store.keys.create("default", KeyFields(name="a", models=("x",)), actor="alice")
    clock.at += 0.5
    store.keys.update("default", key.id, KeyChange(models=("y",)), actor="bob")
    latest, first = store.audit.list(workspace="default")
    assert (first.actor, first.action, first.object_type, first.object_id) == ("alice", "key.create", "key", key.id)
    assert first.before is None
    assert json.loads(first.after or "")["models"] == ["x"]
    assert (latest.actor, latest.action) == ("bob", "key.update")
    assert json.loads(latest.before or "")["models"] == ["x"]
    assert json.loads(latest.after or "")["models"] == ["y"]
    assert latest.at_us == int(clock.at * 1_000_000)


def _changes(store: Store) -> list[Callable[[], object]]:
    """Every call that changes something, in an order in which each has something to change."""
    key, _ = store.keys.create("default", KeyFields(name="k"), actor=ME)
    token, _ = store.tokens.create(TokenFields(name="t", role="admin"), actor=ME)
    route = store.routes.create("default", "r", "{}", actor=ME)
    secret = Secret("canary-credential")
    credential = store.credentials.create("default", provider="p", name="n", host="h", secret=secret, actor=ME)
    return [
        lambda: store.workspaces.create("acme", actor=ME),
        lambda: store.workspaces.delete("acme", actor=ME),
        lambda: store.keys.create("default", KeyFields(name="other"), actor=ME),
        lambda: store.keys.update("default", key.id, KeyChange(name="b"), actor=ME),
        lambda: store.keys.rotate("default", key.id, grace_s=5, actor=ME),
        lambda: store.keys.disable("default", key.id, actor=ME),
        lambda: store.keys.enable("default", key.id, actor=ME),
        lambda: store.budgets.replace("default", f"key:{key.id}", [DAILY, MONTHLY], actor=ME),
        lambda: store.keys.delete("default", key.id, actor=ME),
        lambda: store.tokens.create(TokenFields(name="t", role="admin"), actor=ME),
        lambda: store.tokens.update(None, token.id, TokenChange(name="u"), actor=ME),
        lambda: store.tokens.revoke(None, token.id, actor=ME),
        lambda: store.routes.create("default", "s", "{}", actor=ME),
        lambda: store.routes.update("default", route.id, "[]", actor=ME),
        lambda: store.routes.delete("default", route.id, actor=ME),
        lambda: store.credentials.create("default", provider="p", name="m", host="h", secret=secret, actor=ME),
        lambda: store.credentials.replace_secret("default", credential.id, Secret("canary-2"), actor=ME),
        lambda: store.credentials.set_weight("default", credential.id, 0.5, actor=ME),
        lambda: store.credentials.disable("default", credential.id, actor=ME),
        lambda: store.credentials.enable("default", credential.id, actor=ME),
        lambda: store.rotate_master_key(actor=ME),
        lambda: store.credentials.delete("default", credential.id, actor=ME),
    ]


def test_every_change_counts_up_the_revision_and_leaves_an_audit_row(store: Store) -> None:
    for change in _changes(store):
        revision, rows = store.revision(), len(store.audit.list(workspace=None))
        change()
        assert store.revision() == revision + 1
        assert len(store.audit.list(workspace=None)) == rows + 1


def test_no_audit_row_holds_a_secret_or_a_hash(store: Store) -> None:
    key, secret = store.keys.create("default", KeyFields(name="k0"), actor=ME)
    _, rotated = store.keys.rotate("default", key.id, grace_s=100, actor=ME)
    _, token_secret = store.tokens.create(TokenFields(name="t0", role="admin"), actor=ME)
    for change in _changes(store):
        change()
    text = repr(store.audit.list(workspace=None, limit=1000))
    loaded = store.load()
    assert len(text) > 1000
    for found in loaded.keys:
        assert found.hash.hex() not in text
        assert repr(found.hash)[2:-1] not in text
    for hidden in (secret, rotated, token_secret, Secret("canary")):
        assert hidden.reveal() not in text


def test_a_change_that_fails_leaves_no_trace(store: Store) -> None:
    store.keys.create("default", KeyFields(name="a"), actor=ME)
    revision, rows = store.revision(), store.audit.list(workspace=None)
    with pytest.raises(Duplicate):
        store.keys.create("default", KeyFields(name="a"), actor=ME)
    assert (store.revision(), store.audit.list(workspace=None)) == (revision, rows)


def test_the_audit_log_is_read_from_the_newest_in_pages_and_by_workspace(store: Store) -> None:
    store.workspaces.create("acme", actor=ME)
    for name in ("a", "b", "c"):
        store.keys.create("acme", KeyFields(name=name), actor=ME)
    store.keys.create("default", KeyFields(name="d"), actor=ME)
    store.audit.append(actor=ME, workspace=None, action="ledger.delete", object_id="x")
    first = store.audit.list(workspace="acme", limit=3)
    rest = store.audit.list(workspace="acme", after=first[-1].id)
    assert [row.action for row in (*first, *rest)] == ["key.create"] * 3 + ["workspace.create"]
    assert {row.workspace for row in (*first, *rest)} == {"acme"}
    assert [row.action for row in store.audit.list(workspace=None, limit=2)] == ["ledger.delete", "key.create"]


def test_events_are_read_from_the_newest_by_workspace(store: Store, clock: Clock) -> None:
    revision = store.revision()
    for number, workspace in enumerate(("default", "acme", "default")):
        store.events.append(workspace=workspace, kind="budget", subject="key:1", message=str(number))
    assert [event.message for event in store.events.list(workspace="default")] == ["2", "0"]
    newest, *_ = store.events.list(workspace=None, limit=1)
    assert (newest.kind, newest.subject, newest.at_us) == ("budget", "key:1", int(clock.at * 1_000_000))
    assert [event.message for event in store.events.list(workspace=None, after=newest.id)] == ["1", "0"]
    assert store.revision() == revision


def test_a_page_may_begin_beyond_any_id(store: Store) -> None:
    store.events.append(workspace="default", kind="k", subject="s", message="m")
    assert len(store.events.list(workspace=None, after=2**62)) == 1
    assert len(store.events.list(workspace=None, after=2**70)) == 1
    assert store.events.list(workspace=None, after=-1) == ()
