"""DeepInfra publishes two lists, and both are read.

`/models` of the OpenAI dialect has prices in US dollars for a million tokens under `metadata`, which may be null
(https://docs.deepinfra.com/chat/overview). The native `/models/list` says more: prices in cents for one token, those of
the cache as multipliers of the input price, capabilities as tags, the end of a model as Unix time, and the tiers of
long prompts in a sentence (as models.dev and other clients read it). Tags leave much out, so they only add.
"""

from __future__ import annotations

import re
from decimal import Decimal

from headgate.providers.listings.figures import CENTS_PER_TOKEN, PER_MTOK, figure, plain, rounded, times
from headgate.providers.listings.reading import Fields, Names, decode, items_of, models_of
from headgate.providers.listings.words import capabilities_of
from headgate.types.listing import Ask, ListedModel, ListedTier, ListPage, Prices

_METADATA: Names = (
    ("input_tokens", "input_usd_per_mtok"),
    ("output_tokens", "output_usd_per_mtok"),
    ("cache_read_tokens", "cached_input_usd_per_mtok"),
)
_CENTS: Names = (
    ("cents_per_input_token", "input_usd_per_mtok"),
    ("cents_per_output_token", "output_usd_per_mtok"),
)
_MULTIPLIERS: Names = (
    ("rate_per_input_token_cached", "cached_input_usd_per_mtok"),
    ("rate_per_input_token_cache_write", "cache_write_usd_per_mtok"),
)
_BY_TOKENS = frozenset({None, "tokens", "input_tokens"})
_KINDS = {
    "text-generation": "chat",
    "embeddings": "embedding",
    "reranker": "rerank",
    "text-to-image": "image",
    "automatic-speech-recognition": "audio_in",
    "text-to-speech": "audio_out",
}
_COARSE = 7
"""A multiplier with so many digits was rounded itself (0.07692308 of 1.3 dollars is meant to be 0.1)."""

_MONEY = r"\$([0-9]{1,9}(?:\.[0-9]{1,9})?)"
_SEGMENT = re.compile(
    rf"{_MONEY} in {_MONEY} out(?: {_MONEY} cached)?(?: (<=|>) ([0-9]{{1,6}}(?:\.[0-9]{{1,3}})?)([KM]))?"
)
_TIERED = re.compile(r"[<>≤≥]|\bin\b.*\bin\b")
_THOUSANDS = {"K": Decimal(1000), "M": Decimal(1_000_000)}


def deepinfra_models(data: bytes, ask: Ask) -> ListPage:
    """The list of the OpenAI dialect."""
    return ListPage(models=models_of(items_of(decode(data), "data"), _with_metadata))


def deepinfra_native(data: bytes, ask: Ask) -> ListPage:
    """The native list: a bare array."""
    return ListPage(models=models_of(items_of(decode(data), "data"), _native, "model_name"))


def _with_metadata(fields: Fields, id: str) -> ListedModel:
    metadata = fields.inner("metadata")
    return ListedModel(
        id=id,
        prices=metadata.inner("pricing").prices(_METADATA, PER_MTOK),
        context_tokens=metadata.tokens("context_length"),
        max_output_tokens=metadata.tokens("max_tokens"),
        capabilities=capabilities_of(metadata.words("tags")),
    )


def _native(fields: Fields, id: str) -> ListedModel | None:
    if fields.values.get("private"):
        return None
    prices, tiers = _prices(fields.inner("pricing"))
    return ListedModel(
        id=id,
        kind=_KINDS.get(fields.text("reported_type") or fields.text("type") or ""),
        prices=prices,
        tiers=tiers,
        context_tokens=fields.tokens("max_tokens"),
        capabilities=capabilities_of(fields.words("tags")),
        quantization=fields.text("quantization"),
        retires_on=fields.day("deprecated"),
    )


def _prices(pricing: Fields) -> tuple[Prices, tuple[ListedTier, ...]]:
    """A discount is left out of the prices: nothing says whether the figures hold it already."""
    if pricing.text("type") not in _BY_TOKENS:
        return (), ()
    if pricing.figure("discount"):
        pricing.tell("discount", "not taken off, because nothing says whether the prices hold it")
    flat = pricing.prices(_CENTS, CENTS_PER_TOKEN)
    flat += _multiplied(pricing, dict(flat).get("input_usd_per_mtok"))
    text = pricing.values.get("full")
    if not isinstance(text, str) or _TIERED.search(text) is None:
        return flat, ()
    tiers = tiers_of(text)
    if tiers is None:
        pricing.tell("full", "speaks of tiers in words that are not known")
        return flat, ()
    first, base = dict(tiers[0].prices), dict(flat)
    if any(first[name] != base.get(name) for _, name in _CENTS):
        pricing.tell("full", "its first tier is not the price beside it")
        return flat, ()
    return tuple((base | first).items()), tiers[1:]


def _multiplied(pricing: Fields, usd: Decimal | None) -> Prices:
    found: list[tuple[str, Decimal]] = []
    for name, price in _MULTIPLIERS:
        rate = pricing.figure(name)
        if rate is not None and usd is not None:
            product = times(usd, rate)
            coarse = len(rate.as_tuple().digits) >= _COARSE
            found.append((price, rounded(product, _COARSE - 1) if coarse else product))
    return tuple(found)


def tiers_of(text: str) -> tuple[ListedTier, ...] | None:
    """The tiers that a sentence such as `$1.2 in $6 out $0.24 cached <= 32K, $3 in $15 out > 32K` speaks of, the first
    above 0 tokens; None when it is not exactly of that form.

    Every segment but the last ends at a bound, and each begins where the one before it ends. K is 1000: should 1024 be
    meant, the dearer price is taken to begin a little early, never late.
    """
    tiers: list[ListedTier] = []
    above = 0
    segments = text.strip().split(", ")
    for place, segment in enumerate(segments, start=1):
        match = _SEGMENT.fullmatch(segment)
        if match is None:
            return None
        *money, sign, amount, unit = match.groups()
        names = ("input_usd_per_mtok", "output_usd_per_mtok", "cached_input_usd_per_mtok")
        prices = tuple((name, plain(figure(usd))) for name, usd in zip(names, money, strict=True) if usd is not None)
        tiers.append(ListedTier(above, prices))
        bound = None if amount is None else figure(amount) * _THOUSANDS[unit]
        if place == len(segments):
            return tuple(tiers) if place > 1 and _ends(sign, bound, above) else None
        if sign != "<=" or bound is None or bound <= above or bound != bound.to_integral_value():
            return None
        above = int(bound)
    return None


def _ends(sign: str | None, bound: Decimal | None, above: int) -> bool:
    """Whether the last segment ends the row: openly, by the bound it begins at, or at the window."""
    if bound is None:
        return True
    return bound == above if sign == ">" else bound > above
