"""Numbers and strings that keep to a JSON schema's bounds."""

from __future__ import annotations

import math
from typing import Any

from headgate.providers.sandbox.pattern_text import pattern_text

_MAX_CHARS = 10_000
_LARGEST = 2.0**53
_BY_FORMAT = {
    "date": "2025-01-31",
    "date-time": "2025-01-31T12:00:00Z",
    "time": "12:00:00Z",
    "duration": "PT1H",
    "email": "ada@example.com",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uri": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}
_BY_NAME = {
    "city": "Lisbon",
    "location": "Lisbon",
    "country": "Portugal",
    "name": "Ada",
    "language": "en",
    "currency": "EUR",
    "query": "sandbox",
    "email": "ada@example.com",
    "url": "https://example.com/",
    "date": "2025-01-31",
}


def number_for(schema: dict[str, Any], *, integer: bool, index: int) -> int | float:
    """A number within the bounds, 1 where nothing speaks against it; `index` makes neighbours differ."""
    low, above = _bound(schema, "minimum", "exclusiveMinimum", -math.inf, max)
    high, below = _bound(schema, "maximum", "exclusiveMaximum", math.inf, min)
    step = _finite(schema.get("multipleOf"))
    if step is None or step <= 0:
        step = 1.0 if integer else None
    if step is not None:
        return _multiple(step, low, above, high, below, index)
    wished = 1.0 + index
    if low < wished < high or (low == wished and not above) or (high == wished and not below):
        return wished
    if math.isinf(low):
        return high - (1 + index if below else index)
    if math.isinf(high):
        return low + (1 + index if above else index)
    return low + (high - low) / (2 + index) if above or below or index else low


def _multiple(step: float, low: float, above: bool, high: float, below: bool, index: int) -> int | float:
    """The multiple of `step` nearest to the first one above zero that the bounds allow, then its neighbours."""
    bottom = top = None
    if not math.isinf(low):
        bottom = math.ceil(low / step)
        bottom += above and bottom * step <= low
    if not math.isinf(high):
        top = math.floor(high / step)
        top -= below and top * step >= high
    factor = 1 + index
    if bottom is not None and top is not None and bottom <= top:
        factor = bottom + (min(max(1, bottom), top) - bottom + index) % (top - bottom + 1)
    elif bottom is not None:
        factor = max(1, bottom) + index
    elif top is not None and factor > top:
        factor = top - index
    return factor * (int(step) if step.is_integer() else step)


def _bound(schema: dict[str, Any], name: str, exclusive: str, default: float, tighter: Any) -> tuple[float, bool]:
    """The limit on one side and whether it is excluded; older drafts write the exclusion as a boolean."""
    plain = _finite(schema.get(name))
    strict = _finite(schema.get(exclusive))
    if plain is None and strict is None:
        return default, False
    if plain is None or strict is None:
        limit = plain if strict is None else strict
        return (default if limit is None else limit), strict is not None or schema.get(exclusive) is True
    limit = tighter(plain, strict)
    return limit, limit == strict


def _finite(value: Any) -> float | None:
    """A number small enough to count with."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not -_LARGEST <= value <= _LARGEST:
        return None
    return float(value)


def string_for(schema: dict[str, Any], name: str, index: int) -> str:
    """A string of the format, pattern and length asked for, else a word that suits the property's name."""
    least = _length(schema.get("minLength"), 0)
    most = _length(schema.get("maxLength"), _MAX_CHARS)
    pattern = schema.get("pattern")
    if isinstance(pattern, str):
        text = pattern_text(pattern, least, most)
        if text is not None:
            return text
    known = schema.get("format")
    if isinstance(known, str) and known in _BY_FORMAT:
        return _BY_FORMAT[known]
    text = _BY_NAME.get(name.lower()) or (f"example {name.replace('_', ' ')}"[:60].strip())
    if index:
        text = f"{text} {index + 1}"
    if len(text) < least:
        text += "." * (least - len(text))
    return text if len(text) <= most else text[len(text) - most :]


def _length(value: Any, default: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        return default
    return max(0, min(value, _MAX_CHARS))
