"""Any stream, cut and damaged anywhere, ends as a whole answer or as an error; nobody gets half an answer."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from headgate.dialects.openai.stream import StreamReader
from headgate.gateway.pipe import Pipe
from tests.faults.forms import CHAT, TEXT
from tests.faults.shapes import ARGUMENTS, DONE, Streamed, tool_chunk
from tests.faults.verdict import payloads
from tests.surface.stage import chunk, event
from tests.unit.dialects.driving import envelope

CALL = b"".join(
    (
        event(tool_chunk("", id="call_1", type="function")),
        *(event(tool_chunk(ARGUMENTS[at : at + 7])) for at in range(0, len(ARGUMENTS), 7)),
        event(chunk(None, "tool_calls")),
    )
)
WORDS = Streamed(CHAT)
WHOLE = {TEXT: WORDS.all + WORDS.end + WORDS.usage + DONE, ARGUMENTS: CALL + WORDS.usage + DONE}
FINISHED = {TEXT: len(WORDS.all + WORDS.end), ARGUMENTS: len(CALL)}
SAID = st.sampled_from(sorted(WHOLE))
CUTS = st.lists(st.integers(0, 3000), max_size=8)
LINE_ENDS = st.sampled_from([b"\n", b"\r\n", b"\r"])


def piped(stream: bytes, cuts: list[int]) -> tuple[bytes, Exception | Any]:
    """What the client gets of a body that comes in these pieces, and why it ends where it does; None: it is whole."""
    pipe, out, at = Pipe(StreamReader(envelope(), None)), b"", 0
    for cut in (*sorted({cut for cut in cuts if cut < len(stream)}), len(stream)):
        if not pipe.over:
            out += pipe.feed(stream[at:cut])
        at = cut
    if not pipe.over:
        out += pipe.close()
    if pipe.failure is None:
        last = pipe.last()
        if pipe.failure is None:
            out += last + pipe.tail({}, None)
    return out, pipe.failure


def read(data: bytes) -> Any:
    return json.loads(data.decode(errors="replace"), strict=False)


def told(out: bytes) -> tuple[str, int, bool]:
    """The words (or a call's arguments), the number of finish reasons, and whether the stream ends as a whole one.

    Bytes inside strings go through as they came, whatever they are.
    """
    words, finishes, found = "", 0, payloads(out)
    for data in found:
        for choice in () if data == b"[DONE]" else read(data).get("choices") or ():
            words += CHAT.said(choice)
            finishes += choice.get("finish_reason") is not None
    return words, finishes, found[-1:] == [b"[DONE]"]


@given(SAID, LINE_ENDS, st.integers(0, 3000), CUTS)
def test_a_stream_that_breaks_anywhere_is_whole_or_an_error(said: str, end: bytes, size: int, cuts: list[int]) -> None:
    stream = WHOLE[said].replace(b"\n", end)[:size]
    out, failure = piped(stream, cuts)
    words, finishes, done = told(out)
    if failure is None:
        assert (words, finishes, done) == (said, 1, True)
    else:
        assert said.startswith(words)
        assert not done
        assert said is not ARGUMENTS or words in ("", ARGUMENTS), "half a call"
        assert len(stream) < FINISHED[said] * len(end) or end != b"\n", "an answer that has its end is whole"


@settings(max_examples=300)
@given(SAID, st.integers(0, 3000), st.integers(0, 40), st.binary(max_size=12) | st.just(DONE), CUTS)
def test_a_damaged_stream_is_whole_or_an_error(said: str, at: int, lost: int, put: bytes, cuts: list[int]) -> None:
    stream = WHOLE[said]
    damaged = stream[:at] + put + stream[at + lost :]
    out, failure = piped(damaged, cuts)
    words, finishes, done = told(out)
    assert done == (failure is None)
    assert finishes == 1 or failure is not None or not words, "an end that nobody gave a reason for"


@given(st.binary(max_size=400), CUTS)
def test_any_bytes_at_all_are_an_error(stream: bytes, cuts: list[int]) -> None:
    out, failure = piped(stream, cuts)
    assert failure is not None
    assert not told(out)[2]


@given(SAID, st.integers(0, 3000), st.integers(0, 40), st.binary(max_size=12), CUTS)
def test_the_pieces_a_stream_comes_in_change_nothing(
    said: str, at: int, lost: int, put: bytes, cuts: list[int]
) -> None:
    damaged = WHOLE[said][:at] + put + WHOLE[said][at + lost :]
    (out, failure), (same, same_failure) = piped(damaged, []), piped(damaged, cuts)
    assert type(failure) is type(same_failure)
    assert told(out)[1:] == told(same)[1:]
