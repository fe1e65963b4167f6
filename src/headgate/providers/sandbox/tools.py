"""Which of the tools in a request are called."""

from __future__ import annotations

from typing import Any

from headgate.providers.sandbox.request import Refused

PARALLEL_MODEL = "parallel-tools"


def check_tools(tools: Any) -> list[dict[str, Any]]:
    """Give the tools back if every one has a shape a provider accepts. Raises Refused."""
    if not isinstance(tools, list):
        raise Refused("tools has to be a list.", param="tools")
    for index, tool in enumerate(tools):
        path = f"tools[{index}]"
        kind = tool.get("type") if isinstance(tool, dict) else None
        if kind not in ("function", "custom"):
            raise Refused(f"{path}.type has to be function or custom.", param=f"{path}.type")
        described = tool.get(kind)
        if not isinstance(described, dict) or not isinstance(described.get("name"), str) or not described["name"]:
            raise Refused(f"{path}.{kind}.name is required.", param=f"{path}.{kind}.name")
        if not isinstance(described.get("parameters") or {}, dict):
            raise Refused(f"{path}.function.parameters has to be a schema.", param=f"{path}.function.parameters")
    return tools


def tools_to_call(
    tools: list[dict[str, Any]], tool_choice: Any, *, after_result: bool, model: str, parallel: bool
) -> list[dict[str, Any]]:
    """None of them, one of them, or all for the model that calls in parallel.

    A choice that names a tool or says `required` is obeyed even after a tool's result; otherwise a result is
    answered in text, so that an agent's loop ends. Raises Refused for a choice that fits no tool.
    """
    mode, name = _read_choice(tool_choice)
    if mode != "none" and mode != "auto" and not tools:
        raise Refused("tool_choice is allowed only when tools are given.", param="tool_choice")
    if mode == "none" or not tools or (mode == "auto" and after_result):
        return []
    if name is not None:
        named = [tool for tool in tools if tool[tool["type"]]["name"] == name]
        if not named:
            raise Refused(f"tool_choice names the tool {name!r}, which is not among the tools.", param="tool_choice")
        return named[:1]
    if model == PARALLEL_MODEL and parallel:
        return tools if len(tools) > 1 else tools * 2
    return tools[:1]


def _read_choice(choice: Any) -> tuple[str, str | None]:
    """The mode (none, auto, required) and the name of a tool_choice."""
    if choice is None:
        return "auto", None
    if choice in ("none", "auto", "required"):
        return choice, None
    if isinstance(choice, dict):
        kind = choice.get("type")
        detail = choice.get(kind) if isinstance(kind, str) else None
        if kind in ("function", "custom") and isinstance(detail, dict) and isinstance(detail.get("name"), str):
            return "required", detail["name"]
        if kind == "allowed_tools" and isinstance(detail, dict) and detail.get("mode") in ("auto", "required"):
            return detail["mode"], _first_name(detail.get("tools"))
    raise Refused("tool_choice has to be none, auto, required or an object that names a tool.", param="tool_choice")


def _first_name(tools: Any) -> str:
    first = tools[0] if isinstance(tools, list) and tools else None
    described = (
        first.get("custom" if first.get("type") == "custom" else "function") if isinstance(first, dict) else None
    )
    if not isinstance(described, dict) or not isinstance(described.get("name"), str):
        raise Refused("tool_choice.allowed_tools.tools has to name tools.", param="tool_choice.allowed_tools.tools")
    name: str = described["name"]
    return name
