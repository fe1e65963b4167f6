"""Prices and costs as integers of pico-dollars (10^-12 USD); never floats."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

import msgspec

PUSD_PER_USD = 10**12
TOKENS_PER_MTOK = 10**6


class Price(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """USD for a million tokens of each class, as exact integers of pico-dollars; None is unknown, never zero.

    A class without a price of its own costs what its side costs: input, or output.
    """

    input_pusd_per_mtok: int | None = None
    output_pusd_per_mtok: int | None = None
    cached_input_pusd_per_mtok: int | None = None
    cache_write_pusd_per_mtok: int | None = None
    audio_input_pusd_per_mtok: int | None = None
    reasoning_pusd_per_mtok: int | None = None
    audio_output_pusd_per_mtok: int | None = None

    @property
    def known(self) -> bool:
        return self.input_pusd_per_mtok is not None and self.output_pusd_per_mtok is not None

    @property
    def dearest(self) -> tuple[int, int] | None:
        """What a token of input and one of output cost at most, whatever their class; None when that is unknown."""
        if not self.known:
            return None
        entered = (
            self.input_pusd_per_mtok,
            self.cached_input_pusd_per_mtok,
            self.cache_write_pusd_per_mtok,
            self.audio_input_pusd_per_mtok,
        )
        written = (self.output_pusd_per_mtok, self.reasoning_pusd_per_mtok, self.audio_output_pusd_per_mtok)
        return max(price or 0 for price in entered), max(price or 0 for price in written)


class Tier(msgspec.Struct, frozen=True):
    """Prices of the whole request once its prompt is longer than `above_tokens`."""

    above_tokens: int
    price: Price


class Window(msgspec.Struct, frozen=True):
    """Prices at some hours: minutes of the UTC day, from and until, on ISO weekdays (1 is Monday)."""

    weekdays: frozenset[int]
    minutes: tuple[tuple[int, int], ...]
    price: Price


class Change(msgspec.Struct, frozen=True):
    """Prices from a moment on, in Unix seconds."""

    from_s: int
    price: Price


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What the price of a request depends on, beside its tokens.

    What a tier, a window, a change or a service tier does not name costs what it costs without it. They are laid over
    the base price in this order: the last change that has come, the window, the highest tier passed (`tiers` rise),
    the service tier. `service_tiers` are prices the operator declared, `tier_percent` the share of the usual price a
    service tier costs. `request_fees` are pico-dollars for a request by the amount of web search it used.
    """

    tiers: tuple[Tier, ...] = ()
    windows: tuple[Window, ...] = ()
    changes: tuple[Change, ...] = ()
    service_tiers: tuple[tuple[str, Price], ...] = ()
    tier_percent: tuple[tuple[str, int], ...] = ()
    request_fees: tuple[tuple[str, int], ...] = ()


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


class CostSource(StrEnum):
    """Where the cost of an attempt comes from."""

    COMPUTED = "computed"  # the provider's token counts times a price
    REPORTED = "reported"  # the provider named the cost
    ESTIMATED = "estimated"  # our own token counts times a price
    UNKNOWN = "unknown"  # no price, or no counts


class Cost(msgspec.Struct, frozen=True, kw_only=True, array_like=True, gc=False):
    """What an attempt cost, in pico-dollars. `pusd` is the figure that counts; None is unknown, never zero.

    `computed_pusd` and `reported_pusd` are kept beside it; `disagree` when they differ by more than 1 %.
    `price` is the one applied, `price_source` says where it comes from.
    """

    pusd: int | None = None
    source: CostSource = CostSource.UNKNOWN
    computed_pusd: int | None = None
    reported_pusd: int | None = None
    disagree: bool = False
    price: Price | None = None
    price_source: str = ""
