"""Novita: `GET /models` with prices in ten-thousandths of a US dollar for a million tokens: 5700 is $0.57.

https://novita.ai/docs/api-reference/model-apis-llm-list-models names the fields and not the unit, which is what
several clients go by. The newer `pricing.<side>.price_per_m` is taken to be in the same unit, and counts only where the
older field is missing; where both are there and differ, neither is believed. -1 means that there is no price.
"""

from __future__ import annotations

from decimal import Decimal

from headgate.providers.listings.figures import TEN_THOUSANDTHS_PER_MTOK
from headgate.providers.listings.reading import Fields, decode, items_of, models_of
from headgate.providers.listings.words import capabilities_of, inputs_of, kind_of
from headgate.types.listing import Ask, ListedModel, ListPage, Prices

_SIDES = (
    ("input_token_price_per_m", "prompt", "input_usd_per_mtok"),
    ("output_token_price_per_m", "completion", "output_usd_per_mtok"),
)
_KINDS = {"chat": "chat", "completion": "completion", "embedding": "embedding", "rerank": "rerank", "image": "image"}
_NONE = Decimal(-1)


def novita(data: bytes, ask: Ask) -> ListPage:
    """The list; its `object` may be missing."""
    return ListPage(models=models_of(items_of(decode(data), "data"), _model))


def _model(fields: Fields, id: str) -> ListedModel:
    kind = _KINDS.get(fields.text("model_type") or "")
    return ListedModel(
        id=id,
        kind=kind or kind_of(fields.words("output_modalities")),
        prices=_prices(fields),
        context_tokens=fields.tokens("context_size", "context_length"),
        max_output_tokens=fields.tokens("max_output_tokens"),
        capabilities=capabilities_of(fields.words("features")) | inputs_of(fields.words("input_modalities")),
    )


def _prices(fields: Fields) -> Prices:
    found: list[tuple[str, Decimal]] = []
    for older, newer, price in _SIDES:
        said = _price(fields, older)
        again = _price(fields.inner("pricing").inner(newer), "price_per_m")
        if said is not None and again is not None and said != again:
            fields.tell(older, "not what `pricing` says")
            continue
        usd = again if said is None else said
        if usd is not None:
            found.append((price, usd))
    return tuple(found)


def _price(fields: Fields, name: str) -> Decimal | None:
    if fields.figure(name) == _NONE:
        return None
    return fields.price(name, TEN_THOUSANDTHS_PER_MTOK)
