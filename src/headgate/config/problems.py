"""What is wrong with a document, in words an operator can act on: where, what, and the way out."""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

Path = tuple[str | int, ...]
"""Keys and list indexes from the top of the document."""

_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")


def render_path(path: Path) -> str:
    """`providers.mybox.models[0].id`; a key that is not a plain word stands in brackets: `models["gpt-4.1"]`."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        elif _PLAIN_KEY.fullmatch(step):
            text += f".{step}" if text else step
        else:
            text += f'["{shorten(step)}"]'
    return text


def shorten(text: str, limit: int = 80) -> str:
    """One printable line of at most `limit` characters, so that a pasted blob cannot flood a terminal."""
    line = "".join(char if char.isprintable() else "�" for char in text)
    return line if len(line) <= limit else line[: limit - 1] + "…"


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """One finding: an error or a warning, with its place in the document."""

    source: str
    message: str
    path: Path = ()
    line: int | None = None

    def __str__(self) -> str:
        place = self.source if self.line is None else f"{self.source}:{self.line}"
        where = f"{render_path(self.path)}: " if self.path else ""
        return f"{place}: {where}{self.message}"


class ConfigError(Exception):
    """The document cannot be used. `str()` is ready to print: one line for each problem, in the file's order."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(problems, key=lambda problem: problem.line or 0))
        super().__init__("\n".join(str(problem) for problem in self.problems))
