"""A plausible value for a JSON schema: arguments of a tool call, answers in a structured format.

The schema is the client's, so it may be wrong, recursive or enormous. Whatever it holds, the work is bounded and
nothing is raised; for schemas that make sense, the value is valid. Not honoured: `not`, `if`, `contains`.
"""

from __future__ import annotations

from typing import Any

from headgate.providers.sandbox.schema_scalars import number_for, string_for
from headgate.wire import json

_MAX_NODES = 4000
_DEEP = 4
"""From this depth on only what is required is made, so that recursive schemas come to an end."""
_DEEPEST = 40
_MAX_HOPS = 16
_MAX_NAMES = 2000
_CHARS_A_NODE = 100
"""A long text is charged as so many nodes, so that it cannot be repeated without end."""
_BY_KEYWORD = (
    ("object", ("properties", "required", "additionalProperties", "minProperties")),
    ("array", ("items", "prefixItems", "minItems")),
    ("number", ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")),
)


def instance(schema: Any) -> Any:
    """Make a value for the schema; the same schema always gets the same value."""
    return _Maker(schema).make(schema, "", 0, 0)


class _Maker:
    def __init__(self, root: Any) -> None:
        self._root = root
        self._nodes_left = _MAX_NODES
        self._burdens: dict[int, int] = {}

    def make(self, schema: Any, name: str, depth: int, index: int) -> Any:
        """`name` is the property the value is for; `index` tells the items of an array apart."""
        self._nodes_left -= 1
        if depth > _DEEPEST or self._spent:
            return None
        sparse = depth >= _DEEP or self._nodes_left < 0
        flat = self._flatten(schema, sparse, 0)
        if "const" in flat:
            return self._charged(flat["const"])
        choices = flat.get("enum")
        if isinstance(choices, list) and choices:
            return self._charged(choices[index % len(choices)])
        kind = _type_of(flat)
        if index == 0 and _suits(flat.get("default"), kind):
            return self._charged(flat["default"])
        if kind == "object":
            return self._object(flat, depth, sparse)
        if kind == "array":
            return self._array(flat, name, depth, sparse)
        return self._charged(_scalar(kind, flat, name, index))

    @property
    def _spent(self) -> bool:
        return self._nodes_left < -_MAX_NODES

    def _charged(self, value: Any) -> Any:
        """The value, after its size was taken from what may still be made."""
        self._nodes_left -= 1 + len(json.encode(value)) // _CHARS_A_NODE
        return value

    def _object(self, schema: dict[str, Any], depth: int, sparse: bool) -> dict[str, Any]:
        properties = _dict(schema.get("properties"))
        required = [name for name in _list(schema.get("required"))[:_MAX_NAMES] if isinstance(name, str)]
        if not required and not sparse:
            required = list(properties)[:_MAX_NAMES]
        extra = schema.get("additionalProperties", True)
        made = {name: self.make(properties.get(name, extra), name, depth + 1, 0) for name in required}
        for name in [*properties, *(f"key{number}" for number in range(1, 20))]:
            if len(made) >= _int(schema.get("minProperties")) or (name not in properties and extra is False):
                break
            if name not in made:
                made[name] = self.make(properties.get(name, extra), name, depth + 1, 0)
        return made

    def _array(self, schema: dict[str, Any], name: str, depth: int, sparse: bool) -> list[Any]:
        fixed = _list(schema.get("prefixItems"))
        least = _int(schema.get("minItems"))
        most = _int(schema.get("maxItems"), 1_000_000)
        wanted = min(max(least, len(fixed), 0 if sparse else 1), most)
        if schema.get("items") is False:
            wanted = min(wanted, len(fixed))
        made: list[Any] = []
        while len(made) < wanted and not self._spent:
            position = len(made)
            item = fixed[position] if position < len(fixed) else schema.get("items", True)
            made.append(self.make(item, name, depth + 1, position))
        return made

    def _flatten(self, schema: Any, sparse: bool, hops: int) -> dict[str, Any]:
        """The schema with references followed, `allOf` merged and one of the alternatives taken."""
        if not isinstance(schema, dict):
            return {"type": "null"} if schema is False else {}
        if hops > _MAX_HOPS or self._spent:
            return {"type": "null"}
        self._nodes_left -= 1 + len(schema) // _MAX_HOPS
        flat: dict[str, Any] = schema
        if isinstance(flat.get("$ref"), str):
            target = self._flatten(self._resolve(flat["$ref"]), sparse, hops + 1)
            flat = _merge(target, {key: value for key, value in flat.items() if key != "$ref"})
        for part in _list(flat.get("allOf"))[:_MAX_HOPS]:
            flat = _merge(flat, self._flatten(part, sparse, hops + 1))
        for key in ("anyOf", "oneOf"):
            options = _list(flat.get(key))
            if options:
                rest = {name: value for name, value in flat.items() if name != key}
                flat = _merge(rest, self._flatten(self._pick(options, sparse), sparse, hops + 1))
        return flat

    def _resolve(self, reference: str) -> Any:
        """What a `#/…` reference inside the schema points to; anything goes for one that points nowhere."""
        if not reference.startswith("#") or len(reference) > _MAX_NAMES:
            return {}
        at = self._root
        for step in reference[1:].split("/")[1:]:
            step = step.replace("~1", "/").replace("~0", "~")
            if isinstance(at, dict):
                at = at.get(step)
            elif isinstance(at, list) and step.isdecimal() and int(step[:9]) < len(at):
                at = at[int(step[:9])]
            else:
                return {}
        return at

    def _pick(self, options: list[Any], sparse: bool) -> Any:
        """The alternative to take: the first that says something, or deep down the one that ends soonest."""
        if sparse:
            return min(options[:_MAX_NAMES], key=self._burden)
        for option in options:
            if not isinstance(option, dict) or option.get("type") != "null":
                return option
        return options[0]

    def _burden(self, option: Any) -> int:
        # Looked at once each: options come from the schema itself, so their ids last as long as it does.
        known = self._burdens.get(id(option))
        if known is None:
            target = option
            if isinstance(option, dict) and isinstance(option.get("$ref"), str):
                target = self._resolve(option["$ref"])
            known = self._burdens[id(option)] = _burden(target)
        return known


def _burden(option: Any) -> int:
    """How much more there is to make inside an alternative, roughly."""
    if not isinstance(option, dict):
        return 2
    if option.get("type") == "null":
        return 0
    if b'"$ref"' in json.encode(option):
        return 4
    return 3 if option.get("type") in ("object", "array") else 1


def _merge(base: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    merged = {**base, **more}
    if "properties" in base and "properties" in more:
        merged["properties"] = {**_dict(base["properties"]), **_dict(more["properties"])}
    if "required" in base and "required" in more:
        merged["required"] = _list(base["required"]) + _list(more["required"])
    return merged


def _type_of(schema: dict[str, Any]) -> str:
    declared = schema.get("type")
    if isinstance(declared, list):
        named = [kind for kind in declared if kind != "null"]
        declared = named[0] if named else "null"
    if isinstance(declared, str):
        return declared
    for kind, keywords in _BY_KEYWORD:
        if any(keyword in schema for keyword in keywords):
            return kind
    return "string"


def _suits(default: Any, kind: str) -> bool:
    """Whether a schema's default is a scalar of its type; others are built, because they are often too bare."""
    if isinstance(default, bool):
        return kind == "boolean"
    if isinstance(default, str):
        return kind == "string"
    if isinstance(default, int):
        return kind in ("integer", "number")
    return isinstance(default, float) and kind == "number"


def _scalar(kind: str, schema: dict[str, Any], name: str, index: int) -> Any:
    if kind == "boolean":
        return index % 2 == 0
    if kind in ("integer", "number"):
        return number_for(schema, integer=kind == "integer", index=index)
    if kind == "null":
        return None
    return string_for(schema, name, index)


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _int(value: Any, default: int = 0) -> int:
    return value if isinstance(value, int) else default
