"""One event of a provider's stream, and what of an answer it carries. Decoded for every event: no more than needed."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from headgate.dialects.openai.asked import holds, texts_in
from headgate.dialects.openai.reply import is_error, is_flat_error
from headgate.types.deployment import Operation
from headgate.types.request import Envelope
from headgate.wire import json, sse

_ABSENT = msgspec.Raw()

WORDS = "words"
"""A part of an answer that can be shown as it comes."""

CALL = "call"
"""A part that is held back until it is whole."""


class Choice(msgspec.Struct, gc=False):
    """One of the answers, as far as an event goes on with it. Without an index it is the only one."""

    index: int | float | str | None = None
    finish_reason: str | None = None
    delta: msgspec.Raw = _ABSENT
    text: str | None = None
    error: msgspec.Raw = _ABSENT


class Chunk(msgspec.Struct, gc=False):
    """An event of a chat completion or of a text completion."""

    choices: list[Choice] | None = None
    usage: msgspec.Raw = _ABSENT
    error: msgspec.Raw = _ABSENT
    object: str | None = None
    message: msgspec.Raw = _ABSENT


class _UsualDelta(msgspec.Struct, gc=False):
    tool_calls: None = None
    function_call: None = None


class _UsualChoice(msgspec.Struct, gc=False):
    index: Literal[0, None] = None
    finish_reason: None = None
    delta: _UsualDelta | None = None
    text: str | None = None
    error: None = None


class UsualChunk(msgspec.Struct, gc=False):
    """An event that does no more than go on with the one answer. Decoding refuses any other, so that there is nothing
    left to ask of it but whether its usage is null, or not there."""

    choices: tuple[_UsualChoice]
    usage: msgspec.UnsetType | None = msgspec.UNSET
    error: None = None
    object: Literal["chat.completion.chunk", "chat.completion", "text_completion", None] = None
    message: None = None


class _Delta(msgspec.Struct, gc=False):
    content: str | list[Any] | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    reasoning_details: msgspec.Raw = _ABSENT
    refusal: str | None = None
    tool_calls: list[msgspec.Raw] | None = None
    function_call: msgspec.Raw = _ABSENT
    audio: msgspec.Raw = _ABSENT
    images: msgspec.Raw = _ABSENT


_chunk = json.Decoder[Chunk](Chunk)
_delta = json.Decoder[_Delta | None](_Delta | None)

decode_usual = json.Decoder[UsualChunk](UsualChunk).unguarded
"""Read an event of which nothing is to be noted. Raises one of `json.UNREADABLE` for any other."""


def decode_chunk(data: bytes) -> Chunk:
    """Read an event. Raises DecodeError. Half a character, where a server cuts by UTF-16 units, goes on as it came."""
    return json.decode_leniently(_chunk, data)


def part_of(choice: Choice) -> str | None:
    """The part of an answer that a choice carries; None when it is a role, or an empty start."""
    if choice.text:
        return WORDS
    if not choice.delta:
        return None
    try:
        delta = _delta.decode(choice.delta)
    except json.DecodeError:
        return WORDS
    if delta is None:
        return None
    if delta.content or delta.reasoning_content or delta.reasoning or delta.refusal:
        return WORDS
    if holds(delta.reasoning_details) or holds(delta.audio) or holds(delta.images):
        return WORDS
    return CALL if delta.tool_calls or holds(delta.function_call) else None


def answers_asked_for(envelope: Envelope) -> int:
    """How many answers a request wants: `n` to each of its prompts."""
    asked = envelope.fields.get("n")
    each: int = (json.parse(asked) if asked is not None else None) or 1
    # Only text completions have several prompts.
    return each * texts_in(envelope.fields.get("prompt")) if envelope.operation is Operation.COMPLETION else each


def says_failed(chunk: Chunk, event: bytes, data: bytes, named: bool) -> bool:
    """Whether an event says that the provider failed: by a field, by its kind or its name, or by being a bare error."""
    if (chunk.error and is_error(chunk.error)) or chunk.object == "error":
        return True
    bare = bool(chunk.message) and chunk.choices is None and is_flat_error(data)
    return bare or (named and has_error_name(event))


def is_by_the_way(event: bytes, data: bytes) -> bool:
    """Whether an event that cannot be read is none of the answer: it has a name of its own, and is no object."""
    return not data.lstrip().startswith(b"{") and sse.name_of(event) not in (b"", b"message", b"error")


def has_error_name(event: bytes) -> bool:
    return (not event.startswith(b"data:") or b"\nevent:" in event) and sse.name_of(event) == b"error"
