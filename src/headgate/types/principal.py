"""Who a virtual key proved to be."""

from __future__ import annotations

import msgspec

from headgate.types.policy import Budget, KeyLimits


class Principal(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """The holder of a key: its name, its workspace, its role, and what it may ask for."""

    key: str
    workspace: str = "default"
    role: str = "developer"
    models: tuple[str, ...] = ("*",)
    limits: KeyLimits = KeyLimits()
    budget: Budget | None = None

    def may_use(self, model: str) -> bool:
        """Whether one of the key's patterns admits the model name as the client wrote it."""
        models = self.models
        return models == ("*",) or any(_admits(pattern, model) for pattern in models)


def _admits(pattern: str, name: str) -> bool:
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
