"""Models that begin well and then misbehave: each takes the draft of a good reply and plays it badly."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from headgate.providers.sandbox.draft import SSE_HEADERS, Draft, Kind, error_body, headers_of, payloads, play, steps
from headgate.providers.sandbox.retelling import finish_with, retold
from headgate.types.script import Ending, Script, Step
from headgate.wire import json, sse

NEVER_S = 3600.0
SLOW_FIRST_S = 5.0
SLOW_TOKEN_S = 0.25
LATE_FIRST_S = 20.0
BIG_CHARS = 5 * 1024 * 1024
MANY = 10_000
_ERROR = error_body("The sandbox broke down in the middle of the answer.", type="server_error", code="internal_error")


class Breakage(msgspec.Struct, frozen=True):
    """A model's one-line description, and how it plays a good draft."""

    description: str
    play: Callable[[Draft], Script]


def _without(draft: Draft, *kinds: Kind) -> Draft:
    draft.pieces = [piece for piece in draft.pieces if piece.kind not in kinds]
    return draft


def _half(draft: Draft) -> tuple[Step, ...]:
    """The steps up to the middle of the content; half of the bytes of a reply that is not streamed."""
    if not draft.stream:
        body = steps(draft)[0].data
        return (Step(0.0, body[: len(body) // 2]),)
    content = sum(piece.kind is Kind.CONTENT for piece in draft.pieces)
    leading = sum(piece.kind is Kind.ROLE for piece in draft.pieces)
    return tuple(steps(draft)[: leading + max(1, content // 2)])


def _broken_off(draft: Draft, *more: bytes, ending: Ending = Ending.COMPLETE) -> Script:
    """Half of the reply, then these bytes, then the ending."""
    head_delay_s = 0.0 if draft.stream else draft.pieces[0].delay_s
    tail = tuple(Step(0.0, data) for data in more)
    return Script(headers=headers_of(draft), head_delay_s=head_delay_s, steps=_half(draft) + tail, ending=ending)


def _paced(draft: Draft, first_s: float, token_s: float | None) -> Script:
    for piece in draft.pieces:
        if piece.kind is Kind.CONTENT and token_s is not None:
            piece.delay_s = token_s
    draft.pieces[0].delay_s = first_s
    return play(draft)


def _late(draft: Draft) -> Script:
    """The role comes at once and says nothing; the first content is what is late."""
    if not draft.stream:
        return _paced(draft, LATE_FIRST_S, None)
    first = next(piece for piece in draft.pieces if piece.kind is not Kind.ROLE)
    draft.pieces[0].delay_s = 0.0
    first.delay_s = LATE_FIRST_S
    return play(draft)


def _empty(draft: Draft) -> Script:
    _without(draft, Kind.ROLE, Kind.CONTENT)
    for payload in payloads(draft, Kind.BODY, Kind.FINISH):
        payload["data" if "data" in payload else "choices"] = []
    return play(draft)


def _soft_error(draft: Draft) -> Script:
    if draft.stream:
        first = Step(draft.pieces[0].delay_s, sse.render(json.encode(_ERROR)))
        return Script(headers=SSE_HEADERS, steps=(first,))
    draft.pieces[0].payload = _ERROR
    return play(draft)


def _error_event(draft: Draft) -> Script:
    if draft.stream:
        return _broken_off(draft, sse.render(json.encode(_ERROR)), sse.DONE)
    for payload in payloads(draft, Kind.BODY):
        payload.update(_ERROR)
        finish_with(payload, "error")
    return play(draft)


def _no_finish(draft: Draft) -> Script:
    _without(draft, Kind.FINISH, Kind.USAGE, Kind.DONE)
    for payload in payloads(draft, Kind.BODY):
        finish_with(payload, None)
    return play(draft)


def _malformed(draft: Draft) -> Script:
    if not draft.stream:
        script = play(draft)
        body = script.steps[0].data
        broken = body[: len(body) // 2] + b'}]"{' + body[len(body) // 2 :]
        return Script(headers=script.headers, head_delay_s=script.head_delay_s, steps=(Step(0.0, broken),))
    before = _half(draft)
    rest = tuple(steps(draft)[len(before) :])
    return Script(headers=SSE_HEADERS, steps=(*before, Step(0.0, b'data: {"choices": [{"delta"\n\n'), *rest))


def _truncated(draft: Draft) -> Script:
    if not draft.stream:
        return _broken_off(draft)
    return _broken_off(draft, b'data: {"id":"chatcmpl-0","object":"chat.completion.chunk","choices":[{"ind')


def _usage_always(draft: Draft) -> Script:
    draft.include_usage = True
    return play(draft)


def _usage_in_finish(draft: Draft) -> Script:
    usage = [payload["usage"] for payload in payloads(draft, Kind.USAGE)]
    _without(draft, Kind.USAGE)
    for payload in list(payloads(draft, Kind.FINISH))[-1:]:
        payload["usage"] = usage[0]
    return play(draft)


def _no_usage(draft: Draft) -> Script:
    _without(draft, Kind.USAGE)
    draft.include_usage = False
    for payload in payloads(draft, Kind.BODY):
        payload.pop("usage", None)
    return play(draft)


def _crlf(draft: Draft) -> Script:
    """What the specification of server-sent events allows and few providers do, all in one stream."""
    script = play(draft)
    if not draft.stream:
        padded = b"\r\n\r\n" + script.steps[0].data
        return Script(headers=script.headers, head_delay_s=script.head_delay_s, steps=(Step(0.0, padded),))
    sent = [Step(0.0, b": the sandbox is at work\r\n\r\n")]
    for number, step in enumerate(script.steps):
        # A line end after the opening brace is white space in JSON, so the event may be cut there.
        data = step.data.replace(b"data: {", b"data: {\ndata:", 1) if number % 2 else step.data
        sent.append(Step(step.delay_s, data.replace(b"\n", b"\r\n")))
        if number % 5 == 4:
            sent.append(Step(0.0, b": still here\r\n\r\n"))
    return Script(headers=SSE_HEADERS, steps=tuple(sent))


def _no_done(draft: Draft) -> Script:
    return play(_without(draft, Kind.DONE))


def _retold(*texts: str, finish: str = "stop") -> Callable[[Draft], Script]:
    return lambda draft: play(retold(draft, list(texts), finish))


BREAKAGES: dict[str, Breakage] = {
    "slow": Breakage(
        f"first token after {SLOW_FIRST_S:g} s, then {1 / SLOW_TOKEN_S:g} tokens a second",
        lambda draft: _paced(draft, SLOW_FIRST_S, SLOW_TOKEN_S),
    ),
    "slow-first-token": Breakage(f"streams its role at once and its first content after {LATE_FIRST_S:g} s", _late),
    "stall": Breakage("half of the answer, then silence", lambda draft: _broken_off(draft, ending=Ending.HANG)),
    "cut": Breakage(
        "half of the answer, then the connection closes", lambda draft: _broken_off(draft, ending=Ending.CUT)
    ),
    "hang": Breakage("takes the request and never replies", lambda draft: Script(head_delay_s=NEVER_S)),
    "reset": Breakage("closes the connection before any byte", lambda draft: Script(ending=Ending.RESET)),
    "empty": Breakage("200 with an empty list of choices", _empty),
    "soft-error": Breakage("200 with an error where the answer belongs", _soft_error),
    "error-event": Breakage("half of the answer, then an error event, then [DONE]", _error_event),
    "no-done": Breakage("a stream that ends without [DONE]; fine when not streamed", _no_done),
    "no-finish": Breakage("ends without a finish reason, and a stream without [DONE]", _no_finish),
    "malformed": Breakage("broken JSON in the middle of the answer", _malformed),
    "truncated-json": Breakage("a reply that ends properly in the middle of its JSON", _truncated),
    "usage-always": Breakage("a usage event in every stream, asked for or not", _usage_always),
    "usage-in-finish": Breakage("usage on the event with the finish reason, asked for or not", _usage_in_finish),
    "no-usage": Breakage("never reports usage", _no_usage),
    "crlf": Breakage("CRLF line ends, comments and data over several lines", _crlf),
    "big": Breakage("one event of 5 MB", _retold("0123456789abcdef" * (BIG_CHARS // 16))),
    "many": Breakage(f"{MANY} events without a pause", _retold(*[" word"] * MANY)),
    "filter": Breakage(
        "stops after a few words with finish reason content_filter",
        _retold("This", " is", " where", finish="content_filter"),
    ),
}
