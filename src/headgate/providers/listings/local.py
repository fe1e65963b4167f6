"""Lists of servers on one's own machine: Ollama, llama.cpp, LM Studio. None has a price; that is for the operator.

- Ollama: `/api/tags`, then `/api/show` for each model (https://github.com/ollama/ollama/blob/main/docs/api.md). A model
  that does not list a capability refuses requests that need it.
- llama.cpp: `/v1/models`, and `/props` for the window that is really served
  (https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md).
- LM Studio: `/api/v1/models` (https://lmstudio.ai/docs/developer/rest/list).
"""

from __future__ import annotations

import re

from headgate.providers.listings.reading import Fields, decode, items_of, models_of, top_of
from headgate.types.listing import Ask, ListedModel, ListPage, ListUnreadable
from headgate.wire import json

_OLLAMA = {"tools": "tools", "vision": "vision", "thinking": "reasoning"}
_OLLAMA_KINDS = (("completion", "chat"), ("embedding", "embedding"))
_OLLAMA_WINDOW = re.compile(r"^num_ctx\s+([0-9]{1,12})\s*$", re.MULTILINE)
_MODALITIES = {"vision": "vision", "audio": "audio_in"}
_LMSTUDIO_KINDS = {"llm": "chat", "vlm": "chat", "embedding": "embedding", "embeddings": "embedding"}


def ollama(data: bytes, ask: Ask) -> ListPage:
    """What is installed, and what else to ask; or, where the request was about a model, its details."""
    if ask.about is not None:
        top = top_of(data)
        if not isinstance(top.values.get("model_info"), dict) and not isinstance(top.values.get("details"), dict):
            raise ListUnreadable("the answer has no details of a model")
        return ListPage(models=models_of([{**top.values, "id": ask.about}], _shown))
    models = models_of(items_of(decode(data), "models"), _installed, "name")
    return ListPage(
        models=models,
        more=tuple(Ask("//api/show", json.encode({"model": model.id}), model.id) for model in models),
    )


def llamacpp(data: bytes, ask: Ask) -> ListPage:
    """What is loaded; where it is one model, the server's properties are about it."""
    if ask.about is not None:
        top = top_of(data)
        if not isinstance(top.values.get("default_generation_settings"), dict):
            raise ListUnreadable("the answer has no properties of a server")
        return ListPage(models=models_of([{**top.values, "id": ask.about}], _served))
    models = models_of(items_of(decode(data), "data"), _loaded)
    return ListPage(models=models, more=tuple(Ask("//props", about=model.id) for model in models if len(models) == 1))


def lmstudio(data: bytes, ask: Ask) -> ListPage:
    """The native list."""
    return ListPage(models=models_of(items_of(decode(data), "models"), _lmstudio_model, "key"))


def _installed(fields: Fields, id: str) -> ListedModel:
    return ListedModel(id=id, quantization=_quantization(fields.inner("details").text("quantization_level")))


def _shown(fields: Fields, id: str) -> ListedModel:
    info = fields.inner("model_info")
    trained = info.tokens(f"{info.text('general.architecture') or ''}.context_length")
    return ListedModel(
        id=id,
        kind=next((kind for name, kind in _OLLAMA_KINDS if name in fields.words("capabilities")), None),
        context_tokens=_window(fields, trained),
        capabilities=frozenset(_OLLAMA[word] for word in fields.words("capabilities") if word in _OLLAMA),
        lacks=frozenset(_OLLAMA.values()) if fields.words("capabilities") else frozenset(),
        quantization=_quantization(fields.inner("details").text("quantization_level")),
    )


def _window(fields: Fields, trained: int | None) -> int | None:
    """What the model was trained for, unless its file sets a smaller window: longer prompts are cut without a word."""
    parameters = fields.values.get("parameters")
    match = _OLLAMA_WINDOW.search(parameters) if isinstance(parameters, str) else None
    found = [tokens for tokens in (trained, int(match[1]) if match else None) if tokens]
    return min(found, default=None)


def _loaded(fields: Fields, id: str) -> ListedModel:
    return ListedModel(id=id, context_tokens=fields.inner("meta").tokens("n_ctx", "n_ctx_train"))


def _served(fields: Fields, id: str) -> ListedModel:
    can, lacks = fields.inner("modalities").switches(_MODALITIES)
    window = fields.inner("default_generation_settings").tokens("n_ctx")
    return ListedModel(id=id, context_tokens=window, capabilities=can, lacks=lacks)


def _lmstudio_model(fields: Fields, id: str) -> ListedModel:
    capabilities = fields.inner("capabilities")
    windows = [one.inner("config").tokens("context_length") for one in fields.objects("loaded_instances")]
    # A model that was not trained for tools is still given them, in its prompt.
    can, lacks = capabilities.switches({"vision": "vision"})
    return ListedModel(
        id=id,
        kind=_LMSTUDIO_KINDS.get(fields.text("type") or ""),
        context_tokens=min((tokens for tokens in windows if tokens), default=fields.tokens("max_context_length")),
        capabilities=can | ({"tools"} if capabilities.flag("trained_for_tool_use") else frozenset()),
        lacks=lacks,
        quantization=_quantization(fields.inner("quantization").text("name")),
    )


def _quantization(name: str | None) -> str | None:
    return None if name is None or name.lower() == "unknown" else name.lower()
