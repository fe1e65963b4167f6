"""The packaged catalogue: which provider sells which model under which id, and at what price.

`data/offers.jsonl` holds one offer a line, in a fixed order of fields and spacing; prices are decimal strings in USD
per million tokens, and a missing field means unknown.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from importlib import resources

import msgspec

from headgate.types.deployment import Offer
from headgate.types.money import Price, pusd_per_mtok
from headgate.wire import json

_PROVIDER = b'"provider": "'


class _Row(msgspec.Struct):
    """One line, as far as offers need it."""

    model: str
    provider: str
    upstream_id: str
    kind: str
    status: str
    variant: str | None = None
    context_tokens: int | None = None
    max_output_tokens: int | None = None
    input_usd_per_mtok: str | None = None
    output_usd_per_mtok: str | None = None
    cached_input_usd_per_mtok: str | None = None
    cache_write_usd_per_mtok: str | None = None
    capabilities: frozenset[str] | None = None
    quantization: str | None = None
    deprecated_on: str | None = None
    responses_only: bool = False


_decode = json.Decoder[_Row](_Row).decode


def load_offers(providers: Collection[str]) -> dict[str, tuple[Offer, ...]]:
    """The packaged offers of the named providers, as the catalogue lists them.

    A provider the catalogue does not know has none. Models that answer only on the Responses API are of the kind
    `responses`, so that nothing takes them for chat models. Lines of other providers are not decoded.
    """
    offers: dict[str, list[Offer]] = {name: [] for name in providers}
    shared: dict[frozenset[str], frozenset[str]] = {}
    for line in _lines(frozenset(name.encode() for name in providers)):
        row = _decode(line)
        if row.capabilities is not None:
            # A few dozen combinations serve two thousand offers.
            row.capabilities = shared.setdefault(row.capabilities, row.capabilities)
        offers[row.provider].append(_offer(row))
    return {name: tuple(found) for name, found in offers.items()}


def _lines(providers: frozenset[bytes]) -> Iterator[bytes]:
    with resources.files("headgate.catalog").joinpath("data/offers.jsonl").open("rb") as file:
        for line in file:
            start = line.index(_PROVIDER) + len(_PROVIDER)
            if line[start : line.index(b'"', start)] in providers:
                yield line


def _offer(row: _Row) -> Offer:
    return Offer(
        provider=row.provider,
        upstream_id=row.upstream_id,
        model=row.model,
        kind="responses" if row.responses_only else row.kind,
        variant=row.variant,
        price=_price(row),
        context_tokens=row.context_tokens,
        max_output_tokens=row.max_output_tokens,
        capabilities=row.capabilities,
        quantization=row.quantization,
        retired=row.status == "retired",
        unconfirmed=row.status == "unconfirmed",
        deprecated_on=row.deprecated_on,
    )


def _price(row: _Row) -> Price:
    entered = _pusd(row.input_usd_per_mtok)
    written = _pusd(row.output_usd_per_mtok)
    if row.kind == "embedding" and entered is not None:
        # Embeddings have no output tokens. Left unknown, the whole price would count as unknown.
        written = 0
    return Price(
        input_pusd_per_mtok=entered,
        output_pusd_per_mtok=written,
        cached_input_pusd_per_mtok=_pusd(row.cached_input_usd_per_mtok),
        cache_write_pusd_per_mtok=_pusd(row.cache_write_usd_per_mtok),
    )


def _pusd(usd_per_mtok: str | None) -> int | None:
    return None if usd_per_mtok is None else pusd_per_mtok(usd_per_mtok)
