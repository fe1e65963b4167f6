"""Prices as the catalogue's file spells them → exact integers, and the terms they hang on.

Prices are decimal strings in USD per million tokens; what is missing is unknown. Windows are spans of UTC hours,
`10:00-00:00` ending at midnight; a change begins at 00:00 UTC of its date.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import date, time
from decimal import Decimal

import msgspec

from headgate.types.money import Change, Price, Terms, Tier, Window, pusd_per_mtok

_DAY_S = 86_400
_EPOCH = date(1970, 1, 1).toordinal()
_DAY_MINUTES = 1440
_REQUESTS = 1000
"""Fees are listed for so many requests."""
_PRICE = "_usd_per_mtok"
"""How the names of prices end."""
_TIERS = "tiers"
_APART = Decimal("0.1")


class Rates(msgspec.Struct):
    """Prices of the token classes every source lists."""

    input_usd_per_mtok: str | None = None
    output_usd_per_mtok: str | None = None
    cached_input_usd_per_mtok: str | None = None
    cache_write_usd_per_mtok: str | None = None


class TierRates(Rates):
    """Prices of long prompts."""

    above_tokens: int = 0


class WindowRates(Rates):
    """Prices at some hours."""

    utc: tuple[str, ...] = ()
    weekdays: frozenset[int] = frozenset()


class ChangeRates(Rates, rename={"start": "from"}):
    """Prices from a date on."""

    start: str = ""


class UnitRates(msgspec.Struct):
    """Prices of other classes, and fees."""

    audio_input_usd_per_mtok: str | None = None
    audio_output_usd_per_mtok: str | None = None
    reasoning_usd_per_mtok: str | None = None
    usd_per_1k_requests_by_search_size: dict[str, str] = {}


class Source(msgspec.Struct):
    """Where a row comes from, and as of which day."""

    name: str
    as_of: str | None = None

    @property
    def label(self) -> str:
        """As offers name it."""
        return self.name if self.as_of is None else f"{self.name}, {self.as_of}"


NO_UNITS = UnitRates()


def price_of(rates: Rates, units: UnitRates = NO_UNITS) -> Price:
    """The price of a row.

    A class that costs just what its side costs is left to follow it, so that it does so through tiers and changes.
    """
    return Price(
        input_pusd_per_mtok=_pusd(rates.input_usd_per_mtok),
        output_pusd_per_mtok=_pusd(rates.output_usd_per_mtok),
        cached_input_pusd_per_mtok=_pusd(rates.cached_input_usd_per_mtok),
        cache_write_pusd_per_mtok=_pusd(rates.cache_write_usd_per_mtok),
        audio_input_pusd_per_mtok=_other(units.audio_input_usd_per_mtok, rates.input_usd_per_mtok),
        reasoning_pusd_per_mtok=_other(units.reasoning_usd_per_mtok, rates.output_usd_per_mtok),
        audio_output_pusd_per_mtok=_other(units.audio_output_usd_per_mtok, rates.output_usd_per_mtok),
    )


def terms_of(
    tiers: Collection[TierRates],
    windows: Collection[WindowRates],
    changes: Collection[ChangeRates],
    fees: dict[str, str],
    tier_percent: tuple[tuple[str, int], ...] = (),
) -> Terms | None:
    """What the row's price depends on; None when on nothing. Raises ValueError for a span or date that is none."""
    if not (tiers or windows or changes or fees or tier_percent):
        return None
    return Terms(
        tiers=tuple(
            sorted((Tier(tier.above_tokens, price_of(tier)) for tier in tiers), key=lambda tier: tier.above_tokens)
        ),
        windows=tuple(
            Window(window.weekdays, tuple(map(_minutes, window.utc)), price_of(window)) for window in windows
        ),
        changes=tuple(
            sorted(
                (Change(_midnight(change.start), price_of(change)) for change in changes), key=lambda one: one.from_s
            )
        ),
        tier_percent=tier_percent,
        request_fees=tuple((size, pusd_per_mtok(usd) // _REQUESTS) for size, usd in fees.items()),
    )


def source_of(chosen: str | None, sources: Iterable[Source]) -> str:
    """The name and date of the source the prices were taken from: the chosen one, else the first."""
    named = list(sources)
    source = next((one for one in named if one.name == chosen), named[0] if named else None)
    return "" if source is None else source.label


def is_disputed(disagreement: Mapping[str, Mapping[str, str | int]]) -> bool:
    """Whether sources are more than 10 % apart about a price, going by the values each of them gives for a figure.

    Raises ValueError (decimal.InvalidOperation) for a price that is none.
    """
    for figure, values in disagreement.items():
        if figure == _TIERS:
            # One source says that long prompts cost more and by how much; where the other has no tiers, or others,
            # they are further apart than that.
            return True
        if figure.endswith(_PRICE):
            prices = [Decimal(value) for value in values.values()]
            if max(prices) - min(prices) > max(prices) * _APART:
                return True
    return False


def _minutes(span: str) -> tuple[int, int]:
    start, _, end = span.partition("-")
    return _minute(start), _minute(end) or _DAY_MINUTES


def _minute(clock: str) -> int:
    at = time.fromisoformat(clock)
    return at.hour * 60 + at.minute


def _midnight(day: str) -> int:
    return (date.fromisoformat(day).toordinal() - _EPOCH) * _DAY_S


def _other(usd: str | None, side: str | None) -> int | None:
    return None if usd == side else _pusd(usd)


def _pusd(usd_per_mtok: str | None) -> int | None:
    return None if usd_per_mtok is None else pusd_per_mtok(usd_per_mtok)
