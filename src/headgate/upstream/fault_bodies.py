"""Error bodies of every known shape, brought to one.

OpenAI's object, a bare string, a flat object, FastAPI's `detail`, Anthropic's and Google's envelopes, an array around
any of them, Cloudflare's list, RFC 9457's problem document, AWS's `message` beside a `__type`, and an error that quotes
another one. Sources: each provider's error reference, and RFC 9457.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from headgate.wire import json

MAX_MESSAGE = 2000
MAX_TEXT = 300
MAX_ITEMS = 20
"""No honest error has more details than this; a dishonest one is not walked through."""

_MAX_CODE = 10**9
_MAX_DEPTH = 3
_MARKUP = re.compile(r"<[a-zA-Z/!?]")
_TEXTS = ("", "text/plain", "text/event-stream")
_PAGES = ("text/html", "application/xhtml+xml")
# The lines of ingress-nginx, Envoy and Cloudflare for a request that they refuse, or have nobody to pass on to.
_LINE_OF_PROXY = re.compile(
    r"default backend - 404|no healthy upstream|upstream connect error|rbac: access denied|error code: 1\d{3}$",
    re.IGNORECASE,
)
_STATUS = re.compile(r"[45][0-9]{2}")
_CODES = ("code", "type", "status", "status_code", "reason", "error_type")


class ErrorBody(msgspec.Struct, frozen=True):
    """What an error body says, whatever its shape.

    `words` is every machine code in it, lower case; of Cloudflare's list they begin with `errors:`, because its numbers
    mean other things than the same numbers elsewhere. `status` is an HTTP status written into the body. `text` is the
    message without the names of the client's own fields. `delay` is a duration the provider asks to be left alone for,
    `headers` what it would have answered with, names in lower case. `nested` is another error that this one quotes;
    `foreign` says that it came from further upstream, where our credential is unknown. `page` says that it is what
    proxies send and no API does: a document in markup, or one of their well-known lines. `listed` says that it is a
    list of what is wrong in the request, each with its place. `limit` is how many characters of the message are worth
    passing on.
    """

    message: str = ""
    words: frozenset[str] = frozenset()
    status: int | None = None
    param: str | None = None
    code: str | None = None
    text: str = ""
    delay: str = ""
    headers: dict[str, str] = {}
    nested: ErrorBody | None = None
    foreign: bool = False
    page: bool = False
    listed: bool = False
    limit: int = MAX_MESSAGE


def parse_error(body: bytes, content_type: str = "") -> ErrorBody:
    """Read an error body of any known shape, plain text included; an unreadable one says nothing."""
    try:
        value = json.parse(body)
    except json.DecodeError:
        return _plain(body, content_type)
    return _from_value(value, 0)


def _from_value(value: object, depth: int) -> ErrorBody:
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, str):
        return ErrorBody(message=value, text=value)
    if not isinstance(value, dict):
        return ErrorBody()
    listed = value.get("errors")
    inner = value.get("error") or _first(listed) or value.get("detail") or value
    if isinstance(inner, dict) and isinstance(inner.get("error"), str | dict):
        inner = inner["error"]
    if isinstance(inner, str):
        message = inner if inner != value.get("error") else _text(value.get("message")) or inner
        # A code beside a string is prose.
        return msgspec.structs.replace(_around(value, message, depth), param=None, code=None)
    if isinstance(inner, list):
        return _from_detail(inner, value)
    if not isinstance(inner, dict):
        return ErrorBody()
    # FastAPI's detail, put where the message belongs.
    if isinstance(inner.get("message"), dict) and depth < _MAX_DEPTH:
        return _from_value(inner["message"], depth + 1)
    message = next((text for name in ("message", "msg", "Message", "title") if (text := _text(inner.get(name)))), "")
    found = _around(inner, message, depth)
    if inner is _first(listed):
        found = msgspec.structs.replace(found, words=frozenset("errors:" + word for word in found.words))
    return found


def _around(error: dict[str, Any], message: str, depth: int) -> ErrorBody:
    """The error an object is, its message already found."""
    metadata = _dict(error.get("metadata"))
    quoted = _quoted(metadata.get("raw"), depth)
    return ErrorBody(
        message=message,
        words=_words(error),
        status=next((status for name in _CODES if (status := _status(error.get(name)))), None),
        param=_text(error.get("param")) or None,
        code=_text(error.get("code")) or None,
        text=message,
        delay=_delay(error),
        headers={name.lower(): str(text) for name, text in _dict(metadata.get("headers")).items()},
        nested=quoted or (_quoted(message, depth) if message.lstrip().startswith(("{", "[{")) else None),
        foreign=quoted is not None and metadata.get("is_byok") is not True,
    )


def _quoted(raw: object, depth: int) -> ErrorBody | None:
    """An error that another one quotes, as JSON, as JSON in a string, or as text."""
    if depth >= _MAX_DEPTH or not raw:
        return None
    if isinstance(raw, dict | list):
        return _from_value(raw, depth + 1)
    if not isinstance(raw, str):
        return None
    try:
        return _from_value(json.parse(raw.encode()), depth + 1)
    except (json.DecodeError, UnicodeEncodeError):
        return _plain(raw.encode(errors="replace"), "")


def _from_detail(detail: list[Any], value: dict[str, Any]) -> ErrorBody:
    """FastAPI's list of `{loc, msg, type}`, or a list of sentences."""
    said: list[str] = []
    texts: list[str] = []
    words = set(_words(value))
    param: str | None = None
    listed = False
    for item in detail[:MAX_ITEMS]:
        if isinstance(item, str):
            said.append(item)
            texts.append(item)
        if isinstance(item, dict):
            parts = [part for part in _list(item.get("loc")) if isinstance(part, str | int) and part != "body"]
            loc, text = ".".join(map(str, parts[:MAX_ITEMS])), _text(item.get("msg"))
            param = param or loc or None
            listed = listed or "loc" in item
            words |= _words(item)
            said.append(f"{loc}: {text}" if loc else text)
            texts.append(text)
    message, text = "; ".join(said), "; ".join(texts)
    return ErrorBody(message=message, words=frozenset(words), param=param, text=text, listed=listed)


