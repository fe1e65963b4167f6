"""A good reply before anything is done to it, and how it becomes a script.

Replies are drafted as values, piece by piece, so that a misbehaving model is a small edit of what a good one says.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec

from headgate.types.script import Script, Step
from headgate.wire import json, sse

CREATED = 1_735_689_600
"""The `created` of every reply: a constant, so that the same request gets the same bytes."""


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """How fast the sandbox talks: seconds to the first token, and seconds between tokens of a stream.

    A reply that is not streamed comes after `first_token_s`, whatever its length.
    """

    first_token_s: float = 0.15
    per_token_s: float = 0.02


class Kind(StrEnum):
    """What a piece of a reply is for."""

    BODY = "body"  # the whole of a reply that is not streamed
    ROLE = "role"
    CONTENT = "content"
    FINISH = "finish"
    USAGE = "usage"
    DONE = "done"


class Piece(msgspec.Struct, kw_only=True):
    """One JSON body or one event; `payload` is None for the `[DONE]` event only."""

    kind: Kind
    payload: dict[str, Any] | None
    delay_s: float = 0.0


class Draft(msgspec.Struct, kw_only=True):
    """The pieces of one good reply, in order. The usage piece is always there; it is sent if `include_usage`."""

    stream: bool
    pieces: list[Piece]
    include_usage: bool = False


def body_draft(payload: dict[str, Any], pace: Pace) -> Draft:
    """A reply that is not streamed."""
    return Draft(stream=False, pieces=[Piece(kind=Kind.BODY, payload=payload, delay_s=pace.first_token_s)])


def stream_draft(
    *,
    role: list[dict[str, Any]],
    content: list[dict[str, Any]],
    finish: list[dict[str, Any]],
    usage: dict[str, Any],
    include_usage: bool,
    pace: Pace,
) -> Draft:
    """A streamed reply: the first event after `first_token_s`, content at one token a beat, then the ending."""
    pieces = [Piece(kind=Kind.ROLE, payload=payload) for payload in role]
    pieces += [Piece(kind=Kind.CONTENT, payload=payload, delay_s=pace.per_token_s) for payload in content]
    pieces += [Piece(kind=Kind.FINISH, payload=payload) for payload in finish]
    pieces[0].delay_s = pace.first_token_s
    pieces.append(Piece(kind=Kind.USAGE, payload=usage))
    pieces.append(Piece(kind=Kind.DONE, payload=None))
    return Draft(stream=True, pieces=pieces, include_usage=include_usage)


def payloads(draft: Draft, *kinds: Kind) -> list[dict[str, Any]]:
    """The payloads of the pieces of these kinds, to be edited in place."""
    return [piece.payload for piece in draft.pieces if piece.kind in kinds and piece.payload is not None]


def steps(draft: Draft) -> list[Step]:
    """The pieces as they go over the wire: one step for the body or for each event."""
    result = []
    for piece in draft.pieces:
        if piece.kind is Kind.USAGE and not draft.include_usage:
            continue
        result.append(Step(piece.delay_s, _render(piece, draft)))
    return result


def _render(piece: Piece, draft: Draft) -> bytes:
    payload = piece.payload
    if payload is None:
        return sse.DONE
    if not draft.stream:
        return json.encode(payload)
    if draft.include_usage and "usage" not in payload:
        payload = {**payload, "usage": None}
    return sse.render(json.encode(payload))


JSON_HEADERS = (("content-type", "application/json"),)
SSE_HEADERS = (("content-type", "text/event-stream; charset=utf-8"), ("cache-control", "no-cache"))


def headers_of(draft: Draft) -> tuple[tuple[str, str], ...]:
    return SSE_HEADERS if draft.stream else JSON_HEADERS


def play(draft: Draft) -> Script:
    """The draft as a well-behaved provider sends it."""
    sent = steps(draft)
    if draft.stream:
        return Script(headers=SSE_HEADERS, steps=tuple(sent))
    return Script(headers=JSON_HEADERS, head_delay_s=sent[0].delay_s, steps=(Step(0.0, sent[0].data),))


def error_body(message: str, *, type: str, param: str | None = None, code: str | None = None) -> dict[str, Any]:
    """An error in OpenAI's shape."""
    return {"error": {"message": message, "type": type, "param": param, "code": code}}
