"""`${NAME}` and `${NAME:-default}` in the text of a document; `$${` writes a plain `${`."""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

_REFERENCE = re.compile(r"\$\$\{|\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}|\$\{")


def sole_variable(text: str) -> str | None:
    """The variable whose value is the whole text, or None when there is more to it."""
    match = _REFERENCE.fullmatch(text.strip())
    return match.group(1) if match else None


class Expansion(msgspec.Struct, frozen=True):
    """The text with its variables filled in, and what the filling came across."""

    text: str
    used: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    malformed: bool = False


def expand(text: str, env: Mapping[str, str]) -> Expansion:
    """Fill in the variables of `text`. As in a shell, `:-` also replaces a variable that is set but empty.

    Never raises: what is missing or malformed is told in the result, and stays in the text as written.
    """
    if "${" not in text:
        return Expansion(text)
    used: list[str] = []
    missing: list[str] = []
    malformed = False

    def fill(match: re.Match[str]) -> str:
        nonlocal malformed
        whole, name, default = match.group(0), match.group(1), match.group(2)
        if whole == "$${":
            return "${"
        if name is None:
            malformed = True
            return whole
        value = env.get(name)
        if default is not None and not value:
            return default
        if value is None:
            missing.append(name)
            return whole
        used.append(name)
        return value

    return Expansion(_REFERENCE.sub(fill, text), tuple(used), tuple(missing), malformed)
