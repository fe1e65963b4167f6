"""Whatever happens to keys in whatever order, the store holds what a dictionary would."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from headgate.store.engine import open_store
from headgate.store.errors import Duplicate, NotFound
from headgate.store.records import KeyChange, KeyFields
from headgate.types.secret import key_hash

WORKSPACES = st.sampled_from(["default", "acme"])
NAMES = st.sampled_from(["a", "b", "c"])
ME = "tester"


class Model:
    def __init__(self, workspace: str, name: str, secret: str) -> None:
        self.workspace = workspace
        self.name = name
        self.secret = secret
        self.previous: str | None = None
        self.disabled = False


class KeyHistories(RuleBasedStateMachine):
    made = Bundle("made")

    @initialize()
    def open(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.store = open_store(None, data_dir=Path(self.folder.name) / "data", env={})
        self.store.workspaces.create("acme", actor=ME)
        self.keys: dict[str, Model] = {}
        self.revision = self.store.revision()
        self.changes = 1

    def taken(self, workspace: str, name: str) -> bool:
        return any((key.workspace, key.name) == (workspace, name) for key in self.keys.values())

    @rule(target=made, workspace=WORKSPACES, name=NAMES)
    def create(self, workspace: str, name: str) -> str:
        if self.taken(workspace, name):
            with pytest.raises(Duplicate):
                self.store.keys.create(workspace, KeyFields(name=name), actor=ME)
            return ""
        key, secret = self.store.keys.create(workspace, KeyFields(name=name), actor=ME)
        self.keys[key.id] = Model(workspace, name, secret.reveal())
        self.changes += 1
        return key.id

    @rule(id=made, workspace=WORKSPACES, name=NAMES)
    def rename(self, id: str, workspace: str, name: str) -> None:
        key = self.keys.get(id)
        if key is None or key.workspace != workspace:
            with pytest.raises(NotFound):
                self.store.keys.update(workspace, id, KeyChange(name=name), actor=ME)
        elif name != key.name and self.taken(workspace, name):
            with pytest.raises(Duplicate):
                self.store.keys.update(workspace, id, KeyChange(name=name), actor=ME)
        else:
            self.store.keys.update(workspace, id, KeyChange(name=name), actor=ME)
            key.name = name
            self.changes += 1

    @rule(id=made, grace_s=st.sampled_from([0, 60]))
    def rotate(self, id: str, grace_s: int) -> None:
        key = self.keys.get(id)
        if key is None:
            with pytest.raises(NotFound):
                self.store.keys.rotate(None, id, grace_s=grace_s, actor=ME)
            return
        _, secret = self.store.keys.rotate(None, id, grace_s=grace_s, actor=ME)
        key.previous = key.secret if grace_s else None
        key.secret = secret.reveal()
        self.changes += 1

    @rule(id=made, disabled=st.booleans())
    def switch(self, id: str, disabled: bool) -> None:
        call = self.store.keys.disable if disabled else self.store.keys.enable
        key = self.keys.get(id)
        if key is None:
            with pytest.raises(NotFound):
                call(None, id, actor=ME)
            return
        call(None, id, actor=ME)
        self.changes += key.disabled != disabled
        key.disabled = disabled

    @rule(id=made, workspace=WORKSPACES)
    def delete(self, id: str, workspace: str) -> None:
        key = self.keys.get(id)
        if key is None or key.workspace != workspace:
            with pytest.raises(NotFound):
                self.store.keys.delete(workspace, id, actor=ME)
            return
        self.store.keys.delete(workspace, id, actor=ME)
        del self.keys[id]
        self.changes += 1

    @invariant()
    def the_store_says_the_same(self) -> None:
        loaded = self.store.load()
        assert {
            (found.key.id, found.key.workspace, found.key.name, found.key.disabled_at is not None)
            for found in loaded.keys
        } == {(id, key.workspace, key.name, key.disabled) for id, key in self.keys.items()}
        for found in loaded.keys:
            key = self.keys[found.key.id]
            assert found.hash == key_hash(key.secret.encode())
            assert found.previous_hash == (None if key.previous is None else key_hash(key.previous.encode()))
        assert loaded.revision >= self.revision
        self.revision = loaded.revision
        assert len(self.store.audit.list(workspace=None, limit=1000)) == self.changes

    def teardown(self) -> None:
        self.store.close()
        self.folder.cleanup()


TestKeyHistories = KeyHistories.TestCase
TestKeyHistories.settings = settings(max_examples=15, stateful_step_count=25, deadline=None)
