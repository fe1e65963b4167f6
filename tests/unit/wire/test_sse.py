"""A stream of events is the same events wherever the network cuts it."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headgate.wire.sse import DONE, EventTooLarge, Splitter, data_of, name_of, render, split

ENDS = [b"\n", b"\r\n", b"\r"]
FIELDS = st.sampled_from(
    [b"data: x", b"data:", b"data", b"data: {", b"data: }", b"event: error", b": comment", b"id: 1", b"retry: 5", b""]
)
STREAMS = st.one_of(
    st.lists(st.tuples(FIELDS, st.sampled_from(ENDS)), max_size=12).map(
        lambda lines: b"".join(a + b for a, b in lines)
    ),
    st.tuples(st.lists(FIELDS, max_size=12), st.sampled_from(ENDS)).map(lambda pair: pair[1].join(pair[0]) + pair[1]),
    st.text("daté:\u20ac \n\r", max_size=30).map(str.encode),
    st.binary(max_size=30),
)


def events_by_the_book(stream: bytes) -> list[bytes]:
    """The payloads of a whole stream as the specification has them: lines first, then events at blank lines.

    An event without data is none; what follows the last blank line is none.
    """
    lines = re.split(rb"\r\n|\n|\r", stream)
    payloads: list[bytes] = []
    data: list[bytes] = []
    for line in lines[:-1]:
        if line == b"":
            if data:
                payloads.append(b"\n".join(data))
            data = []
        elif line == b"data" or line.startswith(b"data:"):
            data.append(line[5:].removeprefix(b" "))
    return payloads


def fed(pieces: list[bytes]) -> tuple[list[bytes], bytes]:
    """The events that come out of a splitter, and what it keeps."""
    splitter = Splitter()
    events: list[bytes] = []
    for piece in pieces:
        run = splitter.feed(piece)
        if run:
            events += split(run)
    return events, splitter.pending


def payloads(events: list[bytes]) -> list[bytes]:
    return [data for event in events if (data := data_of(event))]


@settings(max_examples=400, deadline=None, derandomize=True)
@given(STREAMS, st.lists(st.integers(0, 80), max_size=6))
def test_cut_anywhere_nothing_is_lost_and_the_payloads_are_those_of_the_specification(
    stream: bytes, cuts: list[int]
) -> None:
    # With more behind it, a CR in last place is no longer open.
    stream += b":"
    edges = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    pieces = [stream[start:end] for start, end in pairwise(edges)]
    events, pending = fed(pieces)
    assert b"".join(events) + pending == stream
    assert payloads(events) == [payload for payload in events_by_the_book(stream) if payload]


@pytest.mark.parametrize("end", ENDS)
def test_a_stream_cut_at_every_byte_gives_the_same_events(end: bytes) -> None:
    lines = [
        b": hello",
        b"",
        b"event: x",
        b"data: one",
        b"",
        b"data: {",
        b"data:  two}",
        b"",
        "data: é€😀".encode(),
        b"",
    ]
    stream = b"".join(line + end for line in [*lines, b"data: [DONE]", b"", b": bye", b"", b""])
    expected = [b"one", b"{\n two}", "é€😀".encode(), b"[DONE]"]
    for cut in range(len(stream) + 1):
        events, pending = fed([stream[:cut], stream[cut:]])
        assert payloads(events) == expected
        assert b"".join(events) + pending == stream
    events, pending = fed([stream[at : at + 1] for at in range(len(stream))])
    assert payloads(events) == expected
    assert b"".join(events) + pending == stream


def test_an_event_is_given_out_as_soon_as_its_blank_line_is_there() -> None:
    splitter = Splitter()
    assert splitter.feed(b"data: a\n") == b""
    assert splitter.feed(b"\ndata: b") == b"data: a\n\n"
    assert splitter.feed(b"\r\n\r\n: c\n") == b"data: b\r\n\r\n"
    assert splitter.pending == b": c\n"


@pytest.mark.parametrize("end", [b"\n\n", b"\r\n\r\n"])
def test_an_event_of_megabytes_in_small_pieces_takes_no_long_time(end: bytes) -> None:
    """Twenty thousand pieces: a splitter that went over the whole event at each would copy a hundred gigabytes."""
    splitter = Splitter()
    piece = b"x" * 256
    assert splitter.feed(b"data: ") == b""
    for _ in range(20_000):
        assert splitter.feed(piece) == b""
    assert len(splitter.feed(end + b": next")) == 6 + 256 * 20_000 + len(end)
    assert splitter.pending == b": next"


def test_an_event_past_the_limit_is_an_error() -> None:
    splitter = Splitter(limit=100)
    assert splitter.feed(b"data: " + b"x" * 90) == b""
    with pytest.raises(EventTooLarge):
        splitter.feed(b"x" * 10)


def test_many_small_events_do_not_add_up_to_the_limit() -> None:
    splitter = Splitter(limit=100)
    for _ in range(50):
        assert splitter.feed(b"data: abc\n\ndata") != b""
        assert splitter.feed(b": def\n\n") == b"data: def\n\n"


@pytest.mark.parametrize(
    ("event", "data"),
    [
        (b"data: x\n\n", b"x"),
        (b"data:x\n\n", b"x"),
        (b"data:  x\n\n", b" x"),
        (b"data: a\ndata: b\n\n", b"a\nb"),
        (b"data: a\r\ndata: b\r\n\r\n", b"a\nb"),
        (b"data: a\rdata: b\r\r", b"a\nb"),
        (b"data: a\rdata: b\n\n", b"a\nb"),
        (b"event: e\ndata: x\nid: 1\n\n", b"x"),
        (b"data: x\nevent: e\n\n", b"x"),
        (b": data: x\n\n", b""),
        (b"datum: x\n\n", b""),
        (b"data:\n\n", b""),
        (b"\n\n", b""),
    ],
)
def test_the_payload_of_an_event(event: bytes, data: bytes) -> None:
    assert data_of(event) == data


@pytest.mark.parametrize(
    ("event", "name"),
    [
        (b"event: error\ndata: x\n\n", b"error"),
        (b"data: x\r\nevent:error\r\n\r\n", b"error"),
        (b"event: a\nevent: b\n\n", b"b"),
        (b"data: event: x\n\n", b""),
        (b"data: x\n\n", b""),
    ],
)
def test_the_name_of_an_event(event: bytes, name: bytes) -> None:
    assert name_of(event) == name


@pytest.mark.parametrize("payload", [b"{}", b'{"a":\n1}', b"a\nb\nc"])
def test_a_rendered_event_has_the_payload_it_was_rendered_from(payload: bytes) -> None:
    event = render(payload)
    assert split(event) == [event]
    assert data_of(event) == payload


def test_done_is_an_event() -> None:
    assert data_of(DONE) == b"[DONE]"
