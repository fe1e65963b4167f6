"""What a request needs, and whether an offer has it: yes, no, or nobody says. Pure."""

from __future__ import annotations

import msgspec

from headgate.types.deployment import Deployment, Offer

MODALITIES = frozenset({"vision", "audio_in", "pdf", "tools"})
"""What models either have or silently go without. A source that describes what a model can do and does not name one of
these is taken to deny it; of everything else, what is not named is not known."""

_SAYS_NOTHING = frozenset({"streaming", "prompt_cache"})
"""Claims that say nothing of what else a model can do."""

WORDS = {
    "tools": "tools",
    "parallel_tools": "parallel tool calls",
    "json_object": "JSON mode",
    "json_schema": "JSON schemas",
    "vision": "images",
    "audio_in": "audio",
    "pdf": "files",
    "logprobs": "logprobs",
    "n": "several answers (n)",
    "prefill": "a beginning of the answer (a last message of the assistant's)",
    "reasoning": "reasoning effort",
}
"""Requirements as people are told of them."""

PARAMS = {
    "tools": "tools",
    "parallel_tools": "parallel_tool_calls",
    "json_object": "response_format",
    "json_schema": "response_format",
    "vision": "messages",
    "audio_in": "messages",
    "pdf": "messages",
    "logprobs": "logprobs",
    "n": "n",
    "prefill": "messages",
    "reasoning": "reasoning_effort",
}
"""The field of a request that a requirement comes from."""

SURELY_BYTES_PER_TOKEN = 12.0
"""No text is denser than this: what does not fit a window even so certainly does not fit."""

CAUTIOUS_BYTES_PER_TOKEN = 3.0
"""Before anything has been learned of a model's prompts, a token is taken to be this short."""

SURELY_HELD = 8_000
"""A prompt of more tokens is in doubt where the window is not known."""

_LEARNED_MARGIN = 1.5
"""A prompt is rarely denser or thinner than the model's usual ones by more than this."""
_CAUTIOUS_MARGIN = 1.15


def verdict(deployment: Deployment, requires: frozenset[str]) -> tuple[list[str], list[str]]:
    """Of the requirements, those the deployment certainly lacks, and those of which nobody says."""
    offer = deployment.offer
    lacking: list[str] = []
    unsure: list[str] = []
    for need in sorted(requires):
        known = has(offer, need)
        if known is False or need in deployment.upstream.lacks:
            lacking.append(need)
        elif known is None:
            unsure.append(need)
    return lacking, unsure


def has(offer: Offer, need: str) -> bool | None:
    """Whether an offer has a capability; None when nobody says."""
    if need in offer.lacks:
        return False
    claimed = offer.capabilities
    if claimed is None:
        return None
    if need in claimed:
        return True
    if need in offer.unsaid:
        return None
    return False if need in MODALITIES and claimed - _SAYS_NOTHING else None


class Extent(msgspec.Struct, frozen=True, gc=False):
    """How long a request is: bytes of text, tokens of what is no text, and how much each answer may be (None: no cap).

    `other` is the most it can be, often far above what it comes to. `exact` is the number of tokens of the prompt where
    somebody has counted.
    """

    text: int
    other: int = 0
    each: int | None = None
    answers: int = 1
    exact: int | None = None

    def tokens(self, bytes_per_token: float) -> int:
        """Tokens of the prompt, where so many bytes of text are one."""
        return self.exact if self.exact is not None else int(self.text / bytes_per_token) + self.other


def overlong(offer: Offer, extent: Extent, learned: float | None) -> tuple[str | None, bool]:
    """Why a request does not fit an offer, None where it may; and whether it might be too long all the same.

    `learned` are the bytes a token of the model's prompts has on average.
    """
    each, longest = extent.each, offer.max_output_tokens
    if each is not None and longest is not None and each > longest:
        return f"writes at most {longest} tokens, and {each} are asked for", False
    window = offer.context_tokens
    prompt_limit = offer.max_input_tokens
    written = each or 0
    least, most = _bounds(extent, learned)
    if window is None and prompt_limit is None:
        usual = offer.usual_context_tokens
        if usual is not None and least + written > usual:
            answer = f" and an answer of up to {written}" if written else ""
            return (
                f"its window is not known, no other offer of the model has more than {usual} tokens, "
                f"and the prompt has at least {least}{answer}",
                False,
            )
        return None, most > SURELY_HELD
    if window is not None and least + written > window:
        answer = f" and an answer of up to {written}" if written else ""
        return f"holds {window} tokens, and the prompt has at least {least}{answer}", False
    if prompt_limit is not None and least > prompt_limit:
        return f"takes prompts of {prompt_limit} tokens, and this one has at least {least}", False
    doubtful = (window is not None and most + written > window) or (prompt_limit is not None and most > prompt_limit)
    return None, doubtful


def _bounds(extent: Extent, learned: float | None) -> tuple[int, int]:
    """The fewest and the most tokens that the prompt is likely to have."""
    if extent.exact is not None:
        return extent.exact, extent.exact
    if learned is None:
        return int(extent.text / SURELY_BYTES_PER_TOKEN), extent.tokens(CAUTIOUS_BYTES_PER_TOKEN)
    return int(extent.text / (learned * _LEARNED_MARGIN)), extent.tokens(learned / _CAUTIOUS_MARGIN)
