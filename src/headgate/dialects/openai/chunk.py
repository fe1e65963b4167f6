"""One event of a provider's stream, and what of an answer it carries. Decoded for every event: no more than needed."""

from __future__ import annotations

from typing import Any

import msgspec

from headgate.dialects.openai.asked import holds, texts_in
from headgate.types.deployment import Operation
from headgate.types.request import Envelope
from headgate.wire import json

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
