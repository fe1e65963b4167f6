"""What the document may say although this version does not act on it yet.

Nothing is ignored in silence: each row here becomes a warning where its path is written. Whoever makes one of them
work deletes its row.
"""

from __future__ import annotations

from typing import Any

import msgspec

from headgate.config.document import DEFAULT_SHARED
from headgate.config.problems import Path, Problem
from headgate.config.source_tree import SourceTree

ANY = "*"
"""Stands for any one step of a path."""


class Unenforced(msgspec.Struct, frozen=True, kw_only=True):
    """A path pattern and what the operator should know. `only` and `unless` narrow it to some values."""

    path: Path
    message: str
    only: frozenset[str] | None = None
    unless: frozenset[str] = frozenset()

    def concerns(self, path: Path, value: Any) -> bool:
        """Whether a written path with this value deserves the warning."""
        if len(path) != len(self.path) or value is None:
            return False
        if not all(step in (ANY, here) for step, here in zip(self.path, path, strict=True)):
            return False
        text = value if isinstance(value, str) else ""
        return text not in self.unless and (self.only is None or text in self.only)


_EVERYWHERE: tuple[Path, ...] = ((), ("providers", ANY), ("models", ANY))


def _at_every_level(key: str, message: str) -> tuple[Unenforced, ...]:
    return tuple(Unenforced(path=(*level, key), message=message) for level in _EVERYWHERE)


NOT_YET_ENFORCED: tuple[Unenforced, ...] = (
    Unenforced(
        path=("shared",),
        unless=frozenset({DEFAULT_SHARED}),
        message="not used yet: every process counts for itself",
    ),
    *_at_every_level("retries", "not enforced yet: a failed attempt is not repeated"),
    *_at_every_level("health", "not enforced yet: a failing deployment does not sit out"),
    *_at_every_level("hold", "not enforced yet: a stream is sent from its first content on"),
    *_at_every_level("hedge", "not enforced yet: there is no second attempt beside a slow one"),
    Unenforced(
        path=("providers", ANY, "credentials", 1),
        message="not enforced yet: requests are shared out by their weights, but when one fails no other is tried",
    ),
    Unenforced(path=("models", ANY, "fallback"), message="not enforced yet: it is not tried when the targets fail"),
)


def unenforced(tree: SourceTree) -> list[Problem]:
    """The warnings for everything written in the document that this version does not act on."""
    return [
        tree.problem(path, row.message)
        for path, value in tree.written()
        for row in NOT_YET_ENFORCED
        if row.concerns(path, value)
    ]