def _plain(body: bytes, content_type: str) -> ErrorBody:
    """The body as one printable line, when it is declared as plain text or as nothing; markup is never passed on."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind in _PAGES:
        return ErrorBody(page=True)
    try:
        line = " ".join(body.decode("utf-8-sig").split())
    except UnicodeDecodeError:
        return ErrorBody()
    if (markup := _MARKUP.search(line)) is not None:
        # An explanation may quote a tag; a page begins with one.
        return ErrorBody(page=markup.start() == 0)
    # JSON that broke off is no text either, nor is a stream; the data of an event may be.
    if kind not in _TEXTS or line.startswith(("{", "[", '"', "data:", "event:")) or not line.isprintable():
        return ErrorBody()
    return ErrorBody(message=line, text=line, limit=MAX_TEXT, page=_LINE_OF_PROXY.match(line) is not None)


def _words(error: dict[str, Any]) -> frozenset[str]:
    """Every machine-readable word of an error object, one level of nesting included."""
    found: set[str] = set()
    for name in _CODES:
        value = error.get(name)
        # A number of thousands of digits is no code, and Python refuses to write it out.
        if isinstance(value, str) or (isinstance(value, int) and 0 <= value <= _MAX_CODE):
            found.add(str(value).lower())
    found.add(_text(error.get("__type")).rpartition("#")[2].lower())
    for nested in (error.get("innererror"), *_list(error.get("details"))[:MAX_ITEMS]):
        if isinstance(nested, dict):
            found |= {nested[key].lower() for key in ("code", "reason") if isinstance(nested.get(key), str)}
            if any(map(_is_of_a_day, _list(nested.get("violations"))[:MAX_ITEMS])):
                found.add("insufficient_quota")
    if _dict(error.get("metadata")).get("reasons"):
        found.add("content_filter")
    found.discard("")
    return frozenset(found)


def _is_of_a_day(violation: object) -> bool:
    """Whether one of Google's `QuotaFailure.violations` is about the share of a day, which no minute brings back."""
    return "perday" in _text(_dict(violation).get("quotaId")).lower()


def _delay(error: dict[str, Any]) -> str:
    """Google's `RetryInfo`: a duration such as 14s among the details."""
    waits = [detail.get("retryDelay") for detail in _list(error.get("details"))[:MAX_ITEMS] if isinstance(detail, dict)]
    return next((wait for wait in waits if isinstance(wait, str)), "")


def _status(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    if isinstance(value, int):
        return value if 400 <= value < 600 else None
    return int(value) if _STATUS.fullmatch(value) else None


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _first(errors: object) -> object:
    return errors[0] if isinstance(errors, list) and errors else None


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
