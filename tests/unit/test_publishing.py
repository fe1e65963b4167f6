"""Document and store change on their own; the snapshot in use is always made of both as they are."""

from __future__ import annotations

import logging
import threading
from pathlib import Path

import pytest

from headgate.config.document import Document
from headgate.config.load import load_document
from headgate.config.stored import Compiler
from headgate.publishing import Publisher, StoreWatcher
from headgate.store.engine import Store, open_store
from headgate.store.errors import StoreUnavailable
from headgate.store.records import Everything, KeyFields
from headgate.types.secret import key_hash
from headgate.types.snapshot import Snapshot

ONE = "keys: [{name: one, secret: hg-the-first-declared-key}]\nproviders: {sandbox: }"
TWO = "keys: [{name: two, secret: hg-the-second-declared-key}]\nproviders: {sandbox: }"


def document(tmp_path: Path, text: str) -> Document:
    path = tmp_path / "headgate.yaml"
    path.write_text(text)
    return load_document(path, {}, tmp_path).document


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(None, data_dir=tmp_path / "data", env={})


def publisher_of(tmp_path: Path, store: Store, seen: list[Snapshot] | None = None) -> Publisher:
    compiler = Compiler(store.credentials.open, {}, {})
    return Publisher(document(tmp_path, ONE), store, compiler, None if seen is None else seen.append)


def names(snapshot: Snapshot) -> set[str]:
    return {principal.key for principal in snapshot.keys.values()}


def test_a_key_made_in_the_store_counts_after_a_refresh(tmp_path: Path, store: Store) -> None:
    seen: list[Snapshot] = []
    publisher = publisher_of(tmp_path, store, seen)
    _, secret = store.keys.create("default", KeyFields(name="new"), actor="t")
    assert names(publisher.current) == {"one"}
    publisher.refresh()
    assert publisher.current.keys[key_hash(secret.reveal().encode())].key == "new"
    assert [snapshot.revision for snapshot in seen] == [1, 2]
    assert seen[-1] is publisher.current


def test_a_document_built_before_the_store_changed_is_compiled_with_the_change(tmp_path: Path, store: Store) -> None:
    publisher = publisher_of(tmp_path, store)
    built = publisher.build(document(tmp_path, TWO), 2)
    assert names(publisher.current) == {"one"}
    store.keys.create("default", KeyFields(name="new"), actor="t")
    publisher.refresh()
    publisher.publish(built)
    assert names(publisher.current) == {"two", "new"}
    with pytest.raises(ValueError, match="built last"):
        publisher.publish(built)


def test_a_reader_that_was_overtaken_does_not_bring_back_what_was(tmp_path: Path, store: Store) -> None:
    class Late:
        """A store whose first reader after the start is slow."""

        def __init__(self) -> None:
            self.held: Everything | None = None

        def revision(self) -> int:
            return store.revision()

        def load(self) -> Everything:
            held, self.held = self.held, None
            return held or store.load()

    late = Late()
    publisher = Publisher(document(tmp_path, ONE), late, Compiler(store.credentials.open, {}, {}))
    before = store.load()
    store.keys.create("default", KeyFields(name="new"), actor="t")
    publisher.refresh()
    late.held = before
    publisher.refresh()
    assert names(publisher.current) == {"one", "new"}


def test_the_watcher_sees_what_another_process_changes_and_outlives_an_outage(
    tmp_path: Path, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    class Interrupted:
        """A store that cannot be read for a while."""

        away = False
        asked = threading.Event()

        def revision(self) -> int:
            self.asked.set()
            if self.away:
                raise StoreUnavailable("away")
            return store.revision()

        def load(self) -> Everything:
            return store.load()

    interrupted = Interrupted()
    published = threading.Event()
    publisher = Publisher(
        document(tmp_path, ONE), interrupted, Compiler(store.credentials.open, {}, {}), lambda _: published.set()
    )
    published.clear()
    watcher = StoreWatcher(publisher, interrupted, lambda names: None, interval_s=0.01)
    with caplog.at_level(logging.WARNING, "headgate"):
        interrupted.away = True
        watcher.start()
        try:
            for _ in range(3):
                interrupted.asked.clear()
                assert interrupted.asked.wait(20)
            store.keys.create("default", KeyFields(name="new"), actor="t")
            assert names(publisher.current) == {"one"}
            interrupted.away = False
            assert published.wait(20)
        finally:
            watcher.stop()
    assert names(publisher.current) == {"one", "new"}
    said = [record.message for record in caplog.records]
    assert sum("cannot be read" in line for line in said) == 1


def test_a_workspace_that_a_changed_document_names_is_made(tmp_path: Path, store: Store) -> None:
    publisher = publisher_of(tmp_path, store)
    named = "keys: [{name: x, secret: hg-a-key-of-another-workspace, workspace: team}]\nproviders: {sandbox: }"
    made = threading.Event()

    def ensure(names: set[str]) -> None:
        store.workspaces.ensure(names, actor="t")
        made.set()

    watcher = StoreWatcher(publisher, store, ensure, interval_s=0.01)
    watcher.start()
    try:
        publisher.publish(publisher.build(document(tmp_path, named), 2))
        assert made.wait(20)
    finally:
        watcher.stop()
    assert store.workspaces.get("team").name == "team"


def test_the_name_of_a_deleted_workspace_is_told_once_and_holds_up_nothing(
    tmp_path: Path, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    store.workspaces.create("gone", actor="t")
    store.workspaces.delete("gone", actor="t")
    named = "keys: [{name: x, secret: hg-a-key-of-another-workspace, workspace: gone}]\nproviders: {sandbox: }"
    publisher = Publisher(document(tmp_path, named), store, Compiler(store.credentials.open, {}, {}))
    seen = threading.Event()

    def ensure(names: set[str]) -> None:
        store.workspaces.ensure(names, actor="t")

    watcher = StoreWatcher(publisher, store, ensure, interval_s=0.01)
    with caplog.at_level(logging.WARNING, "headgate"):
        watcher.start()
        store.keys.create("default", KeyFields(name="new"), actor="t")
        while "new" not in names(publisher.current):
            seen.wait(0.01)
        watcher.stop()
    assert sum("cannot be made" in record.message for record in caplog.records) == 1
