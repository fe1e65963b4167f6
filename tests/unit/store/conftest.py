"""Every test of the store runs on both databases."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from headgate.store.engine import Store, open_store
from tests.fakes.postgres import Postgres
from tests.unit.store.opening import Clock


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["sqlite", "postgres"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Of a database that is not there yet (SQLite) or is empty (Postgres)."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/headgate.db"
    server: Postgres = request.getfixturevalue("postgres")
    return server.make_database()


@pytest.fixture
def open_another(address: str, data_dir: Path, clock: Clock) -> Iterator[Callable[..., Store]]:
    """Opens the same database once more, as another process would."""
    opened: list[Store] = []

    def another(env: dict[str, str] | None = None) -> Store:
        opened.append(open_store(address, data_dir=data_dir, env=env or {}, clock=clock))
        return opened[-1]

    yield another
    for store in opened:
        store.close()


@pytest.fixture
def store(open_another: Callable[..., Store]) -> Store:
    return open_another()
