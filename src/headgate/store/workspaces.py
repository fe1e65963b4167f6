"""Workspaces."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, RowMapping, delete, insert, select

from headgate.store import schema
from headgate.store.errors import Duplicate, NotFound, Refused
from headgate.store.records import Workspace
from headgate.store.rows import MAX_PAGE, Place, record_change, to_json
from headgate.store.transactions import changing, reading
from headgate.types.principal import DEFAULT_WORKSPACE
from headgate.wire.json import parse

table = schema.workspaces

_DELETED = "workspace.delete"


def workspace_of(row: RowMapping) -> Workspace:
    return Workspace(
        name=row["name"],
        created_at=row["created_at"],
        created_by=row["created_by"],
        metadata=parse(row["metadata"].encode()),
    )


def require_workspace(connection: Connection, name: str) -> None:
    """Raises NotFound when there is no workspace of the name."""
    if connection.execute(select(table.c.name).where(table.c.name == name)).first() is None:
        raise NotFound(f"there is no workspace {name!r}")


class Workspaces:
    def __init__(self, place: Place) -> None:
        self._place = place

    def create(self, name: str, *, actor: str, metadata: dict[str, Any] | None = None) -> Workspace:
        """Raises Duplicate, also for the name of a deleted workspace: its ledger would be open to the new one."""
        made = Workspace(name=name, created_at=self._place.now(), created_by=actor, metadata=metadata or {})
        with changing(self._place.engine) as connection:
            if not _missing(connection, [name]):
                raise Duplicate(f"there is a workspace {name!r} already")
            self._insert(connection, made)
        return made

    def ensure(self, names: Iterable[str], *, actor: str) -> tuple[Workspace, ...]:
        """Make those of the names that are no workspaces, in one transaction; returns them by name.

        Raises Duplicate when one of them is the name of a deleted workspace; then none is made.
        """
        wanted = list(names)
        with reading(self._place.engine) as connection:
            # Where all are there, as nearly always, nobody waits and no revision is counted up.
            if not _missing(connection, wanted):
                return ()
        with changing(self._place.engine) as connection:
            at = self._place.now()
            made = tuple(
                Workspace(name=name, created_at=at, created_by=actor, metadata={})
                for name in _missing(connection, wanted)
            )
            for workspace in made:
                self._insert(connection, workspace)
        return made

    def get(self, name: str) -> Workspace:
        """Raises NotFound."""
        with reading(self._place.engine) as connection:
            return self._fetch(connection, name)

    def list(self, *, after: str = "", limit: int = 100) -> tuple[Workspace, ...]:
        """By name, those that follow `after`."""
        query = select(table).where(table.c.name > after).order_by(table.c.name).limit(max(0, min(limit, MAX_PAGE)))
        with reading(self._place.engine) as connection:
            return tuple(map(workspace_of, connection.execute(query).mappings()))

    def delete(self, name: str, *, actor: str) -> None:
        """Raises NotFound; Refused for the default one and for one that still owns something that works."""
        with changing(self._place.engine) as connection:
            before = self._fetch(connection, name)
            if name == DEFAULT_WORKSPACE:
                raise Refused(f"the workspace {DEFAULT_WORKSPACE!r} is always there")
            owned = _owned(connection, name)
            if owned:
                raise Refused(f"the workspace {name!r} still owns {', '.join(owned)}: delete those first")
            # What is left of deleted keys and revoked tokens would keep the row from going.
            for gone in (schema.keys, schema.tokens):
                connection.execute(delete(gone).where(gone.c.workspace == name))
            connection.execute(delete(table).where(table.c.name == name))
            record_change(connection, self._place.clock(), actor, name, _DELETED, name, before, None)

    def _insert(self, connection: Connection, made: Workspace) -> None:
        """Raises Duplicate for the name of a deleted workspace."""
        name, audit = made.name, schema.audit.c
        gone = select(audit.id).where(audit.workspace == name, audit.action == _DELETED).limit(1)
        if connection.execute(gone).first() is not None:
            raise Duplicate(f"{name!r} was a workspace and is not used again: its ledger is kept under that name")
        connection.execute(
            insert(table).values(
                name=name, created_at=made.created_at, created_by=made.created_by, metadata=to_json(made.metadata)
            )
        )
        record_change(connection, self._place.clock(), made.created_by, name, "workspace.create", name, None, made)

    @staticmethod
    def _fetch(connection: Connection, name: str) -> Workspace:
        row = connection.execute(select(table).where(table.c.name == name)).mappings().first()
        if row is None:
            raise NotFound(f"there is no workspace {name!r}")
        return workspace_of(row)


def _missing(connection: Connection, names: Sequence[str]) -> list[str]:
    """Those of the names that are no workspaces, each once, in order."""
    there = connection.execute(select(table.c.name).where(table.c.name.in_(names))).scalars()
    return sorted(set(names).difference(there))


def _owned(connection: Connection, name: str) -> list[str]:
    """What kinds of things of the workspace are in use."""
    queries = {
        "keys": select(schema.keys.c.id).where(schema.keys.c.workspace == name, schema.keys.c.deleted_at.is_(None)),
        "admin tokens": select(schema.tokens.c.id).where(
            schema.tokens.c.workspace == name, schema.tokens.c.revoked_at.is_(None)
        ),
        "budgets": select(schema.budgets.c.id).where(schema.budgets.c.workspace == name),
        "credentials": select(schema.credentials.c.id).where(schema.credentials.c.workspace == name),
        "routes": select(schema.routes.c.id).where(schema.routes.c.workspace == name),
    }
    return [what for what, query in queries.items() if connection.execute(query.limit(1)).first() is not None]
