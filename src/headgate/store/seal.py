"""Sealed secrets: AES-256-GCM with a data key for each, which is itself sealed with the master key.

A record is `HGS1`, the master key's id (4 bytes), a nonce (12), the sealed data key (48), a nonce (12), the sealed
secret. What the secret is for goes into both as associated data: sealed bytes that are moved to another record, host
or workspace do not open.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import NamedTuple

from headgate.store.errors import BadMasterKey, SealBroken, WrongMasterKey
from headgate.store.master_key import KEY_BYTES, MasterKey
from headgate.types.secret import Secret

MAGIC = b"HGS1"
ID_BYTES = 4
NONCE_BYTES = 12
TAG_BYTES = 16

_ID_END = len(MAGIC) + ID_BYTES
_DATA_KEY_END = _ID_END + NONCE_BYTES + KEY_BYTES + TAG_BYTES
_SHORTEST = _DATA_KEY_END + NONCE_BYTES + TAG_BYTES


class Binding(NamedTuple):
    """What a sealed secret is for, and for nothing else."""

    workspace: str
    provider: str
    host: str
    record: str
    purpose: str = "credential"

    def encode(self) -> bytes:
        """The fields with their lengths, so that no two bindings read the same."""
        parts = [part.encode() for part in self]
        return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


class Sealer:
    """Seals with the first of its master keys, opens with any of them."""

    def __init__(self, keys: Sequence[MasterKey]) -> None:
        if not keys:
            raise BadMasterKey("there is no master key")
        self._keys = {key.id: key for key in reversed(keys)}
        self._first = keys[0]

    @property
    def key_id(self) -> str:
        """The id of the master key that seals."""
        return self._first.id

    @property
    def source(self) -> str:
        """Where that key is from."""
        return self._first.source

    def opens(self, key_id: str) -> bool:
        """Whether the master key with the id is at hand."""
        return key_id in self._keys

    def seal(self, binding: Binding, secret: Secret) -> bytes:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        data_key = secrets.token_bytes(KEY_BYTES)
        head = MAGIC + bytes.fromhex(self._first.id)
        bound = binding.encode()
        key_nonce, nonce = secrets.token_bytes(NONCE_BYTES), secrets.token_bytes(NONCE_BYTES)
        sealed_key = AESGCM(self._first.reveal()).encrypt(key_nonce, data_key, head + b"key" + bound)
        sealed = AESGCM(data_key).encrypt(nonce, secret.reveal().encode(), head + b"secret" + bound)
        return head + key_nonce + sealed_key + nonce + sealed

    def open(self, binding: Binding, sealed: bytes) -> Secret:
        """Raises WrongMasterKey when another key sealed it, SealBroken when it is damaged or not of `binding`."""
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        key = self._key_of(binding, sealed)
        head, bound = sealed[:_ID_END], binding.encode()
        wrapped, body = sealed[_ID_END:_DATA_KEY_END], sealed[_DATA_KEY_END:]
        try:
            data_key = AESGCM(key.reveal()).decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], head + b"key" + bound)
            text = AESGCM(data_key).decrypt(body[:NONCE_BYTES], body[NONCE_BYTES:], head + b"secret" + bound)
        except InvalidTag:
            raise SealBroken(
                f"the sealed secret of {_name(binding)} is damaged or belongs to another record; store it again"
            ) from None
        return Secret(text.decode())

    def _key_of(self, binding: Binding, sealed: bytes) -> MasterKey:
        if len(sealed) < _SHORTEST or not sealed.startswith(MAGIC):
            raise SealBroken(f"the sealed secret of {_name(binding)} is damaged; store it again")
        key_id = sealed[len(MAGIC) : _ID_END].hex()
        if key_id not in self._keys:
            raise wrong_master_key(_name(binding), key_id, self)
        return self._keys[key_id]


def wrong_master_key(what: str, sealed_by: str, sealer: Sealer | None) -> WrongMasterKey:
    """The error that names both keys and the way out."""
    at_hand = "there is none at hand" if sealer is None else f"the one at hand is {sealer.key_id} from {sealer.source}"
    return WrongMasterKey(
        f"{what} was sealed with the master key {sealed_by}, and {at_hand}: give back the key {sealed_by} "
        "(HEADGATE_SECRET_KEY or secret.key in the data directory), or delete the credential and store it again"
    )


def _name(binding: Binding) -> str:
    return f"{binding.purpose} {binding.record} of {binding.provider}"
