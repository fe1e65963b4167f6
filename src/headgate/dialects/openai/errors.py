"""Errors in OpenAI's shape."""

from __future__ import annotations

from headgate.errors import GatewayError, UpstreamFailed
from headgate.types.request import Attempt
from headgate.wire import json, sse

LONGEST_NAME = 200
"""Characters of a model's name, which a client may have made up, and which is told for every attempt."""


def render_error(error: GatewayError, request_id: str | None = None) -> bytes:
    """The body of an error reply: `{"error": {message, type, param, code}}`."""
    body: dict[str, object] = {
        "message": error.message,
        "type": error.type,
        "param": error.param,
        "code": error.code,
    }
    if request_id is not None:
        body["request_id"] = request_id
    if isinstance(error, UpstreamFailed) and error.account.tries:
        body["attempts"] = [_attempt(one) for one in error.account.tries]
    return json.encode({"error": body})


def _attempt(one: Attempt) -> dict[str, object]:
    """One attempt, as the client is told: who was asked, what came of it, after how many milliseconds."""
    done = one.started if one.done is None else one.done
    return {
        "provider": one.candidate.deployment.upstream.provider,
        "model": one.candidate.upstream_id[:LONGEST_NAME],
        "result": str(one.result or "cancelled"),
        "ms": round((done - one.started) * 1000),
    }


def render_error_event(error: GatewayError, request_id: str) -> bytes:
    """The same inside a stream that has already begun; OpenAI's SDKs raise on it."""
    return sse.render(render_error(error, request_id))
