"""The older text completions, whole or streamed."""

from __future__ import annotations

import math
from itertools import zip_longest
from typing import Any

from headgate.providers.sandbox import answers
from headgate.providers.sandbox.answers import Answer
from headgate.providers.sandbox.chat import usage_of
from headgate.providers.sandbox.draft import CREATED, Draft, Pace, body_draft, stream_draft
from headgate.providers.sandbox.messages import Said, text_tokens
from headgate.providers.sandbox.request import MAX_CHOICES, Refused, flag, parse_ask, whole

Payload = dict[str, Any]


def completion_draft(request: Payload, seed: str, pace: Pace) -> Draft:
    """The good reply to a text completion request. Raises Refused for a malformed one."""
    ask = parse_ask(request, seed)
    prompts = _prompts(request.get("prompt", ""))
    if len(prompts) * ask.n > MAX_CHOICES:
        raise Refused(f"prompts × n may be {MAX_CHOICES} at most.", param="n")
    logprobs = whole(request, "logprobs", 0, 5)
    made = []
    for prompt in prompts:
        for index in range(ask.n):
            answer = answers.limited(answers.small_talk(Said("user", prompt), ask.model, index), ask)
            echoed = answers.tokenise(prompt) if flag(request, "echo") else []
            made.append(Answer(tokens=(*echoed, *answer.tokens), finish=answer.finish))
    usage = usage_of(sum(map(text_tokens, prompts)), sum(answer.count for answer in made))
    head = {"id": f"cmpl-{seed[:24]}", "object": "text_completion", "created": CREATED, "model": ask.model}
    if not ask.stream:
        choices = [_choice(answer.tokens, at, answer.finish, logprobs) for at, answer in enumerate(made)]
        return body_draft({**head, "choices": choices, "usage": usage}, pace)
    pieces = [[_choice((token,), at, None, logprobs) for token in answer.tokens] for at, answer in enumerate(made)]
    return stream_draft(
        role=[],
        content=[{**head, "choices": [piece]} for beat in zip_longest(*pieces) for piece in beat if piece],
        finish=[{**head, "choices": [_choice((), at, answer.finish, None)]} for at, answer in enumerate(made)],
        usage={**head, "choices": [], "usage": usage},
        include_usage=ask.include_usage,
        pace=pace,
    )


def _prompts(prompt: Any) -> list[str]:
    """A prompt as a list of texts; one given as token numbers becomes those numbers, spelled out."""
    if isinstance(prompt, str):
        return [prompt]
    if isinstance(prompt, list) and prompt:
        if all(isinstance(item, str) for item in prompt):
            return prompt
        if is_tokens(prompt):
            return [spell(prompt)]
        if all(is_tokens(item) for item in prompt):
            return [spell(item) for item in prompt]
    raise Refused("prompt has to be a string, a list of strings, or lists of tokens.", param="prompt")


def is_tokens(value: Any) -> bool:
    """Whether this is a non-empty list of token numbers."""
    return isinstance(value, list) and bool(value) and all(type(item) is int and item >= 0 for item in value)


def spell(tokens: list[int]) -> str:
    return " ".join(map(str, tokens))


def _choice(tokens: tuple[str, ...], index: int, finish: str | None, logprobs: int | None) -> Payload:
    return {
        "index": index,
        "text": "".join(tokens),
        "logprobs": None if logprobs is None else _logprobs(tokens, logprobs),
        "finish_reason": finish,
    }


def _logprobs(tokens: tuple[str, ...], top: int) -> Payload:
    likely = round(-math.log(2), 6)
    offsets, at = [], 0
    for token in tokens:
        offsets.append(at)
        at += len(token)
    ranked = [
        {token: likely, **{f" other{place}": likely * (place + 1) for place in range(1, top)}} for token in tokens
    ]
    return {
        "tokens": list(tokens),
        "token_logprobs": [likely] * len(tokens),
        "top_logprobs": ranked if top else None,
        "text_offset": offsets,
    }
