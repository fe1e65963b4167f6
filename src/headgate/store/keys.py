"""Virtual keys."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, RowMapping, delete, insert, select, update

from headgate.store import schema
from headgate.store.budgets import replace_budgets
from headgate.store.errors import Duplicate, NotFound
from headgate.store.records import Key, KeyChange, KeyFields
from headgate.store.rows import (
    Place,
    changes,
    fetch,
    new_id,
    new_secret,
    of_workspace,
    page,
    record_change,
    to_json,
)
from headgate.store.transactions import changing, reading
from headgate.store.workspaces import require_workspace
from headgate.types.policy import Budget, KeyLimits
from headgate.types.secret import Secret, key_hash
from headgate.wire.json import parse

PREFIX = "hg-"
HINT_CHARACTERS = len(PREFIX) + 6

table = schema.keys


def key_of(row: RowMapping) -> Key:
    return Key(
        id=row["id"],
        workspace=row["workspace"],
        name=row["name"],
        hint=row["hint"],
        models=tuple(parse(row["models"].encode())),
        addresses=tuple(parse(row["addresses"].encode())),
        policy=row["policy"],
        limits=KeyLimits(rpm=row["rpm"], tpm=row["tpm"], concurrent=row["concurrent"]),
        metadata=parse(row["metadata"].encode()),
        creator_token=row["creator_token"],
        created_by=row["created_by"],
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        disabled_at=row["disabled_at"],
        previous_until=row["previous_until"],
    )


class Keys:
    """Everywhere `workspace` None means all of them; a deleted key, or one of another workspace, is not there."""

    def __init__(self, place: Place) -> None:
        self._place = place

    def create(
        self,
        workspace: str,
        fields: KeyFields,
        *,
        actor: str,
        creator_token: str | None = None,
        budgets: Sequence[Budget] = (),
    ) -> tuple[Key, Secret]:
        """The key and its secret, which is shown this once.

        Raises Duplicate for a name the workspace has, NotFound for an unknown workspace, Refused for two budgets of
        the same period.
        """
        at = self._place.clock()
        id, secret = new_id("key", at), new_secret(PREFIX)
        with changing(self._place.engine) as connection:
            require_workspace(connection, workspace)
            _require_free(connection, workspace, fields.name)
            connection.execute(
                insert(table).values(
                    id=id,
                    workspace=workspace,
                    name=fields.name,
                    models=to_json(fields.models),
                    addresses=to_json(fields.addresses),
                    policy=fields.policy,
                    rpm=fields.limits.rpm,
                    tpm=fields.limits.tpm,
                    concurrent=fields.limits.concurrent,
                    metadata=to_json(fields.metadata),
                    creator_token=creator_token,
                    created_by=actor,
                    created_at=int(at),
                    expires_at=fields.expires_at,
                    **_secret_columns(secret),
                )
            )
            made = key_of(fetch(connection, table, None, id, "key"))
            record_change(connection, at, actor, workspace, "key.create", id, None, made)
            replace_budgets(connection, self._place, workspace, f"key:{id}", budgets, actor)
        return made, secret

    def get(self, workspace: str | None, id: str) -> Key:
        """Raises NotFound."""
        with reading(self._place.engine) as connection:
            return key_of(_fetch(connection, workspace, id))

    def find(self, workspace: str, name: str) -> Key:
        """The key with the name. Raises NotFound."""
        query = select(table).where(table.c.workspace == workspace, table.c.name == name, table.c.deleted_at.is_(None))
        with reading(self._place.engine) as connection:
            row = connection.execute(query).mappings().first()
        if row is None:
            raise NotFound(f"there is no key {name!r} in the workspace {workspace!r}")
        return key_of(row)

    def list(self, *, workspace: str | None, after: str = "", limit: int = 100) -> tuple[Key, ...]:
        query = of_workspace(page(select(table), table, after, limit), table, workspace)
        with reading(self._place.engine) as connection:
            return tuple(map(key_of, connection.execute(query.where(table.c.deleted_at.is_(None))).mappings()))

    def update(self, workspace: str | None, id: str, change: KeyChange, *, actor: str) -> Key:
        """Raises NotFound, Duplicate."""
        values = changes(change)
        for name in ("models", "addresses", "metadata"):
            if name in values:
                values[name] = to_json(values[name])
        return self._change(workspace, id, "key.update", values, actor)

    def rotate(self, workspace: str | None, id: str, *, grace_s: int, actor: str) -> tuple[Key, Secret]:
        """A new secret; the one before works for `grace_s` seconds more, one from a rotation before that no longer.

        Raises NotFound.
        """
        secret = new_secret(PREFIX)
        with changing(self._place.engine) as connection:
            row = _fetch(connection, workspace, id)
            values: dict[str, Any] = {"previous_hash": None, "previous_until": None}
            if grace_s > 0:
                values = {"previous_hash": row["hash"], "previous_until": self._place.now() + grace_s}
            values |= _secret_columns(secret)
            after = _update(connection, self._place, key_of(row), "key.rotate", values, actor)
        return after, secret

    def disable(self, workspace: str | None, id: str, *, actor: str) -> Key:
        """A second time changes nothing. Raises NotFound."""
        return self._change(workspace, id, "key.disable", {"disabled_at": self._place.now()}, actor)

    def enable(self, workspace: str | None, id: str, *, actor: str) -> Key:
        """Raises NotFound."""
        return self._change(workspace, id, "key.enable", {"disabled_at": None}, actor)

    def delete(self, workspace: str | None, id: str, *, actor: str) -> None:
        """It is gone, with its budgets; its row stays, so that neither its id nor its secret is ever used again.

        Raises NotFound.
        """
        with changing(self._place.engine) as connection:
            before = key_of(_fetch(connection, workspace, id))
            connection.execute(update(table).where(table.c.id == id).values(deleted_at=self._place.now()))
            connection.execute(delete(schema.budgets).where(schema.budgets.c.scope == f"key:{id}"))
            record_change(connection, self._place.clock(), actor, before.workspace, "key.delete", id, before, None)

    def _change(self, workspace: str | None, id: str, action: str, values: dict[str, Any], actor: str) -> Key:
        with changing(self._place.engine) as connection:
            before = key_of(_fetch(connection, workspace, id))
            idle = {"key.disable": before.disabled_at is not None, "key.enable": before.disabled_at is None}
            if not values or idle.get(action, False):
                return before
            if values.get("name", before.name) != before.name:
                _require_free(connection, before.workspace, values["name"])
            return _update(connection, self._place, before, action, values, actor)


def _secret_columns(secret: Secret) -> dict[str, Any]:
    text = secret.reveal()
    return {"hash": key_hash(text.encode()), "hint": text[:HINT_CHARACTERS]}


def _fetch(connection: Connection, workspace: str | None, id: str) -> RowMapping:
    row = fetch(connection, table, workspace, id, "key")
    if row["deleted_at"] is not None:
        raise NotFound("there is no such key")
    return row


def _require_free(connection: Connection, workspace: str, name: str) -> None:
    taken = select(table.c.id).where(table.c.workspace == workspace, table.c.name == name, table.c.deleted_at.is_(None))
    if connection.execute(taken).first() is not None:
        raise Duplicate(f"the workspace {workspace!r} has a key {name!r} already")


def _update(connection: Connection, place: Place, before: Key, action: str, values: dict[str, Any], actor: str) -> Key:
    connection.execute(update(table).where(table.c.id == before.id).values(**values))
    after = key_of(fetch(connection, table, None, before.id, "key"))
    record_change(connection, place.clock(), actor, after.workspace, action, after.id, before, after)
    return after
