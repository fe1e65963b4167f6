"""Asking the sandbox for a reply, and reading its scripts, as its tests do."""

from __future__ import annotations

import json
from typing import Any

from headgate.providers.sandbox import script_for
from headgate.types.script import Script

HELLO = [{"role": "user", "content": "Hello there"}]
WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "unit": {"enum": ["C", "F"]}},
            "required": ["city", "unit"],
        },
    },
}
TIME = {"type": "function", "function": {"name": "time"}}
AFTER_TOOL = [
    {"role": "user", "content": "How warm is it?"},
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}],
    },
    {"role": "tool", "tool_call_id": "call_1", "content": "21 degrees"},
]


def play(operation: str = "chat", **fields: Any) -> Script:
    """The script for a request; model and messages are filled in where they are missing."""
    request: dict[str, Any] = {"model": "hello"}
    if operation == "chat":
        request["messages"] = HELLO
    return script_for(operation, json.dumps({**request, **fields}).encode())


def body_of(script: Script) -> bytes:
    return b"".join(step.data for step in script.steps)


def reply(operation: str = "chat", **fields: Any) -> Any:
    """The JSON of a reply that has to be a 200."""
    script = play(operation, **fields)
    assert script.status == 200, body_of(script)
    assert ("content-type", "application/json") in script.headers
    return json.loads(body_of(script))


def refusal(operation: str = "chat", status: int = 400, **fields: Any) -> Any:
    """The error object of a reply that has to be an error."""
    script = play(operation, **fields)
    assert script.status == status, body_of(script)
    error = json.loads(body_of(script))["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert isinstance(error["message"], str)
    return error


def events(operation: str = "chat", **fields: Any) -> list[Any]:
    """The events of a stream that has to end with `[DONE]`, without it."""
    script = play(operation, stream=True, **fields)
    assert script.status == 200, body_of(script)
    assert script.headers[0][1].startswith("text/event-stream")
    *payloads, done, rest = body_of(script).split(b"\n\n")
    assert (done, rest) == (b"data: [DONE]", b"")
    assert all(payload.startswith(b"data: ") for payload in payloads)
    return [json.loads(payload[6:]) for payload in payloads]


def streamed_text(chunks: list[Any], index: int = 0) -> str:
    """The text of one choice put together again."""
    choices = [choice for chunk in chunks for choice in chunk["choices"] if choice["index"] == index]
    return "".join(choice["delta"].get("content") or "" for choice in choices)


def streamed_calls(chunks: list[Any]) -> list[dict[str, Any]]:
    """The tool calls of the first choice put together again, the way client libraries do it."""
    calls: list[dict[str, Any]] = []
    for chunk in chunks:
        for choice in chunk["choices"]:
            for part in choice["delta"].get("tool_calls", ()):
                if "id" in part:
                    assert part["index"] == len(calls)
                    calls.append({"id": part["id"], "name": part["function"]["name"], "arguments": ""})
                calls[part["index"]]["arguments"] += part["function"]["arguments"]
    return calls
