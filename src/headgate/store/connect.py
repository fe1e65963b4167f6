"""A database address → a SQLAlchemy engine with the settings we rely on; nothing is asked of the database here."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError

from headgate.store.errors import StoreError
from headgate.store.transactions import READS

FORMS = "sqlite:///FILE or postgresql://USER:PASSWORD@HOST:PORT/NAME"

CONNECT_TIMEOUT_S = 5
STATEMENT_TIMEOUT_MS = 30_000
LOCK_TIMEOUT_MS = 10_000
BUSY_TIMEOUT_MS = 5_000
POOL_SIZE = 4
POOL_TIMEOUT_S = 15
WAL_LEFT_BYTES = 16 * 1024 * 1024


def make_engine(url: str | Path) -> Engine:
    """An engine for an address or the path of a SQLite file; a file that is not there is made, for its owner alone.

    Raises StoreError for an address that is none of ours, and for a file that cannot be made or written.
    """
    if isinstance(url, Path):
        return _sqlite(url)
    parsed = _parse(url)
    if parsed.drivername.startswith("sqlite"):
        return _sqlite(_sqlite_path(parsed))
    return _postgres(parsed)


def sqlite_path(engine: Engine) -> Path | None:
    """The file of a SQLite database, None for a server."""
    database = engine.url.database
    return Path(database) if engine.dialect.name == "sqlite" and database else None


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise StoreError(f"the database address cannot be read; it is {FORMS}") from None
    if parsed.drivername in ("sqlite", "sqlite+pysqlite"):
        return parsed
    if parsed.drivername in ("postgres", "postgresql", "postgresql+psycopg"):
        return parsed.set(drivername="postgresql+psycopg")
    raise StoreError(f"no database of the kind {parsed.drivername!r} is supported; the address is {FORMS}")


def _sqlite_path(url: URL) -> Path:
    if url.host or url.username or url.password or url.port:
        raise StoreError("a SQLite address has three slashes before a relative path and four before an absolute one")
    if url.query:
        raise StoreError("a SQLite address takes no options after a question mark")
    name = url.database or ""
    if not name or name == ":memory:" or name.startswith("file:"):
        raise StoreError("a SQLite address names a file; a database in memory would be lost with the process")
    if "\0" in name:
        raise StoreError("the path of the SQLite file is not a path")
    return Path(name)


def _sqlite(path: Path) -> Engine:
    _make_file(path)
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        pool_size=POOL_SIZE,
        max_overflow=4,
        pool_timeout=POOL_TIMEOUT_S,
        hide_parameters=True,
        connect_args={"timeout": BUSY_TIMEOUT_MS / 1000},
    )
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _make_file(path: Path) -> None:
    """Makes the file with mode 0600 (its -wal and -shm files get the same from SQLite) and checks it can be written."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        if path.is_dir():
            raise StoreError(f"{path}: is a directory, not a database file") from None
        if not os.access(path, os.R_OK | os.W_OK):
            raise StoreError(f"{path}: this process may not read and write the file") from None
    except OSError as error:
        raise StoreError(f"{path}: the database file cannot be made: {error.strerror}") from None
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise StoreError(
            f"{path.parent}: the directory is read-only, and SQLite keeps files of its own beside {path.name}"
        )


def _prepare_sqlite(connection: Any, _record: object) -> None:
    # None stops the driver from beginning transactions by itself, which it does too late (before the first change, not
    # before the first read) and not at all before CREATE TABLE. _begin_sqlite does it instead.
    connection.isolation_level = None
    for setting in (
        f"busy_timeout = {BUSY_TIMEOUT_MS}",
        "journal_mode = WAL",
        # In WAL mode NORMAL keeps the file consistent through a power cut; it may lose the last transactions, never
        # through a crash of the process. The journal of the ledger is the same.
        "synchronous = NORMAL",
        "foreign_keys = ON",
        f"journal_size_limit = {WAL_LEFT_BYTES}",
    ):
        connection.execute(f"PRAGMA {setting}")


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that reads and then writes fails at once with SQLITE_BUSY when another one has written in between,
    # whatever busy_timeout says. So writers take the lock first and wait for it there.
    reads = connection.get_execution_options().get(READS, False)
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")


def _postgres(url: URL) -> Engine:
    if not url.database:
        raise StoreError(f"the database address names no database; it is {FORMS}")
    timeouts = {
        "connect_timeout": CONNECT_TIMEOUT_S,
        # A network that swallows packets is noticed after about 25 s, not after the system's hours.
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": 20_000,
        "application_name": "headgate",
    }
    try:
        engine = create_engine(
            url,
            pool_pre_ping=True,
            pool_size=POOL_SIZE,
            max_overflow=4,
            pool_timeout=POOL_TIMEOUT_S,
            pool_recycle=1800,
            hide_parameters=True,
            connect_args={name: value for name, value in timeouts.items() if name not in url.query},
        )
    except (ArgumentError, TypeError, ValueError):
        raise StoreError(f"the database address cannot be read; it is {FORMS}") from None
    event.listen(engine, "connect", _prepare_postgres)
    return engine


def _prepare_postgres(connection: Any, _record: object) -> None:
    # Not as a startup option: poolers in front of Postgres refuse those they do not know.
    with connection.cursor() as cursor:
        cursor.execute(
            f"SET statement_timeout = {STATEMENT_TIMEOUT_MS}; SET lock_timeout = {LOCK_TIMEOUT_MS};"
            " SET idle_in_transaction_session_timeout = 60000"
        )
    connection.commit()
