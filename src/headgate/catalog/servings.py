"""When weights that are stored another way are another serving of a model: one rule for what is listed and declared."""

from __future__ import annotations

from functools import cache
from importlib import resources

import msgspec

from headgate.types.deployment import Offer
from headgate.wire import json

UNQUANTISED = frozenset({"bf16", "fp16", "fp32"})
"""How weights are stored that nobody has made smaller."""

_UNSAID = frozenset({"unknown", "none"})


class _Native(msgspec.Struct):
    """How the weights of some models were published, and where that is written down."""

    formats: frozenset[str]
    source: str


def serving(offer: Offer, stored_as: str | None) -> str | None:
    """The variant an offer is, now that its weights are said to be stored so; None when it is the plain serving.

    What the catalogue has as another serving stays that. Weights as they were published are plain.
    """
    if stored_as is None or (offer.variant is not None and offer.variant != offer.quantization):
        return offer.variant
    if offer.variant is not None and offer.variant.lower() == stored_as.lower():
        return offer.variant
    return None if is_plain(offer.model, stored_as) else stored_as


def is_plain(slug: str, stored_as: str) -> bool:
    """Whether weights that are stored so are those of the model as it was published, or larger ones."""
    word = stored_as.lower()
    return word in UNQUANTISED or word in _UNSAID or word in _native_formats(slug)


def _native_formats(slug: str) -> frozenset[str]:
    """The formats a model was published in: what the longest beginning of its slug in the table says."""
    known = [prefix for prefix in _table() if slug.startswith(prefix)]
    return _table()[max(known, key=len)].formats if known else frozenset()


@cache
def _table() -> dict[str, _Native]:
    data = resources.files("headgate.catalog").joinpath("data/native_formats.json").read_bytes()
    return json.Decoder[dict[str, _Native]](dict[str, _Native]).decode(data)
