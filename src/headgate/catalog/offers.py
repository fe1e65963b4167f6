"""The packaged catalogue: which provider sells which model under which id, and at what price.

Each file holds one offer a line, in a fixed order of fields and spacing; prices are decimal strings in USD per million
tokens, and a missing field means unknown. `data/offers.jsonl` was put together from several sources;
`data/genai_prices.jsonl` is what one of them knows beyond that, written by `tools/genai_offers.py`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from importlib import resources
from typing import Any

import msgspec

from headgate.catalog.prices import (
    NO_UNITS,
    ChangeRates,
    Rates,
    Source,
    TierRates,
    UnitRates,
    WindowRates,
    is_disputed,
    price_of,
    source_of,
    terms_of,
)
from headgate.providers.builtin import PROVIDERS
from headgate.types.deployment import Offer
from headgate.types.money import Price
from headgate.wire import json

_FILES = ("data/offers.jsonl", "data/genai_prices.jsonl")
"""A row of the first counts before one of the second."""

_PROVIDER = b'"provider": "'

_DESCRIBED = ("context_tokens", "max_input_tokens", "max_output_tokens", "capabilities", "lacks", "deprecated_on")
"""Figures that are no prices. They come from the first source of a row, whichever the prices were taken from."""

_NO_PRICE = Price()
_NOTHING: frozenset[str] = frozenset()


class _Row(Rates, kw_only=True):
    """One line, as far as offers need it."""

    model: str
    provider: str
    upstream_id: str
    kind: str
    status: str
    variant: str | None = None
    context_tokens: int | None = None
    usual_context_tokens: int | None = None
    max_input_tokens: int | None = None
    max_output_tokens: int | None = None
    tiers: tuple[TierRates, ...] = ()
    price_windows: tuple[WindowRates, ...] = ()
    price_changes: tuple[ChangeRates, ...] = ()
    unit_prices: UnitRates | None = None
    price_source: str | None = None
    sources: tuple[Source, ...] = ()
    capabilities: frozenset[str] | None = None
    lacks: frozenset[str] = _NOTHING
    unsaid: frozenset[str] = _NOTHING
    quantization: str | None = None
    deprecated_on: str | None = None
    responses_only: bool = False
    rolling: bool = False
    disagreement: dict[str, dict[str, str | int]] = msgspec.field(default_factory=dict)


_decode = json.Decoder[_Row](_Row).decode


def load_offers(providers: Collection[str]) -> dict[str, tuple[Offer, ...]]:
    """The packaged offers of the named providers, as the catalogue lists them.

    A provider the catalogue does not know has none. Models that answer only on the Responses API are of the kind
    `responses`, so that nothing takes them for chat models. Lines of other providers are not decoded.
    """
    offers: dict[str, dict[str, Offer]] = {name: {} for name in providers}
    shared: dict[object, Any] = {}
    for line in _lines(frozenset(name.encode() for name in providers)):
        offer = parse_offer(line, shared)
        sold = offers[offer.provider]
        first = sold.get(offer.upstream_id)
        sold[offer.upstream_id] = offer if first is None else with_second_opinion(first, offer)
    return {name: tuple(sold.values()) for name, sold in offers.items()}


def _lines(providers: frozenset[bytes]) -> Iterator[bytes]:
    for name in _FILES:
        with resources.files("headgate.catalog").joinpath(name).open("rb") as file:
            for line in file:
                start = line.index(_PROVIDER) + len(_PROVIDER)
                if line[start : line.index(b'"', start)] in providers:
                    yield line


def with_second_opinion(first: Offer, second: Offer) -> Offer:
    """An offer as its own row has it; where it knows no price, with the one another source has for the same id."""
    if first.price != _NO_PRICE or second.price == _NO_PRICE:
        return first
    described = dict.fromkeys(_DESCRIBED, first.price_source) | dict(first.sources)
    sources = tuple((name, source) for name, source in described.items() if getattr(first, name))
    return msgspec.structs.replace(
        first, price=second.price, terms=second.terms, price_source=second.price_source, sources=sources
    )


def parse_offer(line: bytes, shared: dict[object, Any] | None = None) -> Offer:
    """One line of the catalogue. `shared` keeps one object of each of the values that many offers have in common.

    Raises DecodeError, and ValueError for a price, a span or a date that is none.
    """
    row = _decode(line)
    keep = ({} if shared is None else shared).setdefault
    units = row.unit_prices or NO_UNITS
    known = PROVIDERS.get(row.provider)
    terms = terms_of(
        row.tiers,
        row.price_windows,
        row.price_changes,
        units.usd_per_1k_requests_by_search_size,
        () if known is None else known.tier_percent,
    )
    source = source_of(row.price_source, row.sources)
    sources = _other_sources(row, source)
    return Offer(
        provider=row.provider,
        upstream_id=row.upstream_id,
        model=row.model,
        kind="responses" if row.responses_only else row.kind,
        variant=row.variant,
        price=_price(row, units),
        terms=keep(terms, terms),
        price_source=keep(source, source),
        context_tokens=row.context_tokens,
        usual_context_tokens=row.usual_context_tokens,
        max_input_tokens=row.max_input_tokens,
        max_output_tokens=row.max_output_tokens,
        capabilities=keep(row.capabilities, row.capabilities),
        lacks=keep(row.lacks, row.lacks),
        unsaid=keep(row.unsaid, row.unsaid),
        quantization=row.quantization,
        retired=row.status == "retired",
        unconfirmed=row.status == "unconfirmed",
        deprecated_on=row.deprecated_on,
        disputed=is_disputed(row.disagreement),
        rolling=row.rolling,
        sources=keep(sources, sources),
    )


def _other_sources(row: _Row, price_source: str) -> tuple[tuple[str, str], ...]:
    """The figures of a row that come from another source than its prices do, and from which."""
    if not row.sources or row.sources[0].label == price_source:
        return ()
    return tuple((name, row.sources[0].label) for name in _DESCRIBED if getattr(row, name))


def _price(row: _Row, units: UnitRates) -> Price:
    price = price_of(row, units)
    if row.kind == "embedding" and price.input_pusd_per_mtok is not None and price.output_pusd_per_mtok is None:
        # Embeddings have no output tokens. Left unknown, the whole price would count as unknown.
        return msgspec.structs.replace(price, output_pusd_per_mtok=0)
    return price
