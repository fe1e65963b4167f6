"""Rules about providers: a provider is one short row in one file, and nothing elsewhere knows its name."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from headgate.providers.builtin import PROVIDERS, ROWS
from headgate.providers.provider import ALL, Provider
from headgate.providers.quirks import QUIRKS
from headgate.providers.table import render_page
from headgate.types.deployment import Upstream
from headgate.wire import json

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "headgate"
MAX_LINES = 10


def row_calls() -> list[ast.Call]:
    """The `Provider(…)` calls anywhere under `providers`."""
    trees = [ast.parse(path.read_text("utf-8")) for path in sorted((SOURCE / "providers").rglob("*.py"))]
    return [
        node
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Provider"
    ]


def named_literals(tree: ast.AST, names: frozenset[str], dialects: frozenset[str]) -> Iterator[tuple[int, str]]:
    """String constants that are a provider's name or begin with `name/`; strings that are statements are prose.

    A dialect may bear the name of a provider, so the bare word is allowed where the two are the same.
    """
    prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str) or id(node) in prose:
            continue
        name, slash, _ = node.value.partition("/")
        if name in names and (slash or name not in dialects):
            yield node.lineno, node.value


def test_every_row_is_at_most_ten_lines() -> None:
    calls = row_calls()
    assert len(calls) == len(ROWS)
    long = {call.lineno: (call.end_lineno or 0) - call.lineno + 1 for call in calls}
    assert {line: length for line, length in long.items() if length > MAX_LINES} == {}


def test_names_are_unique_and_plain() -> None:
    assert len(PROVIDERS) == len(ROWS)
    assert all(name.isalnum() and name.islower() and name.isascii() for name in PROVIDERS)


def test_every_row_is_complete() -> None:
    for row in ROWS:
        assert row.base_url, row.name
        assert row.operations, row.name
        assert row.docs.startswith("https://") if row.script is None else row.docs, row.name
        assert row.env or row.local, f"{row.name} has no way to a credential and is not local"


def test_every_quirk_a_row_names_exists_and_every_quirk_is_named_by_a_row() -> None:
    assert {name for row in ROWS for name in row.quirks} == set(QUIRKS)


def test_a_row_is_all_a_new_provider_needs() -> None:
    row = Provider(
        name="newcomer",
        docs="https://newcomer.example/docs",
        base_url="https://api.newcomer.example/v1",
        env=("NEWCOMER_API_KEY",),
        operations=ALL,
        quirks=("cap_as_max_tokens", "no_user"),
    )
    upstream = Upstream(
        provider=row.name,
        dialect=row.dialect,
        base_url=row.base_url,
        auth_header=row.auth_header,
        operations=row.operations,
        quirks=tuple(QUIRKS[name] for name in row.quirks),
        stream_usage=row.stream_usage,
        usage_aside=row.usage_aside,
        script=row.script,
    )
    body, dropped = json.parse_body(b'{"max_completion_tokens":5,"user":"u"}'), list[str]()
    for quirk in upstream.quirks:
        quirk(body, dropped)
    assert json.encode(body) == b'{"max_tokens":5}'
    assert dropped == ["user"]
    assert "| [newcomer](https://newcomer.example/docs) | `NEWCOMER_API_KEY` |" in render_page([*ROWS, row])


def test_no_provider_is_named_outside_the_rows_and_the_catalogue() -> None:
    names = frozenset(PROVIDERS)
    dialects = frozenset(row.dialect for row in ROWS)
    found = [
        f"{path.relative_to(ROOT)}:{line}: {value!r}"
        for path in sorted(SOURCE.rglob("*.py"))
        if SOURCE / "providers" not in path.parents and SOURCE / "catalog" / "data" not in path.parents
        for line, value in named_literals(ast.parse(path.read_text("utf-8")), names, dialects)
    ]
    assert found == []


def test_the_search_for_names_finds_literals_and_spares_prose() -> None:
    text = '"""groq"""\nx = "groq"\ny = f"groq/{x}"\n"groq"\nz = ["openai", "openai/m", "regroq", "groq is fast"]\n'
    found = list(named_literals(ast.parse(text), frozenset({"groq", "openai"}), frozenset({"openai"})))
    assert sorted(found) == [(2, "groq"), (3, "groq/"), (5, "openai/m")]


def test_the_page_about_providers_is_made_from_the_rows() -> None:
    page = ROOT / "docs" / "providers.md"
    remedy = "make it anew: python -m headgate.providers.table > docs/providers.md"
    assert page.read_text("utf-8") == render_page(ROWS), remedy
