"""Fireworks: `GET /v1/serverless/models` at the host's root, prices as decimal text with a name and a unit (as
models.dev reads it).

A model may be listed several times: as everybody gets it, under an id of its own (`usage_identifier`), and at another
service tier. Prices of a service tier are not the model's price and are left out.
"""

from __future__ import annotations

from decimal import Decimal

from headgate.providers.listings.figures import PER_MTOK
from headgate.providers.listings.reading import Fields, decode, items_of, models_of
from headgate.providers.listings.words import inputs_of, kind_of
from headgate.types.listing import Ask, ListedModel, ListPage, Prices

_UNIT = "1M tokens"
_NAMES = {
    "LLM input tokens (uncached)": "input_usd_per_mtok",
    "LLM input tokens (cached)": "cached_input_usd_per_mtok",
    "LLM output tokens": "output_usd_per_mtok",
}


def fireworks(data: bytes, ask: Ask) -> ListPage:
    """The list. Of a model that is there for everybody, entries for a service tier alone are left out."""
    items = items_of(decode(data), "data")
    for_everybody = {_called(item) for item in items if not _of_a_tier(item)}
    kept = [item for item in items if not (_of_a_tier(item) and _called(item) in for_everybody)]
    return ListPage(models=models_of(sorted(kept, key=_of_a_tier), _model))


def _called(item: object) -> object:
    """What a model is asked for as; not necessarily a text."""
    return repr(item.get("usage_identifier") or item.get("id")) if isinstance(item, dict) else None


def _of_a_tier(item: object) -> bool:
    return isinstance(item, dict) and item.get("service_tier") is not None


def _model(fields: Fields, id: str) -> ListedModel:
    of_a_tier = _of_a_tier(fields.values)
    if of_a_tier:
        fields.tell("pricing", "only for a service tier")
    return ListedModel(
        id=fields.text("usage_identifier") or id,
        kind=kind_of(fields.words("output_modalities")),
        prices=() if of_a_tier else _prices(fields),
        context_tokens=fields.tokens("context_length"),
        capabilities=inputs_of(fields.words("input_modalities")),
        aliases=fields.words("aliases"),
    )


def _prices(fields: Fields) -> Prices:
    found: dict[str, Decimal] = {}
    for price in fields.objects("pricing"):
        name = _NAMES.get(price.text("sku") or "")
        if name is None:
            price.tell("sku", "not one that is known")
        elif price.text("unit") != _UNIT:
            price.tell("unit", f"not {_UNIT}")
        else:
            usd = price.price("amount", PER_MTOK)
            if usd is not None:
                found[name] = usd
    return tuple(found.items())
