"""The kinds of value a document holds, each refusing what it cannot be in words an operator can act on."""

from __future__ import annotations

import ipaddress
import math
import re
from decimal import Decimal
from typing import Annotated, Any, NoReturn
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from headgate.types.money import pusd_per_mtok
from headgate.types.secret import Secret
from headgate.upstream.origin import is_host

REFUSED = "refused"
"""The type of error raised here: its message is already in plain words."""

MIN_KEY_CHARACTERS = 20
_MAX_USD = 1_000_000
_MAX_SECONDS = 86_400
_MAX_RATE = 10**12
_MAX_PLACES = 10**9
_DECIMAL = re.compile(r"[0-9]+(\.[0-9]+)?")
_VISIBLE = re.compile(r"[\x21-\x7e]+")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e]*")
_AUTH_HEADER = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+)(?::[ \t]*([\x20-\x7e]*))?")
_PERCENTILE = re.compile(r"p[1-9][0-9]?")
_OURS = frozenset({"host", "content-length", "transfer-encoding", "connection", "upgrade", "te", "trailer", "expect"})
_OURS_TOO = frozenset({"authorization", "proxy-authorization", "content-type", "accept-encoding", "content-encoding"})


def refuse(message: str) -> NoReturn:
    """Raise an error whose message reaches the operator as it stands."""
    raise PydanticCustomError(REFUSED, "{words}", {"words": message})


def is_loopback(host: str) -> bool:
    """Whether a host name or address can only be this machine."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _not_bool(value: Any) -> Any:
    if isinstance(value, bool):
        refuse(f"must be a number, not {str(value).lower()}")
    return value


def _seconds(value: float) -> float:
    if not math.isfinite(value) or not 0 < value <= _MAX_SECONDS:
        refuse(f"must be more than 0 and at most {_MAX_SECONDS:,} seconds")
    return value


def _secret_text(value: Any) -> str:
    if isinstance(value, Secret):
        return value.reveal()
    if not isinstance(value, str):
        refuse("must be text; put it in quotes")
    text = value.strip()
    if not text:
        refuse("is empty")
    return text


def _credential(value: Any) -> Secret:
    text = _secret_text(value)
    if not _VISIBLE.fullmatch(text):
        refuse("holds a space, a line break or a character beyond ASCII, which no credential has")
    return Secret(text)


def _key_secret(value: Any) -> Secret:
    text = _secret_text(value)
    if len(text) < MIN_KEY_CHARACTERS:
        refuse(f"is shorter than {MIN_KEY_CHARACTERS} characters, so it could be guessed")
    if not _VISIBLE.fullmatch(text):
        refuse("holds a space, a line break or a character beyond ASCII, which clients cannot send")
    return Secret(text)


def _usd(value: Any) -> Decimal:
    if isinstance(value, float):
        refuse(f'must be exact: write it as text, in quotes: "{Decimal(repr(value)):f}"')
    if isinstance(value, Decimal):
        return value
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(text, str) or not _DECIMAL.fullmatch(text) or len(text) > 40:
        refuse('must be an amount in US dollars as text, such as "0.15"')
    amount = Decimal(text)
    if amount > _MAX_USD:
        refuse(f"is more than {_MAX_USD:,} US dollars")
    try:
        pusd_per_mtok(amount)
    except ValueError:
        refuse("is finer than a pico-dollar (twelve decimals)")
    return amount


def _split(value: str, what: str) -> SplitResult:
    """Split a URL. The value is never repeated in a message: it may hold a password."""
    if not _VISIBLE.fullmatch(value):
        refuse(f"{what} holds a space or a character beyond ASCII" if value else "is empty")
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        refuse(f"{what} has a host or a port that cannot be read")
    if port == 0:
        refuse(f"{what} names port 0")
    return parts


def base_url(value: str) -> str:
    """Check where a provider is called; a `/` at the end is dropped."""
    parts = _split(value, "this URL")
    if parts.scheme not in ("http", "https"):
        refuse("must begin with https:// or http://")
    if not parts.hostname:
        refuse("names no host")
    if not is_host(parts.hostname):
        refuse("names a host that cannot be: each part between its dots has 1 to 63 characters")
    if parts.username is not None or parts.password is not None:
        refuse("must not hold a user or a password; credentials go under api_key")
    if "?" in value or "#" in value:
        refuse("must not hold a '?' or a '#'; parameters go to the provider with each request")
    return value.rstrip("/")


def _proxy(value: Any) -> Secret:
    text = _secret_text(value)
    parts = _split(text, "this proxy URL")
    if parts.scheme != "http":
        refuse("must be http://[user:password@]host:port; other kinds of proxy are not supported")
    if not parts.hostname or parts.port is None:
        refuse("must name a host and a port: http://[user:password@]host:port")
    if parts.path not in ("", "/") or "?" in text or "#" in text:
        refuse("must end after the port: http://[user:password@]host:port")
    return Secret(text.rstrip("/"))


def _header_value(value: Any) -> Secret:
    if isinstance(value, Secret):
        return value
    if not isinstance(value, str):
        refuse("must be text; put it in quotes")
    if not _HEADER_VALUE.fullmatch(value):
        refuse("holds a line break or a character beyond ASCII")
    return Secret(value.strip())


def header_name_problem(name: str) -> str | None:
    """Why the operator may not set this header, or None."""
    if not _HEADER_NAME.fullmatch(name):
        return "is not a header name"
    if name.lower() in _OURS | _OURS_TOO or name.lower().startswith("proxy-"):
        instead = "; a credential goes under api_key, and auth_header says where it is sent"
        return "is set by the gateway itself" + (instead if name.lower() == "authorization" else "")
    return None


def _auth_header(value: str) -> str:
    match = _AUTH_HEADER.fullmatch(value)
    template = match.group(2) if match else None
    if match is None or match.group(1).lower() in _OURS or (template is not None and template.count("{}") != 1):
        refuse('must be a header name, or "name: text with {} where the credential goes"')
    return value


def split_auth_header(value: str) -> tuple[str, str]:
    """`x-api-key` → its name and `{}`; `authorization: Bearer {}` → its name and `Bearer {}`."""
    name, _, template = value.partition(":")
    return name.lower(), template.strip() or "{}"


def _hedge_after(value: Any) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f"{_seconds(float(value)):g}"
    if isinstance(value, str):
        if _PERCENTILE.fullmatch(value):
            return value
        if _DECIMAL.fullmatch(value):
            return f"{_seconds(float(value)):g}"
    refuse("must be a percentile such as p95, or seconds")


def _percent(value: Any) -> float:
    text = value if isinstance(value, str) else ""
    number = text.removesuffix("%")
    if number == text or not _DECIMAL.fullmatch(number) or float(number) > 100:
        refuse("must be a share of requests such as 5%, at most 100%")
    return float(number) / 100


def _one_star(value: str) -> str:
    if value.count("*") > 1:
        refuse("holds more than one *")
    if not value or value != value.strip() or not value.isprintable():
        refuse("is empty, or holds a line break or spaces around it")
    return value


_TEXT = WithJsonSchema({"type": "string"})
Text = Annotated[str, Field(min_length=1)]
Name = Annotated[str, AfterValidator(_one_star)]
"""A model's id, a slug or a target; at most one `*`."""
# Bounds stand before the validator: behind it, on a value that may be absent, they reach no JSON Schema.
Whole = Annotated[int, BeforeValidator(_not_bool)]
Count = Annotated[int, Field(ge=1), BeforeValidator(_not_bool)]
_MAX_SHARE = 1_000_000


