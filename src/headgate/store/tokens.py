"""Admin tokens."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, RowMapping, insert, select, update

from headgate.store import schema
from headgate.store.records import Token, TokenChange, TokenFields
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
from headgate.types.policy import KeyLimits
from headgate.types.secret import Secret, key_hash
from headgate.wire.json import parse

PREFIX = "hga-"

table = schema.tokens


def token_of(row: RowMapping) -> Token:
    return Token(
        id=row["id"],
        name=row["name"],
        role=row["role"],
        workspace=row["workspace"],
        models=None if row["models"] is None else tuple(parse(row["models"].encode())),
        limits=KeyLimits(rpm=row["rpm"], tpm=row["tpm"], concurrent=row["concurrent"]),
        created_at=row["created_at"],
        created_by=row["created_by"],
        expires_at=row["expires_at"],
        revoked_at=row["revoked_at"],
    )


class Tokens:
    """Everywhere `workspace` None means all of them, and a name hides the tokens of others and of every workspace."""

    def __init__(self, place: Place) -> None:
        self._place = place

    def create(self, fields: TokenFields, *, actor: str) -> tuple[Token, Secret]:
        """The token and its secret, which is shown this once. Raises NotFound for an unknown workspace."""
        at = self._place.clock()
        id, secret = new_id("tok", at), new_secret(PREFIX)
        with changing(self._place.engine) as connection:
            if fields.workspace is not None:
                require_workspace(connection, fields.workspace)
            connection.execute(
                insert(table).values(
                    id=id,
                    name=fields.name,
                    hash=key_hash(secret.reveal().encode()),
                    role=fields.role,
                    workspace=fields.workspace,
                    models=None if fields.models is None else to_json(fields.models),
                    rpm=fields.limits.rpm,
                    tpm=fields.limits.tpm,
                    concurrent=fields.limits.concurrent,
                    created_at=int(at),
                    created_by=actor,
                    expires_at=fields.expires_at,
                )
            )
            made = token_of(fetch(connection, table, None, id, "admin token"))
            record_change(connection, at, actor, made.workspace, "token.create", id, None, made)
        return made, secret

    def get(self, workspace: str | None, id: str) -> Token:
        """Raises NotFound."""
        with reading(self._place.engine) as connection:
            return token_of(fetch(connection, table, workspace, id, "admin token"))

    def find(self, hash: bytes) -> Token | None:
        """The token with the SHA-256 of its secret, whether it still works or not (`Token.works`)."""
        with reading(self._place.engine) as connection:
            row = connection.execute(select(table).where(table.c.hash == hash)).mappings().first()
        return None if row is None else token_of(row)

    def list(self, *, workspace: str | None, after: str = "", limit: int = 100) -> tuple[Token, ...]:
        query = of_workspace(page(select(table), table, after, limit), table, workspace)
        with reading(self._place.engine) as connection:
            return tuple(map(token_of, connection.execute(query).mappings()))

    def update(self, workspace: str | None, id: str, change: TokenChange, *, actor: str) -> Token:
        """Raises NotFound."""
        values = changes(change)
        if values.get("models") is not None:
            values["models"] = to_json(values["models"])
        return self._change(workspace, id, "token.update", values, actor)

    def revoke(self, workspace: str | None, id: str, *, actor: str) -> Token:
        """From now on it opens nothing; a second time changes nothing. Raises NotFound."""
        return self._change(workspace, id, "token.revoke", {"revoked_at": self._place.now()}, actor)

    def _change(self, workspace: str | None, id: str, action: str, values: dict[str, Any], actor: str) -> Token:
        with changing(self._place.engine) as connection:
            before = token_of(fetch(connection, table, workspace, id, "admin token"))
            if not values or (action == "token.revoke" and before.revoked_at is not None):
                return before
            return _update(connection, self._place, before, action, values, actor)


def _update(
    connection: Connection, place: Place, before: Token, action: str, values: dict[str, Any], actor: str
) -> Token:
    connection.execute(update(table).where(table.c.id == before.id).values(**values))
    after = token_of(fetch(connection, table, None, before.id, "admin token"))
    record_change(connection, place.clock(), actor, after.workspace, action, after.id, before, after)
    return after
