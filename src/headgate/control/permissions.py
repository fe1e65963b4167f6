"""What each permission needs. Every path of the admin API names one of these; nothing else decides who may call it."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Role(StrEnum):
    """What a token may do; each role may do all that the ones before it may."""

    VIEWER = "viewer"
    DEVELOPER = "developer"
    ADMIN = "admin"
    OWNER = "owner"

    @property
    def rank(self) -> int:
        return _RANKS[self]

    def includes(self, other: Role) -> bool:
        """Whether a holder of this role may do all that the other may."""
        return self.rank >= other.rank


_RANKS = {role: rank for rank, role in enumerate(Role)}


class Permission(StrEnum):
    """What a path needs."""

    OPENAPI_READ = "openapi.read"
    ME_READ = "me.read"
    WORKSPACES_READ = "workspaces.read"
    WORKSPACES_CHANGE = "workspaces.change"
    KEYS_READ = "keys.read"
    KEYS_CHANGE = "keys.change"
    TOKENS_READ = "tokens.read"
    TOKENS_CHANGE = "tokens.change"
    CREDENTIALS_READ = "credentials.read"
    CREDENTIALS_CHANGE = "credentials.change"
    ROUTES_READ = "routes.read"
    ROUTES_CHANGE = "routes.change"
    BUDGETS_READ = "budgets.read"
    BUDGETS_CHANGE = "budgets.change"
    LEDGER_READ = "ledger.read"
    AUDIT_READ = "audit.read"
    EVENTS_READ = "events.read"
    HEALTH_READ = "health.read"
    CONFIG_READ = "config.read"
    EXPLAIN_READ = "explain.read"


class Requirement(msgspec.Struct, frozen=True):
    """The least role, None for anybody without a token; `everywhere` when the token must be of every workspace."""

    role: Role | None
    everywhere: bool = False


REQUIREMENTS: dict[Permission, Requirement] = {
    Permission.OPENAPI_READ: Requirement(None),  # public text without data
    Permission.ME_READ: Requirement(Role.VIEWER),
    Permission.WORKSPACES_READ: Requirement(Role.VIEWER),
    Permission.WORKSPACES_CHANGE: Requirement(Role.OWNER, everywhere=True),
    Permission.KEYS_READ: Requirement(Role.VIEWER),
    Permission.KEYS_CHANGE: Requirement(Role.DEVELOPER),  # below admin: only keys the token made itself
    Permission.TOKENS_READ: Requirement(Role.ADMIN),
    Permission.TOKENS_CHANGE: Requirement(Role.ADMIN),  # and never beyond the caller's own role and ceiling
    Permission.CREDENTIALS_READ: Requirement(Role.VIEWER),
    Permission.CREDENTIALS_CHANGE: Requirement(Role.ADMIN),
    Permission.ROUTES_READ: Requirement(Role.VIEWER),
    Permission.ROUTES_CHANGE: Requirement(Role.ADMIN),
    Permission.BUDGETS_READ: Requirement(Role.VIEWER),
    Permission.BUDGETS_CHANGE: Requirement(Role.ADMIN),
    Permission.LEDGER_READ: Requirement(Role.VIEWER),
    Permission.AUDIT_READ: Requirement(Role.ADMIN),
    Permission.EVENTS_READ: Requirement(Role.VIEWER),
    Permission.HEALTH_READ: Requirement(Role.VIEWER),
    Permission.CONFIG_READ: Requirement(Role.VIEWER),
    Permission.EXPLAIN_READ: Requirement(Role.VIEWER),
}
