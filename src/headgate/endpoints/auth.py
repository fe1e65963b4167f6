"""Who is calling: bearer or `x-api-key` → SHA-256 → principal in the snapshot."""

from __future__ import annotations

from headgate.errors import Unauthenticated
from headgate.types.principal import Principal
from headgate.types.secret import key_hash
from headgate.types.snapshot import Snapshot

_CHALLENGE = ((b"www-authenticate", b'Bearer realm="headgate"'),)


def authenticate(snapshot: Snapshot, authorization: bytes | None, api_key: bytes | None) -> Principal:
    """The principal a request's key proves; the secret is hashed before anybody looks. Raises Unauthenticated."""
    if authorization is not None:
        scheme, _, secret = authorization.partition(b" ")
        if scheme.lower() != b"bearer":
            raise Unauthenticated("use `Authorization: Bearer hg-…` with a Headgate key", headers=_CHALLENGE)
        secret = secret.strip()
    elif api_key is not None:
        secret = api_key.strip()
    else:
        raise Unauthenticated(
            "no key: send `Authorization: Bearer hg-…` (or `x-api-key`) with a Headgate key", headers=_CHALLENGE
        )
    principal = snapshot.keys.get(key_hash(secret))
    if principal is None:
        raise Unauthenticated("this key is not one of this gateway's, or no longer", headers=_CHALLENGE)
    return principal
