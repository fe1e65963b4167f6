"""OpenAI's `usage` object → disjoint token classes.

`prompt_tokens` contains cached and cache-write tokens, `completion_tokens` contains reasoning; a few servers leave
reasoning out, which shows when it is larger than the whole. Sources: OpenAI's API reference; field notes on
DeepInfra's Gemma and Gemini models.
"""

from __future__ import annotations

import msgspec

from headgate.types.usage import Usage
from headgate.wire import json

Count = int | None


class _PromptDetails(msgspec.Struct):
    cached_tokens: Count = None
    cache_write_tokens: Count = None


class _CompletionDetails(msgspec.Struct):
    reasoning_tokens: Count = None


class _Usage(msgspec.Struct):
    prompt_tokens: Count = None
    completion_tokens: Count = None
    prompt_tokens_details: _PromptDetails | None = None
    completion_tokens_details: _CompletionDetails | None = None


_decoder = json.Decoder[_Usage | None](_Usage | None)


def parse_usage(raw: bytes | msgspec.Raw) -> Usage | None:
    """Read a usage object; None when it is null, not an object of counts, or says nothing."""
    try:
        usage = _decoder.decode(raw)
    except json.DecodeError:
        return None
    if usage is None or (usage.prompt_tokens is None and usage.completion_tokens is None):
        return None
    prompt, completion = max(0, usage.prompt_tokens or 0), max(0, usage.completion_tokens or 0)
    details = usage.prompt_tokens_details
    cached = min(prompt, max(0, (details.cached_tokens or 0) if details else 0))
    written = min(prompt - cached, max(0, (details.cache_write_tokens or 0) if details else 0))
    spent = usage.completion_tokens_details
    reasoning = max(0, (spent.reasoning_tokens or 0) if spent else 0)
    output = completion - reasoning if reasoning <= completion else completion
    return Usage(
        input=prompt - cached - written,
        cached_input=cached,
        cache_write=written,
        output=output,
        reasoning=reasoning,
    )


def render_usage(usage: Usage) -> dict[str, int]:
    """The three counts every client knows."""
    prompt, completion = usage.prompt_tokens, usage.completion_tokens
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
