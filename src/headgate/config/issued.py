"""The virtual key that is made on first run.

Its hash is kept in `first-key.json` in the data directory (0600); the key itself is printed once and nowhere else.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

import msgspec

from headgate.config.keys import issued_key
from headgate.types.principal import Principal
from headgate.types.secret import Secret, key_hash
from headgate.wire import json

FILE_NAME = "first-key.json"
KEY_PREFIX = "hg-"
KEY_BYTES = 32


class _Record(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    sha256: str


class IssuedKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key and its hash; `secret` only when it has just been made."""

    principal: Principal
    hash: bytes
    secret: Secret | None = None


class KeyFileError(Exception):
    """The key's file cannot be read or written; the message is ready to print."""


_decoder = json.Decoder[_Record](_Record)


def first_key(data_dir: Path, *, renew: bool = False) -> IssuedKey:
    """The key of this data directory; made when there is none or when `renew` asks for another.

    Renewing revokes the key before. Raises KeyFileError.
    """
    path = data_dir / FILE_NAME
    try:
        if not renew and path.exists():
            return _load(path)
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        return _make(path)
    except OSError as error:
        raise KeyFileError(
            f"{path}: {error.strerror}; set HEADGATE_DATA_DIR to a directory that can be written"
        ) from None


def _load(path: Path) -> IssuedKey:
    try:
        record: _Record = _decoder.decode(path.read_bytes())
        digest = bytes.fromhex(record.sha256)
    except (ValueError, json.DecodeError):
        digest = b""
        record = _Record("", "")
    if len(digest) != 32:
        raise KeyFileError(f"{path}: damaged; delete it, and the next start makes a new key")
    return IssuedKey(principal=issued_key(record.name), hash=digest)


def _make(path: Path) -> IssuedKey:
    secret = KEY_PREFIX + secrets.token_urlsafe(KEY_BYTES)
    digest = key_hash(secret.encode())
    record = _Record(name="first-run", sha256=digest.hex())
    # Written beside and renamed, so that a crash leaves the old file or the new one, never half of one.
    fresh = path.with_suffix(f".{os.getpid()}.tmp")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(json.encode(record) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    return IssuedKey(principal=issued_key(record.name), hash=digest, secret=Secret(secret))
