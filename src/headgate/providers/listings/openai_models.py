"""`GET /models` of the OpenAI dialect: ids, and the few figures that some servers put beside them.

OpenAI itself gives ids and a date of shutdown (https://platform.openai.com/docs/api-reference/models), vLLM and SGLang
`max_model_len` (https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html), Groq `context_window`,
`max_completion_tokens` and `active` (https://console.groq.com/docs/models), Fireworks and Moonshot `context_length` and
`supports_…`. Nobody gives a price here. A bare array, without `data` around it, is read as well.
"""

from __future__ import annotations

from headgate.providers.listings.reading import Fields, decode, items_of, models_of
from headgate.types.listing import Ask, ListedModel, ListPage

CONTEXT = ("max_model_len", "context_length", "context_window")
OUTPUT = ("max_completion_tokens", "max_output_tokens", "max_output_length")
_SWITCHES = {
    "supports_tools": "tools",
    "supports_image_input": "vision",
    "supports_image_in": "vision",
    "supports_reasoning": "reasoning",
}


def openai_models(data: bytes, ask: Ask) -> ListPage:
    """A list of any server that speaks the dialect."""
    return ListPage(models=models_of(items_of(decode(data), "data"), plain_model))


def plain_model(fields: Fields, id: str) -> ListedModel | None:
    """What the spellings above say; a model that is not active cannot be called and is left out."""
    if fields.flag("active") is False:
        return None
    can, lacks = fields.switches(_SWITCHES)
    return ListedModel(
        id=id,
        kind="chat" if fields.flag("supports_chat") else None,
        context_tokens=fields.tokens(*CONTEXT),
        max_output_tokens=fields.tokens(*OUTPUT),
        capabilities=can,
        lacks=lacks,
        retires_on=fields.day("shutdown_date"),
    )
