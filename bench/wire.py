"""What the load and the fake provider say to each other, and the marks by which answers and events are counted."""

from __future__ import annotations

import json
import socket

MODEL = "bench-model"
KEY = "sk-bench-0123456789abcdefghijklmnop"
"""The key every client sends: the virtual key in the document of Headgate, the master key of LiteLLM."""

ANSWER = "A lighthouse keeper counts the ships that pass"
"""Stands in every JSON answer; an answer without it is an error."""

MARK = b"bench-word"
"""Stands in every content event, once, and nowhere else."""


def chat_request(port: int, *, stream: tuple[int, int] | None = None, usage: bool = False, held: bool = False) -> bytes:
    """One small chat request with the headers the OpenAI Python SDK sends, but for compression, which it refuses:
    what a program spends on compressing would be compared with others that do not.

    `stream` is (content events, milliseconds between them); a `held` one stops after its first content event until the
    bell rings. The fake provider reads this from the message text, the one part of a body that every program passes on
    as it came.
    """
    question = "Tell me about the sea in a few words."
    if stream is not None:
        question = f"Say {stream[0]} words, one per {stream[1]} ms{', when the bell rings' if held else ''}."
    fields: dict[str, object] = {
        "messages": [
            {"role": "system", "content": "You are a helpful assistant that answers briefly and to the point."},
            {"role": "user", "content": question},
        ],
        "model": MODEL,
        "temperature": 0.7,
        "max_tokens": 256,
    }
    if stream is not None:
        fields["stream"] = True
    if usage:
        fields["stream_options"] = {"include_usage": True}
    body = json.dumps(fields, separators=(",", ":")).encode()
    head = (
        "POST /v1/chat/completions HTTP/1.1\r\n"
        f"Host: 127.0.0.1:{port}\r\n"
        "Accept-Encoding: identity\r\n"
        "Connection: keep-alive\r\n"
        "Accept: application/json\r\n"
        "Content-Type: application/json\r\n"
        "User-Agent: OpenAI/Python 2.8.0\r\n"
        "X-Stainless-Lang: python\r\n"
        "X-Stainless-Async: async:asyncio\r\n"
        f"Authorization: Bearer {KEY}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def ring(fake_port: int) -> None:
    """Lets the fake provider's held streams go on; does not wait for its answer."""
    with socket.create_connection(("127.0.0.1", fake_port), 10) as sock:
        sock.sendall(b"GET /bell HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")


def _usage(output_tokens: int) -> dict[str, object]:
    return {
        "prompt_tokens": 27,
        "completion_tokens": output_tokens,
        "total_tokens": 27 + output_tokens,
        "prompt_tokens_details": {"cached_tokens": 0},
    }


def json_reply() -> bytes:
    """A whole HTTP reply with a chat completion of about 600 bytes."""
    text = f"{ANSWER}, and writes each of them down in a book that nobody will ever ask for, because that is the work."
    message: dict[str, object] = {"role": "assistant", "content": text, "refusal": None, "annotations": []}
    answer = {
        "id": "chatcmpl-BenchBenchBenchBenchBenchBench",
        "object": "chat.completion",
        "created": 1760000000,
        "model": MODEL,
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}],
        "usage": _usage(31),
        "service_tier": "default",
        "system_fingerprint": "fp_benchbench",
    }
    body = json.dumps(answer).encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n"
    b"Cache-Control: no-cache\r\nTransfer-Encoding: chunked\r\n\r\n"
)
STREAM_DONE = b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n"


def _event(choices: list[dict[str, object]], **more: object) -> bytes:
    """One SSE event as one HTTP chunk."""
    chunk = {
        "id": "chatcmpl-BenchBenchBenchBenchBenchBench",
        "object": "chat.completion.chunk",
        "created": 1760000000,
        "model": MODEL,
        "system_fingerprint": "fp_benchbench",
        "choices": choices,
        **more,
    }
    data = b"data: " + json.dumps(chunk, separators=(",", ":")).encode() + b"\n\n"
    return b"%x\r\n%b\r\n" % (len(data), data)


def _choice(delta: dict[str, object], finish: str | None = None) -> list[dict[str, object]]:
    return [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}]


ROLE_EVENT = _event(_choice({"role": "assistant", "content": ""}))
CONTENT_EVENT = _event(_choice({"content": f" {MARK.decode()}"}))
FINISH_EVENT = _event(_choice({}, "stop"))


def usage_event(words: int) -> bytes:
    """The event with no choices that ends a stream whose client asked for usage."""
    return _event([], usage=_usage(words))
