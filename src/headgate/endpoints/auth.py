"""Who is calling: bearer or `x-api-key` → SHA-256 → principal in the snapshot."""

from __future__ import annotations

import time
from ipaddress import IPv6Address, ip_address

from headgate.endpoints.cycle import Cycle
from headgate.errors import NotAllowed, Unauthenticated
from headgate.types.principal import Principal
from headgate.types.secret import key_hash
from headgate.types.snapshot import Snapshot

_CHALLENGE = ((b"www-authenticate", b'Bearer realm="headgate"'),)


def authenticate(snapshot: Snapshot, cycle: Cycle) -> Principal:
    """The principal a request's key proves; the secret is hashed before anybody looks.

    Raises Unauthenticated; NotAllowed for a good key from an address it may not be used from.
    """
    headers = cycle.head.headers
    authorization = headers.get(b"authorization")
    if authorization is not None:
        scheme, _, secret = authorization.partition(b" ")
        if scheme.lower() != b"bearer":
            raise Unauthenticated("use `Authorization: Bearer hg-…` with a Headgate key", headers=_CHALLENGE)
        secret = secret.strip()
    elif b"x-api-key" in headers:
        secret = headers[b"x-api-key"].strip()
    else:
        raise Unauthenticated(
            "no key: send `Authorization: Bearer hg-…` (or `x-api-key`) with a Headgate key", headers=_CHALLENGE
        )
    digest = key_hash(secret)
    principal = snapshot.keys.get(digest)
    if principal is None:
        why = snapshot.withdrawn.get(digest, "this key is not one of this gateway's, or no longer")
        raise Unauthenticated(why, headers=_CHALLENGE)
    if principal.expires_at is not None and principal.expires_at <= time.time():
        raise Unauthenticated(f"the key {principal.key!r} has expired", code="expired_api_key", headers=_CHALLENGE)
    if principal.addresses and not _may_call_from(principal, cycle.client):
        raise NotAllowed(f"the key {principal.key!r} may not be used from this address", code="address_not_allowed")
    return principal


def _may_call_from(principal: Principal, client: tuple[str, int] | None) -> bool:
    """Whether the connection comes from one of the key's networks. Headers are not asked: anybody writes them."""
    if client is None:
        return False
    address = ip_address(client[0].partition("%")[0])
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return any(address in network for network in principal.addresses)
