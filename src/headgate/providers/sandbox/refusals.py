"""Models that answer with an error instead of an answer, whatever is asked."""

from __future__ import annotations

import msgspec

from headgate.providers.sandbox.draft import JSON_HEADERS, error_body
from headgate.types.script import Script, Step
from headgate.wire import json


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """A model's one-line description, and the reply it always gives."""

    description: str
    script: Script


def _json(
    description: str,
    status: int,
    type: str,
    message: str,
    *,
    code: str | None = None,
    param: str | None = None,
    headers: tuple[tuple[str, str], ...] = (),
) -> Refusal:
    body = json.encode(error_body(message, type=type, param=param, code=code))
    script = Script(status=status, headers=JSON_HEADERS + headers, steps=(Step(0.0, body),))
    return Refusal(description=description, script=script)


_LIMITED = (
    ("retry-after", "2"),
    ("x-ratelimit-limit-requests", "60"),
    ("x-ratelimit-remaining-requests", "0"),
    ("x-ratelimit-reset-requests", "2s"),
)
_HTML = b"<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body><h1>502 Bad Gateway</h1></body>\r\n</html>\r\n"

REFUSALS: dict[str, Refusal] = {
    "429": _json(
        "rate limited, with Retry-After: 2",
        429,
        "rate_limit_error",
        "Too many requests: the sandbox takes 60 a minute. Try again in 2 seconds.",
        code="rate_limit_exceeded",
        headers=_LIMITED,
    ),
    "quota": _json(
        "429 that no waiting helps: the credit is used up",
        429,
        "insufficient_quota",
        "The credit of this sandbox account is used up. Check its plan and billing.",
        code="insufficient_quota",
    ),
    "400": _json(
        "bad request",
        400,
        "invalid_request_error",
        "The sandbox does not like this value.",
        code="invalid_value",
        param="messages",
    ),
    "401": _json(
        "the credential is refused",
        401,
        "invalid_request_error",
        "The API key given to the sandbox is not valid.",
        code="invalid_api_key",
    ),
    "402": _json(
        "payment required",
        402,
        "billing_error",
        "The balance of this sandbox account is too low. Add credit to go on.",
        code="payment_required",
    ),
    "403": _json(
        "the credential may not use this model",
        403,
        "permission_error",
        "This sandbox account may not use this model.",
        code="permission_denied",
    ),
    "404": _json(
        "no such model, or one that was retired",
        404,
        "invalid_request_error",
        "The model `404` does not exist in the sandbox, or was retired.",
        code="model_not_found",
        param="model",
    ),
    "413": _json(
        "the request is too large",
        413,
        "invalid_request_error",
        "The request is larger than the sandbox takes.",
        code="request_too_large",
    ),
    "500": _json("internal error", 500, "server_error", "The sandbox had an error while it worked on the request."),
    "502": _json("bad gateway, as JSON", 502, "server_error", "The sandbox could not reach its workers."),
    "503": _json(
        "service unavailable, with Retry-After: 1",
        503,
        "server_error",
        "The sandbox is not available at the moment.",
        code="service_unavailable",
        headers=(("retry-after", "1"),),
    ),
    "overloaded": _json("529, overloaded", 529, "overloaded_error", "The sandbox is overloaded.", code="overloaded"),
    "context": _json(
        "the prompt is longer than the context window",
        400,
        "invalid_request_error",
        "The maximum context length of this model is 8192 tokens, but the messages come to 9001 tokens. "
        "Reduce the length of the messages.",
        code="context_length_exceeded",
        param="messages",
    ),
    "html": Refusal(
        description="502 with an HTML page where JSON is expected",
        script=Script(status=502, headers=(("content-type", "text/html"),), steps=(Step(0.0, _HTML),)),
    ),
    "redirect": Refusal(
        description="302 to another place, which is not to be followed",
        script=Script(status=302, headers=(("location", "http://127.0.0.1:9/elsewhere"), ("content-length", "0"))),
    ),
}
