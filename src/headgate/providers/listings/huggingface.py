"""Hugging Face's router: `GET /models` with every host of each model, its price in US dollars for a million tokens
(https://huggingface.co/docs/inference-providers/hub-api, models.dev).

Which host answers is decided by the router, so only what all live hosts agree on holds for the model, and a price only
where there is one live host.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from headgate.providers.listings.figures import PER_MTOK
from headgate.providers.listings.reading import Fields, Names, decode, items_of, models_of
from headgate.providers.listings.words import inputs_of, kind_of
from headgate.types.listing import Ask, ListedModel, ListPage

_PRICES: Names = (("input", "input_usd_per_mtok"), ("output", "output_usd_per_mtok"))
_SWITCHES = {"supports_tools": "tools", "supports_structured_output": "json_schema"}

T = TypeVar("T")


def huggingface(data: bytes, ask: Ask) -> ListPage:
    """The list."""
    return ListPage(models=models_of(items_of(decode(data), "data"), _model))


def _model(fields: Fields, id: str) -> ListedModel:
    live = [host for host in fields.objects("providers") if host.text("status") == "live"]
    only = live[0] if len(live) == 1 else None
    free = only is not None and only.flag("is_free") is True
    switches = [host.switches(_SWITCHES) for host in live]
    architecture = fields.inner("architecture")
    can = _shared([can for can, _ in switches]) | inputs_of(architecture.words("input_modalities"))
    return ListedModel(
        id=id,
        kind=kind_of(architecture.words("output_modalities")),
        prices=() if only is None else only.inner("pricing").prices(_PRICES, PER_MTOK),
        free=free,
        context_tokens=_agreed([host.tokens("context_length") for host in live]),
        capabilities=can,
        lacks=_shared([lacks for _, lacks in switches]),
    )


def _shared(sets: Sequence[frozenset[str]]) -> frozenset[str]:
    return frozenset.intersection(*sets) if sets else frozenset()


def _agreed(values: Sequence[T]) -> T | None:
    return values[0] if values and all(value == values[0] for value in values) else None
