"""Tool calls wait until they are whole; what is not whole is never seen, however the stream was cut."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headgate.dialects.openai.finish import CUT_OFF
from headgate.dialects.openai.said import Said
from headgate.dialects.openai.stream import StreamReader
from headgate.dialects.openai.tools_held import ToolsHeld
from headgate.types.fault import Fault, FaultClass
from headgate.wire import sse
from tests.unit.dialects.driving import envelope, rendered
from tests.unit.dialects.joining import chunks, payloads_of, said_in
from tests.unit.dialects.streams import COUNTS, DONE, SHAPES

TEXT = said_in({"role": "assistant", "content": "Let me look."})


def call(arguments: Any, name: str | None = None, **fields: Any) -> dict[str, Any]:
    function = {"arguments": arguments} | ({"name": name} if name else {})
    return {"index": 0, "function": function} | fields


def calling(*calls: dict[str, Any], finish: Any = None, **choice: Any) -> dict[str, Any]:
    return said_in({"tool_calls": list(calls)}, finish=finish, **choice)


def end(reason: str = "tool_calls", **choice: Any) -> dict[str, Any]:
    return said_in({}, finish=reason, **choice)


def through(*events: Any, close: bool = False) -> tuple[list[bytes], ToolsHeld]:
    """What goes on at each event, and the hold."""
    held = ToolsHeld()
    out = [held.feed(rendered(event)) for event in events]
    return (out if not close else [*out, held.close()]), held


WHOLE = [calling(call("", "f", id="a")), calling(call('{"city": "Par')), calling(call('is"}'))]


def test_text_flows_and_a_call_waits_for_its_finish_reason() -> None:
    out, held = through(TEXT, *WHOLE, end(), COUNTS)
    assert out == [rendered(TEXT), b"", b"", b"", rendered(*WHOLE, end()), rendered(COUNTS)]
    assert (held.holding, held.failure) == (False, None)


def test_what_waits_when_a_stream_breaks_was_never_sent() -> None:
    out, held = through(TEXT, *WHOLE)
    assert held.holding
    said = Said.of(out)
    assert (said.text, said.recoverable) == ("Let me look.", True)


def test_the_events_before_the_call_in_the_same_run_go_on_at_once() -> None:
    held = ToolsHeld()
    assert held.feed(rendered(TEXT, WHOLE[0])) == rendered(TEXT)
    assert held.feed(rendered(*WHOLE[1:], end(), COUNTS)) == rendered(*WHOLE, end(), COUNTS)


def test_arguments_that_are_not_whole_at_the_finish_are_a_broken_stream() -> None:
    for reason in ("tool_calls", "stop"):
        out, held = through(TEXT, *WHOLE[:2], end(reason), COUNTS)
        assert out == [rendered(TEXT), b"", b"", b"", b""]
        assert isinstance(held.failure, Fault)
        assert held.failure.kind is FaultClass.BROKEN_STREAM
        assert held.failure.message == "the arguments of a tool call are not whole"
        assert not held.holding
        assert held.close() == b""


@pytest.mark.parametrize("reason", sorted(CUT_OFF))
def test_an_answer_that_says_it_was_cut_off_goes_on_as_it_came(reason: str) -> None:
    out, held = through(*WHOLE[:2], end(reason))
    assert out[-1] == rendered(*WHOLE[:2], end(reason))
    assert held.failure is None


def test_a_stream_without_finish_reasons_is_judged_at_its_close() -> None:
    out, held = through(*WHOLE, close=True)
    assert (out[-1], held.failure) == (rendered(*WHOLE), None)
    out, held = through(*WHOLE[:2], close=True)
    assert out[-1] == b""
    assert held.failure is not None


@pytest.mark.parametrize(
    "events",
    [
        [calling(call("", "f", id="a"))],
        [calling(call(None, "f", id="a"))],
        [calling({"index": 0, "id": "a", "function": {"name": "f"}})],
        [calling(call(" ", "f", id="a"))],
        [calling(call({"city": "Paris"}, "f", id="a"))],
        [calling(call('{"big": 1e999, "é": "\U0001f600"}', "f", id="a"))],
        [calling(call('{"a":1}', "f", id="a"), call('{"b":2}', "g", id="b", index=1))],
        [calling({"index": 0, "id": "a", "type": "custom", "custom": {"name": "c", "input": "free {text"}})],
        # Parallel calls under one index, or none.
        [calling(call('{"a":1}', "f", id="a")), calling(call('{"b":', "g", id="b")), calling(call("2}"))],
        [calling({"function": {"name": "f", "arguments": '{"a":1}'}}, {"function": {"name": "f", "arguments": "{}"}})],
        # A new id, or the name again, with every piece of one call.
        [calling(call('{"a":', "f", id="a")), calling(call("1", id="b")), calling(call("}", id="c"))],
        [calling(call('{"a":', "f")), calling(call("1}", "f"))],
        # The old form.
        [
            said_in({"function_call": {"name": "f", "arguments": '{"a"'}}),
            said_in({"function_call": {"arguments": ":1}"}}),
        ],
    ],
)
def test_whole_calls_in_every_form_go_on_at_the_finish(events: list[dict[str, Any]]) -> None:
    out, held = through(*events, end())
    assert out == [b""] * len(events) + [rendered(*events, end())]
    assert held.failure is None


@pytest.mark.parametrize(
    "events",
    [
        [calling(call('{"a":', "f", id="a"))],
        [calling(call('{"a":1}', "f", id="a"), call('{"b":2', "g", id="b", index=1))],
        [calling(call('{"a":1}', "f", id="a")), calling(call('{"b":', "g", id="b"))],
        [calling(call('{"a":', "f", id="a")), calling(call('{"b":2}', "g", id="b"))],
        [calling(call('{"a":1}}', "f", id="a"))],
        [calling(call("tru", "f", id="a"))],
        [said_in({"function_call": {"name": "f", "arguments": '{"a"'}})],
    ],
)
def test_a_call_that_is_not_whole_stops_them_all(events: list[dict[str, Any]]) -> None:
    out, held = through(*events, end())
    assert out == [b""] * (len(events) + 1)
    assert held.failure is not None


def test_calls_that_come_and_finish_in_one_event_pass_in_it() -> None:
    out, held = through(calling(call("{}", "f", id="a"), finish="tool_calls"), TEXT)
    assert all(out)
    assert held.failure is None
    assert through(calling(call("{", "f", id="a"), finish="tool_calls"))[0] == [b""]


def test_each_of_several_answers_is_waited_for_only_if_it_calls() -> None:
    other = said_in({"content": "no need"}, index=1)
    out, held = through(*WHOLE, other, end(index=0), other, end("stop", index=1))
    assert out[3:5] == [b"", rendered(*WHOLE, other, end(index=0))]
    assert all(out[4:])
    out, held = through(calling(call("{}"), index=0), calling(call("{"), index=1), end(index=0), end(index=1))
    assert out == [b""] * 4
    assert held.failure is not None


def test_an_answer_without_an_index_finishes_the_calls_of_index_0() -> None:
    out, _ = through(calling(call("{}", "f"), index=0), {"choices": [{"delta": {}, "finish_reason": "stop"}]})
    assert out[1]


@pytest.mark.parametrize(
    "event",
    [
        said_in({"content": 'say "tool_calls" and "function_call"'}),
        said_in({"content": "x", "tool_calls": [], "function_call": None}),
        said_in({"content": "x", "tool_calls": None}),
        end("tool_calls"),
        said_in({"content": "\u00e9"}),
        {"choices": [{"index": 0, "delta": None, "x": "tool_calls"}]},
        COUNTS,
    ],
)
def test_what_calls_nothing_goes_on_as_it_came(event: dict[str, Any]) -> None:
    assert through(event)[0] == [rendered(event)]


def test_a_call_whose_name_is_spelt_with_escapes_waits_too() -> None:
    event = b'data: {"choices":[{"index":0,"delta":{"tool\\u005fcalls":[{"function":{"arguments":"{"}}]}}]}'
    assert through(event)[0] == [b""]


def test_comments_pass_while_a_call_waits() -> None:
    out, _ = through(WHOLE[0], b": keep-alive", *WHOLE[1:], end())
    assert out[1] == b": keep-alive\n\n"
    assert out[-1] == rendered(*WHOLE, end())


def test_no_more_is_held_than_the_limit() -> None:
    held = ToolsHeld(limit=1000)
    out = [held.feed(rendered(calling(call("x" * 100)))) for _ in range(10)]
    assert not any(out)
    assert not held.holding
    assert held.feed(rendered(TEXT)) + held.close() == b""
    assert held.failure is not None
    assert "longer than 1000 bytes" in held.failure.message


def test_what_was_released_counts_no_more() -> None:
    held = ToolsHeld(limit=600)
    for _ in range(5):
        assert held.feed(rendered(calling(call("{}", "f")), end()))
    assert held.failure is None


def run(pieces: list[bytes]) -> tuple[bytes, str]:
    """Reader and hold as the relay drives them: what the client gets, and how it ends."""
    reader, held = StreamReader(envelope(), None), ToolsHeld()
    sent = b""
    for piece in pieces:
        sent += held.feed(reader.feed(piece))
        if reader.over or held.failure is not None:
            break
    else:
        sent += held.feed(reader.close())
    failure = reader.failure or held.failure
    if failure is None:
        sent += held.close()
        failure = held.failure
    if failure is not None:
        return sent, "failure"
    return sent + reader.tail({}), "complete"


def check(sent: bytes, ended: str) -> None:
    """The mark of a whole answer is there when it is one, and every call the client sees is whole."""
    assert sent.endswith(sse.DONE) is (ended == "complete")
    arguments: dict[int, str] = {}
    cut = False
    for chunk in chunks(sent):
        for choice in chunk.choices:
            cut = cut or choice.finish_reason == "length"
            for one in choice.delta.tool_calls or ():
                assert one.function is not None
                arguments[one.index] = arguments.get(one.index, "") + (one.function.arguments or "")
    for text in arguments.values():
        assert cut or not text or json.loads(text) is not None


@pytest.mark.parametrize("name", SHAPES)
def test_a_stream_without_calls_is_the_same_behind_the_hold(name: str) -> None:
    wire = SHAPES[name].wire
    held = ToolsHeld()
    run_of = StreamReader(envelope(), SHAPES[name].aside).feed(wire)
    assert held.feed(run_of) + held.close() == run_of


ARGUMENTS = st.dictionaries(st.text(max_size=3), st.integers() | st.text(max_size=5), max_size=3)


@st.composite
def wires(draw: st.DrawFn) -> bytes:
    """Text, one or two calls in pieces, sometimes with one lost, an end or none."""
    events: list[Any] = [said_in({"role": "assistant", "content": draw(st.text(max_size=5))})]
    for index in range(draw(st.integers(1, 2))):
        text = json.dumps(draw(ARGUMENTS), ensure_ascii=draw(st.booleans()))
        cuts = sorted(draw(st.lists(st.integers(0, len(text)), max_size=3)))
        parts = [text[start:stop] for start, stop in pairwise([0, *cuts, len(text)])]
        if draw(st.booleans()):
            del parts[draw(st.integers(0, len(parts) - 1))]
        events.append(calling(call("", "f", id=f"c{index}", index=index, type="function")))
        events += [calling(call(part, index=index)) for part in parts]
    finish = draw(st.sampled_from(["tool_calls", "stop", "length", None]))
    events += [end(finish)] if finish else []
    events += draw(st.sampled_from([[], [DONE], [COUNTS, DONE]]))
    return rendered(*events)


@settings(max_examples=500, deadline=None)
@given(wires(), st.lists(st.integers(0, 2000), max_size=5), st.integers(0, 2000) | st.none())
def test_any_stream_cut_anywhere_is_whole_or_a_failure_and_no_half_call_passes(
    wire: bytes, cuts: list[int], broken: int | None
) -> None:
    wire = wire[: broken or None]
    edges = sorted({0, len(wire), *(cut for cut in cuts if cut < len(wire))})
    sent, ended = run([wire[start:stop] for start, stop in pairwise(edges)])
    check(sent, ended)
    assert run([wire]) == (sent, ended)


NO_CALLS: list[Any] = [[], {}, 5, "x", [None], [{}], [{"index": "z", "function": 3}], [{"id": [1], "function": {}}]]
NO_FUNCTIONS: list[Any] = ["x", [], {"arguments": 5, "name": []}]
JUNK = st.sampled_from(
    [{"choices": [{"index": 0, "delta": {"tool_calls": value}}]} for value in NO_CALLS]
    + [{"choices": [{"delta": {"tool_calls": value}, "finish_reason": "stop"}]} for value in NO_CALLS]
    + [{"choices": [{"delta": {"function_call": value}}]} for value in NO_FUNCTIONS]
)


@settings(max_examples=200, deadline=None)
@given(st.lists(JUNK, max_size=5))
def test_calls_of_any_shape_end_in_one_way_and_never_in_an_exception(events: list[Any]) -> None:
    said = {"choices": [{"index": 0, "delta": {"content": "x"}}]}
    wire = rendered(said, *events, end(), DONE)
    sent, ended = run([wire])
    assert ended == "complete"
    assert payloads_of(sent) == [said, *events, end()]
