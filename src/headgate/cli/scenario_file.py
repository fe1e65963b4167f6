"""A scenario's file → a scenario, with every problem found, in the words the document's problems have."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from headgate.config.problems import ConfigError, Problem
from headgate.config.problems import Path as Place
from headgate.config.source_tree import SourceTree, grow
from headgate.config.wording import in_words
from headgate.config.yaml_source import SourceError, parse_yaml
from headgate.routing.names import nearest
from headgate.simulation import shipped
from headgate.simulation.scenario import Scenario

MAX_BYTES = 1024 * 1024


def read_scenario(wanted: str) -> Scenario:
    """Load a scenario: the one of this name that comes with Headgate, else the file. Raises ConfigError."""
    path = shipped.file_of(wanted) or Path(wanted)
    source = str(wanted)
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = ((error.strerror if isinstance(error, OSError) else None) or str(error)).lower()
        near = nearest(wanted, shipped.names(), 1)
        hint = f"; did you mean {near[0]}?" if near else f"; shipped scenarios: {', '.join(shipped.names())}"
        raise ConfigError([Problem(source=source, message=f"cannot be read: {reason}{hint}")]) from None
    if len(data) > MAX_BYTES:
        raise ConfigError([Problem(source=source, message=f"is larger than {MAX_BYTES // 2**20} MB")])
    try:
        return parse_scenario(data.decode("utf-8-sig"), source)
    except UnicodeDecodeError:
        raise ConfigError([Problem(source=source, message="is not UTF-8 text")]) from None


def parse_scenario(text: str, source: str, env: Mapping[str, str] | None = None) -> Scenario:
    """Parse a scenario's text. Raises ConfigError, with a line for each problem."""
    try:
        root = parse_yaml(text)
        if root is None:
            raise SourceError("is empty", None)
        tree = grow(root, env or {}, source)
    except SourceError as error:
        raise ConfigError([Problem(source=source, line=error.line, message=error.message)]) from None
    if not isinstance(tree.value, dict):
        raise ConfigError([Problem(source=source, line=root.line, message="must be a mapping, such as providers: …")])
    problems = list(tree.broken)
    try:
        scenario = Scenario.model_validate(tree.value)
    except ValidationError as error:
        problems += _found(error.errors(include_url=False), tree)
        raise ConfigError(problems) from None
    problems += [tree.problem(place, message) for place, message in scenario.problems()]
    if problems:
        raise ConfigError(problems)
    return scenario


def _found(errors: list[ErrorDetails], tree: SourceTree) -> list[Problem]:
    """One problem for each place: of a value that could have been several things, all refuse it."""
    found: dict[Place, Problem] = {}
    for error in errors:
        if error["type"] == "too_short" and error["input"]:
            # It is not empty: what is in it has problems of its own.
            continue
        place = _written_place(error["loc"], tree.value)
        if place not in found:
            found[place] = tree.problem(place, _in_words(error))
    return list(found.values())


def _written_place(place: Place, value: Any) -> Place:
    """The place without the steps that name one of several types, which nobody has written."""
    steps: list[str | int] = []
    for number, step in enumerate(place):
        inside = isinstance(value, list) and isinstance(step, int) and step < len(value)
        if inside or (isinstance(value, dict) and step in value):
            steps.append(step)
            value = value[step]
        elif number == len(place) - 1 and isinstance(value, dict):
            steps.append(step)
    return tuple(steps)


def _in_words(error: ErrorDetails) -> str:
    kind, place = error["type"], error["loc"]
    if kind == "missing":
        return "is missing"
    if kind == "tuple_type":
        return "must be a list"
    if kind != "extra_forbidden":
        return in_words(error)
    known = _keys_at(place[:-1])
    near = nearest(str(place[-1]), known, 1)
    return f"unknown key; did you mean {near[0]}?" if near else f"unknown key; known here: {', '.join(known)}"


def _keys_at(place: Place) -> list[str]:
    """The keys that the mapping at a place may hold."""
    part: type[BaseModel] = Scenario
    for step in place:
        field = part.model_fields.get(str(step))
        below = None if field is None else _part_in(field.annotation)
        part = part if below is None else below
    return list(part.model_fields)


def _part_in(annotation: Any) -> type[BaseModel] | None:
    """The mapping that stands under a field, through optional and tuple."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for one in get_args(annotation) if (found := _part_in(one)) is not None), None)
