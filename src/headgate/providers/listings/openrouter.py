"""OpenRouter: `GET /models`, prices as decimal text in US dollars for one token, or one request
(https://openrouter.ai/docs/api-reference/list-available-models).

The price of a model is that of its first host. "-1" means that it depends on the request (the automatic router). The
list names every parameter a model takes, so what it does not name, the model lacks. PDF files are read for every model
by a plugin; only a model that reads them itself is said to be able to.
"""

from __future__ import annotations

from decimal import Decimal

from headgate.providers.listings.figures import PER_REQUEST, PER_TOKEN
from headgate.providers.listings.per_token import TOKEN_PRICES
from headgate.providers.listings.reading import Fields, Names, decode, items_of, models_of
from headgate.providers.listings.words import capabilities_of, inputs_of, kind_of
from headgate.types.listing import Ask, ListedModel, ListedTier, ListPage, Prices

_TOKEN_PRICES: Names = (
    *TOKEN_PRICES,
    ("input_cache_write_1h", "cache_write_1h_usd_per_mtok"),
    ("audio", "audio_input_usd_per_mtok"),
    ("audio_output", "audio_output_usd_per_mtok"),
)
_REQUEST_PRICES: Names = (("request", "usd_per_1k_requests"),)
_OTHER_PRICES = frozenset({"image", "image_token", "image_output", "input_audio_cache", "web_search"})
_PRICED = frozenset(name for name, _ in (*_TOKEN_PRICES, *_REQUEST_PRICES)) | _OTHER_PRICES
_DYNAMIC = frozenset({"-1", -1})
_NAMED = frozenset({"tools", "json_object", "json_schema", "logprobs", "reasoning"})
"""Capabilities that are a parameter. Parallel calls are not among them: the list often leaves that one out."""

_SEEN = frozenset({"vision", "audio_in"})


def openrouter(data: bytes, ask: Ask) -> ListPage:
    """The whole list in one answer."""
    return ListPage(models=models_of(items_of(decode(data), "data"), _model))


def _model(fields: Fields, id: str) -> ListedModel:
    free = id.endswith(":free")
    pricing = fields.inner("pricing")
    dynamic = any(_is_dynamic(pricing, name) for name, _ in TOKEN_PRICES)
    prices = () if dynamic else _prices(pricing)
    tiers = () if dynamic else _tiers(pricing)
    can, lacks = _capabilities(fields)
    return ListedModel(
        id=id,
        kind=kind_of(fields.inner("architecture").words("output_modalities")),
        prices=prices,
        tiers=tiers,
        free=free,
        context_tokens=fields.tokens("context_length"),
        max_output_tokens=fields.inner("top_provider").tokens("max_completion_tokens"),
        capabilities=can,
        lacks=lacks,
        retires_on=fields.day("expiration_date"),
    )


def _is_dynamic(pricing: Fields, name: str) -> bool:
    value = pricing.values.get(name)
    return isinstance(value, (str, int, Decimal)) and value in _DYNAMIC


def _prices(pricing: Fields) -> Prices:
    return pricing.prices(_TOKEN_PRICES, PER_TOKEN) + pricing.prices(_REQUEST_PRICES, PER_REQUEST)


def _tiers(pricing: Fields) -> tuple[ListedTier, ...]:
    """The overrides that hang on the length of the prompt and nothing else. They begin with a prompt of that length."""
    tiers: list[ListedTier] = []
    for override in pricing.objects("overrides"):
        conditions = {name for name, value in override.values.items() if value is not None} - _PRICED
        if conditions != {"min_prompt_tokens"}:
            pricing.tell("overrides", "one hangs on more than the length of the prompt")
            continue
        least = override.tokens("min_prompt_tokens")
        prices = _prices(override)
        if least is not None and prices:
            tiers.append(ListedTier(least - 1, prices))
    return tuple(sorted(tiers, key=lambda tier: tier.above_tokens))


def _capabilities(fields: Fields) -> tuple[frozenset[str], frozenset[str]]:
    parameters = fields.words("supported_parameters")
    inputs = fields.inner("architecture").words("input_modalities")
    can = capabilities_of(parameters) | inputs_of(inputs)
    lacks = (_NAMED if parameters else frozenset()) | (_SEEN if inputs else frozenset())
    return can, lacks - can
