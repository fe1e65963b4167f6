"""Lists of those who make models: Mistral, Anthropic, Gemini. They say what a model can do, and no price.

- https://docs.mistral.ai/api/endpoint/models: capabilities as true or false, the other names of a model, its end.
- https://docs.claude.com/en/api/models-list: in pages; wants the credential as `x-api-key`. What a capability says is
  about the native endpoint.
- https://ai.google.dev/api/models: in pages; names begin with `models/`; wants the credential as `x-goog-api-key`.
"""

from __future__ import annotations

from headgate.providers.listings.reading import Fields, decode, is_word, items_of, models_of, next_page, top_of
from headgate.types.listing import Ask, ListedModel, ListPage

_MISTRAL = {"function_calling": "tools", "vision": "vision", "reasoning": "reasoning", "audio": "audio_in"}
_MISTRAL_KINDS = (
    ("completion_chat", "chat"),
    ("completion_fim", "completion"),
    ("audio_transcription", "audio_in"),
    ("audio_speech", "audio_out"),
)
_ANTHROPIC = {
    "image_input": "vision",
    "pdf_input": "pdf",
    "structured_outputs": "json_schema",
    "thinking": "reasoning",
}
_GEMINI_KINDS = (("generateContent", "chat"), ("embedContent", "embedding"), ("predict", "image"))
_GEMINI_PREFIX = "models/"


def mistral(data: bytes, ask: Ask) -> ListPage:
    """The whole list in one answer."""
    return ListPage(models=models_of(items_of(decode(data), "data"), _mistral_model))


def anthropic(data: bytes, ask: Ask) -> ListPage:
    """A page; the next begins after `last_id`."""
    top = top_of(data)
    return ListPage(
        models=models_of(items_of(top.values, "data"), _anthropic_model),
        more=next_page(ask, "after_id", top.values.get("last_id")) if top.values.get("has_more") is True else (),
    )


def gemini(data: bytes, ask: Ask) -> ListPage:
    """A page of the native list. An empty page has no `models`, but it is never the first."""
    top = top_of(data)
    items = [] if not top.values and "pageToken=" in ask.path else items_of(top.values, "models")
    return ListPage(
        models=models_of(items, _gemini_model, "name"),
        more=next_page(ask, "pageToken", top.values.get("nextPageToken")),
    )


def _mistral_model(fields: Fields, id: str) -> ListedModel:
    capabilities = fields.inner("capabilities")
    can, lacks = capabilities.switches(_MISTRAL)
    return ListedModel(
        id=id,
        kind=next((kind for name, kind in _MISTRAL_KINDS if capabilities.flag(name)), None),
        context_tokens=fields.tokens("max_context_length"),
        capabilities=can,
        lacks=lacks,
        retires_on=fields.day("deprecation"),
        aliases=fields.words("aliases"),
    )


def _anthropic_model(fields: Fields, id: str) -> ListedModel:
    capabilities = fields.inner("capabilities")
    # Each is an object that holds more, or just true or false.
    said = {
        name: value.get("supported") if isinstance(value, dict) else value
        for name, value in capabilities.values.items()
    }
    can, lacks = Fields(said, fields.problems, "capabilities.").switches(_ANTHROPIC)
    return ListedModel(
        id=id,
        kind="chat",
        max_input_tokens=fields.tokens("max_input_tokens"),
        max_output_tokens=fields.tokens("max_tokens"),
        capabilities=can,
        lacks=lacks,
        retires_on=fields.day("retires_at"),
    )


def _gemini_model(fields: Fields, name: str) -> ListedModel | None:
    id = name.removeprefix(_GEMINI_PREFIX)
    if not is_word(id):
        return None
    methods = fields.words("supportedGenerationMethods")
    can, lacks = fields.switches({"thinking": "reasoning"})
    return ListedModel(
        id=id,
        kind=next((kind for method, kind in _GEMINI_KINDS if method in methods), None),
        max_input_tokens=fields.tokens("inputTokenLimit"),
        max_output_tokens=fields.tokens("outputTokenLimit"),
        capabilities=can,
        lacks=lacks,
    )
