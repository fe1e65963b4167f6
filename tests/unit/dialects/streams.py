"""Streams in the shapes real providers give them, and what has to become of each."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from tests.unit.dialects.driving import rendered

USAGE = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
DONE = b"data: [DONE]"


def chunk(text: Any = None, finish: Any = None, **fields: Any) -> dict[str, Any]:
    delta = {} if text is None else {"content": text}
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {"id": "c", "object": "chat.completion.chunk", "model": "m", "choices": [choice]} | fields


@dataclass(frozen=True)
class Shape:
    """A stream, how it ends, what text it carries, and whether usage came with it."""

    wire: bytes
    ended: str = "complete"
    text: str = "hello"
    counted: bool = True
    aside: str | None = None


ROLE = {"id": "c", "choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}]}
HE, LLO, STOP = chunk("he"), chunk("llo"), chunk(finish="stop")
COUNTS = {"id": "c", "object": "chat.completion.chunk", "model": "m", "choices": [], "usage": USAGE}
FLAT = {"message": "no", "type": "too_many_tokens_error", "param": None, "code": None}
NOTES: list[dict[str, Any]] = [
    {"type": "ping"},
    {"message": "in the queue", "type": "info", "code": None},
    {"message": "", "type": "error", "code": "c"},
    {"message": {"type": "error"}, "type": "message_start", "code": "c"},
    {"message": "in the queue", "code": 0},
    {"choices": [], "message": "odd", "type": "error", "code": "c"},
]
ERROR = {"error": {"message": "broke down", "type": "server_error", "param": None, "code": 500}}
LIST = [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}]

SHAPES: dict[str, Shape] = {
    "plain": Shape(rendered(ROLE, HE, LLO, STOP, DONE), counted=False),
    "usage as documented": Shape(
        rendered(
            ROLE | {"usage": None}, HE | {"usage": None}, LLO | {"usage": None}, STOP | {"usage": None}, COUNTS, DONE
        )
    ),
    "usage as documented, without spaces": Shape(
        rendered(b"data: " + json.dumps(HE | {"usage": None}, separators=(",", ":")).encode(), LLO, STOP, COUNTS, DONE)
    ),
    "usage null in an inner object too": Shape(
        rendered(
            HE,
            b'data: {"choices":[{"index":0,"delta":{"content":"llo"}}],"x":{"y":1,"usage":null},"usage": null}',
            b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"x":{"y":1,"usage":null},"usage":'
            + json.dumps(USAGE).encode()
            + b"}",
            DONE,
        )
    ),
    "usage on the finish chunk": Shape(rendered(ROLE, HE, LLO, STOP | {"usage": USAGE}, DONE)),
    "usage first in its chunk": Shape(rendered(HE, LLO, {"usage": USAGE} | STOP, DONE)),
    "usage on every chunk": Shape(
        rendered(
            HE | {"usage": USAGE | {"completion_tokens": 1}},
            LLO | {"usage": USAGE | {"completion_tokens": 2}},
            STOP | {"usage": USAGE},
            DONE,
        )
    ),
    "usage aside": Shape(
        rendered(ROLE | {"x_groq": {"id": "g"}}, HE, LLO, STOP | {"x_groq": {"id": "g", "usage": USAGE}}, DONE),
        aside="x_groq",
    ),
    "usage aside and on its own": Shape(
        rendered(HE, LLO, STOP | {"x_groq": {"usage": USAGE}}, COUNTS | {"x_groq": {"usage": USAGE}}, DONE),
        aside="x_groq",
    ),
    "usage over several lines": Shape(
        rendered(
            HE,
            LLO,
            STOP,
            b'data: {"choices":[],\ndata: "usage":{\ndata: "prompt_tokens":7,"completion_tokens":3,\n'
            b'data: "total_tokens":10}}',
            DONE,
        )
    ),
    "usage on its own with choices null": Shape(rendered(HE, LLO, STOP, COUNTS | {"choices": None}, DONE)),
    "usage after a repeated finish": Shape(rendered(HE, LLO, STOP, STOP, STOP | {"usage": USAGE}, DONE)),
    "no choices in the first chunk": Shape(
        rendered({"id": "", "model": "", "choices": [], "prompt_filter_results": []}, ROLE, HE, LLO, STOP, COUNTS, DONE)
    ),
    "content as a list": Shape(
        rendered(ROLE, chunk(LIST), chunk("hello"), STOP | {"usage": USAGE}, DONE), text=json.dumps(LIST) + "hello"
    ),
    "finish reason empty until the end": Shape(
        rendered(chunk("he", ""), chunk("llo", ""), chunk("", "tool_calls"), COUNTS, DONE)
    ),
    "finish reason never more than empty": Shape(rendered(chunk("he", ""), chunk("llo", "")), "broken_stream"),
    "no [DONE]": Shape(rendered(ROLE, HE, LLO, STOP, COUNTS)),
    "no [DONE], no last blank line": Shape(rendered(ROLE, HE, LLO, STOP, COUNTS).rstrip(b"\n")),
    "no finish reason but [DONE]": Shape(rendered(ROLE, HE, LLO, DONE), "broken_stream"),
    "an empty finish reason and [DONE]": Shape(rendered(ROLE, HE, LLO, chunk(finish=""), DONE), counted=False),
    "no finish reason, no [DONE]": Shape(rendered(ROLE, HE, LLO), "broken_stream"),
    "[DONE] with spaces behind": Shape(rendered(HE, LLO, STOP, DONE + b"  "), counted=False),
    "[DONE] without a space before": Shape(rendered(HE, LLO, STOP, b"data:[DONE]"), counted=False),
    "more after [DONE]": Shape(rendered(HE, LLO, STOP, DONE, chunk("never"), ERROR), counted=False),
    "comments": Shape(
        rendered(b": PROCESSING", b": PROCESSING", ROLE, HE, b": keep-alive", LLO, STOP, COUNTS, b": bye", DONE)
    ),
    "CRLF": Shape(rendered(b": hello", ROLE, HE, LLO, STOP | {"usage": None}, COUNTS, DONE, end=b"\r\n")),
    "CR": Shape(rendered(ROLE, HE, LLO, STOP, COUNTS, DONE, end=b"\r")),
    "named events": Shape(
        rendered(*(b"event: message\nid: 1\ndata: " + json.dumps(one).encode() for one in (HE, LLO, STOP, COUNTS)))
    ),
    "events without data": Shape(rendered(b"event: ping", HE, b"retry: 100", LLO, STOP, COUNTS, DONE)),
    "error event": Shape(rendered(ROLE, HE, ERROR, DONE), "error", "he", False),
    "error event with usage": Shape(rendered(HE, LLO, STOP | ERROR | {"usage": USAGE}, DONE), "error", counted=False),
    "error event by name": Shape(rendered(HE, b'event: error\ndata: {"message":"no"}'), "error", "he", False),
    "error event by name, behind its data": Shape(
        rendered(HE, b'data: {"message":"no"}\nevent: error', DONE), "error", "he", False
    ),
    "error, flat": Shape(
        rendered(HE, {"object": "error", "message": "no", "type": "x", "code": 500}, DONE), "error", "he", False
    ),
    "error, flat and unmarked": Shape(rendered(HE, FLAT, DONE), "error", "he", False),
    "error, flat with a code only": Shape(rendered(HE, FLAT | {"type": "x", "code": "c"}, DONE), "error", "he", False),
    "error event by name, in words": Shape(rendered(HE, b"event: error\ndata: no luck", DONE), "error", "he", False),
    "notes that are no errors": Shape(rendered(HE, *NOTES, LLO, STOP, DONE), counted=False),
    "error, text": Shape(rendered(HE, {"error": "no"}, DONE), "error", "he", False),
    "error before anything": Shape(rendered(ERROR, DONE), "error", "", False),
    "error null": Shape(rendered(*(one | {"error": None} for one in (ROLE, HE, LLO, STOP, COUNTS)), DONE)),
    "not JSON": Shape(rendered(HE, b"data: oops", LLO, STOP, DONE), "broken_stream", "he", False),
    "not an object": Shape(rendered(HE, b"data: [1]", LLO, STOP, DONE), "broken_stream", "he", False),
    "cut in an event": Shape(rendered(HE, LLO)[:-20], "broken_stream", "he", False),
    "cut in an event after the finish": Shape(rendered(HE, LLO, STOP, COUNTS)[:-20], counted=False),
    "cut in a line that says nothing": Shape(rendered(HE, LLO, STOP) + b"data:", counted=False),
    "empty": Shape(b"", "broken_stream", "", False),
    "only [DONE]": Shape(rendered(DONE), text="", counted=False),
}
