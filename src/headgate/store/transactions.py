"""The two ways to use the database: to read, and to change something. Both raise StoreError alone.

A transaction of `engine.begin()` on SQLite takes the write lock at its start (see connect.py); one that only reads must
come from `reading`, or it would wait for writers and keep them waiting.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine, select, update

from headgate.store.errors import StoreError, translated
from headgate.store.schema import revision

READS = "headgate_reads"
"""The execution option of a connection that only reads."""


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A transaction that reads one state of the database throughout; it blocks nobody. Raises StoreError."""
    with translated(), engine.connect() as plain:
        if engine.dialect.name == "sqlite":
            yield plain.execution_options(**{READS: True})
        else:
            yield plain.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A transaction that may change rows; it commits when the block ends, and changes nothing when it raises.

    It does not count up the revision. Raises StoreError.
    """
    with translated(), engine.begin() as connection:
        yield connection


@contextmanager
def changing(engine: Engine) -> Iterator[Connection]:
    """A transaction that changes what gateways read: the revision is counted up in it.

    The revision's row is changed first, so that changes happen one after the other on every database: what is checked
    inside stays true until the commit. Raises StoreError.
    """
    with writing(engine) as connection:
        connection.execute(update(revision).values(value=revision.c.value + 1))
        yield connection


def read_revision(connection: Connection) -> int:
    """The number of changes so far. Raises StoreError when the table holds none."""
    value = connection.execute(select(revision.c.value)).scalar()
    if value is None:
        raise StoreError("the database is damaged: the table revision is empty")
    return int(value)
