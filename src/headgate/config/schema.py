"""The JSON Schema of the document, for editors and for other programs."""

from __future__ import annotations

from typing import Any

from headgate.config.document import Document

_VARIABLE = {"type": "string", "pattern": r"\$\{"}


def document_schema() -> dict[str, Any]:
    """The schema (draft 2020-12). Where a number is meant, `${NAME}` is admitted as well."""
    schema = Document.model_json_schema()
    _admit_variables(schema)
    entries = schema["properties"]["providers"]["additionalProperties"]
    schema["properties"]["providers"]["additionalProperties"] = {"anyOf": [entries, {"type": "null"}]}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _admit_variables(node: Any) -> None:
    if isinstance(node, list):
        for item in node:
            _admit_variables(item)
        return
    if not isinstance(node, dict):
        return
    if node.get("type") in ("integer", "number"):
        limits = {key: node.pop(key) for key in list(node) if key not in ("title", "description", "default")}
        node["anyOf"] = [limits, _VARIABLE]
    elif "enum" in node:
        node["anyOf"] = [{key: node.pop(key) for key in ("enum", "type") if key in node}, _VARIABLE]
    else:
        for item in list(node.values()):
            _admit_variables(item)
