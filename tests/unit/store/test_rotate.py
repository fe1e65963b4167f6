"""Rotation of the master key: wherever it stops, everything opens."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import update

from headgate.store.engine import Store
from headgate.store.errors import BadMasterKey, SealBroken, WrongMasterKey
from headgate.store.master_key import NEXT_FILE, make_file, read_files
from headgate.store.rotate import reseal_all
from headgate.store.rows import Place
from headgate.store.schema import credentials as table
from headgate.store.seal import Sealer
from headgate.store.transactions import writing
from headgate.types.secret import Secret
from tests.unit.store.opening import Clock

ME = "tester"
ONE, TWO = "ab" * 32, "cd" * 32

ROTATE_FOR_EVER = """
import sys
from pathlib import Path
from headgate.store.engine import open_store
store = open_store(sys.argv[1], data_dir=Path(sys.argv[2]), env={})
print("ready", flush=True)
while True:
    store.rotate_master_key(actor="tester")
"""


def add(store: Store, name: str) -> None:
    store.credentials.create("default", provider="p", name=name, host="h", secret=Secret(f"secret of {name}"), actor=ME)


def opened(store: Store) -> dict[str, str]:
    return {found.credential.name: store.credentials.open(found).reveal() for found in store.load().credentials}


def expected(*names: str) -> dict[str, str]:
    return {name: f"secret of {name}" for name in names}


def test_a_key_file_is_replaced_and_everything_opens_with_the_new_one_alone(
    store: Store, data_dir: Path, open_another: Callable[..., Store]
) -> None:
    add(store, "a")
    add(store, "b")
    (old,) = read_files(data_dir)
    done = store.rotate_master_key(actor=ME)
    (new,) = read_files(data_dir)
    assert (done.old, done.new, done.resealed, done.then) == (old.id, new.id, 2, "")
    assert {found.sealed_by for found in store.credentials.list(workspace=None)} == {new.id}
    assert opened(store) == opened(open_another()) == expected("a", "b")
    (row, *_) = store.audit.list(workspace=None)
    assert (row.action, row.before, row.after) == (
        "secrets.rotate",
        f'{{"master_key":"{old.id}"}}',
        f'{{"master_key":"{new.id}"}}',
    )


def test_a_rotation_that_stopped_before_it_sealed_anything_harms_nothing(
    store: Store, data_dir: Path, open_another: Callable[..., Store]
) -> None:
    add(store, "a")
    new = make_file(data_dir, NEXT_FILE)
    again = open_another()
    assert opened(again) == expected("a")
    add(again, "b")
    assert opened(store) == expected("a", "b")
    done = again.rotate_master_key(actor=ME)
    assert (done.new, done.resealed) == (new.id, 1)
    assert [key.id for key in read_files(data_dir)] == [new.id]
    assert opened(store) == expected("a", "b")


def test_a_rotation_that_stopped_before_the_new_file_took_its_place_is_finished_by_the_next(
    store: Store, data_dir: Path, open_another: Callable[..., Store], clock: Clock
) -> None:
    add(store, "a")
    old = Sealer(read_files(data_dir))
    new = make_file(data_dir, NEXT_FILE)
    reseal_all(Place(store.engine, clock), old, Sealer([new]), actor=ME)
    again = open_another()
    assert opened(store) == opened(again) == expected("a")
    add(again, "b")
    done = again.rotate_master_key(actor=ME)
    assert (done.old, done.new, done.resealed) == (old.key_id, new.id, 0)
    assert opened(store) == expected("a", "b")


def test_a_secret_that_cannot_be_opened_stops_a_rotation_before_anything_changed(store: Store, data_dir: Path) -> None:
    add(store, "a")
    add(store, "b")
    last = store.load().credentials[-1]
    with writing(store.engine) as connection:
        broken = last.sealed[:-1] + bytes([last.sealed[-1] ^ 1])
        connection.execute(update(table).where(table.c.id == last.credential.id).values(sealed=broken))
    before = store.load()
    with pytest.raises(SealBroken):
        store.rotate_master_key(actor=ME)
    assert store.load() == before
    whole = before.credentials[0]
    assert store.credentials.open(whole).reveal() == f"secret of {whole.credential.name}"


def test_a_key_in_the_environment_is_rotated_to_the_one_beside_it(
    open_another: Callable[..., Store], data_dir: Path
) -> None:
    before = open_another({"HEADGATE_SECRET_KEY": ONE})
    add(before, "a")
    both = open_another({"HEADGATE_SECRET_KEY": ONE, "HEADGATE_NEW_SECRET_KEY": TWO})
    assert opened(both) == expected("a")
    done = both.rotate_master_key(actor=ME)
    assert done.resealed == 1
    assert "HEADGATE_SECRET_KEY" in done.then
    after = open_another({"HEADGATE_SECRET_KEY": TWO})
    assert opened(both) == opened(after) == expected("a")
    with pytest.raises(WrongMasterKey):
        opened(before)
    with pytest.raises(WrongMasterKey):
        add(before, "b")
    assert both.rotate_master_key(actor=ME).resealed == 0
    assert list(data_dir.glob("secret.key")) == []


def test_a_key_in_a_file_is_rotated_into_the_environment(store: Store, open_another: Callable[..., Store]) -> None:
    add(store, "a")
    moving = open_another({"HEADGATE_NEW_SECRET_KEY": TWO})
    assert moving.rotate_master_key(actor=ME).resealed == 1
    assert opened(open_another({"HEADGATE_SECRET_KEY": TWO})) == expected("a")


def test_there_is_no_rotation_without_a_key_to_rotate_from_or_to(
    store: Store, open_another: Callable[..., Store]
) -> None:
    with pytest.raises(BadMasterKey, match="none was made"):
        store.rotate_master_key(actor=ME)
    with pytest.raises(BadMasterKey, match="none was made"):
        open_another({"HEADGATE_NEW_SECRET_KEY": TWO}).rotate_master_key(actor=ME)
    with pytest.raises(BadMasterKey, match="HEADGATE_NEW_SECRET_KEY"):
        open_another({"HEADGATE_SECRET_KEY": ONE}).rotate_master_key(actor=ME)
    with pytest.raises(BadMasterKey, match="in use already"):
        open_another({"HEADGATE_SECRET_KEY": ONE, "HEADGATE_NEW_SECRET_KEY": ONE}).rotate_master_key(actor=ME)


def test_killed_at_any_moment_and_written_beside_nothing_is_ever_lost(
    store: Store, address: str, data_dir: Path
) -> None:
    names = [f"first {number}" for number in range(10)]
    for name in names:
        add(store, name)
    for attempt in range(5):
        process = subprocess.Popen(
            [sys.executable, "-c", ROTATE_FOR_EVER, address, str(data_dir)], stdout=subprocess.PIPE
        )
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == b"ready\n"
            names.append(f"beside {attempt}")
            add(store, names[-1])
            time.sleep(random.uniform(0, 0.15))
            assert process.poll() is None
        finally:
            process.kill()
            process.wait()
            process.stdout.close()
        assert opened(store) == expected(*names)
    assert [row.action for row in store.audit.list(workspace=None)].count("secrets.rotate") > 0
    assert store.rotate_master_key(actor=ME).new == read_files(data_dir)[0].id
    assert opened(store) == expected(*names)


@pytest.mark.parametrize("env", [{}, {"HEADGATE_NEW_SECRET_KEY": TWO}], ids=["to a file", "to a variable"])
def test_a_lost_key_file_is_not_called_a_key_that_was_never_made(
    store: Store, data_dir: Path, open_another: Callable[..., Store], env: dict[str, str]
) -> None:
    add(store, "a")
    (lost,) = read_files(data_dir)
    (data_dir / "secret.key").unlink()
    with pytest.raises(WrongMasterKey, match=f"sealed with the master key {lost.id}, and there is none at hand"):
        open_another(env).rotate_master_key(actor=ME)
    assert read_files(data_dir) == ()
