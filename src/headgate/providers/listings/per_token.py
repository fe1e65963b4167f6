"""Lists with prices as decimal text in US dollars for one token: Nebius, SambaNova, Cerebras.

Nebius gives them with `?verbose=true` (https://docs.tokenfactory.nebius.com), SambaNova beside `sn_metadata`, Cerebras
in the richer of its formats (its SDK's types); where a list holds only ids, those are what is read. That SambaNova's
figures are for one token was not seen in its documentation.
"""

from __future__ import annotations

import msgspec

from headgate.providers.listings.figures import PER_TOKEN
from headgate.providers.listings.openai_models import CONTEXT, OUTPUT
from headgate.providers.listings.reading import Fields, Names, decode, items_of, models_of
from headgate.providers.listings.words import capabilities_of, inputs_of, kind_of
from headgate.types.listing import Ask, ListedModel, ListPage

TOKEN_PRICES: Names = (
    ("prompt", "input_usd_per_mtok"),
    ("completion", "output_usd_per_mtok"),
    ("input_cache_read", "cached_input_usd_per_mtok"),
    ("input_cache_write", "cache_write_usd_per_mtok"),
    ("internal_reasoning", "reasoning_usd_per_mtok"),
)

_THROTTLED = 8000
"""What Nebius gives as the context of a model when it would rather not say (models.dev)."""


def per_token(data: bytes, ask: Ask) -> ListPage:
    """Prices for one token under `pricing`, limits and features beside it."""
    return ListPage(models=models_of(items_of(decode(data), "data"), priced_model))


def nebius(data: bytes, ask: Ask) -> ListPage:
    """The same without contexts of 8000 tokens, which stand for an unknown one."""
    return ListPage(models=models_of(items_of(decode(data), "data"), _nebius_model))


def priced_model(fields: Fields, id: str) -> ListedModel:
    """A model of such a list. Features only ever add: the lists are known to leave some out."""
    modality = fields.inner("architecture").text("modality") or ""
    entered, _, given = modality.partition("->")
    inputs = (*entered.split("+"), *fields.words("input_modalities"))
    outputs = (*given.split("+"), *fields.words("output_modalities"))
    return ListedModel(
        id=id,
        kind=kind_of(outputs),
        prices=fields.inner("pricing").prices(TOKEN_PRICES, PER_TOKEN),
        context_tokens=fields.tokens(*CONTEXT),
        max_output_tokens=fields.tokens(*OUTPUT),
        capabilities=capabilities_of(fields.words("supported_features")) | inputs_of(inputs),
    )


def _nebius_model(fields: Fields, id: str) -> ListedModel:
    model = priced_model(fields, id)
    return model if model.context_tokens != _THROTTLED else msgspec.structs.replace(model, context_tokens=None)
