"""The kinds of value the admin API takes, each refusing what it cannot be in words a caller can act on."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    StringConstraints,
    WithJsonSchema,
)

from headgate.config.fields import refuse
from headgate.config.tenancy import network
from headgate.types.money import PUSD_PER_USD
from headgate.wire import json

MOST = 10**9
"""The most requests at once."""
MOST_PER_MINUTE = 10**12
"""The most requests or tokens a minute, as in the document."""
METADATA_BYTES = 4096
_LAST_YEAR = 9000
_DATE_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)")
_USD = re.compile(r"[0-9]{1,6}(\.[0-9]{1,12})?|1000000")


class Fields(BaseModel):
    """A body, or a part of one: types are taken exactly, and an unknown field is an error."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class View(BaseModel):
    """A reply, or a part of one."""

    model_config = ConfigDict(frozen=True)


def _whole(value: Any) -> Any:
    # To JSON 5.0 is the same number as 5.
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _line(value: str) -> str:
    if not value.isprintable() or value != value.strip():
        refuse("holds a line break, a character that cannot be printed, or spaces around it")
    return value


def _id(value: str) -> str:
    # No id holds such a character, and some databases cannot even compare one. What no id can be names nothing.
    return value if value.isprintable() else "-"


def _glob(value: str) -> str:
    if any(character.isspace() for character in value):
        refuse("holds a space; write each pattern as an item of its own")
    return _line(value)


def _address(value: str) -> str:
    return str(network(value))


def _instant(value: Any) -> int:
    if not isinstance(value, str) or not _DATE_TIME.fullmatch(value):
        refuse("must be a time such as 2030-01-31T00:00:00Z")
    try:
        # A leap second and fractions finer than a microsecond are more than fromisoformat knows.
        moment = datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", value.upper()))
        seconds = int(moment.timestamp())
    except (ValueError, OverflowError):
        refuse("is a time that does not exist")
    if moment.astimezone(UTC).year > _LAST_YEAR:
        refuse(f"is after the year {_LAST_YEAR}")
    return seconds


def _future(value: Any) -> int:
    seconds = _instant(value)
    if seconds <= datetime.now(UTC).timestamp():
        refuse("is in the past")
    return seconds


def _metadata(value: dict[str, str]) -> dict[str, str]:
    if len(json.encode(value)) > METADATA_BYTES:
        refuse(f"is larger than {METADATA_BYTES} bytes of JSON")
    return value


def _usd(value: str) -> str:
    if not _USD.fullmatch(value):
        refuse('must be US dollars such as "25" or "0.05": at most 1000000, with at most 12 decimals')
    return value


def pusd(usd: str) -> int:
    """Dollars as text, at most twelve decimals, to pico-dollars."""
    return int(Decimal(usd) * PUSD_PER_USD)


def instant_text(seconds: int | None) -> str | None:
    """Unix seconds as RFC 3339; None for None."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def instant_text_us(microseconds: int) -> str:
    """Unix microseconds as RFC 3339 with all six decimals."""
    moment = datetime.fromtimestamp(microseconds // 10**6, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{microseconds % 10**6:06d}Z"


Line = Annotated[str, Field(min_length=1, max_length=100), AfterValidator(_line)]
"""One printable line of 1 to 100 characters."""
LongLine = Annotated[str, Field(min_length=1, max_length=256), AfterValidator(_line)]
Slug = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
"""A name that also stands in paths: up to 64 letters, digits, '.', '_' and '-'."""
Id = Annotated[str, Field(max_length=300), AfterValidator(_id)]
"""The id of anything, as it came in a path."""
Glob = Annotated[str, Field(min_length=1, max_length=256), AfterValidator(_glob)]
"""A model name in which each `*` stands for any text; no other character is special."""
Address = Annotated[str, Field(min_length=1, max_length=50), AfterValidator(_address)]
Whole = Annotated[int, BeforeValidator(_whole)]
Limit = Annotated[int, Field(ge=1, le=MOST), BeforeValidator(_whole)]
Rate = Annotated[int, Field(ge=1, le=MOST_PER_MINUTE), BeforeValidator(_whole)]
Usd = Annotated[str, AfterValidator(_usd), WithJsonSchema({"type": "string", "pattern": f"^({_USD.pattern})$"})]
"""US dollars as decimal text, at most a million, at most twelve decimals."""
_DATE_TIME_SCHEMA = WithJsonSchema({"type": "string", "format": "date-time"})
Instant = Annotated[int, PlainValidator(_instant), _DATE_TIME_SCHEMA]
"""RFC 3339 text; becomes Unix seconds."""
FutureInstant = Annotated[int, PlainValidator(_future), _DATE_TIME_SCHEMA]
Metadata = Annotated[dict[str, str], Field(max_length=64), AfterValidator(_metadata)]
