"""What models usually cost: the prices of the same weights at many providers, to compare one with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from statistics import median

from headgate.types.deployment import Offer
from headgate.types.money import Price

LEAST_PROVIDERS = 3
_DOLLARS = -12
"""A pico-dollar is 10 to this power of a dollar."""
_FIGURES = tuple((name.replace("_pusd_", "_usd_"), name) for name in Price.__struct_fields__)


def usd_prices(price: Price) -> dict[str, Decimal]:
    """The known figures of a price by the catalogue's names, in US dollars for a million tokens."""
    values = ((figure, getattr(price, name)) for figure, name in _FIGURES)
    return {figure: Decimal(value).scaleb(_DOLLARS) for figure, value in values if value is not None}


class Market:
    """The plain servings of models by slug: one price for each provider that still sells it."""

    def __init__(self, offers: Iterable[Offer]) -> None:
        self._prices: dict[str, dict[str, dict[str, Decimal]]] = {}
        for offer in offers:
            if offer.variant is None and not offer.retired and offer.price.known:
                self._prices.setdefault(offer.model, {}).setdefault(offer.provider, usd_prices(offer.price))

    def medians(self, slug: str, provider: str) -> Mapping[str, Decimal]:
        """The median of input and of output at providers other than this one; none where fewer than three sell it."""
        elsewhere = [prices for name, prices in self._prices.get(slug, {}).items() if name != provider]
        if len(elsewhere) < LEAST_PROVIDERS:
            return {}
        figures = ("input_usd_per_mtok", "output_usd_per_mtok")
        return {figure: median(prices[figure] for prices in elsewhere) for figure in figures}
