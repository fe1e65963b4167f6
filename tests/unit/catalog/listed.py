"""Models of lists, copies and offers for the tests of what becomes of them."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from headgate.catalog.copies import Copy
from headgate.types.deployment import Offer
from headgate.types.listing import ListedModel, Prices
from headgate.types.money import Price, pusd_per_mtok

INPUT = "input_usd_per_mtok"
OUTPUT = "output_usd_per_mtok"
CACHED = "cached_input_usd_per_mtok"


def usd(**prices: str) -> Prices:
    """Prices by the first word of their names: `usd(input="1", cached_input="0.1")`."""
    return tuple((f"{name}_usd_per_mtok", Decimal(text)) for name, text in prices.items())


def listed(id: str = "m", input: str | None = "1", output: str | None = "2", **named: Any) -> ListedModel:
    """A model with a plain price, and whatever else is named."""
    sides = {name: text for name, text in (("input", input), ("output", output)) if text is not None}
    return ListedModel(id=id, **({"prices": usd(**sides)} | named))


def price(**prices: str) -> Price:
    return Price(**{f"{name}_pusd_per_mtok": pusd_per_mtok(text) for name, text in prices.items()})


def offer(id: str = "m", input: str | None = "1", output: str | None = "2", **named: Any) -> Offer:
    """An offer of the catalogue, at the provider `acme` unless it is named."""
    sides = {name: text for name, text in (("input", input), ("output", output)) if text is not None}
    fields: dict[str, Any] = {
        "provider": "acme",
        "model": f"lab/{id}",
        "price": price(**sides),
        "price_source": "catalogue, 2026-11-01",
    }
    return Offer(upstream_id=id, **(fields | named))


def copy(*models: ListedModel, day: int = 26, hour: int = 8, **named: Any) -> Copy:
    at = datetime(2026, 11, day, hour, tzinfo=UTC)
    fields: dict[str, Any] = {"provider": "acme", "host": "api.acme.test", "fetched_at": at, "models": models}
    return Copy(**(fields | named))
