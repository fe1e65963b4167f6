"""xAI: `GET /language-models`, prices as whole US cents for a hundred million tokens
(https://docs.x.ai/docs/api-reference, models.dev).

A prompt longer than `long_context_threshold` has prices of its own, where 0 means that they are the usual ones; a
threshold of 0 means that there is none. The list holds what the credential may call and nothing else.
"""

from __future__ import annotations

from decimal import Decimal

from headgate.providers.listings.figures import CENTS_PER_100M
from headgate.providers.listings.reading import Fields, Names, decode, items_of, models_of
from headgate.providers.listings.words import inputs_of, kind_of
from headgate.types.listing import Ask, ListedModel, ListedTier, ListPage

_PRICES: Names = (
    ("prompt_text_token_price", "input_usd_per_mtok"),
    ("completion_text_token_price", "output_usd_per_mtok"),
    ("cached_prompt_text_token_price", "cached_input_usd_per_mtok"),
)
_LONG: Names = tuple((f"{name}_long_context", price) for name, price in _PRICES)
_AS_USUAL = Decimal(0)
_SEEN = frozenset({"vision", "audio_in"})


def xai(data: bytes, ask: Ask) -> ListPage:
    """The list, under `models`."""
    return ListPage(models=models_of(items_of(decode(data), "models"), _model))


def _model(fields: Fields, id: str) -> ListedModel:
    above = fields.tokens("long_context_threshold")
    long = fields.prices(_LONG, CENTS_PER_100M, unset=_AS_USUAL)
    inputs = fields.words("input_modalities")
    can = inputs_of(inputs)
    return ListedModel(
        id=id,
        kind=kind_of(fields.words("output_modalities")),
        prices=fields.prices(_PRICES, CENTS_PER_100M),
        tiers=(ListedTier(above, long),) if above is not None and long else (),
        max_input_tokens=fields.tokens("max_prompt_length"),
        capabilities=can,
        lacks=_SEEN - can if inputs else frozenset(),
        aliases=fields.words("aliases"),
    )
