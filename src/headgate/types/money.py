"""Prices and costs as integers of pico-dollars (10^-12 USD); never floats."""

from __future__ import annotations

from decimal import Decimal

import msgspec

PUSD_PER_USD = 10**12
TOKENS_PER_MTOK = 10**6


class Price(msgspec.Struct, frozen=True, kw_only=True):
    """USD for a million tokens of each class, as exact integers of pico-dollars; None is unknown, never zero."""

    input_pusd_per_mtok: int | None = None
    output_pusd_per_mtok: int | None = None
    cached_input_pusd_per_mtok: int | None = None
    cache_write_pusd_per_mtok: int | None = None

    @property
    def known(self) -> bool:
        return self.input_pusd_per_mtok is not None and self.output_pusd_per_mtok is not None


def pusd_per_mtok(usd_per_mtok: str | Decimal) -> int:
    """Turn a decimal price in USD per million tokens into pico-dollars per million tokens.

    Raises ValueError for what is negative, not finite, or finer than a pico-dollar.
    """
    price = Decimal(usd_per_mtok) * PUSD_PER_USD
    if not price.is_finite() or price < 0:
        raise ValueError(f"not a price: {usd_per_mtok}")
    if price != price.to_integral_value():
        raise ValueError(f"finer than a pico-dollar: {usd_per_mtok}")
    return int(price)


def render_usd(cost_pusd: int) -> str:
    """Pico-dollars as a plain decimal of dollars, without exponent or trailing zeros: 1_500_000 → "0.0000015"."""
    whole, rest = divmod(cost_pusd, PUSD_PER_USD)
    digits = f"{rest:012d}".rstrip("0")
    return f"{whole}.{digits}" if digits else str(whole)
