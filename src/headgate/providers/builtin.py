"""The rows: every provider Headgate knows without being told. Adding one is one more row here and nothing elsewhere.

Facts come from the providers' own documentation and SDKs. A row names an environment variable only where finding
it there can mean nothing but "use this for models": the first that is set wins.
"""

from __future__ import annotations

from headgate.providers.provider import ALL, CHAT_COMPLETION, CHAT_EMBEDDING, Provider, listed
from headgate.providers.sandbox import SANDBOX
from headgate.types.deployment import StreamUsage

_PLAIN = ("cap_as_max_tokens", "developer_as_system")
"""For hosts of open models: the spellings every OpenAI-compatible server understands."""

_STRICT = ("no_store", "no_nulls", "no_cache_control")
"""For hosts that refuse fields they do not know."""

_MISTRAL = ("random_seed", "tool_choice_any", "short_ids", "no_thoughts", "no_names", "no_user", "prefix_prefill")
_ANTHROPIC = (("anthropic-version", "2023-06-01"),)
_GITHUB = (("accept", "application/vnd.github+json"), ("x-github-api-version", "2022-11-28"))
_TOGETHER = "//v2/supported-models?product=PRODUCT_SERVERLESS&limit=200"
_CLOUDFLARE = "//client/v4/accounts/${CLOUDFLARE_ACCOUNT_ID}/ai/models/search?per_page=100&page=1"

