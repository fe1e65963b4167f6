"""Lists with prices as numbers in US dollars for a million tokens: Together's two, and Hyperbolic's.

Together's `/models` is a bare array in which a price of 0 means that none is set, and its newer
`/v2/supported-models` comes in pages, with what is called as `serverlessEndpoint`
(https://docs.together.ai/reference/models-1). Hyperbolic puts `input_price` and `output_price` beside the
id; that they are for a million tokens was not seen in its documentation.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from headgate.providers.listings.figures import PER_MTOK
from headgate.providers.listings.openai_models import plain_model
from headgate.providers.listings.reading import Fields, Names, decode, items_of, models_of, next_page, top_of
from headgate.types.listing import Ask, ListedModel, ListPage

_TOGETHER: Names = (
    ("input", "input_usd_per_mtok"),
    ("output", "output_usd_per_mtok"),
    ("cachedInput", "cached_input_usd_per_mtok"),
)
_HYPERBOLIC: Names = (("input_price", "input_usd_per_mtok"), ("output_price", "output_usd_per_mtok"))
_UNSET = Decimal(0)
_KINDS = {
    "chat": "chat",
    "language": "completion",
    "code": "completion",
    "image": "image",
    "embedding": "embedding",
    "rerank": "rerank",
    "audio": "audio_out",
    "transcribe": "audio_in",
}


def together(data: bytes, ask: Ask) -> ListPage:
    """The older list."""
    return ListPage(models=models_of(items_of(decode(data), "data"), _together_model))


def together_supported(data: bytes, ask: Ask) -> ListPage:
    """A page of the newer list. Contexts are those of the weights, not of the service, and are not read."""
    top = top_of(data)
    return ListPage(
        models=models_of(items_of(top.values, "data"), _supported, "serverlessEndpoint"),
        more=next_page(ask, "after", top.values.get("next_cursor")),
    )


def hyperbolic(data: bytes, ask: Ask) -> ListPage:
    """The list of the OpenAI dialect with two prices."""
    return ListPage(models=models_of(items_of(decode(data), "data"), _hyperbolic_model))


def _together_model(fields: Fields, id: str) -> ListedModel:
    return ListedModel(
        id=id,
        kind=_KINDS.get(fields.text("type") or ""),
        prices=fields.inner("pricing").prices(_TOGETHER, PER_MTOK, unset=_UNSET),
        context_tokens=fields.tokens("context_length"),
    )


def _supported(fields: Fields, id: str) -> ListedModel:
    return ListedModel(id=id, prices=fields.inner("pricing").prices(_TOGETHER, PER_MTOK))


def _hyperbolic_model(fields: Fields, id: str) -> ListedModel | None:
    model = plain_model(fields, id)
    return model and msgspec.structs.replace(model, prices=fields.prices(_HYPERBOLIC, PER_MTOK))
