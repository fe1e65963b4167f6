"""Catalogues of hosts that have an API of their own beside the OpenAI dialect: GitHub and Cloudflare.

- GitHub: `/catalog/models` at the host's root, a bare array (https://docs.github.com/en/rest/models/catalog). No price.
- Cloudflare: `/ai/models/search` of the account, in pages; figures are `properties` with a name and a value, often as
  text, and prices carry their unit (https://developers.cloudflare.com/api/resources/ai/subresources/models). What is
  called is the `name`, beginning with `@cf/`.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from headgate.providers.listings.figures import PER_MTOK
from headgate.providers.listings.reading import Fields, decode, items_of, models_of, next_page, top_of
from headgate.providers.listings.words import capabilities_of, inputs_of, kind_of
from headgate.types.listing import Ask, ListedModel, ListPage, Prices

_TASKS = {
    "Text Generation": "chat",
    "Text Embeddings": "embedding",
    "Text-to-Image": "image",
    "Automatic Speech Recognition": "audio_in",
    "Text-to-Speech": "audio_out",
}
_UNITS = {
    "per M input tokens": "input_usd_per_mtok",
    "per M output tokens": "output_usd_per_mtok",
    "per M cached input tokens": "cached_input_usd_per_mtok",
}
_SWITCHES = {"function_calling": "tools", "vision": "vision", "reasoning": "reasoning"}
_TEXT_FLAGS = {"true": True, "false": False}


def github(data: bytes, ask: Ask) -> ListPage:
    """The whole catalogue in one answer."""
    return ListPage(models=models_of(items_of(decode(data), "data"), _github_model))


def cloudflare(data: bytes, ask: Ask) -> ListPage:
    """A page; how many models there are stands beside it."""
    top = top_of(data)
    info = top.inner("result_info")
    page, size, total = info.tokens("page"), info.tokens("per_page"), info.tokens("total_count")
    further = page is not None and size is not None and total is not None and page * size < total
    items = items_of(top.values, "result")
    return ListPage(
        models=models_of(items, _cloudflare_model, "name"),
        more=next_page(ask, "page", str(page + 1)) if page is not None and further and items else (),
    )


def _github_model(fields: Fields, id: str) -> ListedModel:
    limits = fields.inner("limits")
    can = capabilities_of(fields.words("capabilities")) | inputs_of(fields.words("supported_input_modalities"))
    return ListedModel(
        id=id,
        kind=kind_of(fields.words("supported_output_modalities")),
        max_input_tokens=limits.tokens("max_input_tokens"),
        max_output_tokens=limits.tokens("max_output_tokens"),
        capabilities=can,
    )


def _cloudflare_model(fields: Fields, id: str) -> ListedModel:
    said: dict[str, Any] = {}
    for each in fields.objects("properties"):
        name = each.text("property_id")
        value = each.values.get("value")
        if name is not None:
            said[name] = _TEXT_FLAGS.get(value, value) if isinstance(value, str) else value
    properties = Fields(said, fields.problems, "properties.")
    can, lacks = properties.switches(_SWITCHES)
    return ListedModel(
        id=id,
        kind=_TASKS.get(fields.inner("task").text("name") or ""),
        prices=_prices(properties),
        context_tokens=properties.tokens("context_window"),
        capabilities=can,
        lacks=lacks,
        retires_on=properties.day("planned_deprecation_date"),
    )


def _prices(properties: Fields) -> Prices:
    found: dict[str, Decimal] = {}
    for price in properties.objects("price"):
        name = _UNITS.get(price.text("unit") or "")
        if name is None or price.text("currency") not in (None, "USD"):
            price.tell("unit", "not US dollars for a million tokens")
            continue
        usd = price.price("price", PER_MTOK)
        if usd is not None:
            found[name] = usd
    return tuple(found.items())
