"""A glance at an event comes to what reading it would: the same bytes for the client, the same end, the same usage."""

from __future__ import annotations

import json
import math
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headgate.dialects.openai.stream import MOST_UNUSUAL, StreamReader
from headgate.gateway import deliver
from headgate.gateway.deliver import MOST_UNPACKED, Sent
from headgate.gateway.pipe import Pipe
from headgate.types.script import Script, Step
from headgate.upstream.exchange import Clocks
from headgate.upstream.scripted import open_scripted
from tests.unit.dialects.driving import envelope, rendered


def said(delta: Any, **more: Any) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": None} | more.pop("choice", {})
    return {"id": "c", "object": "chat.completion.chunk", "choices": [choice], **more}


WORD = said({"content": "word"})
CALL = said({"tool_calls": [{"index": 0, "function": {"name": "f", "arguments": "{}"}}]})
COUNTS = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
USUAL: list[Any] = [
    WORD,
    said({"content": "word"}, choice={"index": None}),
    said({"content": "said \u201ctool_calls\u201d"}),
    said({"reasoning": "hm"}, choice={"error": None}, error=None, message=None),
    said(None, choice={"text": "word"}, object="text_completion"),
    said({}),
]
ODD: list[Any] = [
    CALL,
    b'data: {"choices":[{"index":0,"delta":{"\\u0074ool_calls":[{"function":{"arguments":"{"}}]}}]}',
    said({"function_call": {"name": "f", "arguments": "{"}}),
    said({"tool_calls": []}),
    said({"content": "x"}, usage=None),
    said({"content": "x"}, usage=COUNTS),
    said({"content": "x"}, usage={}),
    said({"content": "x"}, x_aside={"id": "1"}),
    said({"content": "x"}, x_aside={"usage": COUNTS}),
    b'data: {"choices":[{"index":0,"text":"x"}], "usage":null,"\\u0078_aside":{"usage":{"prompt_tokens":9}}}',
    said({}, choice={"finish_reason": "stop"}),
    said({}, choice={"finish_reason": "error"}),
    said({"content": "x"}, choice={"finish_reason": ""}),
    said({"content": "x"}, choice={"index": 1}),
    said({"content": "x"}, choice={"index": 0.0}),
    said({"content": "x"}, choice={"error": {"message": "no"}}),
    said("no delta"),
    said({"content": "x"}, error={"message": "no"}),
    said({"content": "x"}, error=""),
    said({"content": "x"}, object="error"),
    said({"content": "x"}, object="chunk"),
    said({"content": "x"}, object=7),
    said({"content": "x"}, choice={"text": 7}),
    {"message": "no", "type": "server_error"},
    {"choices": []},
    {"choices": None},
    {"choices": [WORD["choices"][0], WORD["choices"][0]]},
    b"data: [DONE]",
    b"data: ",
    b"data: {",
    b'data: {"choices":\rdata: [{"index":0,"delta":{"content":"x"}}]}',
    b'data: {"choices":\ndata: [{"index":0,"delta":{"content":"x"}}]}',
    b'data: {"choices":\r[{"index":0,"delta":{"content":"x"}}]}',
    b'data: {"choices":\n[{"index":0,"delta":{"content":"x"}}]}',
    b'data: {"choices":[{"index":0,"delta":{"content":"\\ud83d"}}]}',
    b'data: {"choices":[{"index":0,"text":"\xff"}]}',
    b'data: {"choices":' + b"[" * 3000,
    b"data:" + json.dumps(WORD).encode(),
    b"event: error\ndata: " + json.dumps(WORD).encode(),
    json.dumps(WORD).encode(),
    b": comment",
]


def rest(pipe: Pipe, out: bytes) -> tuple[Any, ...]:
    """All that can be told of a stream that has come to its end."""
    if not pipe.over:
        out += pipe.close()
    if pipe.failure is None:
        last = pipe.last()
        if pipe.failure is None:
            out += last + pipe.tail({}, None)
    reader = pipe.reader
    state = (reader.pieces, reader.finished, reader.ended, reader.has_words, pipe.holding)
    return out, repr(pipe.failure), getattr(pipe.failure, "message", None), reader.settled_usage(), state


def through(pieces: list[bytes], *, glances: bool, usage: bool, aside: str | None) -> tuple[Any, ...]:
    pipe, out = Pipe(StreamReader(envelope(usage=usage), aside)), b""
    for piece in pieces:
        if pipe.over:
            break
        seen = pipe.reader.glance(piece) if glances and pipe.steady else b""
        out += seen or pipe.feed(piece)
    return rest(pipe, out)


