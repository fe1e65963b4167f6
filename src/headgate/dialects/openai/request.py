"""Client bytes → envelope.

A body is taken apart one level deep, once. Fields the gateway acts on, or whose type no provider would accept
otherwise, are checked: all in one step, and one by one where that fails, so that an error names the field. All others
pass through unread.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from headgate.dialects.openai.fields import FIELDS, REQUIRED, Fields
from headgate.dialects.openai.preferences import not_printable, take_preferences
from headgate.dialects.openai.requires import requirements
from headgate.errors import InvalidRequest
from headgate.types.deployment import Body, Operation
from headgate.types.request import Envelope
from headgate.wire import json

# All checked fields in one step, and each of them alone.
_whole = {operation: json.Decoder[Fields](kind) for operation, kind in FIELDS.items()}
_single = {
    operation: {field.name: json.Decoder[Any](field.type) for field in msgspec.structs.fields(kind)}
    for operation, kind in FIELDS.items()
}
_WHERE = re.compile(r" - at `\$(?P<path>[^`]*)`$")


def parse_request(operation: Operation, data: bytes) -> Envelope:
    """Read a client's body. Raises InvalidRequest naming the field that is wrong or missing."""
    fields = _fields(data)
    preferences = take_preferences(fields)
    if preferences is not None and preferences.models and "model" not in fields:
        # Some clients name only the list; its first is the model then.
        fields["model"] = json.raw(preferences.models[0])
        preferences = msgspec.structs.replace(preferences, models=preferences.models[1:])
    try:
        asked = _whole[operation].decode(data)
    except json.DecodeError:
        # What is wrong is told by its field. Nothing is where a field stands twice, or was put in here.
        asked = _one_by_one(operation, fields)
    if not asked.model.isprintable():
        raise not_printable("model")
    stream = asked.stream is True
    options = asked.stream_options if stream else None
    answers = asked.n or 1
    # Servers disagree on which of the two counts where both are sent: no answer is longer than the larger one.
    cap = max(asked.max_completion_tokens or 0, asked.max_tokens or 0)
    return Envelope(
        operation=operation,
        model=asked.model,
        fields=fields,
        size=len(data),
        stream=stream,
        include_usage=options is not None and options.include_usage is True,
        continuous_usage=options is not None and options.continuous_usage_stats is True,
        output_cap=cap * answers if cap else None,
        answers=answers,
        requires=requirements(fields, asked),
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


def _one_by_one(operation: Operation, fields: Body) -> Fields:
    """The checked fields, each decoded alone. Raises InvalidRequest."""
    for name in REQUIRED[operation]:
        if name not in fields:
            raise InvalidRequest(f"you must provide `{name}`", param=name, code="missing_required_parameter")
    decoders = _single[operation]
    values: dict[str, Any] = {}
    for name, raw in fields.items():
        decoder = decoders.get(name)
        if decoder is None:
            continue
        try:
            values[name] = decoder.decode(raw)
        except json.DecodeError as error:
            raise _wrong(name, error) from None
    return FIELDS[operation](**values)


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
