from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from headgate.config.load import load_document
from headgate.config.schema import document_schema
from headgate.wire import json
from tests.unit.config.loading import problems
from tests.unit.config.test_load import ARCHITECTURE_EXAMPLE

EXAMPLE = Path(__file__).parents[3] / "examples" / "headgate.yaml"
SCHEMA = json.parse(json.encode(document_schema()))


def accepts(document: Any) -> bool:
    return not list(jsonschema.Draft202012Validator(SCHEMA).iter_errors(document))


def test_the_schema_is_itself_valid() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_the_packaged_example_fits_the_schema_and_loads() -> None:
    assert accepts(yaml.safe_load(EXAMPLE.read_text()))
    loaded = load_document(EXAMPLE, {}, Path.cwd())
    assert list(loaded.document.models) == ["fast-llama", "local-*"]
    assert loaded.warnings == ()


def test_the_example_of_the_design_fits_the_schema() -> None:
    text = ARCHITECTURE_EXAMPLE.replace("{api_key: ${DEEPINFRA_API_KEY}}", '{api_key: "${DEEPINFRA_API_KEY}"}')
    assert accepts(yaml.safe_load(text))


def test_every_field_of_the_schema_is_described() -> None:
    parts = [SCHEMA, *SCHEMA["$defs"].values()]
    silent = [
        f"{part['title']}.{name}"
        for part in parts
        for name, field in part.get("properties", {}).items()
        if not field.get("description")
    ]
    assert silent == []
    assert sum(len(part.get("properties", {})) for part in parts) > 60


@pytest.mark.parametrize(
    "document",
    [
        {"server": {"port": "${PORT}"}},
        {"providers": {"ollama": None}},
        {"hold": "${HOLD:-full}"},
        {"keys": [{"name": "a", "secret": "${K}"}]},
        {"providers": {"sandbox": {"models": [{"id": "a", "capabilities": ["images", "audio", "files", "n"]}]}}},
        {"hedge": {"after": 2}},
        {"models": {"a": {"targets": ["x"], "policy": "ordered", "retries": "${N}"}}},
    ],
)
def test_the_schema_admits_what_the_loader_admits(document: Any) -> None:
    assert accepts(document)


def keywords(node: Any) -> set[str]:
    """Every keyword of a schema; names of properties and definitions are not keywords."""
    if isinstance(node, list):
        return set().union(*map(keywords, node))
    if not isinstance(node, dict):
        return set()
    found = set(node)
    for key, value in node.items():
        if key in ("properties", "$defs"):
            found |= set().union(*map(keywords, value.values()))
        elif key not in ("default", "enum"):
            found |= keywords(value)
    return found


def test_the_schema_holds_no_word_that_json_schema_does_not_know() -> None:
    known = set(jsonschema.Draft202012Validator.VALIDATORS)
    assert keywords(SCHEMA) - known == {"$schema", "$defs", "title", "description", "default"}


@pytest.mark.parametrize(
    "document",
    [
        {"retries": 11},
        {"retries": -1},
        {"timeouts": {"gap_s": 0}},
        {"timeouts": {"gap_s": 86_401}},
        {"server": {"body_timeout_s": 0}},
        {"health": {"failures": 0}},
        {"keys": [{"name": "a", "secret": "s" * 20, "limits": {"rpm": 0}}]},
        {"providers": {"sandbox": {"pace": {"per_token_s": -1}}}},
        {"providers": {"sandbox": {"models": [{"id": "a", "context_tokens": 0}]}}},
    ],
)
def test_a_number_out_of_bounds_is_refused_by_the_schema_and_by_the_loader(document: dict[str, Any]) -> None:
    assert not accepts(document)
    (found,) = problems(yaml.safe_dump({"providers": {"sandbox": {}}, **document}))
    assert "must be" in found


@pytest.mark.parametrize(
    "document",
    [
        {"servr": {}},
        {"server": {"port": "eighty"}},
        {"server": {"port": 70000}},
        {"models": {"a": {"policy": "ordered"}}},
        {"models": {"a": {"targets": ["x"], "policy": "best"}}},
        {"providers": {"a": {"models": [{"id": "a", "input_usd_per_mtok": 0.1}]}}},
        {"keys": [{"name": "a"}]},
    ],
)
def test_the_schema_refuses_what_the_loader_refuses(document: Any) -> None:
    assert not accepts(document)
