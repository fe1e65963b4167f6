"""The only place that imports a JSON library.

Bodies are decoded once: either into a struct that names the few fields somebody acts on, or into a dict of the
top-level fields with each value kept as the bytes that came.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any, Generic, TypeVar

import msgspec

Raw = msgspec.Raw
DecodeError = msgspec.DecodeError
ValidationError = msgspec.ValidationError

UNREADABLE = (DecodeError, RecursionError, UnicodeDecodeError)
"""What `Decoder.unguarded` raises."""

T = TypeVar("T")

encode = msgspec.json.Encoder().encode


def pretty(value: Any) -> bytes:
    """A value as JSON for people: one field a line, indented."""
    return msgspec.json.format(encode(value), indent=2)


_HALF_CHARACTER = re.compile(rb"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")


class Decoder(Generic[T]):
    """Decodes one type again and again; fields a struct does not name are skipped, not decoded.

    `float_hook` makes of the text of a number with a point or an exponent what is wanted instead of a float.
    `unguarded` is `decode` without a step in between, for the few places where that counts; it raises UNREADABLE.
    """

    __slots__ = ("unguarded",)

    def __init__(self, kind: Any, float_hook: Callable[[str], Any] | None = None) -> None:
        self.unguarded: Callable[[bytes | msgspec.Raw], T] = msgspec.json.Decoder(kind, float_hook=float_hook).decode

    def decode(self, data: bytes | msgspec.Raw) -> T:
        """Raises DecodeError for malformed JSON, its subclass ValidationError when the value is of another type."""
        try:
            value = self.unguarded(data)
        except RecursionError:
            raise DecodeError("JSON is nested too deeply") from None
        except UnicodeDecodeError:
            raise DecodeError("JSON is not valid UTF-8") from None
        return value


parse = Decoder[Any](Any).decode
"""Decode anything into plain Python values. Raises DecodeError."""


def decode_leniently(decoder: Decoder[T], data: bytes) -> T:
    """Decode JSON that may hold half a character, as an escape that means nothing alone (RFC 8259, 8.2).

    Clients read it; what is decoded has U+FFFD in its place. Raises DecodeError.
    """
    try:
        return decoder.decode(data)
    except DecodeError:
        patched = _HALF_CHARACTER.sub(rb"\\ufffd", data)
        if patched == data:
            raise
        return decoder.decode(patched)


def _exact(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise DecodeError("JSON holds a number beyond any measure") from None


parse_exact = Decoder[Any](Any, _exact).decode
"""Decode anything into plain Python values, numbers as they are written: integers, and decimals instead of floats.

Raises DecodeError, also for a number that is too large for either.
"""

parse_body = Decoder[dict[str, msgspec.Raw]](dict[str, msgspec.Raw]).decode
"""Decode an object one level deep; values stay raw. Of a repeated key the last counts, as everywhere in Python.

Raises DecodeError for malformed JSON, ValidationError when it is not an object.
"""

parse_items = Decoder[list[msgspec.Raw]](list[msgspec.Raw]).decode
"""Decode an array one level deep; items stay raw. Raises DecodeError, ValidationError."""


def repeated_name(data: bytes) -> str | None:
    """A name that an object somewhere in a text that is JSON has twice; None when there is none. Raises DecodeError."""
    import json

    found: list[str] = []

    def look(pairs: list[tuple[str, Any]]) -> None:
        names = [name for name, _ in pairs]
        if len(set(names)) < len(names):
            found.append(next(name for place, name in enumerate(names) if name in names[:place]))

    try:
        json.loads(data, object_pairs_hook=look)
    except (ValueError, RecursionError):
        raise DecodeError("JSON is nested too deeply, or is none") from None
    return found[0] if found else None


def raw(value: Any) -> msgspec.Raw:
    """A plain value as raw JSON, to be put among raw fields."""
    return msgspec.Raw(encode(value))


def raw_number(text: str) -> msgspec.Raw:
    """A decimal as a JSON number with every digit it has, where a float would round."""
    return msgspec.Raw(text.encode())
