"""Answers cut into events, joined again, and read as strictly as a typed client does."""

from __future__ import annotations

import json
from typing import Any, Literal

import msgspec

from headgate.dialects.openai.said import Said
from headgate.dialects.openai.seam import Seam
from headgate.wire import sse
from tests.unit.dialects.driving import rendered


class Function(msgspec.Struct):
    arguments: str | None = None
    name: str | None = None


class ToolCall(msgspec.Struct):
    index: int
    id: str | None = None
    function: Function | None = None
    type: Literal["function"] | None = None


class Delta(msgspec.Struct):
    content: str | None = None
    refusal: str | None = None
    role: Literal["developer", "system", "user", "assistant", "tool"] | None = None
    tool_calls: list[ToolCall] | None = None


class Choice(msgspec.Struct):
    delta: Delta
    index: int
    finish_reason: Literal["stop", "length", "tool_calls", "content_filter", "function_call"] | None = None


class Chunk(msgspec.Struct):
    """A chunk as OpenAI's API reference has it."""

    id: str
    choices: list[Choice]
    created: int
    model: str
    object: Literal["chat.completion.chunk"]
    system_fingerprint: str | None = None


FIRST = {"id": "first", "object": "chat.completion.chunk", "created": 1, "model": "m-1", "system_fingerprint": "fp"}
SECOND = {"id": "second", "object": "chat.completion.chunk", "created": 2, "model": "m-2", "provider": "x"}


def said_in(delta: dict[str, Any], who: dict[str, Any] = FIRST, finish: Any = None, **choice: Any) -> dict[str, Any]:
    """One chunk around a delta."""
    return who | {"choices": [{"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None} | choice]}


def texts(parts: list[str], who: dict[str, Any] = FIRST) -> list[dict[str, Any]]:
    """A chunk with the role, then one for each part."""
    return [said_in({"role": "assistant", "content": ""}, who), *(said_in({"content": part}, who) for part in parts)]


def said_of(*parts: str) -> Said:
    """What a client knows that was sent these parts."""
    return Said.of([rendered(*texts(list(parts)))])


def pieces(text: str, cuts: list[int]) -> list[str]:
    """The text cut at these places, empty pieces too."""
    edges = [0, *sorted(cut % (len(text) + 1) for cut in cuts), len(text)]
    return [text[edges[at] : edges[at + 1]] for at in range(len(edges) - 1)]


def joined(seam: Seam, parts: list[str], finish: str | None = "stop") -> bytes:
    """A second stream of these parts through the seam, one event at a time, to its end."""
    out = b"".join(seam.feed(rendered(one)) for one in texts(parts, SECOND))
    if finish is not None:
        out += seam.feed(rendered(said_in({}, SECOND, finish)))
        seam.close()
    return out


def chunks(sent: bytes) -> list[Chunk]:
    """The chunks of what a client was sent; fails for one a typed client could not read."""
    payloads = [sse.data_of(event) for event in sse.split(sent)]
    return [msgspec.json.decode(data, type=Chunk) for data in payloads if data and data != b"[DONE]"]


def text_of(sent: bytes) -> str:
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks(sent))


def payloads_of(sent: bytes) -> list[Any]:
    return [json.loads(sse.data_of(event)) for event in sse.split(sent) if sse.data_of(event).startswith(b"{")]
