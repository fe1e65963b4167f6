"""Who a virtual key proved to be."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network

import msgspec
from msgspec.structs import force_setattr

from headgate.types.policy import Allowance, KeyLimits, Order

DEFAULT_WORKSPACE = "default"
ANY_MODEL = ("*",)
NO_LIMITS = KeyLimits()


class Principal(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """The holder of a key: who it is, its workspace, and what it may ask for.

    `key_id` never changes and is never used again; `key` is the name people read. `ceiling` holds the model patterns
    of the key's creator: a name must fit both. `addresses` are the networks it may call from, none for anywhere.
    `expires_at` is in Unix seconds. `order` is used where a request names no policy itself.
    `any_model` follows from the patterns; `scopes`, `has_limits` and `has_budget` follow from the allowances.
    """

    key: str
    key_id: str = ""
    workspace: str = DEFAULT_WORKSPACE
    role: str = "developer"
    models: tuple[str, ...] = ANY_MODEL
    ceiling: tuple[str, ...] = ANY_MODEL
    addresses: tuple[IPv4Network | IPv6Network, ...] = ()
    order: Order | None = None
    expires_at: int | None = None
    allowances: tuple[Allowance, ...] = ()

    any_model: bool = False
    scopes: tuple[str, ...] = ()
    has_limits: bool = False
    has_budget: bool = False

    def __post_init__(self) -> None:
        # Worked out once: every request asks.
        force_setattr(self, "any_model", self.models == self.ceiling == ANY_MODEL)
        force_setattr(self, "scopes", tuple(allowance.scope for allowance in self.allowances))
        limited = any(allowance.limits != NO_LIMITS for allowance in self.allowances)
        force_setattr(self, "has_limits", limited)
        force_setattr(self, "has_budget", any(allowance.budgets for allowance in self.allowances))

    def may_use(self, model: str) -> bool:
        """Whether the key's patterns, and its creator's, admit the model name as the client wrote it."""
        return self.any_model or (admits(self.models, model) and admits(self.ceiling, model))


def admits(patterns: tuple[str, ...], name: str) -> bool:
    """Whether one of the patterns fits the name."""
    return patterns == ANY_MODEL or any(_fits(pattern, name) for pattern in patterns)


def covers(wider: tuple[str, ...], narrower: tuple[str, ...]) -> bool:
    """Whether every name that fits one of `narrower` certainly fits one of `wider`.

    A `*` in the narrower pattern is taken as a character that only a `*` stands for, so the answer errs towards no.
    """
    return all(admits(wider, pattern) for pattern in narrower)


def _fits(pattern: str, name: str) -> bool:
    """Whether a name fits a pattern in which each `*` stands for any text, none included; case counts.

    Every piece between two stars is taken where it is first found, which leaves the most to those after it: nothing
    is ever tried twice, whatever the client sends.
    """
    first, *rest = pattern.split("*")
    if not rest:
        return pattern == name
    last = rest.pop()
    end = len(name) - len(last)
    at = len(first)
    if end < at or not name.startswith(first) or not name.endswith(last):
        return False
    for piece in rest:
        found = name.find(piece, at, end)
        if found < 0:
            return False
        at = found + len(piece)
    return True
