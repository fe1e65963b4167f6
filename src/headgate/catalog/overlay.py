"""A provider's list laid over the packaged offers of the same provider.

A list corrects and adds; it removes nothing, because a model that it leaves out may still be sold. A model that the
catalogue does not know is an offer under a slug of the provider's own: a name alone does not make two models one.
What it says of how weights are stored can make a plain offer a variant.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC
from typing import Any

import msgspec

from headgate.catalog.copies import Copy
from headgate.catalog.identity import own_slug
from headgate.catalog.price_guards import EMBEDDING, INPUT, OUTPUT, rounded
from headgate.catalog.prices import Rates, TierRates, UnitRates, price_of, terms_of
from headgate.catalog.servings import serving
from headgate.providers.builtin import PROVIDERS
from headgate.types.deployment import Offer
from headgate.types.listing import ListedModel, Prices
from headgate.types.money import Price, Terms

_FREE = Price(input_pusd_per_mtok=0, output_pusd_per_mtok=0)
_SIZES = ("context_tokens", "max_input_tokens", "max_output_tokens")
_FIGURES = (*_SIZES, "capabilities", "lacks", "quantization", "deprecated_on")
"""Figures of an offer, beside its price, that have a source."""


def overlay(offers: Iterable[Offer], listed: Copy, provider: str) -> tuple[Offer, ...]:
    """The offers with what the list says of them, in their order, and behind them what only the list knows."""
    models = listed.by_id
    known = tuple(
        offer if (model := models.pop(offer.upstream_id, None)) is None else _corrected(offer, model, listed)
        for offer in offers
    )
    return (*known, *(_added(model, listed, provider) for model in models.values()))


def absent(offers: Iterable[Offer], listed: Copy) -> tuple[str, ...]:
    """The ids of offers that are sold as far as the catalogue knows, and that the list does not name."""
    models = listed.by_id
    named = {alias for model in listed.models for alias in model.aliases}
    ids = (offer.upstream_id for offer in offers if not offer.retired)
    return tuple(id for id in ids if id not in models and id not in named and "*" not in id)


def _corrected(offer: Offer, model: ListedModel, listed: Copy) -> Offer:
    said = _figures(model, offer.capabilities or frozenset(), offer.lacks)
    figures: dict[str, Any] = dict(said)
    price = _price(model, offer.kind)
    if price is not None:
        same = _base(price) == _base(offer.price)
        figures |= {
            "price": _over(offer.price, price) if same else price,
            "terms": _terms(model, offer.terms, same),
            "price_source": listed.source_of_prices(model.id),
            "unconfirmed": False,
            "disputed": False,
        }
    if _has_passed(model.retires_on, listed):
        figures["retired"] = True
    if offer.variant is None:
        # A list may say that a serving is not the plain one; that it is, is for the catalogue to say.
        figures["variant"] = serving(offer, model.quantization)
    corrected = msgspec.structs.replace(offer, **figures)
    return msgspec.structs.replace(corrected, sources=_sources(corrected, offer, said, listed.source))


def _added(model: ListedModel, listed: Copy, provider: str) -> Offer:
    row = PROVIDERS.get(provider)
    usual = Terms(tier_percent=row.tier_percent) if row is not None and row.tier_percent else None
    kind = model.kind or "any"
    bare = Offer(provider=provider, upstream_id=model.id, model=own_slug(provider, model.id), kind=kind)
    price = _price(model, kind)
    said = _figures(model, frozenset(), frozenset())
    added = msgspec.structs.replace(
        bare,
        price=price or Price(),
        terms=usual if price is None else _terms(model, usual, False),
        price_source=listed.source if price is None else listed.source_of_prices(model.id),
        retired=_has_passed(model.retires_on, listed),
        **said,
    )
    return msgspec.structs.replace(added, sources=_sources(added, bare, said, listed.source))


def _figures(model: ListedModel, can: frozenset[str], cannot: frozenset[str]) -> dict[str, Any]:
    """What the list says beside prices. A capability is only ever added, and never one that is known to lack."""
    said: dict[str, Any] = {name: value for name in _SIZES if (value := getattr(model, name)) is not None}
    if new := model.capabilities - can - cannot:
        said["capabilities"] = can | new
    if new := model.lacks - cannot - can - model.capabilities:
        said["lacks"] = cannot | new
    if model.quantization is not None:
        said["quantization"] = model.quantization
    if model.retires_on is not None:
        said["deprecated_on"] = model.retires_on
    return said


def _sources(offer: Offer, before: Offer, said: dict[str, Any], source: str) -> tuple[tuple[str, str], ...]:
    """Where each figure comes from that does not come from where the price does."""
    found = {name: source if name in said else before.source_of(name) for name in _FIGURES if getattr(offer, name)}
    others = tuple((name, where) for name, where in before.sources if name not in _FIGURES)
    return (*others, *((name, where) for name, where in found.items() if where != offer.price_source))


def _price(model: ListedModel, kind: str) -> Price | None:
    """The price the list says; None where it is not enough of one to stand by itself."""
    prices = dict(model.prices)
    if not prices and model.free:
        return _FREE
    if INPUT in prices and kind == EMBEDDING:
        # Embeddings have no output tokens. Left unknown, the whole price would count as unknown.
        return msgspec.structs.replace(_exact(model.prices), output_pusd_per_mtok=0)
    return _exact(model.prices) if INPUT in prices and OUTPUT in prices else None


def _terms(model: ListedModel, packaged: Terms | None, same: bool) -> Terms | None:
    """What the listed price depends on.

    What the catalogue excepts from its price holds for a price that is still the same. From another one only what is
    no price of tokens is kept: fees, and the shares of service tiers.
    """
    base = packaged or Terms()
    kept = base if same else Terms(tier_percent=base.tier_percent, request_fees=base.request_fees)
    rates = [_tier_rates(tier.above_tokens, tier.prices) for tier in model.tiers]
    listed = terms_of(rates, (), (), {})
    terms = kept if listed is None else msgspec.structs.replace(kept, tiers=listed.tiers)
    return None if terms == Terms() else terms


def _tier_rates(above_tokens: int, prices: Prices) -> TierRates:
    texts = _texts(prices)
    known = {name: text for name, text in texts.items() if name in Rates.__struct_fields__}
    return TierRates(above_tokens=above_tokens, **known)


def _exact(prices: Prices) -> Price:
    texts = _texts(prices)
    sides = {name: text for name, text in texts.items() if name in Rates.__struct_fields__}
    units = UnitRates(
        audio_input_usd_per_mtok=texts.get("audio_input_usd_per_mtok"),
        audio_output_usd_per_mtok=texts.get("audio_output_usd_per_mtok"),
        reasoning_usd_per_mtok=texts.get("reasoning_usd_per_mtok"),
    )
    return price_of(Rates(**sides), units)


def _texts(prices: Prices) -> dict[str, str]:
    return {name: format(rounded(value), "f") for name, value in prices}


def _base(price: Price) -> tuple[int | None, int | None]:
    return price.input_pusd_per_mtok, price.output_pusd_per_mtok


def _over(below: Price, above: Price) -> Price:
    """A price with what another names laid over it."""
    named = {name: value for name in Price.__struct_fields__ if (value := getattr(above, name)) is not None}
    return msgspec.structs.replace(below, **named)


def _has_passed(day: str | None, listed: Copy) -> bool:
    """Whether the day had come when the list was fetched: what is packed into a snapshot has no clock."""
    return day is not None and day <= f"{listed.fetched_at.astimezone(UTC):%Y-%m-%d}"
