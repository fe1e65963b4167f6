"""What a provider publishes about the models it sells: one page of its list, read but not yet believed."""

from __future__ import annotations

from decimal import Decimal

import msgspec

Prices = tuple[tuple[str, Decimal], ...]
"""Names of prices as the catalogue has them (`input_usd_per_mtok`, …) → US dollars for a million tokens, exactly as
the provider's figure comes to: nobody has asked yet whether it makes sense."""


class ListedTier(msgspec.Struct, frozen=True):
    """Prices of the whole request once its prompt is longer than `above_tokens`."""

    above_tokens: int
    prices: Prices


class ListedModel(msgspec.Struct, frozen=True, kw_only=True):
    """One model of a list. None, or nothing in a collection, is what the provider does not say.

    `kind` is the catalogue's: chat, completion, embedding, rerank, image, audio_in, audio_out. `free` only where the
    provider says so in so many words: a price of 0 alone is no price. `capabilities` are what it says the model can,
    `lacks` what it says the model cannot, in the catalogue's words. `retires_on` is a date as YYYY-MM-DD. `problems`
    are figures that could not be read, each with the reason.
    """

    id: str
    kind: str | None = None
    prices: Prices = ()
    tiers: tuple[ListedTier, ...] = ()
    free: bool = False
    context_tokens: int | None = None
    max_input_tokens: int | None = None
    max_output_tokens: int | None = None
    capabilities: frozenset[str] = frozenset()
    lacks: frozenset[str] = frozenset()
    quantization: str | None = None
    retires_on: str | None = None
    aliases: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


class Ask(msgspec.Struct, frozen=True):
    """One request for a part of a list: GET, or POST where there is a body.

    `path` begins with a slash and is relative to the provider's base URL, or with two: then to the root of its host.
    It may hold a query. `about` is the model that the answer is about, None for a page of many.
    """

    path: str
    body: bytes | None = None
    about: str | None = None


class ListPage(msgspec.Struct, frozen=True, kw_only=True):
    """What one answer holds: models, and what else to ask for: the next page, the details of a model.

    Models of the same id from several answers are one model; what a later answer says is laid over an earlier one.
    """

    models: tuple[ListedModel, ...] = ()
    more: tuple[Ask, ...] = ()


class ListUnreadable(Exception):
    """An answer that is no list of this format. The message says what it is instead; it is fit for the log."""
