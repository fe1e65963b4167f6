"""Values made for JSON schemas are valid against them, and made in bounded time whatever the schema holds."""

from __future__ import annotations

import json
import re
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import BaseModel, Field

from headgate.providers.sandbox.pattern_text import pattern_text
from headgate.providers.sandbox.schema_instance import instance

NODE = {
    "$defs": {
        "node": {
            "type": "object",
            "properties": {
                "value": {"type": "integer"},
                "next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]},
                "children": {"type": "array", "items": {"$ref": "#/$defs/node"}},
            },
            "required": ["value", "next", "children"],
            "additionalProperties": False,
        }
    },
    "$ref": "#/$defs/node",
}
EXPRESSION = {
    "$defs": {
        "expr": {"anyOf": [{"$ref": "#/$defs/sum"}, {"$ref": "#/$defs/leaf"}]},
        "leaf": {"type": "object", "properties": {"n": {"type": "number"}}, "required": ["n"]},
        "sum": {
            "type": "object",
            "properties": {"left": {"$ref": "#/$defs/expr"}, "right": {"$ref": "#/$defs/expr"}},
            "required": ["left", "right"],
        },
    },
    "$ref": "#/$defs/expr",
}
SCHEMAS: dict[str, Any] = {
    "anything": {},
    "true": True,
    "object": {"type": "object"},
    "only required": {
        "type": "object",
        "properties": {"a": {"type": "string"}, "b": {"type": "boolean"}, "c": {"type": "null"}},
        "required": ["a", "b", "c"],
        "additionalProperties": False,
    },
    "enum and const": {
        "type": "object",
        "properties": {"a": {"enum": ["x", "y"]}, "b": {"const": 7}, "c": {"enum": [None]}},
        "required": ["a", "b", "c"],
    },
    "required without a property": {"type": "object", "required": ["free"]},
    "additional properties with a schema": {
        "type": "object",
        "required": ["k"],
        "additionalProperties": {"type": "integer", "minimum": 3},
    },
    "least number of properties": {"type": "object", "minProperties": 3},
    "integer bounds": {"type": "integer", "minimum": 5, "maximum": 9},
    "exclusive integer bounds": {"type": "integer", "exclusiveMinimum": 5, "exclusiveMaximum": 7},
    "negative integers": {"type": "integer", "maximum": -3},
    "multiples": {"type": "integer", "multipleOf": 7, "minimum": 8},
    "fractional multiples": {"type": "number", "multipleOf": 0.25, "exclusiveMinimum": 1},
    "number between": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
    "negative numbers": {"type": "number", "exclusiveMaximum": -0.5},
    "fractional bounds of an integer": {"type": "integer", "minimum": 1.5, "maximum": 2.5},
    "list of bounded numbers": {
        "type": "array",
        "minItems": 3,
        "items": {"type": "number", "minimum": 0, "maximum": 1},
    },
    "string lengths": {"type": "string", "minLength": 30, "maxLength": 40},
    "short string": {"type": "string", "maxLength": 3},
    "date": {"type": "string", "format": "date"},
    "pattern": {"type": "string", "pattern": "^[A-Z]{3}-\\d{4}$"},
    "pattern with a length": {"type": "string", "pattern": "^[a-z]+$", "minLength": 12, "maxLength": 20},
    "array of enums without repetition": {
        "type": "array",
        "items": {"enum": ["a", "b", "c"]},
        "minItems": 3,
        "uniqueItems": True,
    },
    "array of unique strings": {"type": "array", "items": {"type": "string"}, "minItems": 4, "uniqueItems": True},
    "array of unique numbers": {"type": "array", "items": {"type": "integer"}, "minItems": 4, "uniqueItems": True},
    "empty array": {"type": "array", "maxItems": 0, "items": {"type": "string"}},
    "tuple": {"type": "array", "prefixItems": [{"type": "string"}, {"type": "integer"}], "items": False, "minItems": 2},
    "nullable": {"type": ["null", "string"]},
    "all of": {
        "allOf": [
            {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]},
            {"properties": {"b": {"type": "string"}}, "required": ["b"]},
        ]
    },
    "one of with common parts": {
        "type": "object",
        "properties": {"id": {"type": "integer"}},
        "required": ["id"],
        "oneOf": [
            {"properties": {"kind": {"const": "a"}}, "required": ["kind"]},
            {"properties": {"kind": {"const": "b"}}, "required": ["kind"]},
        ],
    },
    "reference into definitions": {
        "definitions": {"a/b": {"type": "integer", "minimum": 4}},
        "type": "object",
        "properties": {"x": {"$ref": "#/definitions/a~1b", "description": "kept"}},
        "required": ["x"],
    },
    "linked list and tree": NODE,
    "expression tree": EXPRESSION,
    "defaults": {"type": "object", "properties": {"a": {"type": "integer", "default": 9}, "b": {"default": "x"}}},
}


@pytest.mark.parametrize("schema", SCHEMAS.values(), ids=SCHEMAS.keys())
def test_value_is_valid_against_its_schema(schema: Any) -> None:
    made = instance(schema)
    Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(made)
    assert instance(schema) == made


