"""Any failure of an upstream → one Fault.

Order of tests: what the body says, then the status. Error bodies come in at least nine shapes (OpenAI's object, a bare
string, FastAPI's `detail`, flat objects, Google's, Cloudflare's, …), so they are brought to one before anything is
concluded. Shapes and signals: each provider's error reference and recorded replies.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from headgate.types.fault import Fault, FaultClass
from headgate.types.secret import Secret
from headgate.upstream.retry_after import retry_after_s
from headgate.wire import json

MAX_MESSAGE = 2000
MAX_TEXT = 300
MAX_WORD = 100
MIN_SECRET = 8


class ErrorBody(msgspec.Struct, frozen=True):
    """What an error body says, whatever its shape.

    `words` is every machine code in it, lower case; `wait` a duration the provider asks to be left alone for; `limit`
    how many characters of the message are worth passing on.
    """

    message: str = ""
    words: frozenset[str] = frozenset()
    param: str | None = None
    code: str | None = None
    wait: str = ""
    limit: int = MAX_MESSAGE


QUOTA_WORDS = frozenset(
    {
        "insufficient_quota",
        "billing_hard_limit_reached",
        "credit_balance_exhausted",
        "organization_spend_limit_exceeded",
        "project_spend_limit_exceeded",
        "organization_usage_limit_exceeded",
        "exceeded_current_quota_error",
        "not_enough_balance",
        "billing_error",
    }
)
# z.ai's numbers for spent plans and balances; a bare number means this only beside status 429.
QUOTA_NUMBERS = frozenset({"1113", *map(str, range(1308, 1312)), *map(str, range(1313, 1322))})
# Some say it with another status: 413 for a request over the tokens a minute, 500 from a gateway in between.
RATE_WORDS = frozenset({"429", "rate_limit_exceeded", "rate_limit_error", "resource_exhausted", "ratelimitreached"})
CONTEXT_WORDS = frozenset({"context_length_exceeded", "exceed_context_size_error", "3051", "tokens_limit_reached"})
MODEL_WORDS = frozenset({"model_not_found", "deploymentnotfound", "invalid_model"})
FILTER_WORDS = frozenset({"content_filter", "content_policy_violation", "invalid_prompt", "cyber_policy"})
CREDENTIAL_WORDS = frozenset({"invalid_api_key", "api_key_invalid", "wrong_api_key", "authentication_error"})
OVERLOAD_WORDS = frozenset({"overloaded_error", "engine_overloaded_error", "overloaded", "unavailable_error"})
UNSUPPORTED_WORDS = frozenset({"unsupported_parameter", "unsupported_value"})

_CONTEXT_TEXT = re.compile(
    r"maximum context length|reduce the length of|prompt is too long|input is too long|too many (input )?tokens"
    r"|exceeds the maximum number of tokens|current length is \d+ while limit is|available context size"
    r"|maximum prompt length|exceeds? [^.]{0,60}context (length|window)",
    re.IGNORECASE,
)
_QUOTA_TEXT = re.compile(
    r"credit balance is too low|insufficient balance|exceeded your current quota|enable billing|billing account",
    re.IGNORECASE,
)
_OVERLOAD_TEXT = re.compile(r"overloaded|over capacity|\bmodel (is )?busy\b", re.IGNORECASE)
_MODEL_TEXT = re.compile(r"model not exist|model identifier is invalid", re.IGNORECASE)
_MARKUP = re.compile(r"<[a-zA-Z/!?]")
_ERROR_STATUS = re.compile(r"[45][0-9]{2}")
_MAX_CODE = 10**9
# Anything that looks like a credential: providers like to quote the key they refuse.
_SECRET_TEXT = re.compile(
    r"\b(sk|gsk|xai|hf|nvapi|pplx|csk|fw|key|r8)[-_][A-Za-z0-9*_\-]{6,}|\bAIza[A-Za-z0-9*_\-]{6,}|Bearer\s+\S+"
)


def classify(status: int, headers: Mapping[str, str], body: bytes, secrets: Sequence[Secret]) -> Fault:
    """The fault a reply is, whatever its bytes. Nothing of `secrets` survives in it; its message names no provider."""
    error = parse_error(body, headers.get("content-type", ""))
    kind = _by_body(error, status) or _by_status(status)
    if kind is FaultClass.RATE_LIMITED and headers.get("x-ratelimit-limit-req-minute") == "0":
        # Mistral's way to say that the credential has no share of this model at all.
        kind = FaultClass.QUOTA_EXHAUSTED
    # A 200 may carry Retry-After and mean nothing by it.
    wait = None if status == 200 else retry_after_s(headers)
    if wait is None and error.wait:
        wait = retry_after_s({"retry-after": error.wait})
    message = redact(error.message, secrets)[: error.limit].strip() or f"status {status} without an explanation"
    if kind is FaultClass.BAD_CREDENTIAL:
        message = f"it refused the gateway's credential; its operator has to look at it ({message})"
    elif kind is FaultClass.SERVER_ERROR and 300 <= status < 400:
        message = f"it answered with a redirect ({status}), which is never followed"
    client_fault = kind in (FaultClass.BAD_REQUEST, FaultClass.UNSUPPORTED)
    return Fault(
        kind,
        message,
        status=status,
        retry_after_s=wait,
        param=redact(error.param, secrets)[:MAX_WORD] if client_fault and error.param else None,
        code=redact(error.code, secrets)[:MAX_WORD] if client_fault and error.code else None,
    )


def redact(text: str, secrets: Sequence[Secret]) -> str:
    """The text without these secrets and without anything that looks like a credential.

    A shorter one than `MIN_SECRET` characters stands for none (`x`, `none`): taking it out would only garble the text.
    """
    # The longest first: of one that is part of another the rest would be left.
    for secret in sorted((secret.reveal() for secret in secrets), key=len, reverse=True):
        if len(secret) >= MIN_SECRET:
            text = text.replace(secret, "[redacted]")
    return _SECRET_TEXT.sub("[redacted]", text)


def parse_error(body: bytes, content_type: str = "") -> ErrorBody:
    """Read an error body of any known shape, plain text included; an unreadable one says nothing."""
    try:
        value = json.parse(body)
    except json.DecodeError:
        return ErrorBody(message=_plain_text(body, content_type), limit=MAX_TEXT)
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if not isinstance(value, dict):
        return ErrorBody(message=value) if isinstance(value, str) else ErrorBody()
    inner = value.get("error") or _first(value.get("errors")) or value.get("detail") or value
    if isinstance(inner, dict) and isinstance(inner.get("error"), str | dict):
        inner = inner["error"]
    if isinstance(inner, str):
        message = inner if inner != value.get("error") else _text(value.get("message")) or inner
        return ErrorBody(message=message, words=_words(value))
    if isinstance(inner, list):
        return _from_detail(inner)
    if not isinstance(inner, dict):
        return ErrorBody()
    return ErrorBody(
        message=_text(inner.get("message")) or _text(inner.get("msg")),
        words=_words(inner),
        param=_text(inner.get("param")) or None,
        code=_text(inner.get("code")) or None,
        wait=_wait(inner),
    )


def _from_detail(detail: list[Any]) -> ErrorBody:
    """FastAPI's list of `{loc, msg, type}`."""
    said, param = [], None
    for item in detail:
        if isinstance(item, dict):
            parts = [part for part in _list(item.get("loc")) if isinstance(part, str | int) and part != "body"]
            loc, msg = ".".join(map(str, parts)), _text(item.get("msg"))
            param = param or loc or None
            said.append(f"{loc}: {msg}" if loc else msg)
    return ErrorBody(message="; ".join(said), param=param)


