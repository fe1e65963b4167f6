"""A database is brought up to date once, whoever comes first, and a newer one is left alone."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, MetaData, inspect, text, update
from sqlalchemy.schema import CreateIndex, CreateTable

from headgate.store import schema
from headgate.store.connect import make_engine
from headgate.store.engine import Store
from headgate.store.errors import StoreError
from headgate.store.migrate import MIGRATIONS, bring_up_to_date, version_table
from headgate.store.records import KeyFields
from headgate.store.transactions import reading, writing

ME = "tester"

NEXT = f"""
import sqlalchemy as sa
from alembic import op

revision = "9999"
down_revision = "{schema.HEAD}"

def upgrade() -> None:
    # Other tables name this one: on SQLite it is made anew under its name.
    with op.batch_alter_table("workspaces") as batch:
        batch.add_column(sa.Column("colour", sa.Text, nullable=False, server_default="grey"))
        batch.alter_column("created_by", new_column_name="maker")
"""

OPEN = """
import sys
from pathlib import Path
from headgate.store.engine import open_store
sys.stdin.readline()
store = open_store(sys.argv[1], data_dir=Path(sys.argv[2]), env={})
store.workspaces.create(sys.argv[3], actor="tester")
store.close()
"""


@pytest.fixture
def migrations(tmp_path: Path) -> Path:
    """The migrations of a later version: ours and one more."""
    folder = tmp_path / "100% migrations"
    (folder / "versions").mkdir(parents=True)
    (folder / "env.py").write_text((MIGRATIONS / "env.py").read_text())
    for path in (MIGRATIONS / "versions").glob("v*.py"):
        (folder / "versions" / path.name).write_text(path.read_text())
    (folder / "versions" / "v9999.py").write_text(NEXT)
    return folder


@pytest.fixture
def engine(address: str) -> Iterator[Engine]:
    """Of a database in which nothing was made."""
    made = make_engine(address)
    yield made
    made.dispose()


def described(engine: Engine) -> list[str]:
    """Every table and index as the database itself reports them, whatever the order of their parts."""
    with reading(engine) as connection:
        if engine.dialect.name == "sqlite":
            found = connection.exec_driver_sql("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL").scalars().all()
        else:
            tables = MetaData()
            tables.reflect(connection)
            found = [str(CreateTable(table).compile(engine)) for table in tables.sorted_tables]
            for table in tables.sorted_tables:
                found += [str(CreateIndex(index).compile(engine)) for index in table.indexes]
    return sorted(" ".join(sorted(sql.replace(",", " ").replace("(", " ").replace(")", " ").split())) for sql in found)


def upgrade(engine: Engine, migrations: Path, to: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(migrations).replace("%", "%%"))
    with writing(engine) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, to)


def version(engine: Engine) -> str:
    with reading(engine) as connection:
        return str(connection.execute(version_table.select()).scalar_one())


def test_the_migrations_lead_to_the_same_tables_as_the_schema(engine: Engine) -> None:
    bring_up_to_date(engine)
    made = described(engine)
    assert len(made) > len(schema.metadata.tables)
    with writing(engine) as connection:
        schema.metadata.drop_all(connection)
        version_table.drop(connection)
    assert described(engine) == []
    upgrade(engine, MIGRATIONS, "head")
    assert described(engine) == made
    assert version(engine) == schema.HEAD


def test_a_database_that_is_up_to_date_is_left_alone(store: Store) -> None:
    store.keys.create("default", KeyFields(name="a"), actor=ME)
    before = store.load()
    bring_up_to_date(store.engine)
    assert store.load() == before


def test_an_older_database_is_migrated_with_everything_in_it(store: Store, migrations: Path) -> None:
    store.workspaces.create("acme", actor="alice")
    key, _ = store.keys.create("acme", KeyFields(name="a"), actor=ME)
    bring_up_to_date(store.engine, head="9999", migrations=migrations)
    assert version(store.engine) == "9999"
    assert store.keys.get("acme", key.id) == key
    with reading(store.engine) as connection:
        rows = connection.execute(text("SELECT name, colour, maker FROM workspaces ORDER BY name")).all()
    assert [tuple(row) for row in rows] == [("acme", "grey", "alice"), ("default", "grey", "headgate")]
    with pytest.raises(StoreError), writing(store.engine) as connection:
        connection.execute(update(schema.keys).values(workspace="nowhere"))


def test_a_migration_that_fails_leaves_the_database_as_it_was(store: Store, migrations: Path) -> None:
    broken = migrations / "versions" / "v9999.py"
    broken.write_text(NEXT + "    op.create_table('half', sa.Column('a', sa.Text))\n    op.drop_table('nothing')\n")
    before = described(store.engine)
    with pytest.raises(Exception, match="nothing"):
        bring_up_to_date(store.engine, head="9999", migrations=migrations)
    assert described(store.engine) == before
    assert version(store.engine) == schema.HEAD
    broken.write_text(NEXT)
    bring_up_to_date(store.engine, head="9999", migrations=migrations)
    assert version(store.engine) == "9999"


def test_a_database_of_a_newer_version_is_refused_naming_both(
    store: Store, migrations: Path, open_another: Callable[..., Store]
) -> None:
    bring_up_to_date(store.engine, head="9999", migrations=migrations)
    before = described(store.engine)
    with pytest.raises(StoreError, match=f"version 9999.* up to {schema.HEAD}.*newer headgate") as caught:
        open_another()
    assert str(caught.value).isprintable()
    assert described(store.engine) == before


def test_tables_of_another_program_are_left_alone(engine: Engine) -> None:
    with writing(engine) as connection:
        connection.execute(text("CREATE TABLE keys (a TEXT)"))
    with pytest.raises(StoreError, match="another program"):
        bring_up_to_date(engine)
    with reading(engine) as connection:
        assert inspect(connection).get_table_names() == ["keys"]


def test_processes_that_start_together_take_turns(address: str, data_dir: Path) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", OPEN, address, str(data_dir), f"w{number}"],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(4)
    ]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    for process in processes:
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
    engine = make_engine(address)
    with reading(engine) as connection:
        names = connection.execute(text("SELECT name FROM workspaces ORDER BY name")).scalars().all()
        revision = connection.execute(text("SELECT value FROM revision")).scalars().all()
    engine.dispose()
    assert names == ["default", "w0", "w1", "w2", "w3"]
    assert revision == [5]
