"""Every test of the admin API runs over a socket; most on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from headgate.store.engine import open_store
from tests.control.served import Served, serving
from tests.fakes.postgres import Postgres


def _address(kind: str, directory: Path, request: pytest.FixtureRequest) -> str:
    if kind == "sqlite":
        return f"sqlite:///{directory}/headgate.db"
    server: Postgres = request.getfixturevalue("postgres")
    return server.make_database()


@pytest.fixture(params=["sqlite", "postgres"])
def served(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Served]:
    """The API on an empty store, on either database."""
    store = open_store(_address(request.param, tmp_path, request), data_dir=tmp_path / "data", env={})
    try:
        with serving(store, tmp_path) as running:
            yield running
    finally:
        store.close()


@pytest.fixture
def on_sqlite(tmp_path: Path) -> Iterator[Served]:
    """The API on an empty SQLite store, for what no database has a say in."""
    store = open_store(f"sqlite:///{tmp_path}/headgate.db", data_dir=tmp_path / "data", env={})
    try:
        with serving(store, tmp_path) as running:
            yield running
    finally:
        store.close()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One API on SQLite for all tests of a module that leave nothing behind."""
    directory = tmp_path_factory.mktemp("shared")
    store = open_store(f"sqlite:///{directory}/headgate.db", data_dir=directory / "data", env={})
    try:
        with serving(store, directory) as running:
            yield running
    finally:
        store.close()
