"""Credentials: secrets that providers issued to the user, sealed. No call gives a secret back but `open`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, RowMapping, delete, insert, select, update

from headgate.store import schema
from headgate.store.errors import Duplicate, WrongMasterKey
from headgate.store.master_key import find_master_keys, make_file
from headgate.store.records import Credential, SealedCredential
from headgate.store.rows import Place, fetch, new_id, of_workspace, page, record_change
from headgate.store.seal import Binding, Sealer, wrong_master_key
from headgate.store.transactions import changing, reading
from headgate.store.workspaces import require_workspace
from headgate.types.secret import Secret

table = schema.credentials

# All but the sealed bytes, which no listing needs.
COLUMNS = [column for column in table.c if column.name != "sealed"]


def credential_of(row: RowMapping) -> Credential:
    return Credential(
        id=row["id"],
        workspace=row["workspace"],
        provider=row["provider"],
        name=row["name"],
        host=row["host"],
        weight=row["weight_milli"] / 1000,
        sealed_by=row["sealed_by"],
        created_at=row["created_at"],
        created_by=row["created_by"],
        disabled_at=row["disabled_at"],
    )


def binding_of(credential: Credential) -> Binding:
    return Binding(
        workspace=credential.workspace,
        provider=credential.provider,
        host=credential.host,
        record=credential.id,
    )


class MasterKeys:
    """Where a store finds its master keys. They are read anew for every write: a rotation may run beside us."""

    def __init__(self, env: Mapping[str, str], data_dir: Path) -> None:
        self.env = env
        self.data_dir = data_dir
        self._kept: Sealer | None = None

    def read(self) -> Sealer | None:
        """None when no key was ever made. Raises BadMasterKey."""
        keys = find_master_keys(self.env, self.data_dir)
        self._kept = Sealer(keys) if keys else None
        return self._kept

    def open(self, binding: Binding, sealed: bytes) -> Secret:
        """Raises WrongMasterKey, SealBroken, BadMasterKey."""
        kept = self._kept
        if kept is not None:
            try:
                return kept.open(binding, sealed)
            except WrongMasterKey:
                # The keys may have changed since they were read.
                pass
        current = self.read()
        if current is None:
            raise wrong_master_key(f"{binding.purpose} {binding.record}", sealed[4:8].hex(), None)
        return current.open(binding, sealed)


class Credentials:
    """Everywhere `workspace` None means all of them; a credential of another workspace is not there."""

    def __init__(self, place: Place, keys: MasterKeys) -> None:
        self._place = place
        self._keys = keys

    def create(
        self, workspace: str, *, provider: str, name: str, host: str, secret: Secret, weight: float = 1.0, actor: str
    ) -> Credential:
        """Raises Duplicate for a name the provider has in the workspace, NotFound for an unknown workspace,
        WrongMasterKey when other credentials are sealed with a key that is not at hand, BadMasterKey.
        """
        at = self._place.clock()
        with changing(self._place.engine) as connection:
            require_workspace(connection, workspace)
            taken = select(table.c.id).where(
                table.c.workspace == workspace, table.c.provider == provider, table.c.name == name
            )
            if connection.execute(taken).first() is not None:
                raise Duplicate(f"the workspace {workspace!r} has a credential {name!r} for {provider} already")
            sealer = self._sealer(connection)
            made = Credential(
                id=new_id("crd", at),
                workspace=workspace,
                provider=provider,
                name=name,
                host=host,
                weight=round(weight * 1000) / 1000,
                sealed_by=sealer.key_id,
                created_at=int(at),
                created_by=actor,
                disabled_at=None,
            )
            connection.execute(insert(table).values(**_values(made), sealed=sealer.seal(binding_of(made), secret)))
            record_change(connection, at, actor, workspace, "credential.create", made.id, None, made)
        return made

    def get(self, workspace: str | None, id: str) -> Credential:
        """Raises NotFound."""
        with reading(self._place.engine) as connection:
            return credential_of(fetch(connection, table, workspace, id, "credential"))

    def list(self, *, workspace: str | None, after: str = "", limit: int = 100) -> tuple[Credential, ...]:
        query = of_workspace(page(select(*COLUMNS), table, after, limit), table, workspace)
        with reading(self._place.engine) as connection:
            return tuple(map(credential_of, connection.execute(query).mappings()))

    def open(self, sealed: SealedCredential) -> Secret:
        """The secret of a credential that `Store.load` gave. Raises SealBroken, BadMasterKey; WrongMasterKey also when
        the master key was rotated since the load: what is loaded anew opens.
        """
        return self._keys.open(binding_of(sealed.credential), sealed.sealed)

    def replace_secret(self, workspace: str | None, id: str, secret: Secret, *, actor: str) -> Credential:
        """Raises NotFound, WrongMasterKey, BadMasterKey."""

        def values(connection: Connection, before: Credential) -> dict[str, Any]:
            sealer = self._sealer(connection, apart_from=id)
            return {"sealed": sealer.seal(binding_of(before), secret), "sealed_by": sealer.key_id}

        return self._change(workspace, id, "credential.replace", values, actor)

    def set_weight(self, workspace: str | None, id: str, weight: float, *, actor: str) -> Credential:
        """Its share of the traffic, kept in thousandths. Raises NotFound."""
        return self._change(
            workspace, id, "credential.weight", lambda _, __: {"weight_milli": round(weight * 1000)}, actor
        )

    def disable(self, workspace: str | None, id: str, *, actor: str) -> Credential:
        """A second time changes nothing. Raises NotFound."""

        def values(_: Connection, before: Credential) -> dict[str, Any]:
            return {} if before.disabled_at is not None else {"disabled_at": self._place.now()}

        return self._change(workspace, id, "credential.disable", values, actor)

    def enable(self, workspace: str | None, id: str, *, actor: str) -> Credential:
        """Raises NotFound."""

        def values(_: Connection, before: Credential) -> dict[str, Any]:
            return {} if before.disabled_at is None else {"disabled_at": None}

        return self._change(workspace, id, "credential.enable", values, actor)

    def delete(self, workspace: str | None, id: str, *, actor: str) -> None:
        """The sealed secret goes with it. Raises NotFound."""
        with changing(self._place.engine) as connection:
            before = credential_of(fetch(connection, table, workspace, id, "credential"))
            connection.execute(delete(table).where(table.c.id == id))
            at = self._place.clock()
            record_change(connection, at, actor, before.workspace, "credential.delete", id, before, None)

    def _sealer(self, connection: Connection, apart_from: str = "") -> Sealer:
        """The master keys as they are within this transaction, which no rotation can overtake.

        Refuses to seal beside secrets it could not open: two master keys would be needed from then on.
        """
        sealer = self._keys.read()
        others = select(table.c.id, table.c.sealed_by).where(table.c.id != apart_from)
        for id, sealed_by in connection.execute(others):
            if sealer is None or not sealer.opens(sealed_by):
                raise wrong_master_key(f"the credential {id}", sealed_by, sealer)
        return sealer or Sealer([make_file(self._keys.data_dir)])

    def _change(
        self,
        workspace: str | None,
        id: str,
        action: str,
        values: Callable[[Connection, Credential], dict[str, Any]],
        actor: str,
    ) -> Credential:
        with changing(self._place.engine) as connection:
            before = credential_of(fetch(connection, table, workspace, id, "credential"))
            wanted = values(connection, before)
            if not wanted:
                return before
            connection.execute(update(table).where(table.c.id == id).values(**wanted))
            after = credential_of(fetch(connection, table, None, id, "credential"))
            record_change(connection, self._place.clock(), actor, after.workspace, action, id, before, after)
        return after


def _values(credential: Credential) -> dict[str, Any]:
    values = {field: getattr(credential, field) for field in credential.__struct_fields__ if field != "weight"}
    return values | {"weight_milli": round(credential.weight * 1000)}
