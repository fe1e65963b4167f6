"""The only place that imports a JSON library.

Bodies are decoded once: either into a struct that names the few fields somebody acts on, or into `Body`, the
top-level fields with each value kept as the bytes that came.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")

Raw = msgspec.Raw
DecodeError = msgspec.DecodeError
ValidationError = msgspec.ValidationError

_body_decoder = msgspec.json.Decoder(dict[str, msgspec.Raw])
_items_decoder = msgspec.json.Decoder(list[msgspec.Raw])
_any_decoder = msgspec.json.Decoder()
_encoder = msgspec.json.Encoder()

encode = _encoder.encode


def parse(data: bytes | msgspec.Raw) -> Any:
    """Decode anything into plain Python values. Raises DecodeError (also for nesting that is too deep)."""
    try:
        return _any_decoder.decode(data)
    except RecursionError:
        raise DecodeError("JSON is nested too deeply") from None


def parse_body(data: bytes | msgspec.Raw) -> dict[str, msgspec.Raw]:
    """Decode an object one level deep; values stay raw. Of a repeated key the last counts, as everywhere in Python.

    Raises DecodeError for malformed JSON, ValidationError when it is not an object.
    """
    try:
        return _body_decoder.decode(data)
    except RecursionError:
        raise DecodeError("JSON is nested too deeply") from None


def parse_items(data: bytes | msgspec.Raw) -> list[msgspec.Raw]:
    """Decode an array one level deep; items stay raw.

    Raises DecodeError for malformed JSON, ValidationError when it is not an array.
    """
    try:
        return _items_decoder.decode(data)
    except RecursionError:
        raise DecodeError("JSON is nested too deeply") from None


def decoder_of(kind: type[T]) -> Callable[[bytes], T]:
    """A decoder of JSON into one struct type, for callers that decode many alike (lines of a file).

    What it returns raises DecodeError for malformed JSON, ValidationError when the value is not of that type.
    """
    return msgspec.json.Decoder(kind).decode


def raw(value: Any) -> msgspec.Raw:
    """A plain value as raw JSON, to be put into a `Body`."""
    return msgspec.Raw(_encoder.encode(value))


Decoder = msgspec.json.Decoder


def decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    """A reusable decoder for one type; unknown fields of structs are skipped, not decoded."""
    return msgspec.json.Decoder(kind)


def raw_number(text: str) -> msgspec.Raw:
    """A decimal as a JSON number with every digit it has, where a float would round."""
    return msgspec.Raw(text.encode())
