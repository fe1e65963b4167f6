"""Quirks of tools and of the choice between them."""

from __future__ import annotations

from headgate.providers.quirks.edits import edit_items, fields_of, holds, mentions, remove, touching
from headgate.types.deployment import Body
from headgate.wire import json


@touching("tool_choice")
def tool_choice_any(body: Body, dropped: list[str]) -> None:
    """`tool_choice: required` becomes `any`, as Mistral and Fireworks spell it (adapters)."""
    if holds(body, "tool_choice", b'"required"'):
        body["tool_choice"] = json.raw("any")


@touching("tools", "tool_choice")
def no_tool_choice(body: Body, dropped: list[str]) -> None:
    """`tool_choice` is left out: Ollama documents it as unsupported. `none` is honoured by sending no tools."""
    if holds(body, "tool_choice", b'"none"'):
        body.pop("tools", None)
    remove(body, dropped, "tool_choice", b'"auto"', b'"none"')


@touching("tools")
def no_strict_tools(body: Body, dropped: list[str]) -> None:
    """Function tools lose `strict`, which xAI and Fireworks do not take (adapters)."""

    def edit(tool: Body) -> bool:
        if not mentions(tool, "function", b'"strict"'):
            return False
        function = fields_of(tool["function"])
        if function is None or "strict" not in function:
            return False
        remove(function, dropped, "strict", b"false", within="tools.")
        tool["function"] = json.raw(function)
        return True

    edit_items(body, "tools", b'"strict"', edit)
