"""What every repository does with rows: pages, look-ups behind the wall between workspaces, ids, the audit row."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, Engine, RowMapping, Select, Table, insert, select

from headgate.store import schema
from headgate.store.errors import NotFound
from headgate.types.secret import Secret
from headgate.wire.json import encode

MAX_PAGE = 1000

Clock = Callable[[], float]
"""Gives the Unix time in seconds."""

Recorded = msgspec.Struct | Sequence[msgspec.Struct] | None
"""An object, or the objects of a list replaced as a whole, as the audit log keeps them."""


class Place(NamedTuple):
    """Where a repository works: the engine, and the clock that dates its rows."""

    engine: Engine
    clock: Clock

    def now(self) -> int:
        return int(self.clock())


def new_id(prefix: str, at: float) -> str:
    """An id that was never used before and sorts by the time it was made, to the millisecond."""
    return f"{prefix}_{int(at * 1000):011x}{secrets.token_hex(6)}"


def new_secret(prefix: str) -> Secret:
    """A secret of 256 random bits behind a prefix that says what it opens."""
    return Secret(prefix + secrets.token_urlsafe(32))


def page(query: Select[Any], table: Table, after: str, limit: int) -> Select[Any]:
    """The `limit` rows (at most 1000) whose id follows `after`, in the order of ids."""
    if after:
        query = query.where(table.c.id > after)
    return query.order_by(table.c.id).limit(max(0, min(limit, MAX_PAGE)))


def of_workspace(query: Select[Any], table: Table, workspace: str | None) -> Select[Any]:
    """The rows of one workspace; with None those of all."""
    return query if workspace is None else query.where(table.c.workspace == workspace)


def fetch(connection: Connection, table: Table, workspace: str | None, id: str, what: str) -> RowMapping:
    """The row with the id. Raises NotFound when there is none, or it is of another workspace: both look the same."""
    query = of_workspace(select(table).where(table.c.id == id), table, workspace)
    row = connection.execute(query).mappings().first()
    if row is None:
        raise NotFound(f"there is no such {what}")
    return row


def record_change(
    connection: Connection,
    at: float,
    actor: str,
    workspace: str | None,
    action: str,
    object_id: str,
    before: Recorded,
    after: Recorded,
) -> None:
    """Write the audit row of a change, in its transaction. `action` is `type.verb`; the structs hold no secrets."""
    connection.execute(
        insert(schema.audit).values(
            at_us=int(at * 1_000_000),
            actor=actor,
            workspace=workspace,
            action=action,
            object_type=action.partition(".")[0],
            object_id=object_id,
            before=None if before is None else encode(before).decode(),
            after=None if after is None else encode(after).decode(),
        )
    )


def changes(struct: msgspec.Struct) -> dict[str, Any]:
    """The fields of a change that are set."""
    values = ((name, getattr(struct, name)) for name in struct.__struct_fields__)
    return {name: value for name, value in values if value is not msgspec.UNSET}


def to_json(value: Any) -> str:
    """A value as the text of a JSON column."""
    return encode(value).decode()
