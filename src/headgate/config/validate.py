"""A tree of plain values → a Document, with every problem found and as much kept as can still be judged."""

from __future__ import annotations

from typing import Any

import msgspec
from pydantic import ValidationError

from headgate.config.document import Document
from headgate.config.problems import Path, Problem
from headgate.config.source_tree import SourceTree
from headgate.config.wording import in_words

_BY_NAME = frozenset({"providers", "models"})


class Validated(msgspec.Struct, eq=False):
    """What could be read. With `problems` the document is only good for finding more of them.

    `spoilt` holds the parts that were taken out: what refers to one of them cannot be judged.
    """

    document: Document
    problems: list[Problem]
    spoilt: frozenset[Path]


def validate(tree: SourceTree) -> Validated:
    """Check every value by itself. A part with a mistake is taken out, so that the rest can be checked further.

    A part is a provider, a route, or another key at the top.
    """
    problems = list(tree.broken)
    told = {problem.path for problem in problems}
    try:
        return Validated(Document.model_validate(tree.value), problems, frozenset())
    except ValidationError as error:
        details = error.errors(include_url=False)
    spoilt: set[Path] = set()
    for detail in details:
        path = detail["loc"]
        if path not in told:
            problems.append(tree.problem(path, in_words(detail, tree.origins.get(path, ()))))
        spoilt.add(path[:2] if path[:1] and path[0] in _BY_NAME else path[:1])
    return Validated(Document.model_validate(_without(tree.value, spoilt)), problems, frozenset(spoilt))


def _without(value: Any, spoilt: set[Path]) -> Any:
    """The tree without its spoilt parts; nothing is changed in place."""
    if not isinstance(value, dict):
        return {}
    kept: dict[str, Any] = {}
    for key, part in value.items():
        if (key,) in spoilt:
            continue
        if key in _BY_NAME and isinstance(part, dict):
            part = {name: entry for name, entry in part.items() if (key, name) not in spoilt}
        kept[key] = part
    return kept
