"""What a client has of an answer: all of it, whatever the form, and whether it is text alone."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headgate.dialects.openai.said import Said
from tests.unit.dialects.driving import envelope, read, rendered
from tests.unit.dialects.joining import FIRST, pieces, said_in, texts
from tests.unit.dialects.streams import ROLE, SHAPES, STOP, chunk


def plain(said: Said) -> dict[str, Any]:
    return {name: json.loads(bytes(value)) for name, value in said.identity.items()}


def test_text_and_thoughts_are_folded_apart_with_the_answers_identity() -> None:
    events = [
        said_in({"role": "assistant", "content": ""}),
        said_in({"reasoning_content": "so: "}),
        said_in({"reasoning": "hm", "content": None}),
        said_in({"content": "Grü"}),
        said_in({"content": "ße \U0001f600"}),
    ]
    said = Said.of([rendered(*events)])
    assert (said.text, said.reasoning) == ("Grüße \U0001f600", "so: hm")
    assert (said.only_text, said.finished, said.role_sent, said.recoverable) == (True, False, True, True)
    assert plain(said) == FIRST


def test_nothing_sent_is_nothing_said() -> None:
    assert Said.of([]) == Said()
    assert Said().recoverable


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=30), st.lists(st.integers(0, 40), max_size=5), st.sampled_from([b"\n", b"\r\n"]), st.booleans())
def test_any_text_in_any_deltas_and_any_runs_is_read_back(text: str, cuts: list[int], end: bytes, apart: bool) -> None:
    parts: list[Any] = []
    for one in texts(pieces(text, cuts)):
        parts += [b": keep-alive", b"data: " + json.dumps(one, ensure_ascii=not apart).encode()]
    events = [rendered(part, end=end) for part in parts]
    said = Said.of(events if apart else [b"".join(events)])
    assert (said.text, said.only_text, said.finished) == (text, True, False)


def test_text_completions_are_read_from_their_own_field() -> None:
    who = {"id": "cmpl-1", "object": "text_completion", "created": 5, "model": "m"}
    events = [who | {"choices": [{"index": 0, "text": part, "logprobs": None}]} for part in ("Once", " upon")]
    said = Said.of([rendered(*events)])
    assert (said.text, said.only_text, said.role_sent) == ("Once upon", True, False)
    assert plain(said) == who


def test_the_first_value_that_says_something_is_the_answers() -> None:
    head = {"id": "", "model": "", "choices": [], "prompt_filter_results": []}
    said = Said.of([rendered(head, chunk("a", id="c1"), chunk("b", id="c2", created=7))])
    assert plain(said) == {"id": "c1", "object": "chat.completion.chunk", "model": "m", "created": 7}


@pytest.mark.parametrize(
    "event",
    [
        said_in({"tool_calls": [{"index": 0, "id": "a", "function": {"name": "f", "arguments": ""}}]}),
        said_in({"function_call": {"name": "f", "arguments": ""}}),
        said_in({"audio": {"id": "a"}}),
        said_in({"refusal": "no"}),
        said_in({"images": [{"type": "image_url"}]}),
        said_in({"content": [{"type": "text", "text": "x"}]}),
        said_in({"content": "x"}, logprobs={"content": [{"token": "x"}]}),
        said_in({"content": "x"}, index=1),
        FIRST | {"choices": [{"index": 0, "delta": {"content": "x"}}, {"index": 1, "delta": {"content": "y"}}]},
        FIRST | {"choices": [7]},
        FIRST | {"choices": [{"index": 0, "delta": "x"}]},
        b'data: {"choices":[{"index":0,"delta":{"content":"\xff"}}]}',
        b"data: oops",
    ],
)
def test_what_is_not_text_alone_cannot_be_recovered(event: Any) -> None:
    said = Said.of([rendered(said_in({"content": "so far"}), event)])
    assert not said.only_text
    assert not said.recoverable
    assert said.text.startswith("so far")


@pytest.mark.parametrize(
    "event",
    [
        said_in({"content": "x", "tool_calls": [], "function_call": None, "refusal": None, "audio": None}),
        said_in({"content": "x"}, index=None),
        said_in({"content": "x"}, text="x"),
        {"choices": [{"delta": {"content": "x"}}]},
        FIRST | {"choices": None},
        FIRST | {"choices": [{"index": 0, "delta": None}]},
    ],
)
def test_fields_that_say_nothing_leave_it_text_alone(event: Any) -> None:
    said = Said.of([rendered(event)])
    assert said.recoverable
    assert said.text in ("", "x")


def test_an_answer_with_a_finish_reason_is_not_added_to() -> None:
    said = Said.of([rendered(ROLE, chunk("all"), STOP)])
    assert (said.text, said.finished, said.recoverable) == ("all", True, False)
    assert not Said.of([rendered(chunk("more", ""))]).finished


@pytest.mark.parametrize("name", [name for name, shape in SHAPES.items() if "list" not in name])
def test_what_the_reader_forwards_of_any_stream_is_what_was_said(name: str) -> None:
    shape = SHAPES[name]
    outcome = read([shape.wire], envelope(), shape.aside)
    said = Said.of([outcome.sent])
    assert said.text == shape.text == outcome.text
    assert said.only_text
