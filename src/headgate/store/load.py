"""All a snapshot is made of, read at one moment."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, Engine, RowMapping, Table, select

from headgate.store import schema
from headgate.store.budgets import budget_of
from headgate.store.credentials import credential_of
from headgate.store.keys import key_of
from headgate.store.records import Everything, LiveKey, SealedCredential
from headgate.store.routes import route_of
from headgate.store.tokens import token_of
from headgate.store.transactions import read_revision, reading
from headgate.store.workspaces import workspace_of


def load_everything(engine: Engine) -> Everything:
    """Every object of every workspace as they were at one revision, each kind in the order of its ids.

    Raises StoreError.
    """
    with reading(engine) as connection:
        return Everything(
            revision=read_revision(connection),
            workspaces=tuple(map(workspace_of, _rows(connection, schema.workspaces))),
            tokens=tuple(map(token_of, _rows(connection, schema.tokens))),
            keys=tuple(
                LiveKey(key=key_of(row), hash=row["hash"], previous_hash=row["previous_hash"])
                for row in _rows(connection, schema.keys)
                if row["deleted_at"] is None
            ),
            budgets=tuple(map(budget_of, _rows(connection, schema.budgets))),
            credentials=tuple(
                SealedCredential(credential=credential_of(row), sealed=row["sealed"])
                for row in _rows(connection, schema.credentials)
            ),
            routes=tuple(map(route_of, _rows(connection, schema.routes))),
        )


def _rows(connection: Connection, table: Table) -> Iterable[RowMapping]:
    return connection.execute(select(table).order_by(*table.primary_key.columns)).mappings()
