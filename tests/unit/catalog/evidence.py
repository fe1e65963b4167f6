"""Names that say less than their slug, or something else, and why they mean the same weights all the same.

The first to go when a client reports another model.
"""

from __future__ import annotations

_REASONS = {
    "The publisher offers one snapshot of it, so that the floating name has nowhere to float.": """
        anthropic/claude-3-7-sonnet-latest
    """,
    "The repository of the chat model ends in -PT; the router's mirror lists it under this host.": """
        baidu/ernie-4.5-21B-a3b baidu/ernie-4.5-vl-28b-a3b
    """,
    "There is one release of this version.": """
        cohere-command-a cohere/command-a cohere/command-a-plus
        mistral-nemo mistral-nemo@2407 mistralai/mistral-nemo open-mistral-nemo open-mistral-nemo-2407
        sao10k/l3-euryale-70b sao10k/l3-8b-lunaris sao10k/l3-lunaris-8b sao10k/l3.1-euryale-70b
        sao10k/l31-70b-euryale-v2.2 sao10k/l3.3-euryale-70b
        meta-llama/llama-4-maverick meta.llama4-maverick-17b-instruct-v1:0 us.meta.llama4-maverick-17b-instruct-v1:0
        meta-llama/llama-4-scout meta.llama4-scout-17b-instruct-v1:0 us.meta.llama4-scout-17b-instruct-v1:0
        accounts/fireworks/models/llama4-maverick-instruct-basic accounts/fireworks/models/llama4-scout-instruct-basic
        accounts/fireworks/models/muse-spark-open meta/muse-spark-open muse-spark-open
    """,
    "The model card that AWS gives it is V3.1's, and its other host there lists V3.1 at the same price.": """
        deepseek.v3-v1:0
    """,
    "The router calls the chat model so; the base model is not sold.": """
        deepseek/deepseek-chat-v3 deepseek/deepseek-chat-v3-0324 deepseek/deepseek-chat-v3.1
    """,
    "It is sold for chat, which a base model is not.": """
        google.gemma-4-26b-a4b gemma-4-31b google.gemma-4-31b google.gemma-4-e2b
        llama-3.1-70b-versatile llama-3.1-8b-instant llama3.1-8b llama-3.3-70b llama-3.3-70b-versatile
        llama-3.3-70b-specdec llama3-70b-8192 llama3-8b-8192 mixtral-8x7b-32768
        moonshotai/kimi-k2 moonshotai/kimi-k2-0905
    """,
    "The same repository, converted for another library.": """
        meta-llama/Llama-3-70b-chat-hf meta-llama/Llama-3-8b-chat-hf nvidia/Llama-3.1-Nemotron-70B-Instruct
    """,
    "Models of this size exist with vision only.": """
        meta.llama3-2-11b-instruct-v1:0 us.meta.llama3-2-11b-instruct-v1:0
        meta.llama3-2-90b-instruct-v1:0 us.meta.llama3-2-90b-instruct-v1:0
    """,
    "Mistral's own ids are a family and a date; the card it gives for the date names the weights.": """
        devstral-2512 mistralai/devstral-2512 mistral.devstral-2-123b labs-devstral-small-2512
        ministral-14b-2512 ministral-3-14b-2512 mistral.ministral-3-14b-instruct mistralai/ministral-14b-2512
        ministral-3b-2512 ministral-3-3b-2512 mistral.ministral-3-3b-instruct mistralai/ministral-3b-2512
        ministral-8b-2512 ministral-3-8b-2512 mistral.ministral-3-8b-instruct mistralai/ministral-8b-2512
        mistral-large-2512 mistral-large-3 mistral.mistral-large-3-675b-instruct mistralai/mistral-large-2512
        mistral-large-2407 mistral-large@2407 mistral.mistral-large-2407-v1:0 mistral-large-2411 mistral-large@2411-001
        mistralai/mistral-medium-3.1 mistral-medium-3-5 mistral-medium-3.5 mistralai/mistral-medium-3-5
        mistral-small-2501 mistral-small-2503 mistralai/mistral-small-3.1-24b-instruct
        mistral-small-2506 mistralai/mistral-small-3.2-24b-instruct pixtral-large-2411 voxtral-small-2507
    """,
    "Azure's Ministral 3B is the one of 2024, which is older than the family called Ministral 3.": """
        ministral-3b
    """,
    "One size of this generation is known in any source.": """
        nvidia.nemotron-nano-3-30b nvidia.nemotron-super-3-120b
        nvidia/nemotron-3.5-lightning nvidia/Nemotron-3_5-Lightning nvidia/NVIDIA-Nemotron-3.5-Lightning
        accounts/fireworks/models/nemotron-3-ultra-nvfp4 FW-Nemotron-3-Ultra-NVFP4 nvidia/Nemotron-3-Nano-Omni
    """,
    "A source says that it sees, and the price is that of the model with vision elsewhere.": """
        nvidia.nemotron-nano-12b-v2
    """,
    "Azure writes no dots.": """
        gpt-35-turbo
    """,
    "The thinking release is always called so; the price is that of the instruct release.": """
        qwen.qwen3-235b-a22b-2507 qwen.qwen3-235b-a22b-2507-v1:0 qwen/qwen3-235b-a22b-2507
    """,
    "The same host, or another, has the name with instruct in it at the same price.": """
        qwen.qwen3-coder-30b-a3b-v1:0 qwen-3-coder-480b qwen.qwen3-coder-480b-a35b-v1:0 qwen/qwen3-coder
        qwen.qwen3-next-80b-a3b qwen.qwen3-vl-235b-a22b
    """,
    "A suffix that nobody explains is taken for another serving, never for the plain one.": """
        deepseek/deepseek-v4-flash-0731-p deepseek/deepseek-v4-pro-0813-p deepseek/deepseek-v4.1-flash-dst
        deepseek/deepseek-v4.1-flash-p meta-llama/llama-3.1-8b-instruct-max moonshotai/kimi-k3-p
        zai-org/glm-4.7-h zai-org/glm-5.3-p
    """,
    "A source calls what AWS serves there Kimi K3.1 Pro, the fast serving.": """
        global.moonshotai.kimi-k3.1 in.moonshotai.kimi-k3.1 us.moonshotai.kimi-k3.1
    """,
}

EVIDENCE = {name: reason for reason, names in _REASONS.items() for name in names.split()}
