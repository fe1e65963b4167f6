"""Two streams joined are one answer, or the seam says that they are not: nothing wrong is ever passed on."""

from __future__ import annotations

import os
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from headgate.dialects.openai.prefill import Prefill, prefill, surely_repeated
from headgate.dialects.openai.said import Said
from headgate.dialects.openai.seam import Mode, Seam
from headgate.wire import json as wire
from headgate.wire import sse
from tests.unit.dialects.driving import rendered
from tests.unit.dialects.joining import (
    FIRST,
    SECOND,
    chunks,
    joined,
    payloads_of,
    pieces,
    said_in,
    said_of,
    text_of,
    texts,
)

LONG = "The quick brown fox jumps over the lazy dog, and so on."
TEXT = st.text(max_size=24) | st.text(alphabet="ab \n", max_size=24) | st.text(alphabet="ä\U0001f600 x", max_size=24)
CUTS = st.lists(st.integers(0, 100), max_size=6)
CALL = {"tool_calls": [{"index": 0, "id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}]}


def asked(text: str, begun: str | None = None) -> Prefill:
    messages: list[dict[str, Any]] = [{"role": "user", "content": "hi"}]
    if begun is not None:
        messages.append({"role": "assistant", "content": begun})
    result = prefill({"messages": wire.raw(messages)}, text)
    assert result is not None
    return result


def resumed(said: str, repeats: bool | None = None, begun: str | None = None) -> Seam:
    return Seam(said_of(said), asked(said, begun), repeats)


@settings(max_examples=300, deadline=None)
@given(TEXT, st.integers(0, 24), CUTS)
def test_a_restart_that_agrees_gives_the_whole_text_wherever_the_first_broke(
    whole: str, at: int, cuts: list[int]
) -> None:
    said = whole[:at]
    seam = Seam(said_of(said))
    assert seam.needs == len(said)
    out = joined(seam, pieces(whole, cuts))
    assert (seam.diverged, seam.needs) == (None, 0)
    assert said + text_of(out) == whole


@settings(max_examples=300, deadline=None)
@given(TEXT, TEXT, CUTS)
def test_a_restart_that_differs_is_found_out_before_anything_is_passed_on(
    said: str, other: str, cuts: list[int]
) -> None:
    assume(not other.startswith(said))
    seam = Seam(said_of(said))
    assert joined(seam, pieces(other, cuts)) == b""
    assert seam.diverged
    assert seam.feed(rendered(said_in({"content": "more"}, SECOND))) == b""


@settings(max_examples=300, deadline=None)
@given(TEXT, st.integers(0, 24), CUTS)
def test_a_continuation_gives_the_whole_text_where_the_provider_never_repeats(
    whole: str, at: int, cuts: list[int]
) -> None:
    said = whole[:at]
    seam = resumed(said, repeats=False)
    out = joined(seam, pieces(whole[len(said.rstrip()) :], cuts))
    assert seam.diverged is None
    assert said + text_of(out) == whole


@settings(max_examples=300, deadline=None)
@given(TEXT, st.integers(0, 24), CUTS, st.sampled_from([None, "", "Sure: "]))
def test_a_continuation_gives_the_whole_text_where_the_provider_repeats(
    whole: str, at: int, cuts: list[int], begun: str | None
) -> None:
    said = whole[:at]
    assume(not begun or not said.startswith(begun))
    asking = asked(said, begun)
    seam = Seam(said_of(said), asking, repeats=True)
    out = joined(seam, pieces(asking.text + whole[len(said.rstrip()) :] if said.strip() else asking.text + whole, cuts))
    assert seam.diverged is None
    assert said + text_of(out) == whole


@settings(max_examples=500, deadline=None)
@given(TEXT | st.just(LONG), TEXT, CUTS, st.booleans())
def test_where_nobody_knows_whether_it_repeats_the_whole_text_comes_or_nothing(
    said: str, rest: str, cuts: list[int], again: bool
) -> None:
    asking = asked(said)
    new = asking.cut + rest
    assume(not surely_repeated(asking.text) or not new.startswith(asking.text))
    seam = Seam(said_of(said), asking)
    out = joined(seam, pieces(asking.text + new if again else new, cuts))
    if seam.diverged is None:
        assert said + text_of(out) == said + rest
    else:
        assert out == b""
        assert again or asking.text.startswith(new) or new.startswith(asking.text)


def test_a_long_repetition_is_believed_of_any_provider_and_a_short_one_of_those_known_for_it() -> None:
    assert text_of(joined(resumed(LONG), ["The quick", LONG[9:] + " More", "."])) == " More."
    assert text_of(joined(resumed("Hi", repeats=True), ["H", "i th", "ere"])) == " there"
    seam = resumed("Hi")
    assert joined(seam, ["H", "i th", "ere"]) == b""
    assert "repetition" in str(seam.diverged)


def test_what_only_looked_like_a_repetition_is_passed_on_from_its_first_character() -> None:
    out = joined(resumed("Hello world"), ["Hel", "lo ", "moon"])
    assert [chunk.choices[0].delta.content for chunk in chunks(out)] == ["Hello moon", None]
    assert text_of(joined(resumed("Hello world", repeats=True), ["Hel", "p"])) == "Help"


@pytest.mark.parametrize(
    ("said", "new", "joint"),
    [
        ("a\n\n", ["\n", "\nb"], "b"),
        ("a\n\n", ["b"], "b"),
        ("a\n\n", ["\nb", "\n\nc"], "b\n\nc"),
        ("a ", ["\n1."], "\n1."),
        ("a", [" b"], " b"),
        ("\n", ["\n", "\nb"], "\nb"),
        ("\n", ["b"], "b"),
    ],
)
def test_white_space_that_was_cut_off_is_not_sent_twice(said: str, new: list[str], joint: str) -> None:
    assert text_of(joined(resumed(said), new)) == joint


def test_what_goes_on_is_in_the_name_of_the_first_stream() -> None:
    out = joined(Seam(said_of("Hel")), ["Hello", " world"])
    assert [chunk.choices[0].finish_reason for chunk in chunks(out)] == [None, None, "stop"]
    for payload in payloads_of(out):
        assert {name: payload[name] for name in FIRST} == FIRST
        assert payload["provider"] == "x"
        assert "role" not in payload["choices"][0]["delta"], "the client has been told the role"


def test_a_mark_the_first_stream_did_not_have_is_not_put_on_its_answer() -> None:
    bare = Said.of([rendered({"id": "c", "choices": [{"index": 0, "delta": {"content": "He"}}]})])
    out = joined(Seam(bare), ["Hello"])
    assert [payload.get("created") for payload in payloads_of(out)] == [None, None]
    assert [payload["choices"][0]["delta"].get("role") for payload in payloads_of(out)] == ["assistant", None]


def test_the_end_that_the_reader_makes_gets_the_first_streams_name_too() -> None:
    usage = SECOND | {"choices": [], "usage": {"prompt_tokens": 1}}
    seam = Seam(said_of("x"))
    assert seam.feed(rendered(usage)) == b""
    *_, last = sse.split(out := seam.tail(rendered(usage) + sse.DONE))
    assert last == sse.DONE
    assert payloads_of(out) == [FIRST | {"provider": "x", "choices": [], "usage": {"prompt_tokens": 1}}]


def test_comments_pass_while_the_client_waits() -> None:
    assert Seam(said_of("Hello")).feed(b": PROCESSING\n\n" + rendered(*texts(["He"], SECOND))) == b": PROCESSING\n\n"


@pytest.mark.parametrize("seam", [Seam(said_of("He")), resumed("He", False)], ids=list(Mode))
def test_thoughts_of_the_second_stream_are_swallowed(seam: Seam) -> None:
    start = "He" if seam.mode is Mode.RESTART else ""
    listed = [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}]
    deltas: list[dict[str, Any]] = [
        {"reasoning_content": "hm"},
        {"reasoning": "hm", "reasoning_details": [{"text": "hm"}]},
        {"content": listed},
        {"content": start + "llo", "reasoning": "hm"},
    ]
    out = seam.feed(rendered(*(said_in(delta, SECOND) for delta in deltas)))
    assert [payload["choices"][0]["delta"] for payload in payloads_of(out)] == [{"content": "llo"}]


def test_a_restart_after_thoughts_alone_gives_its_whole_answer_tool_calls_too() -> None:
    thought = Said.of([rendered(said_in({"role": "assistant", "reasoning": "hm"}))])
    assert text_of(joined(Seam(thought), ["Hello"])) == "Hello"
    for seam in (Seam(thought), Seam(thought, asked(thought.text))):
        sent = seam.feed(rendered(said_in(CALL, SECOND), said_in({}, SECOND, "tool_calls")))
        assert [chunk.choices[0].finish_reason for chunk in chunks(sent)] == [None, "tool_calls"]
        assert seam.diverged is None


def test_tool_calls_pass_only_behind_a_text_that_agreed_to_its_end() -> None:
    agreed = Seam(said_of("Let me look."))
    sent = agreed.feed(rendered(*texts(["Let me ", "look."], SECOND), said_in(CALL, SECOND)))
    (only,) = chunks(sent)
    assert only.choices[0].delta.tool_calls is not None
    short = Seam(said_of("Let me look."))
    assert short.feed(rendered(*texts(["Let me "], SECOND), said_in(CALL, SECOND))) == b""
    assert short.diverged
    going_on = resumed("Let me", False)
    sent = going_on.feed(rendered(*texts([" look."], SECOND), said_in(CALL, SECOND)))
    assert text_of(sent) == " look."
    assert going_on.diverged


@pytest.mark.parametrize(
    "event",
    [
        said_in({"content": "x"}, SECOND, index=1),
        SECOND | {"choices": [{"index": 0, "delta": {}}, {"index": 1, "delta": {}}]},
        said_in({"content": [{"type": "text", "text": "He"}]}, SECOND),
        said_in({"content": {"odd": 1}}, SECOND),
        said_in({"refusal": "no"}, SECOND),
        SECOND | {"choices": [7]},
        b'data: {"choices":[{"index":0,"delta":{"content":"\xff"}}]}',
    ],
)
def test_what_cannot_be_an_answers_text_diverges(event: Any) -> None:
    seam = Seam(said_of("He"))
    assert seam.feed(rendered(event)) == b""
    assert seam.diverged


def test_a_restart_that_ends_early_diverges_with_and_without_a_finish_reason() -> None:
    for finish in ("stop", "length", None):
        seam = Seam(said_of("Hello world"))
        assert joined(seam, ["Hello"], finish) == b""
        seam.close()
        assert "6 characters" in str(seam.diverged)
    doubtful = resumed("Hello world")
    assert joined(doubtful, ["Hello"], None) == b""
    doubtful.close()
    assert doubtful.diverged


def test_finish_reasons_pass_and_the_text_beside_them() -> None:
    seam = Seam(said_of("Hel"))
    sent = seam.feed(rendered(said_in({"content": "Hello"}, SECOND, "length")))
    assert [(chunk.choices[0].delta.content, chunk.choices[0].finish_reason) for chunk in chunks(sent)] == [
        ("lo", "length")
    ]
    assert chunks(joined(resumed("all of it"), []))[0].choices[0].finish_reason == "stop"


def test_log_probabilities_nobody_asked_for_are_left_out() -> None:
    sent = Seam(said_of("He")).feed(rendered(said_in({"content": "Hello"}, SECOND, logprobs={"content": []})))
    assert "logprobs" not in payloads_of(sent)[0]["choices"][0]


def test_a_chunk_that_says_its_text_twice_is_read_once() -> None:
    sent = Seam(said_of("He")).feed(rendered(said_in({"content": "Hello"}, SECOND, text="Hello")))
    assert text_of(sent) == "llo"
    assert "text" not in payloads_of(sent)[0]["choices"][0]


def test_text_completions_are_joined_in_their_own_field() -> None:
    first, second = ({"id": one, "object": "text_completion", "created": 1, "model": one} for one in ("a", "b"))

    def parts(who: dict[str, Any], *texts: str, finish: Any = None) -> bytes:
        return rendered(*(who | {"choices": [{"index": 0, "text": text, "finish_reason": finish}]} for text in texts))

    seam = Seam(Said.of([parts(first, "Once ", "up")]))
    sent = seam.feed(parts(second, "Once", " upon", " a") + parts(second, "", finish="stop"))
    shown = [(one["id"], one["choices"][0]["text"], one["choices"][0]["finish_reason"]) for one in payloads_of(sent)]
    assert shown == [("a", "on", None), ("a", " a", None), ("a", "", "stop")]


def test_a_second_stream_however_long_is_not_kept() -> None:
    import tracemalloc

    seam = Seam(said_of("x" * 1000))
    events = [rendered(said_in({"content": os.urandom(8).hex()}, SECOND)) for _ in range(200)]
    seam.feed(rendered(said_in({"content": "x" * 1000}, SECOND)))
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for _ in range(20):
        for event in events:
            seam.feed(event)
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert seam.diverged is None
    assert grown < 50_000
