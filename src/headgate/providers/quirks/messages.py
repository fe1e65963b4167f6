"""Quirks of messages: roles, names, the form of content, ids of tool calls, thoughts and an answer already begun."""

from __future__ import annotations

import hashlib
import re

import msgspec

from headgate.providers.quirks.edits import (
    edit_items,
    fields_of,
    holds,
    items_of,
    mentions,
    remove,
    report,
    touching,
)
from headgate.types.deployment import Body
from headgate.wire import json

_NINE_ALPHANUMERICS = re.compile(rb'"[A-Za-z0-9]{9}"')


@touching("messages")
def developer_as_system(body: Body, dropped: list[str]) -> None:
    """The `developer` role becomes `system`, which means the same and is known everywhere.

    Adapters for DeepInfra, Mistral, SambaNova, DeepSeek and Perplexity do this; elsewhere it is the safe spelling.
    """

    def edit(message: Body) -> bool:
        if not holds(message, "role", b'"developer"'):
            return False
        message["role"] = json.raw("system")
        return True

    edit_items(body, "messages", b'"developer"', edit)


@touching("messages")
def text_tool_results(body: Body, dropped: list[str]) -> None:
    """The content of a tool message becomes a string; DeepInfra takes no list of parts there (adapters)."""

    def edit(message: Body) -> bool:
        return holds(message, "role", b'"tool"') and _flatten(message, dropped)

    edit_items(body, "messages", b'"tool"', edit)


@touching("messages")
def text_content(body: Body, dropped: list[str]) -> None:
    """Lists of text parts become a string in every message; SambaNova's text models refuse lists (adapters).

    A list that holds an image stays as it is: models that see take it, the others refuse it.
    """

    def edit(message: Body) -> bool:
        return _flatten(message, dropped)

    edit_items(body, "messages", b'"text"', edit)


def _flatten(message: Body, dropped: list[str]) -> bool:
    """Join a list of nothing but text parts, one a line, without decoding the texts."""
    parts = [fields_of(item) or {} for item in items_of(message.get("content")) or ()]
    texts = [bytes(part.get("text", b"")) for part in parts if holds(part, "type", b'"text"')]
    if not parts or len(texts) < len(parts) or not all(text.startswith(b'"') for text in texts):
        return False
    if any("cache_control" in part for part in parts):
        report(dropped, "cache_control")
    message["content"] = msgspec.Raw(b'"' + rb"\n".join(text[1:-1] for text in texts) + b'"')
    return True


@touching("messages")
def no_names(body: Body, dropped: list[str]) -> None:
    """Messages other than tool results lose their `name`: xAI's adapters strip it, Mistral answers it with 422."""

    def edit(message: Body) -> bool:
        if "name" not in message or holds(message, "role", b'"tool"'):
            return False
        remove(message, dropped, "name", within="messages.")
        return True

    edit_items(body, "messages", b'"name"', edit)


@touching("messages")
def short_ids(body: Body, dropped: list[str]) -> None:
    """Ids of tool calls become nine letters and digits, as some of Mistral's chat templates demand (adapters).

    The short id comes from the id's hash, so a call and its result agree without anything being remembered.
    """

    def shorten(fields: Body, name: str) -> bool:
        quoted = bytes(fields.get(name, b""))
        if not quoted.startswith(b'"') or _NINE_ALPHANUMERICS.fullmatch(quoted):
            return False
        fields[name] = json.raw(hashlib.sha256(quoted).hexdigest()[:9])
        return True

    def edit(message: Body) -> bool:
        calls = edit_items(message, "tool_calls", b'"id"', lambda call: shorten(call, "id"))
        return shorten(message, "tool_call_id") or calls

    edit_items(body, "messages", b'"tool_call', edit)


@touching("messages")
def history_reasoning(body: Body, dropped: list[str]) -> None:
    """Earlier turns carry their thoughts as `reasoning`, not `reasoning_content`: Cerebras (adapters)."""

    def edit(message: Body) -> bool:
        thoughts = message.pop("reasoning_content", None)
        if thoughts is None:
            return False
        message.setdefault("reasoning", thoughts)
        return True

    edit_items(body, "messages", b'"reasoning_content"', edit)


@touching("messages")
def no_thoughts(body: Body, dropped: list[str]) -> None:
    """Earlier turns lose their thoughts, which Groq answers with 400 and Mistral with 422 (users' reports)."""

    def edit(message: Body) -> bool:
        found = [name for name in ("reasoning_content", "reasoning", "reasoning_details") if name in message]
        for name in found:
            remove(message, dropped, name, b'""', b"[]", within="messages.")
        return bool(found)

    edit_items(body, "messages", b'"reasoning', edit)


@touching("messages")
def reasoning_on_tool_turns(body: Body, dropped: list[str]) -> None:
    """Turns with tool calls after the last user message get a `reasoning_content`, empty if there is none.

    DeepSeek in thinking mode, which is the default, answers 400 without it and accepts an empty one (recorded);
    Moonshot's thinking models ask for the same replay (adapters).
    """
    if not mentions(body, "messages", b'"tool_calls"') or mentions(body, "thinking", b'"disabled"'):
        return
    items, changed = items_of(body["messages"]) or [], False
    for index in range(len(items) - 1, -1, -1):
        message = fields_of(items[index]) or {}
        if holds(message, "role", b'"user"'):
            break
        if "tool_calls" in message and not bytes(message.get("reasoning_content", b"")).startswith(b'"'):
            thoughts = message.get("reasoning", json.raw(""))
            message["reasoning_content"] = thoughts if bytes(thoughts).startswith(b'"') else json.raw("")
            items[index], changed = json.raw(message), True
    if changed:
        body["messages"] = json.raw(items)


@touching("messages")
def prefix_prefill(body: Body, dropped: list[str]) -> None:
    """A last message of the assistant's says `prefix: true`: the model is to go on from it.

    Mistral answers it with 400 otherwise (API reference, users' reports), DeepSeek's beta endpoint wants it too
    (https://api-docs.deepseek.com/guides/chat_prefix_completion).
    """
    if not mentions(body, "messages", b'"assistant"') or not (items := items_of(body["messages"])):
        return
    message = fields_of(items[-1]) or {}
    calls = bytes(message.get("tool_calls", b"null")) not in (b"null", b"[]")
    if calls or not holds(message, "role", b'"assistant"') or bytes(message.get("prefix", b"null")) != b"null":
        return
    message["prefix"] = json.raw(True)
    items[-1] = json.raw(message)
    body["messages"] = json.raw(items)
