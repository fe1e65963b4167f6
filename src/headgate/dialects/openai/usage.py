"""OpenAI's `usage` object → disjoint token classes.

`prompt_tokens` contains cached and cache-write tokens, `completion_tokens` contains reasoning. Some servers leave
reasoning out of the completion: then the total is larger than prompt and completion together, or reasoning is larger
than the completion it should be part of. Cached tokens have four spellings. Sources: OpenAI's API reference; field
notes on xAI, Gemini's compatible endpoint, DeepInfra, Together, Mistral and DeepSeek.
"""

from __future__ import annotations

from typing import Any

import msgspec

from headgate.types.usage import Usage
from headgate.wire import json

# Where a provider says what it read from its prompt cache, when it has no details.
CACHED_ASIDE = ("cached_tokens", "num_cached_tokens", "prompt_cache_hit_tokens")


def parse_usage(raw: bytes | msgspec.Raw) -> Usage | None:
    """Read a usage object; None when it is no object, or does not count."""
    try:
        usage = json.parse(raw)
    except json.DecodeError:
        return None
    if not isinstance(usage, dict):
        return None
    if not any(isinstance(usage.get(name), int) for name in ("prompt_tokens", "completion_tokens")):
        return None
    prompt, completion = _count(usage, "prompt_tokens"), _count(usage, "completion_tokens")
    details = usage.get("prompt_tokens_details")
    cached = _count(details, "cached_tokens") or max(_count(usage, name) for name in CACHED_ASIDE)
    cached = min(prompt, cached)
    written = min(prompt - cached, _count(details, "cache_write_tokens"))
    output, reasoning = _split(
        completion,
        _count(usage.get("completion_tokens_details"), "reasoning_tokens"),
        beyond=_count(usage, "total_tokens") - prompt - completion,
    )
    return Usage(
        input=prompt - cached - written, cached_input=cached, cache_write=written, output=output, reasoning=reasoning
    )


def _split(completion: int, reasoning: int, beyond: int) -> tuple[int, int]:
    """Output and reasoning, disjoint. `beyond` is by how much the total exceeds prompt and completion."""
    if beyond > 0 and reasoning in (0, beyond):
        return completion, beyond
    if reasoning > completion:
        return completion, reasoning
    return completion - reasoning, reasoning


def _count(holder: Any, name: str) -> int:
    """A count that is one; anything else is none."""
    value = holder.get(name) if isinstance(holder, dict) else None
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


def render_usage(usage: Usage) -> dict[str, int]:
    """The three counts every client knows."""
    prompt, completion = usage.prompt_tokens, usage.completion_tokens
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
