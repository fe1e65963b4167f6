"""How an answer is written on each surface: what is asked, what a provider replies, and what a client reads in it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from headgate.types.deployment import Operation

TEXT = "Grüße an die Welt – 世界, one two three."
USAGE = {"prompt_tokens": 9, "completion_tokens": 12}
VECTOR = [0.25, -0.5, 0.125]


@dataclass(frozen=True)
class Form:
    """One surface. `text` is what an answer says on it, `chunk` one event with some text or a finish reason, `said`
    the text of a choice or of one item of `data`; `items` names the list of answers in a reply."""

    operation: Operation
    path: str
    asks: dict[str, Any] = field(hash=False)
    whole: Callable[..., bytes]
    said: Callable[[dict[str, Any]], str]
    chunk: Callable[..., dict[str, Any]] | None = None
    text: str = TEXT
    items: str = "choices"

    @property
    def streams(self) -> bool:
        return self.chunk is not None


def _chat(text: str, usage: dict[str, Any] | None = None) -> bytes:
    message = {"role": "assistant", "content": text}
    return _whole("chat.completion", {"index": 0, "message": message, "finish_reason": "stop"}, usage)


def _chat_chunk(text: str | None, finish: str | None = None, **fields: Any) -> dict[str, Any]:
    delta = {} if text is None else {"content": text}
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {"id": "c1", "object": "chat.completion.chunk", "model": "m", "choices": [choice], **fields}


def _chat_said(choice: dict[str, Any]) -> str:
    """The words of a message or of a delta, and the arguments of its calls."""
    message = choice.get("message") or choice.get("delta") or {}
    calls = message.get("tool_calls") or ()
    return (message.get("content") or "") + "".join(
        (call.get("function") or {}).get("arguments") or "" for call in calls
    )


def _completion(text: str, usage: dict[str, Any] | None = None) -> bytes:
    return _whole("text_completion", {"index": 0, "text": text, "logprobs": None, "finish_reason": "stop"}, usage)


def _completion_chunk(text: str | None, finish: str | None = None, **fields: Any) -> dict[str, Any]:
    choice = {"index": 0, "text": text or "", "logprobs": None, "finish_reason": finish}
    return {"id": "c1", "object": "text_completion", "model": "m", "choices": [choice], **fields}


def _embedding(_: str, usage: dict[str, Any] | None = None) -> bytes:
    counted = {} if usage is None else {"usage": {"prompt_tokens": 9, "total_tokens": 9}}
    item = {"object": "embedding", "index": 0, "embedding": VECTOR}
    return json.dumps({"object": "list", "model": "m", "data": [item], **counted}).encode()


def _whole(kind: str, choice: dict[str, Any], usage: dict[str, Any] | None) -> bytes:
    counted = {} if usage is None else {"usage": usage}
    return json.dumps({"id": "c1", "object": kind, "model": "m", "choices": [choice], **counted}).encode()


CHAT = Form(
    operation=Operation.CHAT,
    path="/v1/chat/completions",
    asks={"messages": [{"role": "user", "content": "Say hello."}]},
    whole=_chat,
    said=_chat_said,
    chunk=_chat_chunk,
)
COMPLETION = Form(
    operation=Operation.COMPLETION,
    path="/v1/completions",
    asks={"prompt": "Say hello."},
    whole=_completion,
    said=lambda choice: choice["text"],
    chunk=_completion_chunk,
)
EMBEDDING = Form(
    operation=Operation.EMBEDDING,
    path="/v1/embeddings",
    asks={"input": "Say hello."},
    whole=_embedding,
    said=lambda item: json.dumps(item["embedding"]),
    text=json.dumps(VECTOR),
    items="data",
)
FORMS = (CHAT, COMPLETION, EMBEDDING)
