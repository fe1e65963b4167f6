"""The conversation of a chat request: its shape checked as a provider does, and what was said last."""

from __future__ import annotations

from typing import Any

import msgspec

from headgate.providers.sandbox.request import Refused

_ROLES = ("system", "developer", "user", "assistant", "tool", "function")
_PARTS = {
    "text": ("text", str),
    "refusal": ("refusal", str),
    "image_url": ("image_url", dict),
    "input_audio": ("input_audio", dict),
    "file": ("file", dict),
    "video_url": ("video_url", dict),
}
_TOKENS_A_MEDIUM = 85
_TOKENS_A_MESSAGE = 4


class Said(msgspec.Struct, frozen=True):
    """The text of a message, and how many images, sounds or files came with it."""

    role: str
    text: str
    media: int = 0


def check_messages(messages: Any) -> list[dict[str, Any]]:
    """Give the messages back if every one has a shape a provider accepts. Raises Refused naming the field."""
    if messages is None:
        raise Refused("messages is required.", param="messages")
    if not isinstance(messages, list) or not messages:
        raise Refused("messages has to be a list with at least one message.", param="messages")
    calls_open = False
    for index, message in enumerate(messages):
        path = f"messages[{index}]"
        if not isinstance(message, dict):
            raise Refused(f"{path} has to be an object.", param=path)
        role = message.get("role")
        if role not in _ROLES:
            raise Refused(f"{path}.role has to be one of {', '.join(_ROLES)}.", param=f"{path}.role")
        _check_content(message, role, path)
        if role == "tool":
            if not calls_open:
                raise Refused(f"{path} answers a tool call that no message before it made.", param=f"{path}.role")
            if not isinstance(message.get("tool_call_id"), str):
                raise Refused(f"{path}.tool_call_id is required for a tool message.", param=f"{path}.tool_call_id")
        else:
            calls_open = role == "assistant" and bool(message.get("tool_calls"))
    return messages


def _check_content(message: dict[str, Any], role: str, path: str) -> None:
    content = message.get("content")
    path = f"{path}.content"
    if content is None:
        if role == "assistant" or role == "function":
            return
        raise Refused(f"{path} is required for a {role} message.", param=path)
    if isinstance(content, str):
        return
    if not isinstance(content, list) or not content:
        raise Refused(f"{path} has to be a string or a list of content parts.", param=path)
    for index, part in enumerate(content):
        kind = part.get("type") if isinstance(part, dict) else None
        if not isinstance(kind, str) or kind not in _PARTS:
            raise Refused(f"{path}[{index}].type has to be one of {', '.join(_PARTS)}.", param=f"{path}[{index}].type")
        name, shape = _PARTS[kind]
        if not isinstance(part.get(name), shape):
            raise Refused(f"{path}[{index}].{name} is missing or of the wrong type.", param=f"{path}[{index}].{name}")


def said(message: dict[str, Any]) -> Said:
    """The text of one checked message, whatever form its content has."""
    content = message.get("content")
    if isinstance(content, str) or content is None:
        return Said(message["role"], content or "")
    texts = [part.get("text") or part.get("refusal") or "" for part in content if part["type"] in ("text", "refusal")]
    return Said(message["role"], " ".join(texts), len(content) - len(texts))


def last_said(messages: list[dict[str, Any]]) -> Said:
    """What is to be answered: a tool's result if that came last, else the last thing the user said."""
    if messages[-1]["role"] in ("tool", "function"):
        return said(messages[-1])
    for message in reversed(messages):
        if message["role"] == "user":
            return said(message)
    return said(messages[-1])


def prompt_tokens(messages: list[dict[str, Any]]) -> int:
    """An estimate: four characters a token, and something for each message and medium."""
    total = 3
    for message in messages:
        spoken = said(message)
        total += _TOKENS_A_MESSAGE + text_tokens(spoken.text) + spoken.media * _TOKENS_A_MEDIUM
    return total


def text_tokens(text: str) -> int:
    """The estimate for one text: four characters a token."""
    return (len(text) + 3) // 4
