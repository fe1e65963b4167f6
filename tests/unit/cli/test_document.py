"""What docs/cli.md says of the command line, and what the command line has."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import typer

from headgate.cli import app
from tests.process.headgate import ROOT

TEXT = (ROOT / "docs/cli.md").read_text()
EXAMPLES = [line.partition("#")[0] for line in TEXT.splitlines() if line.startswith("headgate ")]


def verbs(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], set[str]]]:
    """Every verb with its options."""
    for name, below in command.commands.items():
        if hasattr(below, "commands"):
            if below.invoke_without_command:
                yield (*path, name), {option for parameter in below.params for option in parameter.opts}
            yield from verbs(below, (*path, name))
        else:
            yield (*path, name), {option for parameter in below.params for option in parameter.opts}


VERBS = dict(verbs(typer.main.get_command(app)))
GROUPS = {path[:1] for path in VERBS}


def test_every_verb_has_an_example() -> None:
    assert len(VERBS) > 20
    assert [path for path in VERBS if not any(line.split()[1:][: len(path)] == list(path) for line in EXAMPLES)] == []


def test_every_example_is_of_a_verb_and_its_options() -> None:
    for line in EXAMPLES:
        words = line.split()[1:]
        path = next((tuple(words[:length]) for length in (2, 1) if tuple(words[:length]) in VERBS), None)
        if path is None:
            assert tuple(words) in GROUPS, line
            continue
        assert {word for word in words if word.startswith("--")} <= VERBS[path], line


def test_every_option_of_a_new_key_is_explained() -> None:
    explained = set(re.findall(r"`(--[a-z-]+)", TEXT))
    assert VERBS["keys", "create"] - explained - {"name", "-c"} == set()
