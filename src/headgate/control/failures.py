"""Every way a request to the admin API can fail, in one shape: {"error": {message, type, param, code}}.

What goes wrong inside is told to the log and not to the caller.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fastapi import Response
from pydantic import BaseModel, Field

from headgate.config.fields import REFUSED
from headgate.config.problems import render_path, shorten
from headgate.errors import GatewayError
from headgate.routing.names import nearest
from headgate.wire import json


class ErrorDetail(BaseModel):
    """What went wrong, and where."""

    message: str = Field(description="What is wrong and the way out.")
    type: str = Field(description="invalid_request_error, or server_error when it is not the caller's doing.")
    param: str | None = Field(description="The field, query parameter or header that is wrong.")
    code: str | None = Field(description="The kind of error, for programs.")


class ErrorView(BaseModel):
    """The body of every reply that is an error."""

    error: ErrorDetail


class Forbidden(GatewayError):
    """The token is good, but may not do this."""

    status = 403
    type = "invalid_request_error"
    code = "forbidden"


class Conflict(GatewayError):
    """The name is taken, the document owns the thing, or something still hangs on it."""

    status = 409
    type = "invalid_request_error"
    code = "conflict"


class NotJson(GatewayError):
    """The body is announced as something else than JSON."""

    status = 415
    type = "invalid_request_error"
    code = "unsupported_media_type"


class StoreAway(GatewayError):
    """The database cannot be reached; nothing was changed."""

    status = 503
    code = "store_unavailable"

    def __init__(self) -> None:
        words = "the database cannot be reached now; nothing was changed, try again"
        super().__init__(words, headers=((b"retry-after", b"1"),))


ERRORS = {
    400: "A field, parameter or body is wrong; `param` names it.",
    401: "No admin token, or one that is unknown, expired or revoked.",
    403: "The token's role or ceiling does not reach so far.",
    404: "There is no such thing here.",
    409: "The name is taken, the document declares it, or something still hangs on it.",
    413: "The body is larger than 1 MB.",
    415: "The body is not application/json.",
    500: "A defect; the log says more.",
    503: "The database cannot be reached; nothing was changed.",
}
"""Status → what it means, as the OpenAPI document tells it."""


def render(error: GatewayError) -> Response:
    """The reply for an error."""
    detail = {"message": error.message, "type": error.type, "param": error.param, "code": error.code}
    response = Response(json.encode({"error": detail}), status_code=error.status, media_type="application/json")
    for name, value in error.headers:
        response.headers[name.decode()] = value.decode()
    if error.close_connection:
        response.headers["connection"] = "close"
    return response


def documented(statuses: Iterable[int]) -> dict[int | str, dict[str, Any]]:
    """The error replies of a path, for its OpenAPI entry."""
    return {status: {"model": ErrorView, "description": ERRORS[status]} for status in sorted(statuses)}


_WORDS = {
    "missing": "is missing",
    "string_type": "must be text",
    "list_type": "must be a list",
    "dict_type": "must be an object",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "string_too_short": "is empty",
    "string_unicode": "holds half of a character (a lone surrogate)",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_parsing_size": "must be a smaller whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a finite number",
}
_BOUNDS = {
    "greater_than": ("must be more than", "gt"),
    "greater_than_equal": ("must be at least", "ge"),
    "less_than": ("must be less than", "lt"),
    "less_than_equal": ("must be at most", "le"),
    "string_too_long": ("must have at most this many characters:", "max_length"),
    "too_long": ("must have at most this many items:", "max_length"),
    "too_short": ("must have at least this many items:", "min_length"),
}
_CODES = {REFUSED: "refused_value", "extra_forbidden": "unknown_field", "missing": "missing_field"}


def in_words(error: Mapping[str, Any], known: Sequence[str] = ()) -> str:
    """What is wrong with a value. The value itself is not repeated: it may be a secret."""
    kind, context = error["type"], error.get("ctx") or {}
    if kind == REFUSED:
        return str(context["words"])
    if kind == "extra_forbidden":
        return unknown(str(error["loc"][-1]), known)
    if kind in _BOUNDS:
        words, key = _BOUNDS[kind]
        return f"{words} {context[key]}"
    if kind in ("literal_error", "enum"):
        return f"must be one of {str(context['expected']).replace(' or ', ', ').replace(chr(39), '')}"
    if kind == "string_pattern_mismatch":
        return f"must look like {context['pattern']}"
    return _WORDS.get(kind, "cannot be used here")


def unknown(name: str, known: Sequence[str]) -> str:
    """What to say about a name nobody knows: the nearest one that is known, else all of them."""
    near = nearest(name, known, 1)
    if near:
        return f"is unknown; did you mean {near[0]}?"
    return f"is unknown; known here: {', '.join(known)}" if known else "is unknown; nothing goes here"


def invalid(error: Mapping[str, Any], known: Sequence[str] = ()) -> GatewayError:
    """A validation error of pydantic as an error of this API; `known` are the fields there are in its place."""
    place = tuple(error["loc"])
    inside = place[1:] if place and place[0] in ("body", "query", "path") else place
    inside = (*inside, *(error.get("ctx") or {}).get("inside", ()))
    shown = render_path(tuple(step if isinstance(step, int) else shorten(str(step)) for step in inside)) or None
    code = _CODES.get(error["type"], "invalid_value")
    return _Invalid(f"{shown or 'the body'} {in_words(error, known)}", param=shown, code=code)


class _Invalid(GatewayError):
    status = 400
    type = "invalid_request_error"
    code = "invalid_value"