class Address(BaseModel):
    street: str
    zip: str = Field(pattern=r"^\d{5}$")


class Person(BaseModel):
    name: str = Field(min_length=2)
    age: int = Field(ge=18, lt=19)
    mood: Literal["good", "bad"]
    address: Address
    aliases: list[str] = Field(min_length=2)
    scores: dict[str, float]
    partner: Person | None = None


def test_schemas_of_pydantic_models_are_satisfied() -> None:
    Person.model_validate(instance(Person.model_json_schema()))


SMALL_SCHEMAS = st.recursive(
    st.fixed_dictionaries({"type": st.sampled_from(["string", "boolean", "null"])})
    | st.builds(
        lambda kind, low, span: {"type": kind, "minimum": low, "maximum": low + span},
        st.sampled_from(["integer", "number"]),
        st.integers(-50, 50),
        st.integers(0, 50),
    )
    | st.builds(
        lambda low, span: {"type": "string", "minLength": low, "maxLength": low + span}, *[st.integers(0, 30)] * 2
    ),
    lambda inner: (
        st.builds(
            lambda fields: {
                "type": "object",
                "properties": fields,
                "required": [*fields],
                "additionalProperties": False,
            },
            st.dictionaries(st.text("abc", min_size=1), inner, max_size=4),
        )
        | st.builds(lambda item, least: {"type": "array", "items": item, "minItems": least}, inner, st.integers(0, 4))
        | st.builds(lambda options: {"anyOf": options}, st.lists(inner, min_size=1, max_size=3))
    ),
    max_leaves=10,
)


@given(SMALL_SCHEMAS)
def test_values_for_generated_schemas_are_valid(schema: Any) -> None:
    Draft202012Validator(schema).validate(instance(schema))


KEYWORDS = [
    "$ref",
    "type",
    "properties",
    "required",
    "items",
    "prefixItems",
    "minItems",
    "maxItems",
    "minProperties",
    "additionalProperties",
    "enum",
    "const",
    "default",
    "anyOf",
    "oneOf",
    "allOf",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "multipleOf",
    "minLength",
    "maxLength",
    "pattern",
    "format",
]
NONSENSE = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.sampled_from(["#", "object", "array", "#/items", "string", "[", "number"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYWORDS), inner, max_size=5),
    max_leaves=20,
)


@given(NONSENSE)
def test_nonsense_for_a_schema_gets_some_value_that_can_be_sent(schema: Any) -> None:
    json.dumps(instance(schema), allow_nan=False)


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#"},
        {"allOf": [{"$ref": "#"}] * 16},
        {"type": "object", "properties": {name: {"$ref": "#"} for name in "abcdefghij"}, "required": [*"abcdefghij"]},
        {"type": "array", "minItems": 10**9, "items": {"$ref": "#"}},
        {"type": "array", "minItems": 10**9, "items": {"const": "x" * 100_000}},
        {"type": "array", "minItems": 10**9, "items": {"type": "string", "minLength": 10**9}},
        {"type": "string", "pattern": "((((a{999}){999}){999}){999}){999}"},
        {"type": "string", "pattern": "(" * 100_000},
        {"type": "object", "minProperties": 10**9},
    ],
    ids=lambda schema: json.dumps(schema)[:60],
)
def test_schema_that_asks_for_too_much_gets_a_small_value(schema: Any) -> None:
    assert len(json.dumps(instance(schema))) < 3_000_000


@pytest.mark.parametrize(
    "pattern",
    [
        r"^\d{3}-\d{2}$",
        r"^(foo|bar)+[^a-z]?$",
        r"^\+?[1-9]\d{1,14}$",
        r"^[^\s@]+@[^\s@]+\.[a-z]{2,}$",
        r"^#(?:[0-9a-fA-F]{3}){1,2}$",
        r"^(?P<year>\d{4})-(?P<month>0[1-9]|1[0-2])$",
        r"^[\w.-]+\x41\u00e9\t$",
        r"^[]x]{2}[^]x]$",
        r"\bword\b",
        r"^\D\W\S$",
        r"^[\D]{2}a*?b+?$",
        r"a|",
        "",
    ],
)
def test_pattern_text_matches_its_pattern(pattern: str) -> None:
    text = pattern_text(pattern, 0, 100)
    assert text is not None
    assert re.search(pattern, text)


@pytest.mark.parametrize(
    "pattern", ["(?=a)b", r"(a)\1", "(", "[", "a{2", "*", "[z-a]", r"\p{L}", "a{1,x}", r"^\ud83d$"]
)
def test_pattern_it_cannot_read_gets_no_text(pattern: str) -> None:
    assert pattern_text(pattern, 0, 100) is None


@given(st.text(r"ab1^$.|()[]{}*+?\-,dwsxu:P<>=!", max_size=30))
def test_whatever_the_pattern_is_reading_it_ends_without_an_error(pattern: str) -> None:
    text = pattern_text(pattern, 0, 50)
    assert text is None or len(text) <= 50