ROWS: tuple[Provider, ...] = (
    Provider(
        name="deepinfra",
        docs="https://docs.deepinfra.com/chat/overview",
        base_url="https://api.deepinfra.com/v1/openai",
        env=("DEEPINFRA_API_KEY", "DEEPINFRA_TOKEN"),
        operations=ALL,
        quirks=(*_PLAIN, "text_tool_results"),
        listings=(*listed("/models", "deepinfra_models"), *listed("//models/list", "deepinfra_native")),
        concurrent=200,
    ),
    Provider(
        name="openai",
        docs="https://platform.openai.com/docs/api-reference/chat",
        base_url="https://api.openai.com/v1",
        env=("OPENAI_API_KEY",),
        operations=ALL,
        quirks=("cap_as_max_completion_tokens",),
        tier_percent=(("batch", 50), ("flex", 50)),
        listings=listed("/models", "openai_models"),
    ),
    # Through its endpoint for OpenAI's SDK, which ignores what it does not know rather than refuse it.
    Provider(
        name="anthropic",
        docs="https://docs.claude.com/en/api/openai-sdk",
        base_url="https://api.anthropic.com/v1",
        env=("ANTHROPIC_API_KEY",),
        quirks=("no_logprobs", "no_logit_bias", "no_penalties", "no_strict_tools"),
        listings=listed("/models?limit=1000", "anthropic", headers=_ANTHROPIC, auth_header=("x-api-key", "{}")),
        lacks=frozenset({"n", "logprobs", "json_object", "json_schema", "audio_in", "pdf"}),
    ),
    Provider(
        name="groq",
        docs="https://console.groq.com/docs/openai",
        base_url="https://api.groq.com/openai/v1",
        env=("GROQ_API_KEY",),
        quirks=(*_STRICT, "no_metadata", "no_logprobs", "no_logit_bias", "no_penalties", "no_thoughts"),
        usage_aside="x_groq",
        listings=listed("/models", "openai_models"),
        lacks=frozenset({"n", "logprobs"}),
    ),
    Provider(
        name="mistral",
        docs="https://docs.mistral.ai/api",
        base_url="https://api.mistral.ai/v1",
        env=("MISTRAL_API_KEY",),
        operations=CHAT_EMBEDDING,
        quirks=(*_PLAIN, *_STRICT, *_MISTRAL),
        stream_usage=StreamUsage.ALWAYS,
        listings=listed("/models", "mistral"),
    ),
    Provider(
        name="xai",
        docs="https://docs.x.ai/docs/api-reference",
        base_url="https://api.x.ai/v1",
        env=("XAI_API_KEY",),
        operations=CHAT_COMPLETION,
        quirks=("cap_as_max_tokens", "no_strict_tools", "no_names"),
        listings=listed("/language-models", "xai"),
    ),
    Provider(
        name="together",
        docs="https://docs.together.ai/reference/chat-completions-1",
        base_url="https://api.together.ai/v1",
        env=("TOGETHER_API_KEY",),
        operations=ALL,
        quirks=(*_PLAIN, "logprobs_as_count"),
        listings=(*listed("/models", "together"), *listed(_TOGETHER, "together_supported")),
    ),
    Provider(
        name="fireworks",
        docs="https://docs.fireworks.ai/api-reference/post-chatcompletions",
        base_url="https://api.fireworks.ai/inference/v1",
        env=("FIREWORKS_API_KEY",),
        operations=ALL,
        quirks=("developer_as_system", "tool_choice_any", "no_strict_tools", "no_cache_control"),
        listings=(*listed("/models", "openai_models"), *listed("//v1/serverless/models", "fireworks")),
        lacks=frozenset({"pdf"}),
    ),
    Provider(
        name="cerebras",
        docs="https://inference-docs.cerebras.ai/api-reference/chat-completions",
        base_url="https://api.cerebras.ai/v1",
        env=("CEREBRAS_API_KEY",),
        operations=CHAT_COMPLETION,
        quirks=(*_STRICT, "no_metadata", "no_logit_bias", "history_reasoning"),
        listings=listed("/models", "per_token"),
    ),
    Provider(
        name="sambanova",
        docs="https://docs.sambanova.ai",
        base_url="https://api.sambanova.ai/v1",
        env=("SAMBANOVA_API_KEY",),
        operations=ALL,
        quirks=(*_PLAIN, "text_content"),
        listings=listed("/models", "per_token"),
    ),
    Provider(
        name="deepseek",
        docs="https://api-docs.deepseek.com/api/create-chat-completion",
        base_url="https://api.deepseek.com",
        env=("DEEPSEEK_API_KEY",),
        quirks=(*_PLAIN, "reasoning_on_tool_turns"),
        listings=listed("/models", "openai_models"),
        lacks=frozenset({"json_schema"}),
    ),
    Provider(
        name="openrouter",
        docs="https://openrouter.ai/docs/api-reference/overview",
        base_url="https://openrouter.ai/api/v1",
        env=("OPENROUTER_API_KEY",),
        operations=ALL,
        listings=listed("/models", "openrouter"),
    ),
    Provider(
        name="perplexity",
        docs="https://docs.perplexity.ai/api-reference/chat-completions-post",
        base_url="https://api.perplexity.ai",
        env=("PERPLEXITY_API_KEY", "PPLX_API_KEY"),
        quirks=_PLAIN,
        stream_usage=StreamUsage.ALWAYS,
        lacks=frozenset({"json_object"}),
    ),
    Provider(
        name="nebius",
        docs="https://docs.tokenfactory.nebius.com",
        base_url="https://api.tokenfactory.nebius.com/v1",
        env=("NEBIUS_API_KEY",),
        operations=ALL,
        quirks=_PLAIN,
        listings=listed("/models?verbose=true", "nebius"),
    ),
    Provider(
        name="novita",
        docs="https://novita.ai/docs/api-reference/model-apis-llm-create-chat-completion",
        base_url="https://api.novita.ai/openai/v1",
        env=("NOVITA_API_KEY",),
        operations=ALL,
        quirks=_PLAIN,
        listings=listed("/models", "novita"),
    ),
    Provider(
        name="hyperbolic",
        docs="https://docs.hyperbolic.xyz",
        base_url="https://api.hyperbolic.xyz/v1",
        env=("HYPERBOLIC_API_KEY",),
        operations=CHAT_COMPLETION,
        quirks=_PLAIN,
        listings=listed("/models", "hyperbolic"),
    ),
    Provider(
        name="gemini",
        docs="https://ai.google.dev/gemini-api/docs/openai",
        base_url="https://generativelanguage.googleapis.com/v1beta/openai",
        env=("GEMINI_API_KEY", "GOOGLE_API_KEY"),
        operations=CHAT_EMBEDDING,
        quirks=(*_STRICT, "no_metadata"),
        listings=listed("//v1beta/models?pageSize=1000", "gemini", auth_header=("x-goog-api-key", "{}")),
    ),
    # GITHUB_TOKEN is on every build machine and opens repositories; it is never sent to a model unasked.
    Provider(
        name="github",
        docs="https://docs.github.com/en/rest/models/inference",
        base_url="https://models.github.ai/inference",
        env=("GITHUB_MODELS_TOKEN",),
        operations=CHAT_EMBEDDING,
        listings=listed("//catalog/models", "github", headers=_GITHUB),
    ),
    Provider(
        name="huggingface",
        docs="https://huggingface.co/docs/inference-providers",
        base_url="https://router.huggingface.co/v1",
        env=("HF_TOKEN",),
        quirks=_PLAIN,
        listings=listed("/models", "huggingface"),
    ),
    Provider(
        name="cloudflare",
        docs="https://developers.cloudflare.com/workers-ai/configuration/open-ai-compatibility",
        base_url="https://api.cloudflare.com/client/v4/accounts/${CLOUDFLARE_ACCOUNT_ID}/ai/v1",
        env=("CLOUDFLARE_API_TOKEN",),
        operations=CHAT_EMBEDDING,
        quirks=_PLAIN,
        listings=listed(_CLOUDFLARE, "cloudflare"),
    ),
    Provider(
        name="nvidia",
        docs="https://docs.api.nvidia.com/nim/reference/llm-apis",
        base_url="https://integrate.api.nvidia.com/v1",
        env=("NVIDIA_API_KEY",),
        operations=ALL,
        quirks=_PLAIN,
        listings=listed("/models", "openai_models"),
    ),
    Provider(
        name="moonshot",
        docs="https://platform.kimi.ai/docs/api/chat",
        base_url="https://api.moonshot.ai/v1",
        env=("MOONSHOT_API_KEY",),
        quirks=("developer_as_system", "reasoning_on_tool_turns"),
        listings=listed("/models", "openai_models"),
    ),
    Provider(
        name="zai",
        docs="https://docs.z.ai/api-reference/llm/chat-completion",
        base_url="https://api.z.ai/api/paas/v4",
        env=("ZAI_API_KEY",),
        quirks=(*_PLAIN, "no_names", "no_strict_tools"),
        stream_usage=StreamUsage.ALWAYS,
        listings=listed("/models", "openai_models"),
    ),
    Provider(
        name="ollama",
        docs="https://docs.ollama.com/api/openai-compatibility",
        base_url="http://127.0.0.1:11434/v1",
        operations=ALL,
        quirks=(*_PLAIN, "no_tool_choice", "no_logprobs", "no_logit_bias", "one_choice", "no_user"),
        local=True,
        listings=listed("//api/tags", "ollama"),
        lacks=frozenset({"n", "logprobs"}),
    ),
    Provider(
        name="vllm",
        docs="https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html",
        base_url="http://127.0.0.1:8000/v1",
        operations=ALL,
        quirks=("developer_as_system",),
        local=True,
        listings=listed("/models", "openai_models"),
    ),
    Provider(
        name="sglang",
        docs="https://docs.sglang.ai/basic_usage/openai_api.html",
        base_url="http://127.0.0.1:30000/v1",
        operations=ALL,
        quirks=("developer_as_system",),
        local=True,
        listings=listed("/models", "openai_models"),
    ),
    Provider(
        name="llamacpp",
        docs="https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md",
        base_url="http://127.0.0.1:8080/v1",
        operations=ALL,
        quirks=_PLAIN,
        local=True,
        listings=listed("/models", "llamacpp"),
    ),
    Provider(
        name="lmstudio",
        docs="https://lmstudio.ai/docs/developer/openai-compat",
        base_url="http://127.0.0.1:1234/v1",
        operations=ALL,
        quirks=_PLAIN,
        local=True,
        listings=listed("//api/v1/models", "lmstudio"),
    ),
    SANDBOX,
)

PROVIDERS: dict[str, Provider] = {row.name: row for row in ROWS}
"""Every row by name, in the order above."""
