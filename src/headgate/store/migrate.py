"""Brings a database to the tables of `schema`, whatever it is now; processes that start together take turns.

A new database is made from `schema` as it stands and marked with `HEAD`, as if every migration had run. Only an older
one needs Alembic, which is imported then: it costs more than everything else at start.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Column, Connection, Engine, MetaData, String, Table, func, insert, inspect, select, text
from sqlalchemy.schema import PrimaryKeyConstraint

from headgate.store import schema
from headgate.store.connect import sqlite_path
from headgate.store.errors import StoreError, StoreUnavailable, translated
from headgate.store.rows import Clock
from headgate.store.transactions import reading, writing
from headgate.types.principal import DEFAULT_WORKSPACE

MIGRATIONS = Path(__file__).parent / "migrations"
LOCK_WAIT_S = 120
# Any number that no other program's advisory locks are likely to have.
LOCK_NUMBER = 0x68656164676174

version_table = Table(
    "alembic_version",
    MetaData(),
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)


def bring_up_to_date(
    engine: Engine, *, clock: Clock = time.time, head: str = schema.HEAD, migrations: Path = MIGRATIONS
) -> None:
    """Make, migrate or leave alone what the engine is connected to, in one transaction.

    Raises StoreError for a database of a newer version or of another program, StoreUnavailable when another process
    holds the lock for two minutes.
    """
    path = sqlite_path(engine)
    if path is not None:
        # From the first connection on: two at once cannot both turn a new file to WAL mode.
        with _file_lock(path.with_name(path.name + ".lock")):
            if not _is_at(engine, head):
                with _without_foreign_keys(engine) as connection:
                    _bring(connection, clock, head, migrations)
    elif not _is_at(engine, head):
        with writing(engine) as connection:
            connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_WAIT_S}s'; SET LOCAL statement_timeout = 0"))
            connection.execute(select(func.pg_advisory_xact_lock(LOCK_NUMBER)))
            _bring(connection, clock, head, migrations)


def _is_at(engine: Engine, head: str) -> bool:
    with reading(engine) as connection:
        return read_version(connection) == head


def read_version(connection: Connection) -> str | None:
    """The migration the database is at, None for one without tables of ours. Raises StoreError for any other."""
    tables = set(inspect(connection).get_table_names())
    versions = list(connection.execute(select(version_table)).scalars()) if version_table.name in tables else []
    if len(versions) == 1:
        return str(versions[0])
    if versions or not tables.isdisjoint(schema.metadata.tables):
        raise StoreError("the database holds tables of another program, or was left half-made; use an empty one")
    return None


def _bring(connection: Connection, clock: Clock, head: str, migrations: Path) -> None:
    version = read_version(connection)
    if version == head:
        return
    if version is None:
        _make(connection, int(clock()), head)
    else:
        _migrate(connection, version, head, migrations)


def _make(connection: Connection, at: int, head: str) -> None:
    schema.metadata.create_all(connection, checkfirst=False)
    version_table.create(connection, checkfirst=True)
    connection.execute(insert(version_table).values(version_num=head))
    connection.execute(insert(schema.revision).values(only=1, value=1))
    connection.execute(
        insert(schema.workspaces).values(name=DEFAULT_WORKSPACE, created_at=at, created_by="headgate", metadata="{}")
    )


def _migrate(connection: Connection, version: str, head: str, migrations: Path) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory
    from alembic.util import CommandError

    config = Config(attributes={"connection": connection})
    # A percent sign in the path would be taken for a variable.
    config.set_main_option("script_location", str(migrations).replace("%", "%%"))
    try:
        ScriptDirectory.from_config(config).get_revision(version)
    except CommandError:
        raise StoreError(
            f"the database is of version {version}, and this headgate knows versions up to {head}: "
            "start a newer headgate, or restore a backup from before the upgrade"
        ) from None
    command.upgrade(config, head)


@contextmanager
def _without_foreign_keys(engine: Engine) -> Iterator[Connection]:
    """A transaction on SQLite in which a table may be made anew under its name without its children being deleted."""
    with translated(), engine.connect() as connection:
        driver = connection.connection
        # Within a transaction the setting would do nothing.
        driver.execute("PRAGMA foreign_keys = OFF")
        try:
            with connection.begin():
                yield connection
                orphans = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
                if orphans:
                    raise StoreError(f"the database is damaged: {len(orphans)} rows name others that are gone")
        finally:
            driver.execute("PRAGMA foreign_keys = ON")


@contextmanager
def _file_lock(path: Path) -> Iterator[None]:
    """Holds a lock file; the system lets go of it when the process dies."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StoreError(f"{path}: the lock file cannot be opened: {error.strerror}") from None
    try:
        deadline = time.monotonic() + LOCK_WAIT_S
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise StoreUnavailable("another process is bringing the database up to date") from None
                time.sleep(0.02)
        yield
    finally:
        os.close(descriptor)
