"""A file of requests, one a line: chat bodies, bodies in a wrapper, or the lines of OpenAI's batch files.

The lines of a batch: https://platform.openai.com/docs/guides/batch
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO

import msgspec

from headgate.errors import InvalidRequest
from headgate.routing.hypothetical import Question, Wish, question
from headgate.types.deployment import Body, Operation
from headgate.wire import json

MOST_LINE_BYTES = 32 * 2**20
_HALF = 0.5
_OPERATIONS = {
    "/chat/completions": Operation.CHAT,
    "/completions": Operation.COMPLETION,
    "/embeddings": Operation.EMBEDDING,
}


class Recorded(msgspec.Struct, frozen=True):
    """What a request did use, in tokens of prompt and of answers."""

    prompt: int
    written: int


class Line(msgspec.Struct, frozen=True, eq=False):
    """A request of the file; `used` where the line tells."""

    asked: Question
    used: Recorded | None


class BadLine(Exception):
    """A line that holds no request; the message says why."""


class _Usage(msgspec.Struct):
    """The counts of a usage, in the words of either of OpenAI's APIs."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None


_usage = json.Decoder[_Usage](_Usage)
_text = json.Decoder[str](str)


def numbered(stream: BinaryIO) -> Iterator[tuple[int, bytes | None]]:
    """The lines that are not empty, with their numbers from 1; None for one that is too long to look at."""
    number = 0
    while data := stream.readline(MOST_LINE_BYTES + 1):
        number += 1
        if len(data) <= MOST_LINE_BYTES:
            if data.strip():
                yield number, data
            continue
        while data and not data.endswith(b"\n"):
            data = stream.readline(MOST_LINE_BYTES)
        yield number, None


def read_line(data: bytes, model: str | None) -> Line:
    """One line as a request, for `model` where that is given. Raises BadLine."""
    try:
        fields = json.parse_body(data)
    except json.DecodeError:
        raise BadLine("it is no JSON object") from None
    operation, body, usage = None, data, fields.get("usage")
    if "body" in fields:
        operation = _operation(fields)
        body = bytes(fields["body"])
    elif usage is not None:
        body = json.encode({name: raw for name, raw in fields.items() if name != "usage"})
    try:
        asked = question(Wish(model=model, operation=operation, body=body))
    except InvalidRequest as error:
        raise BadLine(error.message) from None
    used = None if usage is None or bytes(usage) == b"null" else _recorded(usage)
    return Line(asked if used is None else _exactly(asked, used), used)


def _operation(fields: Body) -> Operation | None:
    """What the line's `url` is for; None where it has none."""
    raw = fields.get("url")
    if raw is None:
        return None
    try:
        url = _text.decode(raw)
    except json.DecodeError:
        raise BadLine("`url` must be text") from None
    found = _OPERATIONS.get(url.removeprefix("/v1"))
    if found is None:
        raise BadLine(f"`url` names an endpoint that is not served: {url}")
    return found


def _recorded(raw: Any) -> Recorded:
    try:
        usage = _usage.decode(raw)
    except json.DecodeError as error:
        raise BadLine(f"`usage` cannot be read: {error}") from None
    prompt = usage.prompt_tokens if usage.prompt_tokens is not None else usage.input_tokens
    written = usage.completion_tokens if usage.completion_tokens is not None else usage.output_tokens
    if prompt is None or prompt < 0 or (written or 0) < 0:
        raise BadLine("`usage` must hold prompt_tokens, and completion_tokens where something was written")
    return Recorded(prompt, written or 0)


def _exactly(asked: Question, used: Recorded) -> Question:
    """The request as long as it was. A cap that the answers went beyond is no cap."""
    extent = asked.extent
    each = extent.each
    if each is not None and each * extent.answers < used.written:
        each = -(-used.written // extent.answers)
    return Question(asked.envelope, msgspec.structs.replace(extent, exact=used.prompt, each=each))


def usual_length(used: Recorded) -> float:
    """The length of its answers as the planner takes it: what it divides by their number and multiplies again, and then
    rounds down, must come to what was written."""
    return used.written + _HALF
