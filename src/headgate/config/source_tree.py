"""Nodes → plain values, with variables filled in and, for every path, its line and the variables it came from."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping as ReadOnly
from typing import Any

import msgspec

from headgate.config.problems import Path, Problem
from headgate.config.variables import expand
from headgate.config.yaml_source import MAX_DEPTH, Mapping, Node, Scalar, Sequence, SourceError

MAX_VALUES = 100_000
"""Values after aliases are followed: a few lines of nested aliases can stand for billions."""


class SourceTree(msgspec.Struct, eq=False):
    """What the file says, before anything is checked.

    `lines`    path → line, for everything written
    `origins`  path → the variables its text came from, in order
    `written_as` path → its text before the variables were filled in, where there were any
    `broken`   missing variables and repeated keys; the values at their paths are not to be judged again
    """

    source: str
    value: Any
    lines: dict[Path, int]
    origins: dict[Path, tuple[str, ...]]
    written_as: dict[Path, str]
    broken: list[Problem]

    def line_of(self, path: Path) -> int | None:
        """The line of a path, or of the nearest thing around it that is written."""
        for length in range(len(path), 0, -1):
            line = self.lines.get(path[:length])
            if line is not None:
                return line
        return None

    def written(self) -> Iterator[tuple[Path, Any]]:
        """Every path of the document with its value, containers before what they hold."""
        pending: list[tuple[Path, Any]] = [((), self.value)]
        while pending:
            path, value = pending.pop()
            if path:
                yield path, value
            if isinstance(value, dict):
                pending += [((*path, key), item) for key, item in reversed(value.items())]
            elif isinstance(value, list):
                pending += [((*path, index), item) for index, item in reversed(list(enumerate(value)))]

    def problem(self, path: Path, message: str) -> Problem:
        return Problem(source=self.source, path=path, line=self.line_of(path), message=message)


def grow(root: Node, env: ReadOnly[str, str], source: str) -> SourceTree:
    """Turn nodes into a tree of plain values. Raises SourceError when aliases make it too large or too deep."""
    tree = SourceTree(source, None, {}, {}, {}, [])
    tree.value = _Grower(tree, env).value(root, (), 0)
    return tree


class _Grower:
    def __init__(self, tree: SourceTree, env: ReadOnly[str, str]) -> None:
        self._tree = tree
        self._env = env
        self._count = 0

    def value(self, node: Node, path: Path, depth: int) -> Any:
        self._count += 1
        if self._count > MAX_VALUES:
            raise SourceError(f"more than {MAX_VALUES:,} values once its aliases are followed", node.line)
        if depth > MAX_DEPTH:
            raise SourceError(f"nested more than {MAX_DEPTH} levels deep", node.line)
        self._tree.lines.setdefault(path, node.line)
        match node:
            case Scalar(value=str() as text):
                return self._text(text, path)
            case Scalar():
                return node.value
            case Sequence():
                return [self.value(item, (*path, index), depth + 1) for index, item in enumerate(node.items)]
            case Mapping():
                result: dict[str, Any] = {}
                for entry in node.entries:
                    below = (*path, entry.key)
                    self._tree.lines[below] = entry.line
                    result[entry.key] = self.value(entry.value, below, depth + 1)
                self._repeats(node, path)
                return result

    def _repeats(self, node: Mapping, path: Path) -> None:
        for repeat in node.repeats:
            message = f"is written twice, on lines {repeat.first_line} and {repeat.line}; keep one of them"
            below = (*path, repeat.key)
            self._tree.broken.append(Problem(source=self._tree.source, path=below, line=repeat.line, message=message))

    def _text(self, text: str, path: Path) -> str:
        found = expand(text, self._env)
        if found.used:
            self._tree.origins[path] = found.used
            self._tree.written_as[path] = text
        for name in found.missing:
            message = f"the environment variable {name} is not set (set it, or write ${{{name}:-default}})"
            self._tree.broken.append(self._tree.problem(path, message))
        if found.malformed:
            message = "'${' begins no variable; write ${NAME} or ${NAME:-default}, and $${ for a plain ${"
            self._tree.broken.append(self._tree.problem(path, message))
        return found.text
