"""Where the checks put what they find."""

from __future__ import annotations

from headgate.config.problems import Path, Problem, shorten
from headgate.config.source_tree import SourceTree


class Findings:
    """Problems and warnings of one document, each with its line."""

    def __init__(self, tree: SourceTree, spoilt: frozenset[Path] = frozenset()) -> None:
        self.problems: list[Problem] = []
        self.warnings: list[Problem] = []
        self._tree = tree
        self._told = {problem.path for problem in tree.broken}
        self._spoilt = set(spoilt)

    def problem(self, path: Path, message: str) -> None:
        """Note an error, unless something was already found at the very place."""
        if path not in self._told:
            self.problems.append(self._tree.problem(path, message))

    def warn(self, path: Path, message: str) -> None:
        self.warnings.append(self._tree.problem(path, message))

    def shown(self, path: Path, text: str) -> str:
        """A value of the document in quotes, fit to print: one that came from variables stands as it was written,
        because it may be a secret in the wrong place."""
        return f"'{shorten(self._tree.written_as.get(path, text))}'"

    def comes_from_variables(self, path: Path) -> bool:
        return path in self._tree.written_as

    def spoil(self, path: Path) -> None:
        """Note that nobody knows what a part means, so that what refers to it cannot be judged."""
        self._spoilt.add(path)

    def is_spoilt(self, *path: str) -> bool:
        """Whether a part of the document, or what it stands in, had a mistake and was taken out."""
        return any(path[:length] in self._spoilt for length in range(len(path) + 1))

    @property
    def spoilt_providers(self) -> bool:
        """Whether some provider could not be read, so that nobody knows what it offers."""
        return any(path[:1] in ((), ("providers",)) for path in self._spoilt)
