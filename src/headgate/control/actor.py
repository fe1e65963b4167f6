"""Who calls the admin API: an admin token, found by its hash, and how far it reaches."""

from __future__ import annotations

import hmac
import re
import time
from collections.abc import Iterable

import msgspec

from headgate.control.failures import Forbidden
from headgate.control.permissions import Requirement, Role
from headgate.errors import Unauthenticated
from headgate.store.engine import Store
from headgate.types.policy import KeyLimits
from headgate.types.principal import ANY_MODEL
from headgate.types.secret import key_hash

ENVIRONMENT_TOKEN = "HEADGATE_ADMIN_TOKEN"
_BEARER = re.compile(rb"[Bb][Ee][Aa][Rr][Ee][Rr] +([\x21-\x7e]{1,512})")
_CHALLENGE = ((b"www-authenticate", b"Bearer"),)


class Actor(msgspec.Struct, frozen=True, kw_only=True):
    """A caller. `token` is None for the token of the environment, `workspace` None for every workspace.

    `models` and `limits` are the most that keys and tokens made by this caller may have.
    """

    name: str
    token: str | None
    role: Role
    workspace: str | None = None
    models: tuple[str, ...] = ANY_MODEL
    limits: KeyLimits = KeyLimits()
    expires_at: int | None = None

    @property
    def signature(self) -> str:
        """What the audit log calls the caller: the token's name and id."""
        return f"{self.name} ({self.token})" if self.token else self.name

    def require(self, requirement: Requirement) -> None:
        """Raise Forbidden when the caller's token does not reach so far."""
        if requirement.role is not None and not self.role.includes(requirement.role):
            raise Forbidden(f"this needs the role {requirement.role} or more; the token's role is {self.role}")
        if requirement.everywhere and self.workspace is not None:
            raise Forbidden("this needs a token of every workspace; this one is bound to one")

    def sees(self, workspace: str) -> bool:
        return self.workspace is None or self.workspace == workspace


def authenticate(headers: Iterable[tuple[bytes, bytes]], store: Store, environment_hash: bytes | None) -> Actor:
    """Find who shows `Authorization: Bearer hga-…`. Raises Unauthenticated; why, is not told."""
    given = [value for name, value in headers if name == b"authorization"]
    match = _BEARER.fullmatch(given[0].strip()) if len(given) == 1 else None
    if match is None:
        raise Unauthenticated(
            "send an admin token: Authorization: Bearer hga-…", code="missing_token", headers=_CHALLENGE
        )
    digest = key_hash(match.group(1))
    if environment_hash is not None and hmac.compare_digest(digest, environment_hash):
        return Actor(name=ENVIRONMENT_TOKEN, token=None, role=Role.OWNER)
    record = store.tokens.find(digest)
    if record is None or not record.works(time.time()):
        raise Unauthenticated(
            "this is no admin token that counts: unknown, expired or revoked", code="invalid_token", headers=_CHALLENGE
        )
    return Actor(
        name=record.name,
        token=record.id,
        role=Role(record.role),
        workspace=record.workspace,
        models=record.models if record.models is not None else ANY_MODEL,
        limits=record.limits,
        expires_at=record.expires_at,
    )
