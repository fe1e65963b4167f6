"""Any failure of an upstream → one Fault.

Order of tests: machine codes in the body, sentences in the body, the status, headers. What codes and sentences mean is
the same whoever sends them; nobody is asked for by name.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence

from headgate.types.fault import Fault, FaultClass
from headgate.types.secret import Secret
from headgate.upstream.fault_bodies import ErrorBody, parse_error
from headgate.upstream.fault_sentences import (
    can_never_fit,
    class_of_text,
    named_parameter,
    names_who_is_refused,
    without_quotes,
)
from headgate.upstream.fault_waits import wait_s
from headgate.upstream.fault_words import TOO_LARGE, are_of_a_field, class_of_general_words, class_of_words

MAX_WORD = 100
MIN_SECRET = 8

# Anything that looks like a credential: providers like to quote the key they refuse.
_SECRET_TEXT = re.compile(
    r"\b(sk|gsk|xai|hf|nvapi|pplx|csk|fw|key|r8|tgp_v1)[-_][A-Za-z0-9*_\-]{6,}|\bAIza[A-Za-z0-9*_\-]{6,}|Bearer\s+\S+"
    r"|\bA[KS]IA[0-9A-Z]{16}\b|\beyJ[A-Za-z0-9_\-]{6,}\.[A-Za-z0-9_\-]{6,}(\.[A-Za-z0-9_\-]*)?"
)
_BASE64 = re.compile(r"[A-Za-z0-9+/_\-]{11,}={0,2}")
# A proxy speaks for the provider where it looks at credentials, counts requests or bills; what is too large for it is
# so at every try, and must not count against the provider.
_SAID_BY_PAGES = (401, 402, 413, 429)
_MAY_BE_OF_A_FIELD = (403, 404, 410)
_OURS_ONLY = (FaultClass.BAD_CREDENTIAL, FaultClass.QUOTA_EXHAUSTED)
_CLIENTS_OWN = (FaultClass.BAD_REQUEST, FaultClass.UNSUPPORTED)
# What must not follow from a sentence about somebody's request: others would have to do without.
_SHARED = frozenset(
    {
        FaultClass.QUOTA_EXHAUSTED,
        FaultClass.BAD_CREDENTIAL,
        FaultClass.MODEL_NOT_FOUND,
        FaultClass.RATE_LIMITED,
        FaultClass.OVERLOADED,
    }
)
_MODEL_FIELDS = ("model", "model_id", "body.model")


def classify(status: int, headers: Mapping[str, str], body: bytes, secrets: Sequence[Secret]) -> Fault:
    """The fault a reply is, whatever its bytes. Nothing of `secrets` survives in it; its message names no provider.

    A status of 200 stands for an error inside a success, in its body or as an event of its stream. Never raises.
    """
    error = parse_error(body, headers.get("content-type", ""))
    kind = _class_of(error, status, headers)
    message = redact(_explanation(error), secrets)[: error.limit].strip() or f"status {status} without an explanation"
    if kind is FaultClass.BAD_CREDENTIAL:
        message = f"it refused the gateway's credential; its operator has to look at it ({message})"
    elif kind is FaultClass.SERVER_ERROR and 300 <= status < 400:
        message = f"it answered with a redirect ({status}), which is never followed"
    param, code = _named(error, kind)
    return Fault(
        kind,
        message,
        status=status,
        retry_after_s=wait_s(status, headers, error, kind),
        param=redact(param, secrets)[:MAX_WORD] if param else None,
        code=redact(code, secrets)[:MAX_WORD] if code else None,
    )


def redact(text: str, secrets: Sequence[Secret]) -> str:
    """The text without these secrets and without anything that looks like a credential.

    A shorter one than `MIN_SECRET` characters stands for none (`x`, `none`): taking it out would only garble the text.
    """
    ours = [secret.reveal() for secret in secrets if len(secret.reveal()) >= MIN_SECRET]
    # The longest first: of one that is part of another the rest would be left.
    for secret in sorted(ours, key=len, reverse=True):
        text = text.replace(secret, "[redacted]")
    text = _BASE64.sub(lambda code: "[redacted]" if _encodes(code[0], ours) else code[0], text)
    return _SECRET_TEXT.sub("[redacted]", text)


def _encodes(code: str, secrets: Sequence[str]) -> bool:
    """Whether one of the secrets is in what this is the base64 of, in either alphabet."""
    digits = code.rstrip("=").replace("-", "+").replace("_", "/")
    if len(digits) % 4 == 1:
        digits = digits[:-1]
    plain = base64.b64decode(digits + "=" * (-len(digits) % 4))
    return any(secret.encode(errors="replace") in plain for secret in secrets)


def _class_of(error: ErrorBody, status: int, headers: Mapping[str, str]) -> FaultClass:
    # AWS writes its machine code into a header: `ThrottlingException:http://…`.
    named = headers.get("x-amzn-errortype", "").partition(":")[0].strip().lower()
    words = error.words | {named} if named else error.words
    inside = error.status or (error.nested.status if error.nested else None)
    beside = inside or status if 200 <= status < 300 else status
    never = _contradicted(error, words)
    kind = _by_body(error, words, beside, never)
    if kind is None:
        kind = _by_status(error, words, status, inside)
        if status in _MAY_BE_OF_A_FIELD and FaultClass.MODEL_NOT_FOUND in never and kind in _SHARED:
            return FaultClass.BAD_REQUEST
        if kind is FaultClass.BAD_CREDENTIAL and 403 in (status, inside) and not _names_who_is_refused(error, words):
            # A firewall's word on one request; of a credential it says nothing.
            return FaultClass.SERVER_ERROR
    if kind in _OURS_ONLY and error.foreign:
        # The credential that somebody further upstream refused, or whose credit is spent, is not ours.
        return FaultClass.SERVER_ERROR
    if kind is FaultClass.RATE_LIMITED and headers.get("x-ratelimit-limit-req-minute", "").strip() == "0":
        # Mistral's way to say that the credential has no share of this model at all.
        return FaultClass.QUOTA_EXHAUSTED
    if kind is FaultClass.RATE_LIMITED and can_never_fit(_explanation(error)):
        return FaultClass.CONTEXT_TOO_LONG
    return kind


def _contradicted(error: ErrorBody, words: frozenset[str]) -> frozenset[FaultClass]:
    """The classes that no sentence may mean, because the body is about a field of the request."""
    both = [error, error.nested] if error.nested else [error]
    fields = [one.param for one in both if one.param]
    if any(one.listed or are_of_a_field(one.words) for one in both) or are_of_a_field(words):
        return _SHARED
    if not fields:
        return frozenset()
    return _SHARED if any(field not in _MODEL_FIELDS for field in fields) else _SHARED - {FaultClass.MODEL_NOT_FOUND}


def _by_body(error: ErrorBody, words: frozenset[str], beside: int, never: frozenset[FaultClass]) -> FaultClass | None:
    """What codes and sentences say; the error that is quoted knows better than the one around it."""
    nested = error.nested
    kind = class_of_words(words)
    if kind is None and nested is not None:
        kind = class_of_words(nested.words) or class_of_text(nested.text, beside, never)
    return kind or class_of_text(error.text, beside, never)


def _names_who_is_refused(error: ErrorBody, words: frozenset[str]) -> bool:
    return names_who_is_refused(" ".join(words)) or any(
        names_who_is_refused(without_quotes(one.text)) for one in (error, error.nested or error)
    )


def _by_status(error: ErrorBody, words: frozenset[str], status: int, inside: int | None) -> FaultClass:
    """What the status says, or in its place the one that is written into the body."""
    if 200 <= status < 300:
        if inside is not None:
            return _of_status(inside)
        kind = class_of_general_words(words)
        return kind or (FaultClass.SOFT_ERROR if status == 200 else FaultClass.SERVER_ERROR)
    # A gateway in between hides a rate limit behind a status of its own.
    if inside == 429 and status >= 500:
        return FaultClass.RATE_LIMITED
    # A page instead of an answer comes from a proxy: neither the credential nor the model nor the request is at fault.
    if error.page and 400 <= status < 500 and status not in _SAID_BY_PAGES:
        return FaultClass.SERVER_ERROR
    return _of_status(status)


_STATUS = {
    401: FaultClass.BAD_CREDENTIAL,
    402: FaultClass.QUOTA_EXHAUSTED,
    403: FaultClass.BAD_CREDENTIAL,
    404: FaultClass.MODEL_NOT_FOUND,
    407: FaultClass.SERVER_ERROR,
    408: FaultClass.SERVER_ERROR,
    409: FaultClass.SERVER_ERROR,
    410: FaultClass.MODEL_NOT_FOUND,
    412: FaultClass.QUOTA_EXHAUSTED,
    424: FaultClass.SERVER_ERROR,
    425: FaultClass.OVERLOADED,
    429: FaultClass.RATE_LIMITED,
    498: FaultClass.OVERLOADED,
    499: FaultClass.SERVER_ERROR,
    503: FaultClass.OVERLOADED,
    529: FaultClass.OVERLOADED,
}


def _of_status(status: int) -> FaultClass:
    known = _STATUS.get(status)
    if known is not None:
        return known
    return FaultClass.BAD_REQUEST if 400 <= status < 500 else FaultClass.SERVER_ERROR


def _explanation(error: ErrorBody) -> str:
    """The message, or that of the error it quotes: `Provider returned error` explains nothing."""
    return (error.nested.message if error.nested else "") or error.message


def _named(error: ErrorBody, kind: FaultClass) -> tuple[str | None, str | None]:
    """Parameter and code, where they are the client's business."""
    if kind not in _CLIENTS_OWN:
        return None, None
    inner = error.nested or error
    param, code = inner.param or error.param, inner.code or error.code
    if param is None and kind is FaultClass.UNSUPPORTED:
        param = named_parameter(inner.message)
    if code is None and TOO_LARGE in error.words:
        code = TOO_LARGE
    return param, code
