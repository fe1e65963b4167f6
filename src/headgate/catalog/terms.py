"""Which price applies to a request: the base price, and what its date, hour, length and service tier lay over it."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from headgate.types.deployment import DOCUMENT
from headgate.types.money import Price, Terms, Window

_MINUTE_S = 60
_DAY_S = 86_400
_THURSDAY = 3
"""1970-01-01 was one, counted from Monday as 0."""

_values = msgspec.structs.astuple

T = TypeVar("T")


def standing(price: Price, terms: Terms, prompt_tokens: int, at: float) -> Price:
    """The price at the usual service tier, for a prompt of this length at this time, in Unix seconds."""
    if terms.changes:
        for change in terms.changes:
            if change.from_s <= at:
                price = _over(price, change.price)
    if terms.windows:
        for window in terms.windows:
            if _is_open(window, at):
                price = _over(price, window.price)
                break
    reached = None
    for tier in terms.tiers:
        if prompt_tokens <= tier.above_tokens:
            break
        reached = tier.price
    return price if reached is None else _over(price, reached)


def at_service_tier(price: Price, terms: Terms | None, tier: str, source: str) -> tuple[Price | None, str]:
    """The price at a service tier, and where it comes from; None for a tier of which nobody told the price.

    What is free is so at every tier.
    """
    if is_free(price):
        return price, source
    if terms is None:
        return None, source
    declared = named(terms.service_tiers, tier)
    if declared is not None:
        return _over(price, declared), DOCUMENT
    percent = named(terms.tier_percent, tier)
    return (None if percent is None else _scaled(price, percent)), source


def is_free(price: Price) -> bool:
    """Whether neither side costs anything."""
    return price.input_pusd_per_mtok == 0 and price.output_pusd_per_mtok == 0


def named(pairs: tuple[tuple[str, T], ...], name: str) -> T | None:
    """The value of a name, None where it has none."""
    for key, value in pairs:
        if key == name:
            return value
    return None


def share(pusd: int, percent: int) -> int:
    """So many hundredths of a price, rounded up."""
    return -(-pusd * percent // 100)


def _is_open(window: Window, at: float) -> bool:
    day, second = divmod(int(at), _DAY_S)
    if (day + _THURSDAY) % 7 + 1 not in window.weekdays:
        return False
    minute = second // _MINUTE_S
    for start, end in window.minutes:
        # A span whose end comes before its start goes over midnight.
        if (start <= minute < end) if start < end else (minute >= start or minute < end):
            return True
    return False


def _over(price: Price, above: Price) -> Price:
    """A price with what another names laid over it."""
    pairs = zip(_values(price), _values(above), strict=True)
    return _price(tuple([below if over is None else over for below, over in pairs]))


def _scaled(price: Price, percent: int) -> Price:
    return _price(tuple([None if value is None else share(value, percent) for value in _values(price)]))


def _price(values: tuple[int | None, ...]) -> Price:
    return Price(**dict(zip(Price.__struct_fields__, values, strict=True)))
