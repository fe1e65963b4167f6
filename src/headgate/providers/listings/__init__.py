"""Lists of models as providers publish them: bytes → what they say, one format a function.

A format reads one answer and says what else to ask for. It fetches nothing, believes nothing, and compares with
nothing: whether a figure makes sense is asked by those who use it. An answer that is no list of the format raises
ListUnreadable; a model with a field that cannot be read is kept without it, and the reason is told beside.
"""

from __future__ import annotations

from collections.abc import Callable

from headgate.providers.listings.catalogs import cloudflare, github
from headgate.providers.listings.deepinfra import deepinfra_models, deepinfra_native
from headgate.providers.listings.fireworks import fireworks
from headgate.providers.listings.huggingface import huggingface
from headgate.providers.listings.local import llamacpp, lmstudio, ollama
from headgate.providers.listings.makers import anthropic, gemini, mistral
from headgate.providers.listings.novita import novita
from headgate.providers.listings.openai_models import openai_models
from headgate.providers.listings.openrouter import openrouter
from headgate.providers.listings.per_mtok import hyperbolic, together, together_supported
from headgate.providers.listings.per_token import nebius, per_token
from headgate.providers.listings.xai import xai
from headgate.types.listing import Ask, ListPage

Parse = Callable[[bytes, Ask], ListPage]
"""An answer, and the request it is the answer to → what it holds. Raises ListUnreadable."""

FORMATS: dict[str, Parse] = {
    "anthropic": anthropic,
    "cloudflare": cloudflare,
    "deepinfra_models": deepinfra_models,
    "deepinfra_native": deepinfra_native,
    "fireworks": fireworks,
    "gemini": gemini,
    "github": github,
    "huggingface": huggingface,
    "hyperbolic": hyperbolic,
    "llamacpp": llamacpp,
    "lmstudio": lmstudio,
    "mistral": mistral,
    "nebius": nebius,
    "novita": novita,
    "ollama": ollama,
    "openai_models": openai_models,
    "openrouter": openrouter,
    "per_token": per_token,
    "together": together,
    "together_supported": together_supported,
    "xai": xai,
}
"""By name, as rows name them; `openai_models` also reads the list of any server whose kind nobody knows."""