def _plain_text(body: bytes, content_type: str) -> str:
    """The body as one printable line, when it is declared as plain text or as nothing; markup is never passed on."""
    if content_type.partition(";")[0].strip().lower() not in ("", "text/plain"):
        return ""
    try:
        line = " ".join(body.decode("utf-8-sig").split())
    except UnicodeDecodeError:
        return ""
    # JSON that broke off is no text either.
    return "" if line.startswith(("{", "[", '"')) or _MARKUP.search(line) or not line.isprintable() else line


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _first(errors: object) -> object:
    return errors[0] if isinstance(errors, list) and errors else None


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _wait(error: dict[str, Any]) -> str:
    """Google's `RetryInfo`: a duration such as 14s among the details."""
    waits = [detail.get("retryDelay") for detail in _list(error.get("details")) if isinstance(detail, dict)]
    return next((wait for wait in waits if isinstance(wait, str)), "")


def _words(error: dict[str, Any]) -> frozenset[str]:
    """Every machine-readable word of an error object, one level of nesting included."""
    found: set[str] = set()
    for name in ("code", "type", "status", "reason", "error_type"):
        value = error.get(name)
        # A number of thousands of digits is no code, and Python refuses to write it out.
        if isinstance(value, str) or (isinstance(value, int) and 0 <= value <= _MAX_CODE):
            found.add(str(value).lower())
    for nested in [error.get("innererror"), *_list(error.get("details"))]:
        if isinstance(nested, dict):
            found |= {str(nested[key]).lower() for key in ("code", "reason") if isinstance(nested.get(key), str)}
            for violation in _list(nested.get("violations")):
                if isinstance(violation, dict) and "perday" in _text(violation.get("quotaId")).lower():
                    found.add("insufficient_quota")
    if isinstance(error.get("metadata"), dict) and error["metadata"].get("reasons"):
        found.add("content_filter")
    return frozenset(found)


