"""What a request in OpenAI's words requires of the model that is to serve it."""

from __future__ import annotations

import msgspec

from headgate.dialects.openai.fields import Fields
from headgate.types.deployment import Body
from headgate.wire import json

NOTHING: frozenset[str] = frozenset()
PARTS = {
    "image_url": "vision",
    "input_image": "vision",
    "image": "vision",
    "input_audio": "audio_in",
    "file": "pdf",
    "input_file": "pdf",
}
"""Types of message parts → what the model must be able to read."""

FORMATS = {"json_object": "json_object", "json_schema": "json_schema"}
_OFF = (b"null", b'"none"', b"false")
_UNCHECKED = frozenset({"logprobs", "reasoning_effort", "reasoning"})


class Thinking(msgspec.Struct):
    """OpenRouter's `reasoning` object, as far as it says whether it is wanted at all."""

    enabled: bool | None = None
    effort: str | None = None
    max_tokens: int | None = None


_thinking = json.Decoder[Thinking](Thinking)


def requirements(fields: Body, asked: Fields) -> frozenset[str]:
    """The capabilities a request cannot do without, in the catalogue's words.

    `asked` are its checked fields. Parts of which no source says who can read them (video, …) require nothing.
    """
    found: set[str] = set() if _UNCHECKED.isdisjoint(fields) else unchecked_requirements(fields)
    turns = asked.messages
    if turns is not None:
        for turn in turns:
            if turn.content.__class__ is list:
                found.update([PARTS[part.type] for part in turn.content if part.type in PARTS])
        if turns[-1].role == "assistant":
            found.add("prefill")
    if asked.tools:
        found.add("tools")
        if asked.parallel_tool_calls is True:
            found.add("parallel_tools")
    answer = asked.response_format
    if answer is not None and answer.type in FORMATS:
        found.add(FORMATS[answer.type])
    if asked.n is not None and asked.n > 1:
        found.add("n")
    return frozenset(found) if found else NOTHING


def unchecked_requirements(fields: Body) -> set[str]:
    """Those of the fields that are never decoded."""
    found: set[str] = set()
    if "logprobs" in fields and bytes(fields["logprobs"]) not in (b"null", b"false"):
        found.add("logprobs")
    if "reasoning_effort" in fields and bytes(fields["reasoning_effort"]) not in _OFF:
        found.add("reasoning")
    if "reasoning" in fields and _wants_thinking(fields["reasoning"]):
        found.add("reasoning")
    return found


def _wants_thinking(raw: msgspec.Raw) -> bool:
    try:
        asked = _thinking.decode(raw)
    except json.DecodeError:
        # Of another shape, and for a provider that knows it: not ours to judge.
        return False
    if asked.enabled is not None:
        return asked.enabled
    return asked.effort not in (None, "none") or (asked.max_tokens or 0) > 0