def _share(value: float) -> float:
    if not 0 < value <= _MAX_SHARE:
        refuse(f"must be more than 0, and at most {_MAX_SHARE}")
    return value


Rate = Annotated[int, Field(ge=1, le=_MAX_RATE), BeforeValidator(_not_bool)]
Places = Annotated[int, Field(ge=1, le=_MAX_PLACES), BeforeValidator(_not_bool)]
Retries = Annotated[int, Field(ge=0, le=10), BeforeValidator(_not_bool)]
Failures = Annotated[int, Field(ge=1, le=10_000), BeforeValidator(_not_bool)]
Number = Annotated[float, BeforeValidator(_not_bool), Field(allow_inf_nan=False)]
Seconds = Annotated[
    float,
    BeforeValidator(_not_bool),
    AfterValidator(_seconds),
    WithJsonSchema({"type": "number", "exclusiveMinimum": 0, "maximum": _MAX_SECONDS}),
]
Share = Annotated[
    float,
    BeforeValidator(_not_bool),
    Field(allow_inf_nan=False),
    AfterValidator(_share),
    WithJsonSchema({"type": "number", "exclusiveMinimum": 0, "maximum": _MAX_SHARE}),
]
Pause = Annotated[float, Field(ge=0, le=600, allow_inf_nan=False), BeforeValidator(_not_bool)]
CredentialText = Annotated[Secret, PlainValidator(_credential), _TEXT]
# The schema sees the text before its variables are filled in: `${K}` may stand for a key that is long enough.
KeyText = Annotated[Secret, PlainValidator(_key_secret), WithJsonSchema({"type": "string", "minLength": len("${K}")})]
Usd = Annotated[Decimal, PlainValidator(_usd), WithJsonSchema({"type": ["string", "integer"]})]
BaseUrl = Annotated[str, AfterValidator(base_url)]
ProxyUrl = Annotated[Secret, PlainValidator(_proxy), _TEXT]
HeaderText = Annotated[Secret, PlainValidator(_header_value), _TEXT]
AuthHeader = Annotated[str, AfterValidator(_auth_header)]
Percent = Annotated[float, PlainValidator(_percent), _TEXT]
"""A share written with a per cent sign, as a number from 0 to 1."""
HedgeAfter = Annotated[str, PlainValidator(_hedge_after), WithJsonSchema({"type": ["string", "number"]})]


def _store(value: Any) -> Secret:
    text = _secret_text(value)
    scheme, colon, rest = text.partition("://")
    if not colon or scheme not in ("sqlite", "postgresql") or not rest.strip("/"):
        refuse("must be sqlite:///FILE or postgresql://user@host/database")
    return Secret(text)


def _shared(value: Any) -> Secret:
    text = _secret_text(value)
    if text != "memory" and (not text.startswith(("redis://", "rediss://")) or not urlsplit(text).hostname):
        refuse("must be memory, or redis://host:6379/0")
    return Secret(text)


StoreUrl = Annotated[Secret, PlainValidator(_store), _TEXT]
SharedUrl = Annotated[Secret, PlainValidator(_shared), _TEXT]


def _host(value: str) -> str:
    try:
        return str(ipaddress.ip_address(value.strip("[]")))
    except ValueError:
        pass
    if not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?", value) or re.fullmatch(r"[0-9.]+", value):
        refuse("must be an address such as 127.0.0.1, or a host name")
    return value


HostName = Annotated[str, AfterValidator(_host)]
