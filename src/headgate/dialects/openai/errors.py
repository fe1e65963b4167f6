"""Errors in OpenAI's shape."""

from __future__ import annotations

from headgate.errors import GatewayError
from headgate.wire import json, sse


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
    return json.encode({"error": body})


def render_error_event(error: GatewayError, request_id: str) -> bytes:
    """The same inside a stream that has already begun; OpenAI's SDKs raise on it."""
    return sse.render(render_error(error, request_id))
