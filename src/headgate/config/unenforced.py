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


NOT_YET_ENFORCED: tuple[Unenforced, ...] = (
    Unenforced(
        path=("shared",),
        unless=frozenset({DEFAULT_SHARED}),
        message="not used yet: every process counts for itself",
    ),
)


def unenforced(tree: SourceTree) -> list[Problem]:
    """The warnings for everything written in the document that this version does not act on."""
    return [
        tree.problem(path, row.message)
        for path, value in tree.written()
        for row in NOT_YET_ENFORCED
        if row.concerns(path, value)
    ]
