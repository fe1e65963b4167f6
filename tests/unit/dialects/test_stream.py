"""Provider streams of every shape: the same outcome however they are cut, usage once or never, no false success."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headgate.dialects.openai.usage import render_usage
from headgate.providers.sandbox import FAULTS, MODELS, Pace, sandbox_scripts
from headgate.types.deployment import Operation
from headgate.types.script import Ending
from headgate.types.usage import Usage
from headgate.wire import sse
from tests.unit.dialects.driving import Outcome, envelope, read, rendered
from tests.unit.dialects.streams import COUNTS, DONE, HE, LLO, ROLE, SHAPES, STOP, USAGE, chunk

FINISH = re.compile(rb'"finish_reason": ?"\w')
PLAIN, COUNTED = envelope(), envelope(usage=True)


def key_anywhere(value: Any, name: str) -> bool:
    if isinstance(value, dict):
        return name in value or any(key_anywhere(one, name) for one in value.values())
    return isinstance(value, list) and any(key_anywhere(one, name) for one in value)


def check_usage(outcome: Outcome, asked: bool, *, inner: bool = False) -> None:
    """Without being asked for, usage is nowhere; else it is in one event, the last before `[DONE]`."""
    *events, done = outcome.events
    assert done == "[DONE]"
    if not asked:
        assert not any(key_anywhere(event, "usage") if not inner else "usage" in event for event in events)
        return
    told = [event for event in events if event.get("usage") is not None]
    assert told == events[-1:]
    assert told[0]["choices"] == []
    assert told[0]["usage"]["prompt_tokens"] >= 0


@pytest.mark.parametrize("asked", [False, True])
@pytest.mark.parametrize("name", SHAPES)
def test_a_stream_ends_as_its_shape_demands(name: str, asked: bool) -> None:
    shape = SHAPES[name]
    outcome = read([shape.wire], COUNTED if asked else PLAIN, shape.aside)
    assert outcome.ended == shape.ended
    assert outcome.text == shape.text
    if shape.ended == "complete":
        check_usage(outcome, asked, inner="inner object" in name)
        assert outcome.usage.estimated is not shape.counted
        if shape.counted:
            assert outcome.usage == Usage(input=7, output=3)
        if shape.counted and asked:
            assert outcome.events[-2]["usage"] == USAGE
    else:
        assert b"[DONE]" not in outcome.sent, "a broken answer got the mark of a whole one"


@pytest.mark.parametrize("asked", [False, True])
@pytest.mark.parametrize("name", SHAPES)
def test_a_stream_cut_at_any_byte_gives_the_client_the_same_bytes(name: str, asked: bool) -> None:
    shape, who = SHAPES[name], COUNTED if asked else PLAIN
    whole = read([shape.wire], who, shape.aside)
    for cut in range(1, len(shape.wire)):
        assert read([shape.wire[:cut], shape.wire[cut:]], who, shape.aside) == whole, shape.wire[:cut]
    assert read([shape.wire[at : at + 1] for at in range(len(shape.wire))], who, shape.aside) == whole


@pytest.mark.parametrize("name", SHAPES)
def test_a_stream_that_breaks_off_anywhere_is_whole_only_if_its_finish_had_come(name: str) -> None:
    shape = SHAPES[name]
    for cut in range(len(shape.wire) + 1):
        start = shape.wire[:cut]
        outcome = read([start], PLAIN, shape.aside)
        if outcome.ended == "complete":
            assert FINISH.search(start) or b"[DONE]" in start
            assert outcome.text == shape.text
        else:
            assert b"[DONE]" not in outcome.sent


@pytest.mark.parametrize("asked", [False, True])
@pytest.mark.parametrize("model", [*MODELS, *FAULTS])
def test_every_stream_of_the_sandbox_is_read_the_same_however_it_is_cut(model: str, asked: bool) -> None:
    request = {"model": model, "stream": True, "max_tokens": 3, "messages": [{"role": "user", "content": "Hi"}]}
    request["stream_options"] = {"include_usage": True}
    scripts = sandbox_scripts(Pace(first_token_s=0.0, per_token_s=0.0))
    script = scripts(Operation.CHAT, json.dumps(request).encode())
    wire = b"".join(step.data for step in script.steps)
    if script.status != 200:
        assert read([wire], PLAIN).ended != "complete"
        return
    who = COUNTED if asked else PLAIN
    whole = read([wire], who)
    # A prime: over the length of a stream it comes to lie at every place of an event.
    stride = 1 if len(wire) < 3000 else 97 if len(wire) < 100_000 else len(wire) // 7
    for cut in range(1, len(wire), stride):
        assert read([wire[:cut], wire[cut:]], who) == whole
    broken = {"error-event": "error", "soft-error": "error", "malformed": "broken_stream", "no-finish": "broken_stream"}
    whole_reply = script.ending is Ending.COMPLETE and wire != b"" and model != "truncated-json"
    assert whole.ended == (broken.get(model, "complete") if whole_reply else "broken_stream")
    if whole.ended == "complete":
        check_usage(whole, asked)


@pytest.mark.parametrize("asked", [False, True])
def test_an_event_of_five_megabytes_comes_through(asked: bool) -> None:
    text = "0123456789é" * 500_000
    wire = rendered(ROLE, chunk(text), STOP, DONE)
    who = COUNTED if asked else PLAIN
    whole = read([wire], who)
    assert (whole.ended, whole.text) == ("complete", text)
    for size in (1000, 65536):
        assert read([wire[start : start + size] for start in range(0, len(wire), size)], who).sent == whole.sent


def test_what_needs_no_change_goes_on_as_the_bytes_that_came() -> None:
    wire = b'data: {"choices" : [{"index":0,"delta":{"content":"h\\u00e9"},"x":1.50}], "odd":[1e5] }\n\n: c\n\n'
    wire += b'event: message\ndata: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
    assert read([wire], PLAIN).sent == wire + b"data: [DONE]\n\n"


def test_usage_on_every_chunk_is_left_there_for_a_client_that_asked_for_it_so() -> None:
    shape = SHAPES["usage on every chunk"]
    *events, last, done = read([shape.wire], envelope(usage=True, continuous=True)).events
    assert [event["usage"]["completion_tokens"] for event in events] == [1, 2, 3]
    assert (last["usage"], last["choices"], done) == (USAGE, [], "[DONE]")


def test_one_of_several_answers_that_finished_does_not_make_the_others_whole() -> None:
    other = {"choices": [{"index": 1, "delta": {"content": "two"}, "finish_reason": None}]}
    other_stop = {"choices": [{"index": 1, "delta": {}, "finish_reason": "stop"}]}
    two = envelope(n=2)
    assert read([rendered(HE, other, LLO, STOP)], two).ended == "broken_stream"
    assert read([rendered(HE, STOP, STOP)], two).ended == "broken_stream"
    assert read([rendered(HE, other, LLO, STOP, other_stop)], two).ended == "complete"
    assert read([rendered(HE, other, STOP, DONE)], two).ended == "broken_stream"
    assert read([rendered(HE, STOP, DONE)], two).ended == "complete", "who gives fewer answers than asked for says so"
    assert read([rendered(HE, STOP)], envelope(n=None)).ended == "complete"


@pytest.mark.parametrize(
    ("delta", "says"),
    [
        ({"role": "assistant"}, False),
        ({"role": "assistant", "content": ""}, False),
        ({"content": None}, False),
        ({}, False),
        (None, False),
        ({"tool_calls": []}, False),
        ({"content": "x"}, True),
        ({"content": [{"type": "text", "text": "x"}]}, True),
        ({"reasoning_content": "x"}, True),
        ({"reasoning": "x"}, True),
        ({"refusal": "no"}, True),
        ({"tool_calls": [{"index": 0}]}, True),
        ({"content": {"odd": 1}}, True),
        ({"role": "assistant", "content": "", "function_call": None, "audio": None, "images": None}, False),
        ({"audio": {}, "images": []}, False),
        ({"function_call": {"name": "look"}}, True),
        ({"images": [{"image_url": {"url": "data:"}}]}, True),
    ],
)
def test_what_counts_as_the_first_content(delta: Any, says: bool) -> None:
    event = {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
    assert read([rendered(event)], PLAIN).has_content is says


def test_text_completions_have_content_too() -> None:
    assert read([rendered({"choices": [{"index": 0, "text": "x"}]})], PLAIN).has_content
    assert not read([rendered({"choices": [{"index": 0, "text": ""}]})], PLAIN).has_content


@pytest.mark.parametrize(
    ("told", "meant"),
    [
        ({"prompt_tokens": 7}, Usage(input=7, output=3, estimated=True)),
        ({"completion_tokens": 9}, Usage(input=COUNTED.size // 4, output=9, estimated=True)),
    ],
)
def test_half_a_usage_is_completed_by_size_for_the_books_and_for_the_client(told: Any, meant: Usage) -> None:
    outcome = read([rendered(HE, LLO, STOP, {"choices": [], "usage": told}, DONE)], COUNTED)
    assert outcome.usage == meant
    assert outcome.events[-2]["usage"] == render_usage(meant)


def test_usage_that_never_came_is_estimated_and_marked_so() -> None:
    outcome = read([rendered(HE, LLO, STOP, DONE)], COUNTED)
    assert outcome.usage == Usage(input=COUNTED.size // 4, output=3, estimated=True)
    assert outcome.events[-2]["usage"]["completion_tokens"] == 3


PARTS = st.one_of(
    st.sampled_from([HE, LLO, STOP, ROLE, chunk("x", usage=USAGE), chunk(finish="length", usage=None)]).map(
        lambda event: b"data: " + json.dumps(event).encode() + b"\n\n"
    ),
    st.sampled_from(
        [b"data: [DONE]\n\n", b": c\n\n", b"data: {}\n\n", b"\r\n", b"\n", b"event: error\n", b'{"error":1}']
    ),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
        lambda inner: (
            st.lists(inner, max_size=2)
            | st.dictionaries(
                st.sampled_from(
                    ["choices", "usage", "error", "object", "delta", "finish_reason", "index", "x_groq", "a"]
                ),
                inner,
                max_size=4,
            )
        ),
        max_leaves=8,
    ).map(lambda value: b"data: " + json.dumps(value).encode() + b"\n\n"),
    st.binary(max_size=12),
    st.sampled_from([b'data: {"\xff":1,"usage":null,"choices":[]}\n\n', b'data: {"x_groq":"\xff","choices":[]}\n\n']),
    st.sampled_from(
        [b'data: {"choices":[{"\xff":1}],"\xff":2,"usage":{"prompt_tokens":1}}\n\n', b'data: "\xed\xa0\x80"\n']
    ),
)


@settings(max_examples=500, deadline=None, derandomize=True)
@given(st.lists(PARTS, max_size=8), st.lists(st.integers(0, 400), max_size=5), st.booleans(), st.booleans())
def test_any_bytes_cut_anywhere_end_in_one_way_and_never_in_an_exception(
    parts: list[bytes], cuts: list[int], asked: bool, continuous: bool
) -> None:
    wire = b"".join(parts)
    who = envelope(usage=asked, continuous=continuous)
    whole = read([wire], who, "x_groq")
    edges = sorted({0, len(wire), *(cut for cut in cuts if cut < len(wire))})
    assert read([wire[start:end] for start, end in pairwise(edges)], who, "x_groq") == whole
    assert whole.ended in ("complete", "error", "broken_stream", "soft_error")
    marked = [event for event in sse.split(whole.sent) if sse.data_of(event) == b"[DONE]"]
    assert len(marked) == (whole.ended == "complete")
    if whole.ended == "complete" and not asked and not continuous:
        for event in sse.split(whole.sent):
            data = sse.data_of(event)
            value = json.loads(data) if data.startswith(b"{") and b"\xff" not in data else {}
            assert "usage" not in value


def test_an_answer_that_the_provider_broke_off_is_no_success_although_it_is_done() -> None:
    events = [
        {"choices": [{"index": 0, "delta": {"content": "half of"}, "finish_reason": None}]},
        {"choices": [{"index": 0, "delta": {}, "finish_reason": "error"}]},
    ]
    stream = b"".join(sse.render(json.dumps(event).encode()) for event in events) + sse.DONE
    outcome = read([stream], envelope())
    assert outcome.ended == "broken_stream"
    assert outcome.text == "half of"
    assert b"[DONE]" not in outcome.sent


def test_the_providers_own_object_is_not_repeated_beside_the_usage_that_was_in_it() -> None:
    usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    last = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "x_own": {"id": "r", "usage": usage}}
    first = {"choices": [{"index": 0, "delta": {"content": "hi"}, "finish_reason": None}]}
    stream = b"".join(sse.render(json.dumps(event).encode()) for event in (first, last)) + sse.DONE
    outcome = read([stream], envelope(usage=True), aside="x_own")
    *_, final, done = outcome.events
    assert done == "[DONE]"
    assert final["usage"] == usage
    assert "x_own" not in final


def test_a_chunk_of_zeros_behind_the_usage_does_not_undo_it() -> None:
    told = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    zeros = dict.fromkeys(told, 0)
    events = [
        {"choices": [{"index": 0, "delta": {"content": "hi"}, "finish_reason": "stop"}]},
        {"choices": [], "usage": told},
        {"choices": [], "usage": zeros},
    ]
    stream = b"".join(sse.render(json.dumps(event).encode()) for event in events) + sse.DONE
    outcome = read([stream], envelope(usage=True))
    assert outcome.usage == Usage(input=3, output=2)
    assert outcome.events[-2]["usage"] == told


def test_the_service_tier_is_read_from_the_chunk_that_counts_else_from_the_last_answer() -> None:
    counted = {"id": "c", "choices": [], "usage": USAGE, "service_tier": "flex"}
    assert read([rendered(HE, LLO, STOP, counted, DONE)], PLAIN).usage == Usage(input=7, output=3, service_tier="flex")
    beside = rendered(HE, LLO, STOP | {"service_tier": "priority"}, {"choices": [], "usage": USAGE}, DONE)
    assert read([beside], PLAIN).usage.service_tier == "priority"
    usual = rendered(HE, LLO, STOP | {"service_tier": "default"}, counted | {"service_tier": "auto"}, DONE)
    assert read([usual], PLAIN).usage.service_tier is None
    uncounted = rendered(HE, LLO, STOP | {"service_tier": "priority"}, DONE)
    assert read([uncounted], PLAIN).usage == msgspec.structs.replace(read([uncounted], PLAIN).usage, estimated=True)
    assert read([uncounted], PLAIN).usage.service_tier == "priority"


@pytest.mark.parametrize("tier", [5, "", ["flex"], "a" * 40, "no tier", None])
def test_what_is_no_tier_is_the_usual_one(tier: Any) -> None:
    wire = rendered(HE, LLO, STOP, {"choices": [], "usage": USAGE, "service_tier": tier}, DONE)
    assert read([wire], PLAIN).usage == Usage(input=7, output=3)


def test_an_answer_that_speaks_of_service_tiers_has_none() -> None:
    wire = rendered(HE, chunk('"service_tier": "priority"', "stop"), COUNTS, DONE)
    assert read([wire], PLAIN).usage == Usage(input=7, output=3)


def test_usage_beside_an_error_is_counted() -> None:
    broken = {"error": {"message": "broke down", "code": 502}, "usage": USAGE | {"cost": 0.5}, "choices": []}
    outcome = read([rendered(HE, LLO, broken)], PLAIN)
    assert outcome.ended == "error"
    assert outcome.usage == Usage(input=7, output=3, reported_pusd=5 * 10**11)


def test_zeros_behind_the_usage_that_counts_do_not_replace_it() -> None:
    zeros = {"prompt_tokens": 0, "completion_tokens": 0, "estimated_cost": 0.0, "service_tier": "flex"}
    wire = rendered(HE, LLO, STOP | {"usage": USAGE | {"estimated_cost": 0.25}}, {"choices": [], "usage": zeros}, DONE)
    assert read([wire], PLAIN).usage == Usage(input=7, output=3, reported_pusd=25 * 10**10)
