"""Who a virtual key proved to be."""

from __future__ import annotations

from fnmatch import fnmatchcase

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
        """Whether one of the key's globs admits the model name as the client wrote it."""
        models = self.models
        return models == ("*",) or any(fnmatchcase(model, glob) for glob in models)
