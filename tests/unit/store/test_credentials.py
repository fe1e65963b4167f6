"""Credentials in the store: what goes in sealed comes out for its own record only."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import update

from headgate.store.engine import Store
from headgate.store.errors import Duplicate, NotFound, SealBroken, WrongMasterKey
from headgate.store.records import Credential
from headgate.store.schema import credentials as table
from headgate.store.transactions import writing
from headgate.types.secret import Secret

ME = "tester"
CANARY = "sk-canary-0123456789"


def create(store: Store, name: str = "main", workspace: str = "default", secret: str = CANARY) -> Credential:
    return store.credentials.create(
        workspace, provider="openai", name=name, host="api.openai.com", secret=Secret(secret), weight=2.5, actor=ME
    )


def opened(store: Store) -> dict[str, str]:
    return {found.credential.name: store.credentials.open(found).reveal() for found in store.load().credentials}


def test_a_credential_is_opened_from_what_is_loaded_and_shown_nowhere_else(store: Store) -> None:
    made = create(store)
    assert (made.provider, made.host, made.weight) == ("openai", "api.openai.com", 2.5)
    assert store.credentials.get("default", made.id) == made
    assert store.credentials.list(workspace="default") == (made,)
    assert opened(store) == {"main": CANARY}
    shown = [made, store.audit.list(workspace=None), store.credentials.list(workspace=None), store.load()]
    assert CANARY not in repr(shown)
    assert CANARY not in msgspec.json.encode([made]).decode()


def test_the_secret_is_not_in_the_files_of_the_store(store: Store, tmp_path: Path) -> None:
    create(store)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert files
    for path in files:
        assert CANARY.encode() not in path.read_bytes()


def test_a_secret_is_replaced_and_only_that(store: Store) -> None:
    made = create(store)
    create(store, "second", secret="other")
    assert store.credentials.replace_secret("default", made.id, Secret("new"), actor=ME) == made
    assert opened(store) == {"main": "new", "second": "other"}


def test_a_credential_is_weighted_disabled_enabled_and_deleted(store: Store) -> None:
    made = create(store)
    assert store.credentials.set_weight("default", made.id, 0.125, actor=ME).weight == 0.125
    disabled = store.credentials.disable("default", made.id, actor=ME)
    assert disabled.disabled_at is not None
    assert store.credentials.disable("default", made.id, actor=ME) == disabled
    assert store.credentials.enable("default", made.id, actor=ME).disabled_at is None
    store.credentials.delete("default", made.id, actor=ME)
    assert store.load().credentials == ()


def test_a_name_is_used_once_for_a_provider_in_a_workspace(store: Store) -> None:
    store.workspaces.create("acme", actor=ME)
    create(store)
    create(store, workspace="acme")
    with pytest.raises(Duplicate):
        create(store)
    with pytest.raises(NotFound):
        create(store, workspace="other")


def test_a_credential_of_another_workspace_is_not_there(store: Store) -> None:
    store.workspaces.create("acme", actor=ME)
    made = create(store)
    calls: list[Callable[[], object]] = [
        lambda: store.credentials.get("acme", made.id),
        lambda: store.credentials.replace_secret("acme", made.id, Secret("x"), actor=ME),
        lambda: store.credentials.set_weight("acme", made.id, 1, actor=ME),
        lambda: store.credentials.disable("acme", made.id, actor=ME),
        lambda: store.credentials.enable("acme", made.id, actor=ME),
        lambda: store.credentials.delete("acme", made.id, actor=ME),
    ]
    before = store.load()
    for call in calls:
        with pytest.raises(NotFound):
            call()
    assert store.load() == before
    assert store.credentials.list(workspace="acme") == ()


@pytest.mark.parametrize("column", ["host", "workspace", "provider"])
def test_a_sealed_secret_does_not_open_for_anything_else_than_it_was_sealed_for(store: Store, column: str) -> None:
    store.workspaces.create("acme", actor=ME)
    create(store)
    with writing(store.engine) as connection:
        connection.execute(update(table).values({column: "acme"}))
    with pytest.raises(SealBroken):
        opened(store)


def test_a_sealed_secret_does_not_open_in_another_record(store: Store) -> None:
    create(store)
    create(store, "second", secret="other")
    first, second = store.load().credentials
    with writing(store.engine) as connection:
        connection.execute(update(table).where(table.c.id == first.credential.id).values(sealed=second.sealed))
    with pytest.raises(SealBroken):
        opened(store)


def test_with_another_master_key_nothing_opens_and_nothing_is_sealed_beside_it(
    store: Store, open_another: Callable[..., Store]
) -> None:
    made = create(store)
    other = open_another({"HEADGATE_SECRET_KEY": "ab" * 32})
    with pytest.raises(WrongMasterKey, match=f"{made.sealed_by}.*HEADGATE_SECRET_KEY"):
        opened(other)
    with pytest.raises(WrongMasterKey, match=made.sealed_by):
        create(other, "second")
    # The way out when the key is lost for good.
    other.credentials.delete("default", made.id, actor=ME)
    create(other, "second", secret="new")
    assert opened(other) == {"second": "new"}


def test_a_lost_key_file_is_not_replaced_by_a_new_one_in_silence(
    store: Store, data_dir: Path, open_another: Callable[..., Store]
) -> None:
    made = create(store)
    kept = (data_dir / "secret.key").read_bytes()
    (data_dir / "secret.key").unlink()
    again = open_another()
    with pytest.raises(WrongMasterKey, match=made.sealed_by):
        opened(again)
    with pytest.raises(WrongMasterKey, match=made.sealed_by):
        create(again, "second")
    assert not (data_dir / "secret.key").exists()
    (data_dir / "secret.key").write_bytes(kept)
    (data_dir / "secret.key").chmod(0o600)
    assert opened(again) == {"main": CANARY}


def test_no_master_key_is_made_before_it_is_needed(store: Store, data_dir: Path) -> None:
    assert opened(store) == {}
    assert list(data_dir.glob("secret.key*")) == []
    create(store)
    assert (data_dir / "secret.key").stat().st_mode & 0o777 == 0o600
