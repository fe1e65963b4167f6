"""What the sandbox says: text about what was said to it, calls of the tools it was given, JSON when JSON is wanted."""

from __future__ import annotations

import hashlib
import re
from typing import Any

import msgspec

from headgate.providers.sandbox.messages import Said
from headgate.providers.sandbox.request import Ask, Refused
from headgate.providers.sandbox.schema_instance import instance
from headgate.wire import json

_TOKEN = re.compile(r"\s*\S{1,12}|\s+")
_QUOTED_CHARS = 80
_ECHOED_CHARS = 4000
_OPENINGS = ("Hello from the sandbox!", "Put another way:", "Or, if you like:", "Once more, with feeling:")


class ToolCall(msgspec.Struct, frozen=True):
    """A call the answer makes. `text` is the arguments as JSON, or the plain input of a custom tool."""

    id: str
    name: str
    text: str
    custom: bool = False


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """One choice: tokens of text, or calls; `finish` is the finish reason."""

    tokens: tuple[str, ...] = ()
    calls: tuple[ToolCall, ...] = ()
    finish: str = "stop"

    @property
    def text(self) -> str:
        return "".join(self.tokens)

    @property
    def count(self) -> int:
        """Completion tokens."""
        return len(self.tokens) + sum(2 + len(tokenise(call.text)) for call in self.calls)


def tokenise(text: str) -> list[str]:
    """Cut into words, each with the space before it; a very long word is cut further. Joined, they are the text."""
    return _TOKEN.findall(text)


def limited(text: str, ask: Ask) -> Answer:
    """The answer a provider gives once stop sequences and the token cap are applied."""
    ends = [at for at in (text.find(sequence) for sequence in ask.stop) if at >= 0]
    if ends:
        text = text[: min(ends)]
    tokens = tokenise(text)
    if ask.max_tokens is not None and len(tokens) > ask.max_tokens:
        return Answer(tokens=tuple(tokens[: ask.max_tokens]), finish="length")
    return Answer(tokens=tuple(tokens))


def small_talk(heard: Said, model: str, index: int) -> str:
    """Friendly text that quotes what was heard; `index` varies it between choices. The model `echo` only repeats."""
    if model == "echo" and heard.text.strip():
        return heard.text[:_ECHOED_CHARS]
    opening = _OPENINGS[index % len(_OPENINGS)]
    quote = quoted(heard.text)
    if heard.role in ("tool", "function"):
        return f"{opening} The tool answered {quote}, and that is all there is to say about it."
    what = f"You said {quote}" if quote else "You sent no text"
    if heard.media:
        what += f", with {heard.media} attachment{'s' if heard.media > 1 else ''}"
    return f"{opening} {what}. No model was asked and nothing was spent: this answer is the same every time."


def quoted(text: str) -> str:
    """A little of the text between quotation marks, on one line; nothing for an empty one."""
    line = " ".join(text[: 4 * _QUOTED_CHARS].split())
    if len(line) > _QUOTED_CHARS:
        line = line[: _QUOTED_CHARS - 1].rstrip() + "…"
    return f"“{line}”" if line else ""


def json_text(response_format: dict[str, Any], heard: Said) -> str | None:
    """The JSON a `response_format` asks for, None when it asks for text."""
    kind = response_format.get("type")
    if kind == "json_object":
        return json.encode({"answer": "Hello from the sandbox!", "you_said": heard.text[:_QUOTED_CHARS]}).decode()
    if kind == "json_schema":
        return json.encode(instance(response_format["json_schema"].get("schema"))).decode()
    return None


def call_tools(tools: list[dict[str, Any]], ask: Ask, index: int) -> Answer:
    """A call to each of the tools; the token cap may cut the arguments short, as it does at a provider."""
    left = ask.max_tokens
    calls = []
    for position, tool in enumerate(tools):
        custom = tool["type"] == "custom"
        described = tool["custom" if custom else "function"]
        text = "Hello from the sandbox!" if custom else json.encode(_arguments(described)).decode()
        digest = hashlib.sha256(f"{ask.seed}/{index}/{position}".encode()).hexdigest()
        if left is not None:
            kept = tokenise(text)[: max(0, left)]
            left -= len(kept) + 2
            text = "".join(kept)
        calls.append(ToolCall(f"call_{digest[:24]}", described["name"], text, custom))
        if left is not None and left < 0:
            return Answer(calls=tuple(calls), finish="length")
    return Answer(calls=tuple(calls), finish="tool_calls")


def _arguments(function: dict[str, Any]) -> Any:
    parameters = function.get("parameters")
    return instance(parameters) if isinstance(parameters, dict) and parameters else {}


def check_format(response_format: Any) -> dict[str, Any]:
    """Give a `response_format` back if it has a shape a provider accepts. Raises Refused."""
    kind = response_format.get("type") if isinstance(response_format, dict) else None
    if kind not in ("text", "json_object", "json_schema"):
        raise Refused(
            "response_format.type has to be one of text, json_object, json_schema.", param="response_format.type"
        )
    if kind == "json_schema" and not isinstance(response_format.get("json_schema"), dict):
        raise Refused("response_format.json_schema is required.", param="response_format.json_schema")
    result: dict[str, Any] = response_format
    return result
