"""The rows: every provider Headgate knows without being told. Adding one is one more row here and nothing elsewhere.

Facts come from the providers' own documentation and SDKs. A row names an environment variable only where finding
it there can mean nothing but "use this for models": the first that is set wins.
"""

from __future__ import annotations

from headgate.providers.provider import ALL, CHAT_COMPLETION, CHAT_EMBEDDING, Provider
from headgate.providers.sandbox import SANDBOX
from headgate.types.deployment import StreamUsage

_PLAIN = ("cap_as_max_tokens", "developer_as_system")
"""For hosts of open models: the spellings every OpenAI-compatible server understands."""

_STRICT = ("no_store", "no_nulls", "no_cache_control")
"""For hosts that refuse fields they do not know."""

ROWS: tuple[Provider, ...] = (
    Provider(
        name="deepinfra",
        docs="https://docs.deepinfra.com/chat/overview",
        base_url="https://api.deepinfra.com/v1/openai",
        env=("DEEPINFRA_API_KEY", "DEEPINFRA_TOKEN"),
        operations=ALL,
        quirks=(*_PLAIN, "text_tool_results"),
    ),
    Provider(
        name="openai",
        docs="https://platform.openai.com/docs/api-reference/chat",
        base_url="https://api.openai.com/v1",
        env=("OPENAI_API_KEY",),
        operations=ALL,
        quirks=("cap_as_max_completion_tokens",),
        tier_percent=(("batch", 50), ("flex", 50)),
    ),
    Provider(
        name="groq",
        docs="https://console.groq.com/docs/openai",
        base_url="https://api.groq.com/openai/v1",
        env=("GROQ_API_KEY",),
        quirks=(*_STRICT, "no_metadata", "no_logprobs", "no_logit_bias", "no_penalties", "no_thoughts"),
        usage_aside="x_groq",
    ),
    Provider(
        name="mistral",
        docs="https://docs.mistral.ai/api",
        base_url="https://api.mistral.ai/v1",
        env=("MISTRAL_API_KEY",),
        operations=CHAT_EMBEDDING,
        quirks=(*_PLAIN, *_STRICT, "random_seed", "tool_choice_any", "short_ids", "no_thoughts", "no_names", "no_user"),
        stream_usage=StreamUsage.ALWAYS,
    ),
    Provider(
        name="xai",
        docs="https://docs.x.ai/docs/api-reference",
        base_url="https://api.x.ai/v1",
        env=("XAI_API_KEY",),
        operations=CHAT_COMPLETION,
        quirks=("cap_as_max_tokens", "no_strict_tools", "no_names"),
    ),
    Provider(
        name="together",
        docs="https://docs.together.ai/reference/chat-completions-1",
        base_url="https://api.together.ai/v1",
        env=("TOGETHER_API_KEY",),
        operations=ALL,
        quirks=(*_PLAIN, "logprobs_as_count"),
    ),
    Provider(
        name="fireworks",
        docs="https://docs.fireworks.ai/api-reference/post-chatcompletions",
        base_url="https://api.fireworks.ai/inference/v1",
        env=("FIREWORKS_API_KEY",),
        operations=ALL,
        quirks=("developer_as_system", "tool_choice_any", "no_strict_tools", "no_cache_control"),
    ),
    Provider(
        name="cerebras",
        docs="https://inference-docs.cerebras.ai/api-reference/chat-completions",
        base_url="https://api.cerebras.ai/v1",
        env=("CEREBRAS_API_KEY",),
        operations=CHAT_COMPLETION,
        quirks=(*_STRICT, "no_metadata", "no_logit_bias", "history_reasoning"),
    ),
    Provider(
        name="sambanova",
        docs="https://docs.sambanova.ai",
        base_url="https://api.sambanova.ai/v1",
        env=("SAMBANOVA_API_KEY",),
        operations=ALL,
        quirks=(*_PLAIN, "text_content"),
    ),
    Provider(
        name="deepseek",
        docs="https://api-docs.deepseek.com/api/create-chat-completion",
        base_url="https://api.deepseek.com",
        env=("DEEPSEEK_API_KEY",),
        quirks=(*_PLAIN, "reasoning_on_tool_turns"),
    ),
    Provider(
        name="openrouter",
        docs="https://openrouter.ai/docs/api-reference/overview",
        base_url="https://openrouter.ai/api/v1",
        env=("OPENROUTER_API_KEY",),
        operations=ALL,
    ),
    Provider(
        name="perplexity",
        docs="https://docs.perplexity.ai/api-reference/chat-completions-post",
        base_url="https://api.perplexity.ai",
        env=("PERPLEXITY_API_KEY", "PPLX_API_KEY"),
        quirks=_PLAIN,
        stream_usage=StreamUsage.ALWAYS,
    ),
    Provider(
        name="nebius",
        docs="https://docs.tokenfactory.nebius.com",
        base_url="https://api.tokenfactory.nebius.com/v1",
        env=("NEBIUS_API_KEY",),
        operations=ALL,
        quirks=_PLAIN,
    ),
    Provider(
        name="novita",
        docs="https://novita.ai/docs/api-reference/model-apis-llm-create-chat-completion",
        base_url="https://api.novita.ai/openai/v1",
        env=("NOVITA_API_KEY",),
        operations=ALL,
        quirks=_PLAIN,
    ),
    Provider(
        name="hyperbolic",
        docs="https://docs.hyperbolic.xyz",
        base_url="https://api.hyperbolic.xyz/v1",
        env=("HYPERBOLIC_API_KEY",),
        operations=CHAT_COMPLETION,
        quirks=_PLAIN,
    ),
    Provider(
        name="gemini",
        docs="https://ai.google.dev/gemini-api/docs/openai",
        base_url="https://generativelanguage.googleapis.com/v1beta/openai",
        env=("GEMINI_API_KEY", "GOOGLE_API_KEY"),
        operations=CHAT_EMBEDDING,
        quirks=(*_STRICT, "no_metadata"),
    ),
    # GITHUB_TOKEN is on every build machine and opens repositories; it is never sent to a model unasked.
    Provider(
        name="github",
        docs="https://docs.github.com/en/rest/models/inference",
        base_url="https://models.github.ai/inference",
        env=("GITHUB_MODELS_TOKEN",),
        operations=CHAT_EMBEDDING,
    ),
    Provider(
        name="huggingface",
        docs="https://huggingface.co/docs/inference-providers",
        base_url="https://router.huggingface.co/v1",
        env=("HF_TOKEN",),
        quirks=_PLAIN,
    ),
    Provider(
        name="cloudflare",
        docs="https://developers.cloudflare.com/workers-ai/configuration/open-ai-compatibility",
        base_url="https://api.cloudflare.com/client/v4/accounts/${CLOUDFLARE_ACCOUNT_ID}/ai/v1",
        env=("CLOUDFLARE_API_TOKEN",),
        operations=CHAT_EMBEDDING,
        quirks=_PLAIN,
    ),
    Provider(
        name="nvidia",
        docs="https://docs.api.nvidia.com/nim/reference/llm-apis",
        base_url="https://integrate.api.nvidia.com/v1",
        env=("NVIDIA_API_KEY",),
        operations=ALL,
        quirks=_PLAIN,
    ),
    Provider(
        name="moonshot",
        docs="https://platform.kimi.ai/docs/api/chat",
        base_url="https://api.moonshot.ai/v1",
        env=("MOONSHOT_API_KEY",),
        quirks=("developer_as_system", "reasoning_on_tool_turns"),
    ),
    Provider(
        name="zai",
        docs="https://docs.z.ai/api-reference/llm/chat-completion",
        base_url="https://api.z.ai/api/paas/v4",
        env=("ZAI_API_KEY",),
        quirks=(*_PLAIN, "no_names", "no_strict_tools"),
        stream_usage=StreamUsage.ALWAYS,
    ),
    Provider(
        name="ollama",
        docs="https://docs.ollama.com/api/openai-compatibility",
        base_url="http://127.0.0.1:11434/v1",
        operations=ALL,
        quirks=(*_PLAIN, "no_tool_choice", "no_logprobs", "no_logit_bias", "one_choice", "no_user"),
        local=True,
    ),
    Provider(
        name="vllm",
        docs="https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html",
        base_url="http://127.0.0.1:8000/v1",
        operations=ALL,
        quirks=("developer_as_system",),
        local=True,
    ),
    Provider(
        name="sglang",
        docs="https://docs.sglang.ai/basic_usage/openai_api.html",
        base_url="http://127.0.0.1:30000/v1",
        operations=ALL,
        quirks=("developer_as_system",),
        local=True,
    ),
    Provider(
        name="llamacpp",
        docs="https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md",
        base_url="http://127.0.0.1:8080/v1",
        operations=ALL,
        quirks=_PLAIN,
        local=True,
    ),
    Provider(
        name="lmstudio",
        docs="https://lmstudio.ai/docs/developer/openai-compat",
        base_url="http://127.0.0.1:1234/v1",
        operations=ALL,
        quirks=_PLAIN,
        local=True,
    ),
    SANDBOX,
)

PROVIDERS: dict[str, Provider] = {row.name: row for row in ROWS}
"""Every row by name, in the order above."""
