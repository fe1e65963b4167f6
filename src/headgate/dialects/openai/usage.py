"""OpenAI's `usage` object → disjoint token classes, and the cost it may name.

`prompt_tokens` contains cached, cache-write and audio tokens, `completion_tokens` contains reasoning and audio. Some
servers leave reasoning out of the completion: then the total is larger than prompt and completion together, or
reasoning is larger than the completion it should be part of, or it has a cost of its own beside that of the output.
Cached tokens have four spellings, a reported cost has four.

Whatever cannot be a count, or a cost, is taken as not said: what a provider sends is no reason to fail, and nothing
absurd may reach the ledger. Sources: OpenAI's API reference; field notes on xAI, Gemini's compatible endpoint,
DeepInfra, Together, Mistral, DeepSeek, OpenRouter, Perplexity, Cohere and SGLang.
"""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from typing import Annotated, Any

import msgspec

from headgate.types.deployment import Body
from headgate.types.money import PUSD_PER_USD
from headgate.types.usage import Usage, service_tier
from headgate.wire import json

# Where a provider says what it read from its prompt cache, when it has no details.
CACHED_ASIDE = ("cached_tokens", "num_cached_tokens", "prompt_cache_hit_tokens")
REPORTED = frozenset({"estimated_cost", "cost_in_usd_ticks", "cost"})
"""Where a provider says what the request cost."""

MAX_TOKENS = 10**9
"""No request has more of any class: a context is a thousandth of it. With it, costs fit the ledger's columns."""

MAX_REPORTED_USD = 10_000
_TICKS_PER_USD = 10**10
_MAX_DIGITS = 64
_MAX_WORD = 16
_KNOWN_TIERS = 64
_LONGEST_TIER = 256
_ABSENT = msgspec.Raw()

Usages = dict[str, Any]
"""The fields of a usage object as they came, of any type."""

_Tokens = Annotated[int, msgspec.Meta(ge=0, le=MAX_TOKENS)]


class _Entered(msgspec.Struct, gc=False):
    cached_tokens: _Tokens | None = None
    cache_write_tokens: _Tokens | None = None
    audio_tokens: _Tokens | None = None


class _Written(msgspec.Struct, gc=False):
    reasoning_tokens: _Tokens | None = None
    audio_tokens: _Tokens | None = None


