"""Client bytes → envelope.

A body is taken apart one level deep, once. Fields the gateway acts on, or whose type no provider would accept
otherwise, are checked one by one, so that an error names the field; all others pass through unread.
Field names and types: OpenAI's published OpenAPI document.
"""

from __future__ import annotations

import re
from typing import Annotated, Any

import msgspec

from headgate.dialects.openai.preferences import take_preferences
from headgate.dialects.openai.requires import requirements
from headgate.errors import InvalidRequest
from headgate.types.deployment import Body, Operation
from headgate.types.request import Envelope
from headgate.wire import json


class Part(msgspec.Struct):
    type: str


class Turn(msgspec.Struct):
    role: str
    content: str | list[Part] | None = None


class Tool(msgspec.Struct):
    type: str


class ResponseFormat(msgspec.Struct):
    type: str


class StreamOptions(msgspec.Struct):
    include_usage: bool | None = None
    continuous_usage_stats: bool | None = None


Count = Annotated[int, msgspec.Meta(ge=1)]
Number = float | None
Turns = Annotated[list[Turn], msgspec.Meta(min_length=1)]

COMMON: dict[str, Any] = {
    "model": Annotated[str, msgspec.Meta(min_length=1)],
    "stream": bool | None,
    "stream_options": StreamOptions | None,
    "max_tokens": Count | None,
    "n": Count | None,
    "temperature": Number,
    "top_p": Number,
    "presence_penalty": Number,
    "frequency_penalty": Number,
    "seed": int | None,
    "stop": str | list[str] | None,
    "logit_bias": dict[str, float] | None,
    "user": str | None,
}
CHAT: dict[str, Any] = COMMON | {
    "messages": Turns,
    "max_completion_tokens": Count | None,
    "tools": list[Tool] | None,
    "tool_choice": str | dict[str, Any] | None,
    "response_format": ResponseFormat | None,
    "parallel_tool_calls": bool | None,
    "top_logprobs": int | None,
    # No field of OpenAI's chats, but some servers write as many answers as it says.
    "best_of": Count | None,
}
COMPLETION: dict[str, Any] = COMMON | {"prompt": str | list[Any] | None, "echo": bool | None, "best_of": Count | None}
EMBEDDING: dict[str, Any] = {
    "model": COMMON["model"],
    "input": str | Annotated[list[Any], msgspec.Meta(min_length=1)],
    "encoding_format": str | None,
    "dimensions": Count | None,
    "user": str | None,
}
REQUIRED = {
    Operation.CHAT: ("model", "messages"),
    Operation.COMPLETION: ("model",),
    Operation.EMBEDDING: ("model", "input"),
}
_DECODERS = {
    operation: {name: json.Decoder[Any](kind) for name, kind in fields.items()}
    for operation, fields in (
        (Operation.CHAT, CHAT),
        (Operation.COMPLETION, COMPLETION),
        (Operation.EMBEDDING, EMBEDDING),
    )
}
_WHERE = re.compile(r" - at `\$(?P<path>[^`]*)`$")


def parse_request(operation: Operation, data: bytes) -> Envelope:
    """Read a client's body. Raises InvalidRequest naming the field that is wrong or missing."""
    fields = _fields(data)
    preferences = take_preferences(fields)
    if "model" not in fields and preferences is not None and preferences.models:
        # Some clients name only the list; its first is the model then.
        fields["model"] = json.raw(preferences.models[0])
        preferences = msgspec.structs.replace(preferences, models=preferences.models[1:])
    for name in REQUIRED[operation]:
        if name not in fields:
            raise InvalidRequest(f"you must provide `{name}`", param=name, code="missing_required_parameter")
    values = _values(_DECODERS[operation], fields)
    if not values["model"].isprintable():
        # The name goes into reply headers and messages.
        raise InvalidRequest("`model` holds characters that cannot be printed", param="model", code="invalid_value")
    stream = values.get("stream") is True
    options: StreamOptions = values.get("stream_options") or StreamOptions()
    # Servers disagree on which of the two counts where both are sent: no answer is longer than the larger one.
    cap = max(values.get("max_completion_tokens") or 0, values.get("max_tokens") or 0)
    return Envelope(
        operation=operation,
        model=values["model"],
        fields=fields,
        size=len(data),
        stream=stream and operation is not Operation.EMBEDDING,
        include_usage=stream and options.include_usage is True,
        continuous_usage=stream and options.continuous_usage_stats is True,
        output_cap=cap * (values.get("n") or 1) if cap else None,
        answers=values.get("n") or 1,
        requires=requirements(fields, values),
        preferences=preferences,
    )


def _fields(data: bytes) -> Body:
    if not data.strip():
        raise InvalidRequest("the request body is empty; send a JSON object", code="invalid_json")
    try:
        return json.parse_body(data)
    except json.ValidationError:
        raise InvalidRequest("the request body must be a JSON object", code="invalid_json") from None
    except json.DecodeError as error:
        raise InvalidRequest(f"the request body is not valid JSON: {error}", code="invalid_json") from None


def _values(decoders: dict[str, json.Decoder[Any]], fields: Body) -> dict[str, Any]:
    """The checked fields that are present, decoded."""
    values: dict[str, Any] = {}
    for name, raw in fields.items():
        decoder = decoders.get(name)
        if decoder is None:
            continue
        try:
            values[name] = decoder.decode(raw)
        except json.DecodeError as error:
            raise _wrong(name, error) from None
    return values


def _wrong(name: str, error: Exception) -> InvalidRequest:
    """msgspec says "Expected `int`, got `str` - at `$[0].role`"; a client needs the field's full path."""
    text = str(error)
    where = _WHERE.search(text)
    param = name
    if where is not None:
        text = text[: where.start()]
        param = name + where["path"]
    code = "invalid_type" if isinstance(error, json.ValidationError) else "invalid_json"
    return InvalidRequest(f"`{param}`: {_as_clause(text)}", param=param, code=code)


def _as_clause(sentence: str) -> str:
    """A sentence to stand behind a colon; a word in capitals keeps them."""
    return sentence if sentence[:2].isupper() else sentence[:1].lower() + sentence[1:]