def _by_body(error: ErrorBody, status: int) -> FaultClass | None:
    words, text = error.words, error.message
    by_words = (
        (QUOTA_WORDS, FaultClass.QUOTA_EXHAUSTED),
        (CONTEXT_WORDS, FaultClass.CONTEXT_TOO_LONG),
        (FILTER_WORDS, FaultClass.CONTENT_FILTERED),
        (CREDENTIAL_WORDS, FaultClass.BAD_CREDENTIAL),
        (MODEL_WORDS, FaultClass.MODEL_NOT_FOUND),
        (OVERLOAD_WORDS, FaultClass.OVERLOADED),
        (UNSUPPORTED_WORDS, FaultClass.UNSUPPORTED),
        (QUOTA_NUMBERS if status == 429 else frozenset(), FaultClass.QUOTA_EXHAUSTED),
    )
    for known, kind in by_words:
        if words & known:
            return kind
    # Google speaks of the quota and of billing when a minute's share is spent, too.
    if _QUOTA_TEXT.search(text) and "resource_exhausted" not in words:
        return FaultClass.QUOTA_EXHAUSTED
    if status < 500 and status != 429 and _CONTEXT_TEXT.search(text):
        return FaultClass.CONTEXT_TOO_LONG
    if status == 400 and _MODEL_TEXT.search(text):
        return FaultClass.MODEL_NOT_FOUND
    if status in (429, 500, 502, 503) and _OVERLOAD_TEXT.search(text):
        return FaultClass.OVERLOADED
    if RATE_WORDS & words:
        return FaultClass.RATE_LIMITED
    if status == 200:
        return _by_code(words)
    return None


def _by_code(words: frozenset[str]) -> FaultClass:
    """An error inside a 200 often carries the status it should have had."""
    for word in words:
        if _ERROR_STATUS.fullmatch(word):
            return _by_status(int(word))
    return FaultClass.SOFT_ERROR


_STATUS = {
    401: FaultClass.BAD_CREDENTIAL,
    402: FaultClass.QUOTA_EXHAUSTED,
    403: FaultClass.BAD_CREDENTIAL,
    404: FaultClass.MODEL_NOT_FOUND,
    408: FaultClass.SERVER_ERROR,
    412: FaultClass.QUOTA_EXHAUSTED,
    425: FaultClass.OVERLOADED,
    429: FaultClass.RATE_LIMITED,
    498: FaultClass.OVERLOADED,
    503: FaultClass.OVERLOADED,
    529: FaultClass.OVERLOADED,
}


def _by_status(status: int) -> FaultClass:
    known = _STATUS.get(status)
    if known is not None:
        return known
    return FaultClass.BAD_REQUEST if 400 <= status < 500 else FaultClass.SERVER_ERROR
