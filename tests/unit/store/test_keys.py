"""Virtual keys in the store."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headgate.store.engine import Store
from headgate.store.errors import BadValue, Duplicate, NotFound, Refused
from headgate.store.records import Key, KeyChange, KeyFields, LiveKey, TokenFields
from headgate.types.policy import KeyLimits
from headgate.types.secret import key_hash
from tests.unit.store.opening import DAILY, MONTHLY, Clock

ME = "tester"


def live(store: Store, id: str) -> LiveKey:
    return next(found for found in store.load().keys if found.key.id == id)


def test_a_key_comes_back_with_everything_it_was_made_from(store: Store) -> None:
    token, _ = store.tokens.create(TokenFields(name="t", role="admin"), actor=ME)
    fields = KeyFields(
        name="ci",
        models=("gpt-*", "fast"),
        addresses=("10.0.0.0/8",),
        policy="fastest",
        limits=KeyLimits(rpm=60, tpm=1_000_000, concurrent=5),
        metadata={"team": "née", "n": [1, None]},
        expires_at=1_900_000_000,
    )
    key, secret = store.keys.create("default", fields, actor=ME, creator_token=token.id, budgets=[DAILY, MONTHLY])
    assert {name: getattr(key, name) for name in fields.__struct_fields__} == {
        name: getattr(fields, name) for name in fields.__struct_fields__
    }
    assert (key.workspace, key.creator_token, key.created_by) == ("default", token.id, ME)
    assert store.keys.get("default", key.id) == key
    assert store.keys.find("default", "ci") == key
    assert secret.reveal().startswith("hg-")
    assert len(secret.reveal()) == 46
    assert secret.reveal().startswith(key.hint)
    assert live(store, key.id).hash == key_hash(secret.reveal().encode())
    assert {record.budget for record in store.budgets.of("default", f"key:{key.id}")} == {DAILY, MONTHLY}


def test_a_key_is_not_made_when_its_budgets_make_no_sense(store: Store) -> None:
    before = store.revision()
    with pytest.raises(Refused):
        store.keys.create("default", KeyFields(name="a"), actor=ME, budgets=[MONTHLY, MONTHLY])
    assert store.keys.list(workspace="default") == ()
    assert store.revision() == before
    assert store.audit.list(workspace=None) == ()


def test_a_name_is_taken_until_its_key_is_deleted(store: Store) -> None:
    first, _ = store.keys.create("default", KeyFields(name="a"), actor=ME)
    other, _ = store.keys.create("default", KeyFields(name="b"), actor=ME)
    with pytest.raises(Duplicate):
        store.keys.create("default", KeyFields(name="a"), actor=ME)
    with pytest.raises(Duplicate):
        store.keys.update("default", other.id, KeyChange(name="a"), actor=ME)
    store.keys.disable("default", first.id, actor=ME)
    with pytest.raises(Duplicate):
        store.keys.create("default", KeyFields(name="a"), actor=ME)
    store.keys.delete("default", first.id, actor=ME)
    store.keys.update("default", other.id, KeyChange(name="a"), actor=ME)
    assert store.keys.find("default", "a").id == other.id


def test_a_name_may_be_used_in_every_workspace(store: Store) -> None:
    store.workspaces.create("acme", actor=ME)
    mine, _ = store.keys.create("default", KeyFields(name="a"), actor=ME)
    theirs, _ = store.keys.create("acme", KeyFields(name="a"), actor=ME)
    assert store.keys.find("acme", "a") == theirs
    assert store.keys.find("default", "a") == mine


def test_a_key_of_another_workspace_is_not_there(store: Store) -> None:
    store.workspaces.create("acme", actor=ME)
    key, _ = store.keys.create("default", KeyFields(name="a"), actor=ME, budgets=[MONTHLY])
    calls: list[Callable[[], object]] = [
        lambda: store.keys.get("acme", key.id),
        lambda: store.keys.find("acme", "a"),
        lambda: store.keys.update("acme", key.id, KeyChange(name="b"), actor=ME),
        lambda: store.keys.rotate("acme", key.id, grace_s=0, actor=ME),
        lambda: store.keys.disable("acme", key.id, actor=ME),
        lambda: store.keys.enable("acme", key.id, actor=ME),
        lambda: store.keys.delete("acme", key.id, actor=ME),
        lambda: store.budgets.of("acme", f"key:{key.id}"),
        lambda: store.budgets.replace("acme", f"key:{key.id}", [], actor=ME),
    ]
    before = store.load()
    for call in calls:
        with pytest.raises(NotFound):
            call()
    assert store.load() == before
    assert store.keys.list(workspace="acme") == ()
    assert store.budgets.list(workspace="acme") == ()
    assert store.keys.list(workspace=None) == (key,)


def test_a_deleted_key_is_not_there_and_its_budgets_are_gone(store: Store) -> None:
    key, _ = store.keys.create("default", KeyFields(name="a"), actor=ME, budgets=[MONTHLY])
    store.keys.delete("default", key.id, actor=ME)
    with pytest.raises(NotFound):
        store.keys.get("default", key.id)
    with pytest.raises(NotFound):
        store.keys.rotate("default", key.id, grace_s=1, actor=ME)
    with pytest.raises(NotFound):
        store.keys.delete("default", key.id, actor=ME)
    with pytest.raises(NotFound):
        store.budgets.replace("default", f"key:{key.id}", [MONTHLY], actor=ME)
    assert store.load().keys == ()
    assert store.load().budgets == ()
    assert store.keys.list(workspace="default") == ()


def test_after_a_rotation_the_old_secret_works_until_the_grace_is_over(store: Store, clock: Clock) -> None:
    key, first = store.keys.create("default", KeyFields(name="a"), actor=ME)
    clock.at += 1000
    rotated, second = store.keys.rotate("default", key.id, grace_s=60, actor=ME)
    found = live(store, key.id)
    assert found.hash == key_hash(second.reveal().encode())
    assert found.previous_hash == key_hash(first.reveal().encode())
    assert rotated.previous_until == int(clock.at) + 60
    assert rotated.hint != key.hint
    _, third = store.keys.rotate("default", key.id, grace_s=60, actor=ME)
    assert live(store, key.id).previous_hash == key_hash(second.reveal().encode())
    store.keys.rotate("default", key.id, grace_s=0, actor=ME)
    assert live(store, key.id).previous_hash is None
    assert live(store, key.id).hash != key_hash(third.reveal().encode())
    assert live(store, key.id).key.previous_until is None


def test_a_key_is_disabled_once_and_enabled_again(store: Store, clock: Clock) -> None:
    key, _ = store.keys.create("default", KeyFields(name="a"), actor=ME)
    disabled = store.keys.disable("default", key.id, actor=ME)
    assert disabled.disabled_at == int(clock.at)
    clock.at += 10
    assert store.keys.disable("default", key.id, actor=ME) == disabled
    assert live(store, key.id).key == disabled
    assert store.keys.enable("default", key.id, actor=ME).disabled_at is None
    assert [row.action for row in store.audit.list(workspace="default")] == ["key.enable", "key.disable", "key.create"]


def test_only_what_is_named_changes(store: Store) -> None:
    fields = KeyFields(name="a", models=("x",), limits=KeyLimits(rpm=1, tpm=2), expires_at=5, policy="fastest")
    key, _ = store.keys.create("default", fields, actor=ME)
    changed = store.keys.update("default", key.id, KeyChange(rpm=None, models=("y",), policy=None), actor=ME)
    assert (changed.limits, changed.models, changed.policy) == (KeyLimits(tpm=2), ("y",), None)
    assert (changed.name, changed.expires_at) == ("a", 5)
    assert store.keys.update("default", key.id, KeyChange(), actor=ME) == changed
    assert store.keys.get("default", key.id) == changed


def test_pages_give_every_key_once_in_the_order_they_were_made(store: Store, clock: Clock) -> None:
    made = []
    for number in range(7):
        clock.at += 1
        made.append(store.keys.create("default", KeyFields(name=f"k{number}"), actor=ME)[0])
    seen: list[Key] = []
    after = ""
    while page := store.keys.list(workspace="default", after=after, limit=3):
        assert len(page) <= 3
        seen += page
        after = page[-1].id
    assert seen == made
    assert store.keys.list(workspace="default", limit=0) == ()
    assert store.keys.list(workspace="default", limit=-1) == ()


def test_a_key_of_an_unknown_workspace_is_not_made(store: Store) -> None:
    with pytest.raises(NotFound):
        store.keys.create("acme", KeyFields(name="a"), actor=ME)


@pytest.mark.parametrize(
    "fields",
    [
        KeyFields(name="a", limits=KeyLimits(rpm=2**63)),
        KeyFields(name="half \ud800"),
    ],
)
def test_what_no_database_can_keep_is_a_clear_error(store: Store, fields: KeyFields) -> None:
    with pytest.raises(BadValue):
        store.keys.create("default", fields, actor=ME)
    assert store.load().keys == ()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    text=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40),
    number=st.none() | st.integers(0, 2**63 - 1),
    patterns=st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=20), max_size=4),
)
def test_any_text_and_any_number_come_back_as_they_were(
    store: Store, text: str, number: int | None, patterns: list[str]
) -> None:
    fields = KeyFields(name=text, models=tuple(patterns), limits=KeyLimits(rpm=number), metadata={text: patterns})
    key, _ = store.keys.create("default", fields, actor=text)
    found = store.keys.find("default", text)
    store.keys.delete("default", key.id, actor=text)
    assert (found.name, found.models, found.limits.rpm) == (text, tuple(patterns), number)
    assert found.metadata == {text: patterns}
