"""What the store gives back: frozen values without secrets or hashes, fit for the audit log and every API.

Times are Unix seconds unless the name ends in `_us`; prices and limits are those of `types.policy`. The `…Change`
structs are what may be changed of an object: a field that is left out stays as it is.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from headgate.types.policy import Budget, KeyLimits
from headgate.types.principal import ANY_MODEL


class Workspace(msgspec.Struct, frozen=True, kw_only=True):
    """The wall between tenants: every other object belongs to one."""

    name: str
    created_at: int
    created_by: str
    metadata: dict[str, Any] = {}


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """An admin token. Without a workspace it is one of every workspace; `models` None sets its keys no ceiling."""

    id: str
    name: str
    role: str
    workspace: str | None
    models: tuple[str, ...] | None
    limits: KeyLimits
    created_at: int
    created_by: str
    expires_at: int | None
    revoked_at: int | None

    def works(self, at: float) -> bool:
        """Whether it opens anything at that time."""
        return self.revoked_at is None and (self.expires_at is None or at < self.expires_at)


class TokenFields(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a new admin token is made from."""

    name: str
    role: str
    workspace: str | None = None
    models: tuple[str, ...] | None = None
    limits: KeyLimits = KeyLimits()
    expires_at: int | None = None


class TokenChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: str | UnsetType = UNSET
    models: tuple[str, ...] | UnsetType | None = UNSET
    rpm: int | UnsetType | None = UNSET
    tpm: int | UnsetType | None = UNSET
    concurrent: int | UnsetType | None = UNSET
    expires_at: int | UnsetType | None = UNSET


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """A virtual key. `hint` is how its secret begins; after a rotation the old secret works until `previous_until`."""

    id: str
    workspace: str
    name: str
    hint: str
    models: tuple[str, ...]
    addresses: tuple[str, ...]
    policy: str | None
    limits: KeyLimits
    metadata: dict[str, Any]
    creator_token: str | None
    created_by: str
    created_at: int
    expires_at: int | None
    disabled_at: int | None
    previous_until: int | None


class KeyFields(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a new virtual key is made from."""

    name: str
    models: tuple[str, ...] = ANY_MODEL
    addresses: tuple[str, ...] = ()
    policy: str | None = None
    limits: KeyLimits = KeyLimits()
    metadata: dict[str, Any] = {}
    expires_at: int | None = None


class KeyChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: str | UnsetType = UNSET
    models: tuple[str, ...] | UnsetType = UNSET
    addresses: tuple[str, ...] | UnsetType = UNSET
    policy: str | UnsetType | None = UNSET
    rpm: int | UnsetType | None = UNSET
    tpm: int | UnsetType | None = UNSET
    concurrent: int | UnsetType | None = UNSET
    metadata: dict[str, Any] | UnsetType = UNSET
    expires_at: int | UnsetType | None = UNSET


class BudgetRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A budget and the scope it is of: `key:ID`, `token:ID` or `workspace:NAME`."""

    id: str
    workspace: str
    scope: str
    budget: Budget
    created_at: int
    created_by: str


class Credential(msgspec.Struct, frozen=True, kw_only=True):
    """A provider's secret, without the secret. `host` is the only host it may be sent to."""

    id: str
    workspace: str
    provider: str
    name: str
    host: str
    weight: float
    sealed_by: str
    created_at: int
    created_by: str
    disabled_at: int | None


class RouteRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A route; `definition` is JSON, the same mapping as under `models:` in the document."""

    id: str
    workspace: str
    name: str
    definition: str
    created_at: int
    created_by: str


class AuditRow(msgspec.Struct, frozen=True, kw_only=True):
    """One change: who, what, and the object before and after as JSON (None where there was or is nothing)."""

    id: int
    at_us: int
    actor: str
    workspace: str | None
    action: str
    object_type: str
    object_id: str
    before: str | None
    after: str | None


class EventRow(msgspec.Struct, frozen=True, kw_only=True):
    """Something an operator should know."""

    id: int
    at_us: int
    workspace: str
    kind: str
    subject: str
    message: str


class LiveKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key with what look-ups need. It may be disabled or expired, never deleted."""

    key: Key
    hash: bytes
    previous_hash: bytes | None


class SealedCredential(msgspec.Struct, frozen=True, kw_only=True):
    """A credential and its sealed secret."""

    credential: Credential
    sealed: bytes


class Everything(msgspec.Struct, frozen=True, kw_only=True):
    """All a snapshot is made of, as it was at one revision. Tokens are there when revoked as well: keys name them."""

    revision: int
    workspaces: tuple[Workspace, ...]
    tokens: tuple[Token, ...]
    keys: tuple[LiveKey, ...]
    budgets: tuple[BudgetRecord, ...]
    credentials: tuple[SealedCredential, ...]
    routes: tuple[RouteRecord, ...]
