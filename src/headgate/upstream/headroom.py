"""What the headers of a reply say is left of the provider's rate limits.

Spellings: OpenAI's https://platform.openai.com/docs/guides/rate-limits (many others use it), Anthropic's
https://docs.claude.com/en/api/rate-limits, Mistral's and Cerebras's with the period in the name, Together's
https://docs.together.ai/docs/rate-limits without a unit.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from headgate.types.headroom import Headroom
from headgate.upstream.retry_after import reset_s

# What is left, and when it is full again. Several can be sent at once: what is least left counts.
REQUESTS = (
    ("x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"),
    ("x-ratelimit-remaining", "x-ratelimit-reset"),
    ("x-ratelimit-remaining-req-minute", "x-ratelimit-reset-req-minute"),
    ("x-ratelimit-remaining-requests-day", "x-ratelimit-reset-requests-day"),
    ("anthropic-ratelimit-requests-remaining", "anthropic-ratelimit-requests-reset"),
)
TOKENS = (
    ("x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"),
    ("x-tokenlimit-remaining", "x-tokenlimit-reset"),
    ("x-ratelimit-remaining-tokens-minute", "x-ratelimit-reset-tokens-minute"),
    ("anthropic-ratelimit-tokens-remaining", "anthropic-ratelimit-tokens-reset"),
    ("anthropic-ratelimit-input-tokens-remaining", "anthropic-ratelimit-input-tokens-reset"),
    ("anthropic-ratelimit-output-tokens-remaining", "anthropic-ratelimit-output-tokens-reset"),
)
_COUNT = re.compile(r"[0-9]{1,12}")


def read_headroom(headers: Mapping[str, str]) -> Headroom | None:
    """What is left, None when the headers say nothing of it. What cannot be read is as if it was not there."""
    requests, tokens = _least(headers, REQUESTS), _least(headers, TOKENS)
    if requests is None and tokens is None:
        return None
    return Headroom(
        requests=None if requests is None else requests[0],
        requests_reset_s=None if requests is None else _reset(headers, requests[1]),
        tokens=None if tokens is None else tokens[0],
        tokens_reset_s=None if tokens is None else _reset(headers, tokens[1]),
    )


def _least(headers: Mapping[str, str], names: tuple[tuple[str, str], ...]) -> tuple[int, str] | None:
    least: tuple[int, str] | None = None
    for name, reset in names:
        text = headers.get(name)
        if text is None:
            continue
        if _COUNT.fullmatch(text) and (least is None or int(text) < least[0]):
            least = int(text), reset
    return least


def _reset(headers: Mapping[str, str], name: str) -> float | None:
    text = headers.get(name)
    return reset_s(text) if text and text.strip() else None