@settings(max_examples=400, deadline=None)
@given(
    st.lists(st.sampled_from(USUAL) | st.sampled_from(USUAL + ODD), max_size=14),
    st.booleans(),
    st.sampled_from([None, "x_aside"]),
    st.none() | st.tuples(st.integers(0, 14), st.integers(1, 60)),
)
def test_glancing_and_reading_come_to_the_same(
    events: list[Any], usage: bool, aside: str | None, cut: tuple[int, int] | None
) -> None:
    pieces = [rendered(WORD), *(rendered(event) for event in events)]
    if cut is not None and cut[0] < len(pieces):
        # A piece ends inside an event, and the rest comes with the next.
        pieces[cut[0] : cut[0] + 1] = [pieces[cut[0]][: cut[1]], pieces[cut[0]][cut[1] :] or b": \n\n"]
    read = through(pieces, glances=False, usage=usage, aside=aside)
    assert through(pieces, glances=True, usage=usage, aside=aside) == read


@pytest.mark.parametrize("odd", [*ODD, *USUAL], ids=lambda odd: repr(odd)[:60])
@pytest.mark.parametrize("usage", [False, True])
def test_each_event_comes_to_the_same_among_words(odd: Any, usage: bool) -> None:
    pieces = [rendered(event) for event in (WORD, WORD, odd, WORD, said({}, choice={"finish_reason": "stop"}))]
    read = through(pieces, glances=False, usage=usage, aside="x_aside")
    assert through(pieces, glances=True, usage=usage, aside="x_aside") == read


@pytest.mark.parametrize("half", [b"data: ", b": half a comment, then ", b"event: x\n", b"data: {}\n", b"\r"])
def test_an_event_that_goes_on_with_half_another_is_read(half: bytes) -> None:
    pieces = [rendered(WORD), half, rendered(WORD), rendered(said({}, choice={"finish_reason": "stop"}))]
    read = through(pieces, glances=False, usage=False, aside=None)
    assert through(pieces, glances=True, usage=False, aside=None) == read


@pytest.mark.parametrize("event", USUAL, ids=repr)
def test_a_usual_event_is_glanced_at(event: Any) -> None:
    pipe = Pipe(StreamReader(envelope(), None))
    pipe.feed(rendered(WORD))
    assert pipe.steady
    assert pipe.reader.glance(rendered(event)) == rendered(event)


def test_an_answer_of_another_shape_is_soon_glanced_at_no_more() -> None:
    pipe, odd = Pipe(StreamReader(envelope(), None)), rendered(said({"content": "x"}, object="own"))
    pipe.feed(rendered(WORD))
    glances = 0
    while pipe.steady:
        assert pipe.reader.glance(odd) == b""
        pipe.feed(odd)
        glances += 1
    assert glances == MOST_UNUSUAL


def test_nothing_overtakes_a_call_that_is_held() -> None:
    pipe = Pipe(StreamReader(envelope(), None))
    pipe.feed(rendered(WORD))
    assert pipe.steady
    assert pipe.feed(rendered(CALL)) == b""
    assert not pipe.steady


def test_what_was_sent_is_kept_in_its_order_and_forgotten_when_it_is_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deliver, "MOST_SAID_BYTES", 3 * MOST_UNPACKED)
    sent = Sent(keeps=True)
    sent.unpacked += [b"a", b"b"]
    sent.add(b"c")
    assert (bytes(sent.events), sent.unpacked, sent.keeps) == (b"abc", [], True)
    sent.unpacked.append(b"d" * 3 * MOST_UNPACKED)
    sent.pack()
    assert (bytes(sent.events), sent.keeps) == (b"", False)
    sent.add(b"e")
    assert bytes(sent.events) == b""


class Reader:
    """A client that takes everything, and how many bytes of its answer were kept uncounted when it got a piece."""

    def __init__(self, sent: Sent) -> None:
        self.sent = sent
        self.uncounted: list[int] = []

    def write(self, data: bytes) -> bool:
        self.uncounted.append(sum(map(len, self.sent.unpacked)))
        return True


async def test_large_events_are_counted_when_they_come() -> None:
    large, small = rendered(said({"content": "x" * deliver.LARGE})), rendered(WORD)
    pipe, sent = Pipe(StreamReader(envelope(), None)), Sent(keeps=True)
    reader = Reader(sent)
    pipe.feed(small)
    script = Script(steps=tuple(Step(0.0, data) for data in (large, large, small, large)))
    exchange = await open_scripted(script, Clocks(connect_s=1.0, first_token_s=None, gap_s=1.0, deadline=math.inf))
    await deliver._flow(exchange, pipe, cast(Any, reader), sent, cast(Any, None))
    assert max(reader.uncounted) <= len(small)
    assert bytes(sent.events) == large + large + small + large
