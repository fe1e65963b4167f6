"""Everything that goes wrong at a provider, and what is merely unusual, as replies for the fake one to play."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from headgate.dialects.openai.finish import FAILED
from headgate.types.fault import FaultClass
from headgate.types.script import Ending, Script, Step
from tests.fakes.provider import Framed, RawReply, Reply, Request, event_reply, json_reply
from tests.faults.forms import CHAT, COMPLETION, FORMS, USAGE, Form
from tests.surface.stage import event

ARGUMENTS = '{"city": "Zürich", "days": 3}'
SSE = (("content-type", "text/event-stream"),)
JSON = (("content-type", "application/json"),)
DONE = b"data: [DONE]\n\n"
LONG_WORD = "x" * (5 * 1024 * 1024)
MANY = 10_000
REFUSED = "connection refused"
"""The one fault that no reply can be: nobody listens."""


@dataclass(frozen=True)
class Shape:
    """A provider's conduct, as the reply to a JSON request and to a streamed one; None where there is no such thing.

    `fine`     the reply is a whole answer, however odd: then it is the client's
    `lasting`  the gateway has to take it for a state, not an accident: a spent balance, a refused credential, a
               retired model
    `tools`    it is about a call of a tool
    `text`     what the answer says, where it is not what every provider says
    `kind`     the class it has to be noted as, where a test looks at that
    `final`    nobody else is asked: everybody would say the same
    """

    json: Reply | None
    sse: Reply | None
    fine: bool = False
    lasting: bool = False
    tools: bool = False
    text: str | None = None
    kind: FaultClass | None = None
    final: bool = False


def good(request: Request, said: str | None = None) -> Reply:
    """The answer of a provider that is well, to whatever it is asked."""
    asked = request.json()
    if "tools" in asked:
        return _good_call(streamed=bool(asked.get("stream")))
    form = next(form for form in FORMS if request.path.endswith(form.path))
    text = form.text if said is None else said
    # To a text completion, what has been written is more of the prompt.
    text = text.removeprefix(str(asked.get("prompt", "")).removeprefix(COMPLETION.asks["prompt"]))
    if not asked.get("stream"):
        return _body(form.whole(text, USAGE))
    assert form.chunk is not None, "it is not asked for a stream"
    return event_reply(*map(form.chunk, words(text)), form.chunk(None, "stop"), usage_chunk(form))


def words(text: str) -> list[str]:
    """A text in the pieces in which it comes."""
    return [text[at : at + 5] for at in range(0, len(text), 5)]


def usage_chunk(form: Form) -> dict[str, Any]:
    """The event that has nothing but usage."""
    assert form.chunk is not None
    return {"object": form.chunk(None)["object"], "choices": [], "usage": USAGE}


def tool_chunk(arguments: str, **more: Any) -> dict[str, Any]:
    function = {"arguments": arguments} | ({"name": "look"} if more else {})
    delta = {"tool_calls": [{"index": 0, **more, "function": function}]}
    return {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}


def _good_call(*, streamed: bool, arguments: str = ARGUMENTS) -> Reply:
    if streamed:
        half = len(ARGUMENTS) // 2
        pieces = (tool_chunk(ARGUMENTS[:half], id="c1", type="function"), tool_chunk(ARGUMENTS[half:]))
        return event_reply(*pieces, CHAT_CHUNK(None, "tool_calls"), usage_chunk(CHAT))
    call = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": arguments}}
    message = {"role": "assistant", "content": None, "tool_calls": [call]}
    return json_reply({"choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}], "usage": USAGE})


def _body(data: bytes, headers: tuple[tuple[str, str], ...] = (), **more: Any) -> Script:
    return Script(headers=JSON + headers, steps=(Step(0.0, data),), **more)


def _events(*pieces: bytes, headers: tuple[tuple[str, str], ...] = (), **more: Any) -> Script:
    return Script(headers=SSE + headers, steps=tuple(Step(0.0, piece) for piece in pieces), **more)


def _refusal(status: int, code: str | None = None, message: str = "no", **headers: str) -> Reply:
    return json_reply({"error": {"message": message, "code": code}}, status=status, **headers)


def _same(reply: Reply, **more: Any) -> Shape:
    return Shape(reply, reply, **more)


def _length(size: int) -> tuple[tuple[str, str], ...]:
    return (("content-length", str(size)),)


def _refusals() -> dict[str, Shape]:
    """What does not depend on what was asked for."""
    page = Script(status=500, headers=(("content-type", "text/html"),), steps=(Step(0, b"<p>"),))
    return {
        "429": _same(_refusal(429, "rate_limit_exceeded")),
        "429, Retry-After short": _same(_refusal(429, "rate_limit_exceeded", retry_after_ms="100")),
        "429, Retry-After an hour": _same(_refusal(429, "rate_limit_exceeded", retry_after="3000"), lasting=True),
        "quota as 429": _same(_refusal(429, "insufficient_quota"), lasting=True),
        "quota as 402": _same(_refusal(402, None, "Insufficient balance"), lasting=True),
        "quota as 400": _same(_refusal(400, None, "Your credit balance is too low"), lasting=True),
        "401": _same(_refusal(401, "invalid_api_key"), lasting=True),
        "403": _same(_refusal(403, None, "your key has no permission"), lasting=True),
        "403, of a firewall": _same(_refusal(403, None, "Forbidden")),
        "404 retired": _same(_refusal(404, "model_not_found"), lasting=True),
        "500": _same(_refusal(500)),
        "503": _same(_refusal(503)),
        "529": _same(_refusal(529, None, "Overloaded")),
        "500, an HTML page": _same(page),
        "reset before headers": _same(Script(ending=Ending.RESET)),
        "closed before headers": _same(RawReply((), "close")),
        "no HTTP": _same(RawReply((b"SSH-2.0-nonsense\r\n\r\n",), "close")),
        "hang before headers": _same(RawReply((), "hang")),
        "reset mid-answer": _same(RawReply((b"HTTP/1.1 200 OK\r\ncontent-length: 900\r\n\r\n", 0.02), "reset")),
        "error in a 200": _same(json_reply({"error": {"message": "unexpected", "code": 500}})),
    }


def _bodies(form: Form) -> dict[str, Reply]:
    """What goes wrong in an answer that comes in one piece."""
    whole = form.whole(form.text, USAGE)
    in_character = whole.index(b"\\u") + 3 if b"\\u" in whole else len(whole) // 2
    return {
        "slow first token": _body(whole, head_delay_s=30.0),
        "hang after headers": _body(b"", ending=Ending.HANG),
        "stall mid-answer": _body(whole[:60], ending=Ending.HANG),
        "cut mid-answer": _body(whole[:60], ending=Ending.CUT),
        "cut in a character": _body(whole[:in_character], ending=Ending.CUT),
        **_not_whole(form, json.loads(whole)),
        "truncated JSON": _body(whole[:-20]),
        "Content-Length too long": Framed(_body(whole[:-9], _length(len(whole)), ending=Ending.CUT), "length"),
        "Content-Length too short": Framed(_body(whole, _length(len(whole) - 30)), "length"),
    }


def _not_whole(form: Form, whole: dict[str, Any]) -> dict[str, Reply]:
    """JSON that can be read and is no answer."""
    (answer,) = whole[form.items]

    def instead(*answers: Any) -> Reply:
        return json_reply(whole | {form.items: answers})

    found = {"empty choices": instead(), "nothing in a choice": instead({}), "null for a choice": instead(answer, None)}
    if not form.streams:
        return found | {"an item without its vector": instead({"index": 0})}
    found |= {
        "no finish reason": instead(answer | {"finish_reason": None}),
        "finish reason missing": instead({name: value for name, value in answer.items() if name != "finish_reason"}),
        "no finish reason of one": instead(answer, answer | {"index": 1, "finish_reason": None}),
    }
    for reason in sorted(FAILED):
        found[f"finish reason {reason}"] = instead(answer | {"finish_reason": reason})
    if form is CHAT:
        silent: dict[str, Any] = {"role": "assistant", "content": None, "tool_calls": []}
        found["an empty answer"] = instead(answer | {"message": silent})
    return found


def _whole_bodies(form: Form) -> dict[str, Reply]:
    """Answers in one piece that are odd, and whole."""
    zeros = dict.fromkeys([*USAGE, "total_tokens"], 0)
    found: dict[str, Reply] = {
        "usage missing": _body(form.whole(form.text)),
        "usage of zeros": json_reply(json.loads(form.whole(form.text)) | {"usage": zeros}),
    }
    return found | ({"5 MB event": _body(form.whole(LONG_WORD, USAGE))} if form.streams else {})


class Streamed:
    """The pieces of which streams on a surface are made."""

    def __init__(self, form: Form) -> None:
        assert form.chunk is not None, "it has no streams"
        self.chunk = form.chunk
        pieces = [form.chunk(word) for word in words(form.text)]
        self.all = b"".join(map(event, pieces))
        self.beginning = b"".join(map(event, pieces[:4]))
        self.raw = "".join(f"data: {json.dumps(piece, ensure_ascii=False)}\n\n" for piece in pieces).encode()
        self.end = event(form.chunk(None, "stop"))
        self.usage = event(usage_chunk(form))

    def failing(self) -> dict[str, Reply]:
        broken = event({"error": {"message": "the engine died", "type": "server_error"}})
        half = event(self.chunk("lost"))[:-9] + b"\n\n"
        long = _length(len(self.beginning) + 99)
        in_character = self.raw[: self.raw.index("世".encode()) + 1]
        return {
            "slow first token": _events(self.all, self.end, DONE, head_delay_s=30.0),
            "hang after headers": _events(ending=Ending.HANG),
            "stall mid-answer": _events(self.beginning, ending=Ending.HANG),
            "cut mid-answer": _events(self.beginning, ending=Ending.CUT),
            "cut in a character": _events(in_character, ending=Ending.CUT),
            "cut in an event": _events(self.beginning, event(self.chunk("more"))[:20], ending=Ending.CUT),
            "no finish reason": _events(self.all),
            "no finish reason, [DONE]": _events(self.all, DONE),
            "no finish reason, empty": _events(),
            "malformed event": _events(self.beginning, half, self.all, self.end, DONE),
            **{
                f"finish reason {reason}": _events(self.all, event(self.chunk(None, reason)), DONE)
                for reason in sorted(FAILED)
            },
            "error event first": _events(broken),
            "error event mid-stream": _events(self.beginning, broken, DONE),
            "empty choices": _events(self.usage, DONE),
            "truncated JSON": _events(self.beginning, self.end[: len(self.end) // 2]),
            "Content-Length too long": Framed(_events(self.beginning, headers=long, ending=Ending.CUT), "length"),
            "Content-Length too short": Framed(
                _events(self.all, self.end, DONE, headers=_length(len(self.all) - 30)), "length"
            ),
        }

    def whole(self) -> dict[str, Reply]:
        in_two = self.all.replace(b'{"id"', b'{\ndata: "id"')
        bytewise = (self.raw[at : at + 1] for at in range(len(self.raw)))
        return {
            "no [DONE]": _events(self.all, self.end),
            "no [DONE], cut": _events(self.all, self.end, ending=Ending.CUT),
            "CRLF": _events((self.all + self.end + DONE).replace(b"\n", b"\r\n")),
            "comments": _events(b": hello\n\n", self.all, b": still here\n\n", self.end, b":\n\n", DONE),
            "multi-line data": _events(in_two, self.end, DONE),
            "UTF-8 in single bytes": _events(*bytewise, self.end, DONE),
            "5 MB event": _events(event(self.chunk(LONG_WORD)), self.end, DONE),
            "10,000 events at once": _events(event(self.chunk("w ")) * MANY + self.end + DONE),
            "usage before": _events(self.usage, self.all, self.end, DONE),
            "usage in the last chunk": _events(self.all, event(self.chunk(None, "stop", usage=USAGE)), DONE),
            "usage after": _events(self.all, self.end, self.usage, DONE),
            "usage after [DONE]": _events(self.all, self.end, DONE, self.usage),
            "usage missing": _events(self.all, self.end, DONE),
        }


TEXTS = {"5 MB event": LONG_WORD, "10,000 events at once": "w " * MANY}


def shapes_of(form: Form) -> dict[str, Shape]:
    """Every conduct there is on a surface."""
    streamed = Streamed(form) if form.streams else None
    bad, odd = ({}, {}) if streamed is None else (streamed.failing(), streamed.whole())
    bodies, whole = _bodies(form), _whole_bodies(form)
    found = _refusals()
    found |= {name: Shape(bodies.get(name), bad.get(name)) for name in {**bodies, **bad}}
    names = {**whole, **odd}
    return found | {name: Shape(whole.get(name), odd.get(name), fine=True, text=TEXTS.get(name)) for name in names}


def _calls() -> dict[str, Shape]:
    half = event(tool_chunk('{"city": "Zü', id="c0", type="function"))
    return {
        "tool call cut": Shape(None, _events(half, ending=Ending.CUT), tools=True),
        "tool call unfinished": Shape(
            _good_call(streamed=False, arguments=ARGUMENTS[:12]),
            _events(half, event(CHAT_CHUNK(None, "tool_calls")), DONE),
            tools=True,
        ),
    }


assert CHAT.chunk is not None
CHAT_CHUNK = CHAT.chunk
SHAPES = {form: shapes_of(form) | (_calls() if form is CHAT else {}) for form in FORMS}
