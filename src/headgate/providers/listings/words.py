"""What lists call capabilities and kinds → the catalogue's words. Words nobody knows are left out: they are many."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

_CAPABILITIES = {
    "tools": "tools",
    "tool_use": "tools",
    "tool-use": "tools",
    "tool_calling": "tools",
    "tool-calling": "tools",
    "function_calling": "tools",
    "function-calling": "tools",
    "parallel_tool_calls": "parallel_tools",
    "json": "json_object",
    "json_mode": "json_object",
    "json-mode": "json_object",
    "response_format": "json_object",
    "json_schema": "json_schema",
    "structured_output": "json_schema",
    "structured-output": "json_schema",
    "structured_outputs": "json_schema",
    "structured-outputs": "json_schema",
    "vision": "vision",
    "multimodal": "vision",
    "input-audio": "audio_in",
    "reasoning": "reasoning",
    "thinking": "reasoning",
    "can-disable-reasoning": "reasoning",
    "prompt_cache": "prompt_cache",
    "logprobs": "logprobs",
}
_INPUTS = {"image": "vision", "audio": "audio_in", "file": "pdf", "pdf": "pdf"}
_KINDS = {
    "text": "chat",
    "embedding": "embedding",
    "embeddings": "embedding",
    "rerank": "rerank",
    "image": "image",
    "audio": "audio_out",
    "speech": "audio_out",
}

_FIRST, _LAST = date(2020, 1, 1), date(2199, 12, 31)
_MS = 10**11
"""Times from here on are milliseconds: as seconds they would be in the year 5138."""


def capabilities_of(words: Iterable[str]) -> frozenset[str]:
    """Capabilities that tags, features or parameters stand for."""
    return _known(words, _CAPABILITIES)


def inputs_of(words: Iterable[str]) -> frozenset[str]:
    """Capabilities that input modalities stand for."""
    return _known(words, _INPUTS)


def kind_of(outputs: Iterable[str]) -> str | None:
    """The kind of a model that gives these; one that gives text is a chat model whatever else it gives."""
    kinds = _known(outputs, _KINDS)
    return "chat" if "chat" in kinds else next(iter(sorted(kinds)), None)


def _known(words: Iterable[str], table: dict[str, str]) -> frozenset[str]:
    return frozenset(table[word.lower()] for word in words if word.lower() in table)


def day_of(value: Any) -> str | None:
    """A date as YYYY-MM-DD: from a text that begins with one, or Unix time; None when it is neither, or no such day
    is near."""
    found = None
    if isinstance(value, str):
        found = _written(value)
    elif isinstance(value, (int, Decimal)) and not isinstance(value, bool) and 0 < value < _MS * 1000:
        seconds = value // 1000 if value >= _MS else value
        found = datetime.fromtimestamp(int(seconds), UTC).date() if seconds < _MS else None
    return found.isoformat() if found is not None and _FIRST <= found <= _LAST else None


def _written(text: str) -> date | None:
    if len(text) > 10 and text[10] not in "T ":
        return None
    try:
        return date(int(text[:4]), int(text[5:7]), int(text[8:10])) if text[4:5] + text[7:8] == "--" else None
    except ValueError:
        return None
