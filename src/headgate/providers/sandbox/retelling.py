"""The same reply with another text in it: for models whose answer is enormous, endless or broken off."""

from __future__ import annotations

from typing import Any

from headgate.providers.sandbox.draft import Draft, Kind, Piece, payloads


def finish_with(payload: dict[str, Any], reason: str | None) -> None:
    """Give every choice this finish reason."""
    for choice in payload.get("choices", ()):
        choice["finish_reason"] = reason


def retold(draft: Draft, texts: list[str], finish: str) -> Draft:
    """One choice with this text, in a stream one event for each part; the usage is corrected."""
    for payload in payloads(draft, Kind.BODY, Kind.USAGE):
        _recount(payload.get("usage", {}), len(texts))
    for payload in payloads(draft, Kind.BODY):
        _say(payload, "".join(texts))
        finish_with(payload, finish)
    if not draft.stream:
        return draft
    role = [piece for piece in draft.pieces if piece.kind is Kind.ROLE][:1]
    end = [piece for piece in draft.pieces if piece.kind is Kind.FINISH][:1]
    rest = [piece for piece in draft.pieces if piece.kind in (Kind.USAGE, Kind.DONE)]
    for piece in end:
        assert piece.payload is not None, "only the [DONE] event has no payload"
        finish_with(piece.payload, finish)
    first_s = draft.pieces[0].delay_s
    told = [Piece(kind=Kind.CONTENT, payload=_content_like(end[0].payload, text)) for text in texts]
    draft.pieces = [*role, *told, *end, *rest]
    draft.pieces[0].delay_s = first_s
    return draft


def _recount(usage: dict[str, Any], tokens: int) -> None:
    if "completion_tokens" in usage:
        usage["completion_tokens"] = tokens
        usage["total_tokens"] = usage["prompt_tokens"] + tokens


def _say(payload: dict[str, Any], text: str) -> None:
    """Put a text in the place of what the first choice says, and keep only that choice."""
    if "choices" not in payload:
        payload["padding"] = text
        return
    choice = payload["choices"][0]
    choice["logprobs"] = None
    payload["choices"] = [choice]
    if "text" in choice:
        choice["text"] = text
        return
    spoken = choice["delta" if "delta" in choice else "message"]
    spoken.pop("tool_calls", None)
    spoken["content"] = text


def _content_like(finish: dict[str, Any] | None, text: str) -> dict[str, Any]:
    """A content event that says `text`, after the model of the finish event."""
    assert finish is not None, "only the [DONE] event has no payload"
    choice = {**finish["choices"][0], "finish_reason": None}
    if "delta" in choice:
        choice["delta"] = {}
    payload = {**finish, "choices": [choice]}
    _say(payload, text)
    return payload