class _Usual(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """A usage object as OpenAI writes it, and nothing else in it."""

    prompt_tokens: _Tokens
    completion_tokens: _Tokens
    total_tokens: _Tokens
    prompt_tokens_details: _Entered | None = None
    completion_tokens_details: _Written | None = None


_usual = json.Decoder[_Usual](_Usual)


def parse_usage(raw: bytes | msgspec.Raw, tier: bytes | msgspec.Raw = b"", *, writes: bool = True) -> Usage | None:
    """Read a usage object; None when it is no object, or does not count.

    `tier` is the raw `service_tier` that stands beside it; one inside is read where there is none beside. Where it
    counts the prompt alone, or the completion alone, and the total does not tell the other, the usage is `estimated`
    and is to be `completed`. `writes` is false for an operation that has no completion.
    """
    try:
        # What most providers send takes a fifth of the time, and comes to the same.
        return _as_usual(_usual.decode(raw), tier)
    except json.DecodeError:
        return _parse_any(raw, tier, writes=writes)


def _as_usual(usage: _Usual, tier: bytes | msgspec.Raw) -> Usage:
    prompt, completion = usage.prompt_tokens, usage.completion_tokens
    cached = stored = heard = reasoning = spoken = 0
    entered, written = usage.prompt_tokens_details, usage.completion_tokens_details
    if entered is not None and (entered.cached_tokens or entered.cache_write_tokens or entered.audio_tokens):
        cached = min(prompt, entered.cached_tokens or 0)
        stored = min(prompt - cached, entered.cache_write_tokens or 0)
        heard = min(prompt - cached - stored, entered.audio_tokens or 0)
    if written is not None:
        reasoning, spoken = written.reasoning_tokens or 0, written.audio_tokens or 0
    beyond = usage.total_tokens - prompt - completion
    output = completion
    if reasoning or beyond > 0:
        output, reasoning = _split(completion, reasoning, beyond=beyond, apart=False)
    spoken = min(output, spoken)
    return Usage(
        input=prompt - cached - stored - heard,
        cached_input=cached,
        cache_write=stored,
        audio_input=heard,
        output=output - spoken,
        reasoning=reasoning,
        audio_output=spoken,
        service_tier=_tier_named(bytes(tier)) if tier else None,
    )


def _parse_any(raw: bytes | msgspec.Raw, tier: bytes | msgspec.Raw = b"", *, writes: bool = True) -> Usage | None:
    usage = _values(raw)
    if usage is None:
        return None
    prompt, completion, total = _billed(usage)
    if prompt is None and completion is None:
        return None
    half = prompt is None or (writes and completion is None)
    prompt, completion = prompt or 0, completion or 0
    entered, written = usage.get("prompt_tokens_details"), usage.get("completion_tokens_details")
    cached = min(prompt, _cached(usage, entered))
    stored = min(prompt - cached, _count(entered, "cache_write_tokens"))
    heard = min(prompt - cached - stored, _count(entered, "audio_tokens"))
    output, reasoning = _split(
        completion,
        _count(written, "reasoning_tokens") or _count(usage, "reasoning_tokens"),
        beyond=total - prompt - completion,
        apart=_charged(usage, "reasoning_tokens_cost"),
    )
    spoken = min(output, _count(written, "audio_tokens"))
    # Text that a search brought in is entered like the prompt where it is charged for.
    cited = _count(usage, "citation_tokens") if _charged(usage, "citation_tokens_cost") else 0
    return Usage(
        input=prompt - cached - stored - heard + cited,
        cached_input=cached,
        cache_write=stored,
        audio_input=heard,
        output=output - spoken,
        reasoning=reasoning,
        audio_output=spoken,
        estimated=half,
        reported_pusd=_reported_pusd(raw) if not REPORTED.isdisjoint(usage) else None,
        service_tier=parse_tier(tier) or service_tier(usage.get("service_tier")),
        search_size=_word(usage.get("search_context_size")),
    )


def completed(usage: Usage | None, entered: int, written: int) -> Usage:
    """A usage with our own counts, in tokens, where the provider gave none: for all of it, or for a side of it."""
    if usage is None:
        return Usage(input=entered, output=written, estimated=True)
    if not usage.estimated:
        return usage
    return msgspec.structs.replace(
        usage,
        input=usage.input if usage.prompt_tokens else entered,
        output=usage.output if usage.output or usage.audio_output else written,
    )


def parse_tier(raw: bytes | msgspec.Raw) -> str | None:
    """The service tier a raw value names; None for the usual one, and for what is no name."""
    return _tier_named(bytes(raw)) if raw else None


@lru_cache(_KNOWN_TIERS)
def _tier_named(raw: bytes) -> str | None:
    return service_tier(_value(raw)) if len(raw) <= _LONGEST_TIER else None


def render_usage(usage: Usage) -> dict[str, int]:
    """The three counts every client knows."""
    prompt, completion = usage.prompt_tokens, usage.completion_tokens
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


# Counts


def _billed(usage: Usages) -> tuple[int | None, int | None, int]:
    """Prompt and completion, None for what is not said, and the total, 0 where it says nothing.

    Where a provider tells what it bills apart from what it read and wrote, the bill counts and the total says nothing.
    """
    prompt, completion = _number(usage.get("prompt_tokens")), _number(usage.get("completion_tokens"))
    units = usage.get("billed_units")
    if isinstance(units, dict) and ("input_tokens" in units or "output_tokens" in units):
        entered, written = _number(units.get("input_tokens")), _number(units.get("output_tokens"))
        # Of a side it names no bill for, all that it read or wrote is taken as billed.
        return prompt if entered is None else entered, completion if written is None else written, 0
    total = _number(usage.get("total_tokens")) or 0
    # A total that leaves nothing for the other side has forgotten it too.
    if completion is None and prompt is not None and total > prompt:
        completion = total - prompt
    elif prompt is None and completion is not None and total > completion:
        prompt = total - completion
    return prompt, completion, total


def _cached(usage: Usages, details: Any) -> int:
    cached = _count(details, "cached_tokens")
    return cached or max([_count(usage, name) for name in CACHED_ASIDE if name in usage], default=0)


def _split(completion: int, reasoning: int, *, beyond: int, apart: bool) -> tuple[int, int]:
    """Output and reasoning, disjoint. `beyond` is by how much the total exceeds prompt and completion."""
    if beyond > 0 and reasoning in (0, beyond):
        return completion, beyond
    if apart or reasoning > completion:
        return completion, reasoning
    return completion - reasoning, reasoning


def _count(holder: Any, name: str) -> int:
    value = holder.get(name) if isinstance(holder, dict) else None
    return (_number(value) or 0) if value else 0


def _number(value: Any) -> int | None:
    """A count that can be one; a whole number with a decimal point is one too."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    return value if 0 <= value <= MAX_TOKENS else None


# Costs


def _reported_pusd(raw: bytes | msgspec.Raw) -> int | None:
    """The cost of the request as the provider names it, in pico-dollars, rounded half up."""
    usage = _fields(raw)
    if "estimated_cost" in usage:
        return _pusd(usage["estimated_cost"])
    if "cost_in_usd_ticks" in usage:
        return _pusd(usage["cost_in_usd_ticks"], _TICKS_PER_USD)
    cost = usage.get("cost", _ABSENT)
    if bytes(cost).startswith(b"{"):
        return _pusd(_fields(cost).get("total_cost", _ABSENT))
    total = _pusd(cost)
    if total is not None and bytes(usage.get("is_byok", _ABSENT)) == b"true":
        # With the user's own key at the provider behind, `cost` is the fee alone and the rest is billed over there.
        behind = _pusd(_fields(usage.get("cost_details", _ABSENT)).get("upstream_inference_cost", _ABSENT))
        return None if behind is None else total + behind
    return total


def _pusd(raw: msgspec.Raw, per_usd: int = 1) -> int | None:
    """A number as it is written, never through a float, in pico-dollars; None for what cannot be a cost."""
    text = bytes(raw)
    if not text or len(text) > _MAX_DIGITS or text[:1] not in b"0123456789":
        return None
    try:
        amount = Decimal(text.decode()) / per_usd
    except (ArithmeticError, UnicodeDecodeError):
        return None
    if amount > MAX_REPORTED_USD:
        return None
    return int((amount * PUSD_PER_USD).to_integral_value(ROUND_HALF_UP))


def _charged(usage: Usages, name: str) -> bool:
    """Whether a part of the bill is charged on its own."""
    cost = usage.get("cost")
    value = cost.get(name) if isinstance(cost, dict) else None
    return isinstance(value, int | float) and value > 0


# Values


def _values(raw: bytes | msgspec.Raw) -> Usages | None:
    """The fields decoded; those that cannot be read, such as a number beyond any float, are left out."""
    try:
        usage = json.parse(raw)
    except json.DecodeError:
        usage = {name: _value(field) for name, field in _fields(raw).items()}
    return usage if isinstance(usage, dict) else None


def _value(raw: bytes | msgspec.Raw) -> Any:
    try:
        return json.parse(raw)
    except json.DecodeError:
        return None


def _fields(raw: bytes | msgspec.Raw) -> Body:
    try:
        return json.parse_body(raw)
    except json.DecodeError:
        return {}


def _word(value: Any) -> str | None:
    return value if isinstance(value, str) and value.isalnum() and len(value) <= _MAX_WORD else None
