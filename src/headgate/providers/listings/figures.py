"""Figures of a list → exact decimals. No float is involved: what a provider wrote is what is reckoned with.

A list may hold numbers that went through floats at the provider (1.7999999999999998e-07). As JSON numbers they are
rounded to twelve significant digits, more than any price has. Written as text they are refused: a provider that writes
prices as text means every digit, and one that prints a float there means something else than we think.
"""

from __future__ import annotations

import re
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Any

DIGITS = 12
"""So many significant digits are kept of a JSON number, and allowed in a text."""

PER_MTOK = Decimal(1)
"""US dollars for a million tokens."""

PER_TOKEN = Decimal(1_000_000)
"""US dollars for a token."""

CENTS_PER_TOKEN = Decimal(10_000)
"""US cents for a token."""

CENTS_PER_100M = Decimal("0.0001")
"""US cents for a hundred million tokens."""

TEN_THOUSANDTHS_PER_MTOK = Decimal("0.0001")
"""Ten-thousandths of a US dollar for a million tokens."""

PER_REQUEST = Decimal(1000)
"""US dollars for a request; the catalogue counts in thousands of them."""

NOT_A_NUMBER = "not a number"
FLOAT_TEXT = "float written as text"
NOT_FINITE = "not finite"
"""What NoFigure says of them."""

_MOST = 30
"""Figures from 10^30 on, and those below 10^-30, are no figures; what is merely absurd is for others to judge."""

_EXACT = Context(prec=100)
_ROUNDED = Context(prec=DIGITS, rounding=ROUND_HALF_EVEN)
_PLAIN = re.compile(r"-?[0-9]{1,40}(?:\.[0-9]{1,40})?")
_FLOAT = re.compile(r"[+-]?[0-9]*\.?[0-9]+[eE][+-]?[0-9]+")
_NOT_FINITE = re.compile(r"[+-]?(?:nan|inf|infinity)", re.IGNORECASE)


class NoFigure(ValueError):
    """What stands where a figure should be is none; the message says why."""


def figure(value: Any) -> Decimal:
    """A number of decoded JSON, or one written as text. Raises NoFigure."""
    if isinstance(value, str):
        return _written(value)
    if isinstance(value, bool) or not isinstance(value, (int, Decimal)):
        raise NoFigure(NOT_A_NUMBER)
    exact = Decimal(value)
    if exact and abs(exact.adjusted()) >= _MOST:
        raise NoFigure("beyond any measure")
    return plain(_ROUNDED.plus(exact))


def _written(text: str) -> Decimal:
    if _PLAIN.fullmatch(text) is None:
        if _NOT_FINITE.fullmatch(text):
            raise NoFigure(NOT_FINITE)
        raise NoFigure(FLOAT_TEXT if _FLOAT.fullmatch(text) else NOT_A_NUMBER)
    exact = plain(Decimal(text))
    if len(exact.as_tuple().digits) > DIGITS and _EXACT.normalize(exact) != _ROUNDED.plus(exact):
        raise NoFigure(FLOAT_TEXT)
    return exact


def times(value: Decimal, by: Decimal) -> Decimal:
    """The exact product."""
    return plain(_EXACT.multiply(value, by))


def rounded(value: Decimal, digits: int) -> Decimal:
    """The value with so many significant digits."""
    return plain(Context(prec=digits, rounding=ROUND_HALF_EVEN).plus(value))


def plain(value: Decimal) -> Decimal:
    """The same value without trailing zeros behind the point, with every digit before it, and zero without a sign."""
    if not value:
        return Decimal(0)
    value = value.normalize(_EXACT)
    return value.quantize(Decimal(1), context=_EXACT) if value.adjusted() + 1 > len(value.as_tuple().digits) else value
