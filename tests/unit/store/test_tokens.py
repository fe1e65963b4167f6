"""Admin tokens in the store."""

from __future__ import annotations

import pytest

from headgate.store.engine import Store
from headgate.store.errors import NotFound
from headgate.store.records import KeyFields, TokenChange, TokenFields
from headgate.types.policy import KeyLimits
from headgate.types.secret import key_hash
from tests.unit.store.opening import MONTHLY, Clock

ME = "tester"


def test_a_token_is_found_by_the_hash_of_its_secret_alone(store: Store) -> None:
    store.workspaces.create("acme", actor=ME)
    fields = TokenFields(
        name="ci", role="admin", workspace="acme", models=("gpt-*",), limits=KeyLimits(rpm=5), expires_at=1_900_000_000
    )
    token, secret = store.tokens.create(fields, actor=ME)
    assert secret.reveal().startswith("hga-")
    assert {name: getattr(token, name) for name in fields.__struct_fields__} == {
        name: getattr(fields, name) for name in fields.__struct_fields__
    }
    assert store.tokens.find(key_hash(secret.reveal().encode())) == token
    assert store.tokens.find(key_hash(b"hga-other")) is None
    assert store.tokens.get("acme", token.id) == token


def test_a_token_works_until_it_expires_or_is_revoked(store: Store, clock: Clock) -> None:
    token, _ = store.tokens.create(TokenFields(name="a", role="viewer", expires_at=int(clock.at) + 10), actor=ME)
    assert token.works(clock.at)
    assert not token.works(clock.at + 10)
    revoked = store.tokens.revoke(None, token.id, actor=ME)
    assert not revoked.works(clock.at)
    clock.at += 5
    assert store.tokens.revoke(None, token.id, actor=ME) == revoked
    assert [row.action for row in store.audit.list(workspace=None)] == ["token.revoke", "token.create"]
    assert store.load().tokens == (revoked,)


def test_only_what_is_named_changes(store: Store) -> None:
    token, _ = store.tokens.create(
        TokenFields(name="a", role="admin", models=("x",), limits=KeyLimits(rpm=1, concurrent=2)), actor=ME
    )
    changed = store.tokens.update(None, token.id, TokenChange(name="b", models=None, rpm=None), actor=ME)
    assert (changed.name, changed.models, changed.limits) == ("b", None, KeyLimits(concurrent=2))
    assert store.tokens.update(None, token.id, TokenChange(), actor=ME) == changed


def test_a_workspace_sees_neither_the_tokens_of_another_nor_those_of_all(store: Store) -> None:
    store.workspaces.create("acme", actor=ME)
    everywhere, _ = store.tokens.create(TokenFields(name="root", role="owner"), actor=ME)
    mine, _ = store.tokens.create(TokenFields(name="mine", role="admin", workspace="default"), actor=ME)
    theirs, _ = store.tokens.create(TokenFields(name="theirs", role="admin", workspace="acme"), actor=ME)
    for token in (everywhere, theirs):
        with pytest.raises(NotFound):
            store.tokens.get("default", token.id)
        with pytest.raises(NotFound):
            store.tokens.revoke("default", token.id, actor=ME)
        with pytest.raises(NotFound):
            store.tokens.update("default", token.id, TokenChange(name="x"), actor=ME)
        with pytest.raises(NotFound):
            store.budgets.replace("default", f"token:{token.id}", [MONTHLY], actor=ME)
    assert store.tokens.list(workspace="default") == (mine,)
    assert {token.id for token in store.tokens.list(workspace=None)} == {everywhere.id, mine.id, theirs.id}


def test_the_budget_of_a_token_of_every_workspace_is_no_workspaces_to_see(store: Store) -> None:
    token, _ = store.tokens.create(TokenFields(name="root", role="owner"), actor=ME)
    mine, _ = store.tokens.create(TokenFields(name="mine", role="admin", workspace="default"), actor=ME)
    store.budgets.replace(None, f"token:{token.id}", [MONTHLY], actor=ME)
    (own,) = store.budgets.replace("default", f"token:{mine.id}", [MONTHLY], actor=ME)
    assert store.budgets.list(workspace="default") == (own,)
    assert len(store.budgets.list(workspace=None)) == 2
    with pytest.raises(NotFound):
        store.budgets.of("default", f"token:{token.id}")


def test_a_token_of_an_unknown_workspace_is_not_made(store: Store) -> None:
    with pytest.raises(NotFound):
        store.tokens.create(TokenFields(name="a", role="admin", workspace="acme"), actor=ME)
    assert store.tokens.list(workspace=None) == ()


def test_a_revoked_token_keeps_its_keys_in_the_books(store: Store) -> None:
    token, _ = store.tokens.create(TokenFields(name="a", role="admin", workspace="default"), actor=ME)
    key, _ = store.keys.create("default", KeyFields(name="k"), actor=ME, creator_token=token.id)
    store.tokens.revoke("default", token.id, actor=ME)
    loaded = store.load()
    assert loaded.keys[0].key == key
    assert loaded.tokens[0].id == key.creator_token
