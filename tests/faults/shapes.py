"""Everything that goes wrong at a provider, and what is merely unusual, as replies for the fake one to play."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from headgate.types.script import Ending, Script, Step
from tests.fakes.provider import Framed, RawReply, Reply, Request, event_reply, json_reply
from tests.surface.stage import chunk, completion, event

TEXT = "Grüße an die Welt – 世界, one two three."
WORDS = tuple(TEXT[at : at + 5] for at in range(0, len(TEXT), 5))
ARGUMENTS = '{"city": "Zürich", "days": 3}'
USAGE = {"prompt_tokens": 9, "completion_tokens": 12}
USAGE_CHUNK: dict[str, Any] = {"object": "chat.completion.chunk", "choices": [], "usage": USAGE}
SSE = (("content-type", "text/event-stream"),)
JSON = (("content-type", "application/json"),)
END = event(chunk(None, "stop"))
DONE = b"data: [DONE]\n\n"
BEGINNING = b"".join(event(chunk(word)) for word in WORDS[:4])
EVENTS = b"".join(event(chunk(word)) for word in WORDS)
LONG_WORD = "x" * (5 * 1024 * 1024)
MANY = 10_000
WHOLE_JSON = completion(TEXT, **USAGE).steps[0].data


@dataclass(frozen=True)
class Shape:
    """A provider's conduct, as the reply to a JSON request and to a streamed one; None where there is no such thing.

    `fine` when the reply is a whole answer, however odd: then it is the client's. `lasting` when the gateway has to
    take it for a state, not an accident: a spent balance, a refused credential, a retired model. `tools` when it is
    about a call of a tool, `text` what a fine one says.
    """

    json: Reply | None
    sse: Reply | None
    fine: bool = False
    lasting: bool = False
    tools: bool = False
    text: str = TEXT


def tool_chunk(arguments: str, **more: Any) -> dict[str, Any]:
    function = {"arguments": arguments} | ({"name": "look"} if more else {})
    delta = {"tool_calls": [{"index": 0, **more, "function": function}]}
    return {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}


def good(request: Request) -> Reply:
    """The answer of a provider that is well, to whatever it is asked."""
    asked = request.json()
    if "tools" in asked:
        return _good_call(streamed=bool(asked.get("stream")))
    return event_reply(*map(chunk, WORDS), chunk(None, "stop"), USAGE_CHUNK) if asked.get("stream") else _body()


def _good_call(*, streamed: bool) -> Reply:
    if streamed:
        half = len(ARGUMENTS) // 2
        pieces = (tool_chunk(ARGUMENTS[:half], id="c1", type="function"), tool_chunk(ARGUMENTS[half:]))
        return event_reply(*pieces, chunk(None, "tool_calls"), USAGE_CHUNK)
    call = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": ARGUMENTS}}
    message = {"role": "assistant", "content": None, "tool_calls": [call]}
    return json_reply({"choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}], "usage": USAGE})


def _body(data: bytes = WHOLE_JSON, headers: tuple[tuple[str, str], ...] = (), **more: Any) -> Script:
    return Script(headers=JSON + headers, steps=(Step(0.0, data),), **more)


def _events(*pieces: bytes, headers: tuple[tuple[str, str], ...] = (), **more: Any) -> Script:
    return Script(headers=SSE + headers, steps=tuple(Step(0.0, piece) for piece in pieces), **more)


def _refusal(status: int, code: str | None = None, message: str = "no", **headers: str) -> Reply:
    return json_reply({"error": {"message": message, "code": code}}, status=status, **headers)


def _same(reply: Reply, **more: Any) -> Shape:
    return Shape(reply, reply, **more)


def _stream(*pieces: bytes, ending: Ending = Ending.COMPLETE) -> Shape:
    return Shape(None, _events(*pieces, ending=ending))


def _fine(*pieces: bytes, text: str = TEXT) -> Shape:
    return Shape(None, _events(*pieces), fine=True, text=text)


def _slow(delay_s: float) -> Shape:
    events = _events(EVENTS, END, DONE, head_delay_s=delay_s)
    return Shape(_body(head_delay_s=delay_s), events)


def _length(size: int) -> tuple[tuple[str, str], ...]:
    return (("content-length", str(size)),)


_IN_TWO = EVENTS.replace(b'{"id"', b'{\ndata: "id"')
_RAW = "".join(f"data: {json.dumps(chunk(word), ensure_ascii=False)}\n\n" for word in WORDS).encode()
_IN_CHARACTER = _RAW[: _RAW.index("世".encode()) + 1]
_ERROR = event({"error": {"message": "the engine died", "type": "server_error"}})
_HALF_CALL = (event(tool_chunk('{"city": "Zü', id="c0", type="function")),)

SHAPES: dict[str, Shape] = {
    "429": _same(_refusal(429, "rate_limit_exceeded")),
    "429, Retry-After short": _same(_refusal(429, "rate_limit_exceeded", retry_after_ms="100")),
    "429, Retry-After an hour": _same(_refusal(429, "rate_limit_exceeded", retry_after="3000"), lasting=True),
    "quota as 429": _same(_refusal(429, "insufficient_quota"), lasting=True),
    "quota as 402": _same(_refusal(402, None, "Insufficient balance"), lasting=True),
    "quota as 400": _same(_refusal(400, None, "Your credit balance is too low"), lasting=True),
    "401": _same(_refusal(401, "invalid_api_key"), lasting=True),
    "403": _same(_refusal(403, None, "forbidden"), lasting=True),
    "404 retired": _same(_refusal(404, "model_not_found"), lasting=True),
    "500": _same(_refusal(500)),
    "503": _same(_refusal(503)),
    "529": _same(_refusal(529, None, "Overloaded")),
    "500, an HTML page": _same(Script(status=500, headers=(("content-type", "text/html"),), steps=(Step(0, b"<p>"),))),
    "reset before headers": _same(Script(ending=Ending.RESET)),
    "closed before headers": _same(RawReply((), "close")),
    "no HTTP": _same(RawReply((b"SSH-2.0-nonsense\r\n\r\n",), "close")),
    "hang before headers": _same(RawReply((), "hang")),
    "slow first token": _slow(30.0),
    "hang after headers": Shape(_body(b"", ending=Ending.HANG), _events(ending=Ending.HANG)),
    "stall mid-answer": Shape(_body(WHOLE_JSON[:60], ending=Ending.HANG), _events(BEGINNING, ending=Ending.HANG)),
    "cut mid-answer": Shape(_body(WHOLE_JSON[:60], ending=Ending.CUT), _events(BEGINNING, ending=Ending.CUT)),
    "reset mid-answer": _same(RawReply((b"HTTP/1.1 200 OK\r\ncontent-length: 900\r\n\r\n", 0.02), "reset")),
    "cut in a character": Shape(
        _body(WHOLE_JSON[: WHOLE_JSON.index(b"\\u") + 3], ending=Ending.CUT), _events(_IN_CHARACTER, ending=Ending.CUT)
    ),
    "cut in an event": _stream(BEGINNING, event(chunk("more"))[:20], ending=Ending.CUT),
    "no finish reason": _stream(EVENTS),
    "no finish reason, empty": _stream(),
    "malformed event": _stream(BEGINNING, b'data: {"choices": [{"delta": {"content": "lo\n\n', EVENTS, END, DONE),
    "error event first": _stream(_ERROR),
    "error event mid-stream": _stream(BEGINNING, _ERROR, DONE),
    "error in a 200": _same(json_reply({"error": {"message": "unexpected", "code": 500}})),
    "empty choices": Shape(json_reply({"choices": [], "usage": USAGE}), _events(event(USAGE_CHUNK), DONE)),
    "truncated JSON": Shape(_body(WHOLE_JSON[:-20]), _events(BEGINNING, END[: len(END) // 2])),
    "Content-Length too long": Shape(
        Framed(_body(WHOLE_JSON[:-9], _length(len(WHOLE_JSON)), ending=Ending.CUT), "length"),
        Framed(_events(BEGINNING, headers=_length(len(BEGINNING) + 99), ending=Ending.CUT), "length"),
    ),
    "Content-Length too short": Shape(
        Framed(_body(WHOLE_JSON, _length(len(WHOLE_JSON) - 30)), "length"),
        Framed(_events(EVENTS, END, DONE, headers=_length(len(EVENTS) - 30)), "length"),
    ),
    "tool call cut": Shape(None, _events(*_HALF_CALL, ending=Ending.CUT), tools=True),
    "tool call unfinished": Shape(None, _events(*_HALF_CALL, event(chunk(None, "tool_calls")), DONE), tools=True),
    "no [DONE]": _fine(EVENTS, END),
    "no [DONE], cut": Shape(None, _events(EVENTS, END, ending=Ending.CUT), fine=True),
    "CRLF": _fine((EVENTS + END + DONE).replace(b"\n", b"\r\n")),
    "comments": _fine(b": hello\n\n", EVENTS, b": still here\n\n", END, b":\n\n", DONE),
    "multi-line data": _fine(_IN_TWO, END, DONE),
    "UTF-8 in single bytes": _fine(*(_RAW[at : at + 1] for at in range(len(_RAW))), END, DONE),
    "5 MB event": Shape(
        completion(LONG_WORD, **USAGE), _events(event(chunk(LONG_WORD)), END, DONE), fine=True, text=LONG_WORD
    ),
    "10,000 events at once": _fine(event(chunk("w ")) * MANY + END + DONE, text="w " * MANY),
    "usage before": _fine(event(USAGE_CHUNK), EVENTS, END, DONE),
    "usage in the last chunk": _fine(EVENTS, event(chunk(None, "stop", usage=USAGE)), DONE),
    "usage after": _fine(EVENTS, END, event(USAGE_CHUNK), DONE),
    "usage after [DONE]": _fine(EVENTS, END, DONE, event(USAGE_CHUNK)),
    "usage missing": Shape(completion(TEXT), _events(EVENTS, END, DONE), fine=True),
}
REFUSED = "connection refused"
"""The one fault that no reply can be: nobody listens."""
