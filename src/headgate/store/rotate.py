"""Rotation of the master key: everything is sealed anew in one transaction.

Wherever it stops, what is stored can be opened. With the key in a file: the new key is on disk before anything is
sealed with it, both are read while both are there, and the old one goes last. A rotation that was cut off is finished
by the next one. With the key in the environment: the transaction is all or nothing, and the operator changes the
variable afterwards.
"""

from __future__ import annotations

import msgspec
from sqlalchemy import select, update

from headgate.store import schema
from headgate.store.credentials import MasterKeys, binding_of, credential_of
from headgate.store.errors import BadMasterKey, StoreError
from headgate.store.master_key import (
    NEXT_FILE,
    NEXT_VARIABLE,
    VARIABLE,
    MasterKey,
    adopt_next_file,
    make_file,
    only_rotation,
    read_files,
    read_variable,
)
from headgate.store.rows import Place, record_change
from headgate.store.seal import Sealer, wrong_master_key
from headgate.store.transactions import changing, reading

table = schema.credentials


class Rotation(msgspec.Struct, frozen=True, kw_only=True):
    """What a rotation did: the ids of the keys, how many secrets were sealed anew, and what is left to do."""

    old: str
    new: str
    resealed: int
    then: str


class _Keys(msgspec.Struct, frozen=True):
    """What the audit log keeps of a rotation."""

    master_key: str


def rotate_master_key(place: Place, keys: MasterKeys, *, actor: str) -> Rotation:
    """To the key in HEADGATE_NEW_SECRET_KEY when it is set, else to a new one in the key's file.

    Raises BadMasterKey when there is nothing to rotate from or to, WrongMasterKey when a secret cannot be opened, also
    because the key was lost; then nothing has changed.
    """
    with only_rotation(keys.data_dir):
        if keys.env.get(NEXT_VARIABLE, "").strip():
            return _to_variable(place, keys, actor)
        if keys.env.get(VARIABLE, "").strip():
            raise BadMasterKey(
                f"the master key is in {VARIABLE}: set the new one in {NEXT_VARIABLE} and run this again"
            )
        return _to_new_file(place, keys, actor)


def _to_variable(place: Place, keys: MasterKeys, actor: str) -> Rotation:
    new = read_variable(keys.env, NEXT_VARIABLE)
    if keys.env.get(VARIABLE, "").strip():
        old: tuple[MasterKey, ...] = (read_variable(keys.env, VARIABLE),)
    else:
        old = read_files(keys.data_dir)
    if not old:
        raise _no_key(place)
    if old[0].id == new.id:
        raise BadMasterKey(f"{NEXT_VARIABLE} holds the key that is in use already")
    count = reseal_all(place, Sealer(old), Sealer([new]), actor=actor)
    then = f"start every gateway with {VARIABLE} set to the new key and without {NEXT_VARIABLE}"
    return Rotation(old=old[0].id, new=new.id, resealed=count, then=then)


def _to_new_file(place: Place, keys: MasterKeys, actor: str) -> Rotation:
    old = read_files(keys.data_dir)
    if not old:
        raise _no_key(place)
    # Of a rotation that was cut off the new file is still there, and secrets may be sealed with its key: it is used.
    new = make_file(keys.data_dir, NEXT_FILE)
    count = reseal_all(place, Sealer(old[::-1]), Sealer([new]), actor=actor)
    adopt_next_file(keys.data_dir)
    return Rotation(old=old[-1].id, new=new.id, resealed=count, then="")


def _no_key(place: Place) -> StoreError:
    """Why there is no master key to rotate from: it was lost, or none was ever made."""
    with reading(place.engine) as connection:
        sealed = connection.execute(select(table.c.id, table.c.sealed_by).order_by(table.c.id).limit(1)).first()
    if sealed is not None:
        return wrong_master_key(f"the credential {sealed.id}", sealed.sealed_by, None)
    return BadMasterKey("there is no master key to rotate from: none was made yet")


def reseal_all(place: Place, old: Sealer, new: Sealer, *, actor: str) -> int:
    """Seal every secret that `new` does not open with its first key, in one transaction; how many those were.

    Raises WrongMasterKey, SealBroken: then nothing has changed.
    """
    count = 0
    with changing(place.engine) as connection:
        for row in connection.execute(select(table)).mappings().all():
            binding = binding_of(credential_of(row))
            if new.opens(row["sealed_by"]):
                new.open(binding, row["sealed"])
                continue
            sealed = new.seal(binding, old.open(binding, row["sealed"]))
            connection.execute(update(table).where(table.c.id == row["id"]).values(sealed=sealed, sealed_by=new.key_id))
            count += 1
        before, after = _Keys(old.key_id), _Keys(new.key_id)
        record_change(connection, place.clock(), actor, None, "secrets.rotate", new.key_id, before, after)
    return count
