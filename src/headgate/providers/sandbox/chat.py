"""Chat completions: answers rendered in OpenAI's wire format, whole or streamed."""

from __future__ import annotations

import math
from itertools import zip_longest
from typing import Any

from headgate.providers.sandbox import answers, messages, tools
from headgate.providers.sandbox.answers import Answer, ToolCall
from headgate.providers.sandbox.draft import CREATED, Draft, Pace, body_draft, stream_draft
from headgate.providers.sandbox.request import Ask, Refused, flag, parse_ask, whole
from headgate.wire import json

_FINGERPRINT = "fp_sandbox"
Payload = dict[str, Any]


def chat_draft(request: Payload, seed: str, pace: Pace) -> Draft:
    """The good reply to a chat request. Raises Refused for a malformed one."""
    ask = parse_ask(request, seed)
    conversation = messages.check_messages(request.get("messages"))
    top_logprobs = _top_logprobs(request)
    made = _answers(request, ask, conversation)
    usage = usage_of(
        messages.prompt_tokens(conversation) + messages.text_tokens(_text(request.get("tools"))),
        sum(answer.count for answer in made),
    )
    head = {
        "id": f"chatcmpl-{seed[:24]}",
        "object": "chat.completion.chunk" if ask.stream else "chat.completion",
        "created": CREATED,
        "model": ask.model,
        "system_fingerprint": _FINGERPRINT,
    }
    if not ask.stream:
        choices = [_choice(answer, index, top_logprobs) for index, answer in enumerate(made)]
        return body_draft({**head, "choices": choices, "usage": usage}, pace)
    deltas = [_deltas(answer, index, top_logprobs) for index, answer in enumerate(made)]
    return stream_draft(
        role=[{**head, "choices": [_opening(answer, index)]} for index, answer in enumerate(made)],
        content=[{**head, "choices": [delta]} for beat in zip_longest(*deltas) for delta in beat if delta],
        finish=[{**head, "choices": [_delta({}, index, answer.finish)]} for index, answer in enumerate(made)],
        usage={**head, "choices": [], "usage": usage},
        include_usage=ask.include_usage,
        pace=pace,
    )


def usage_of(prompt_tokens: int, completion_tokens: int) -> Payload:
    """A usage object with all the details OpenAI sends."""
    return {
        "prompt_tokens": prompt_tokens,
        "completion_tokens": completion_tokens,
        "total_tokens": prompt_tokens + completion_tokens,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": 0,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def _answers(request: Payload, ask: Ask, conversation: list[Payload]) -> list[Answer]:
    offered = tools.check_tools(request.get("tools", []))
    form = answers.check_format(request.get("response_format", {"type": "text"}))
    called = tools.tools_to_call(
        offered,
        request.get("tool_choice"),
        after_result=conversation[-1]["role"] in ("tool", "function"),
        model=ask.model,
        parallel=request.get("parallel_tool_calls") is not False,
    )
    if called:
        return [answers.call_tools(called, ask, index) for index in range(ask.n)]
    heard = messages.last_said(conversation)
    wanted = answers.json_text(form, heard)
    return [
        answers.limited(answers.small_talk(heard, ask.model, index) if wanted is None else wanted, ask)
        for index in range(ask.n)
    ]


def _text(value: Any) -> str:
    return json.encode(value).decode() if value else ""


def _top_logprobs(request: Payload) -> int | None:
    """How many alternatives to list for each token; None when log probabilities are not wanted."""
    wanted = flag(request, "logprobs")
    top = whole(request, "top_logprobs", 0, 20)
    if top is not None and not wanted:
        raise Refused("top_logprobs is allowed only when logprobs is true.", param="top_logprobs")
    return (top or 0) if wanted else None


def _choice(answer: Answer, index: int, top_logprobs: int | None) -> Payload:
    message: Payload = {"role": "assistant", "content": answer.text, "refusal": None, "annotations": []}
    if answer.calls:
        message["content"] = None
        message["tool_calls"] = [{"id": call.id, **_called(call, call.text)} for call in answer.calls]
    logprobs = _logprobs(answer.tokens, top_logprobs)
    return {"index": index, "message": message, "logprobs": logprobs, "finish_reason": answer.finish}


def _called(call: ToolCall, text: str) -> Payload:
    if call.custom:
        return {"type": "custom", "custom": {"name": call.name, "input": text}}
    return {"type": "function", "function": {"name": call.name, "arguments": text}}


def _delta(delta: Payload, index: int, finish: str | None = None, logprobs: Payload | None = None) -> Payload:
    return {"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": finish}


def _opening(answer: Answer, index: int) -> Payload:
    content = None if answer.calls else ""
    return _delta({"role": "assistant", "content": content, "refusal": None}, index)


def _deltas(answer: Answer, index: int, top_logprobs: int | None) -> list[Payload]:
    """One choice object for each token; a call is a header with its name, then its arguments bit by bit."""
    deltas = [_delta({"content": token}, index, logprobs=_logprobs((token,), top_logprobs)) for token in answer.tokens]
    for position, call in enumerate(answer.calls):
        deltas.append(_delta({"tool_calls": [{"index": position, "id": call.id, **_called(call, "")}]}, index))
        part, field = ("custom", "input") if call.custom else ("function", "arguments")
        deltas += [
            _delta({"tool_calls": [{"index": position, part: {field: token}}]}, index)
            for token in answers.tokenise(call.text)
        ]
    return deltas


def _logprobs(tokens: tuple[str, ...], top: int | None) -> Payload | None:
    """Well-formed log probabilities of made-up alternatives, each half as likely as the one before."""
    if top is None:
        return None
    content = []
    for token in tokens:
        ranked = [_ranked(token if place == 0 else f" other{place}", place) for place in range(max(top, 1))]
        content.append({**ranked[0], "top_logprobs": ranked[:top]})
    return {"content": content, "refusal": None}


def _ranked(token: str, place: int) -> Payload:
    return {"token": token, "logprob": round(-(place + 1) * math.log(2), 6), "bytes": list(token.encode())}
