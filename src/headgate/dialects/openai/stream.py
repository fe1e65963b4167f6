"""A provider's event stream, read while it is forwarded.

Every event is checked (a third of a microsecond) and nearly every one goes on as the bytes that came. What changes:
usage is taken out wherever a provider puts it and given once, at the end, to a client that asked for it; `[DONE]` is
kept back until the answer is known to be whole. A stream that ends without a finish reason is broken, never a success.
"""

from __future__ import annotations

import math

from headgate.dialects.openai.asked import may_be_empty, texts_in
from headgate.dialects.openai.chunk import (
    WORDS,
    Choice,
    Chunk,
    answers_asked_for,
    decode_chunk,
    decode_usual,
    has_error_name,
    is_by_the_way,
    part_of,
    says_failed,
)
from headgate.dialects.openai.finish import COMPLETE, FAILED
from headgate.dialects.openai.reply import ErrorInBody, is_error
from headgate.dialects.openai.stream_usage import StreamUsage
from headgate.types.deployment import Operation
from headgate.types.fault import Fault, FaultClass
from headgate.types.request import Envelope
from headgate.types.usage import Usage
from headgate.wire import json, sse

_LF, _CR = 10, 13

MOST_UNUSUAL = 8
"""Glances for nothing after which a stream is given no more of them: each costs as much as reading the event does."""


class StreamReader:
    """Reads one stream: `feed` the provider's bytes, forward what it returns, `close` at the end of the body.

    While it is `steady`, `glance` does for nearly every piece what `feed` would, in a fraction of the time.

    With `goes_on` it is the rest of an answer, which may be nothing.

    `has_content`  something of the answer itself has come: before that a failure is invisible to the client
    `has_words`    something of it that is no call of a tool
    `pieces`       events with a part of the answer
    `finished`     every sign of a whole answer is there: a finish reason of each answer that was asked for and of each
                   that has begun, or `[DONE]`
    `ended`        `[DONE]` has come: nothing more is to be expected
    `steady`       one answer is under way, and the last event has come whole
    `failure`      an error event, an event that cannot be read, or an unfinished end; what `feed` and `close`
                   return beside it is good and goes to the client first
    """

    def __init__(self, envelope: Envelope, usage_aside: str | None, *, goes_on: bool = False) -> None:
        self._used = StreamUsage(envelope, usage_aside)
        self._aside_mark = self._used.aside_mark
        self._splitter = sse.Splitter()
        self._last = b""
        self.pieces = 0
        self._answers = answers_asked_for(envelope)
        self._texts = texts_in(envelope.fields.get("prompt")) if envelope.operation is Operation.COMPLETION else 1
        self._envelope = envelope
        self._goes_on = goes_on
        self._loose = False
        self._complete = True
        self._says = False
        self._parts: frozenset[str | None] = frozenset()
        # The index of the answer that is under way alone; at first one that is equal to none.
        self._going: int | float | str | None = math.nan
        self._unusual = 0
        self._begun: set[int | float | str] = set()
        # The answers that have a finish reason, and whether it is a word.
        self._ends: dict[int | float | str, bool] = {}
        self.has_content = False
        self.has_words = False
        self.finished = False
        self.ended = False
        self.steady = False
        self.failure: Fault | ErrorInBody | None = None

    @property
    def over(self) -> bool:
        """Nothing more of this stream is wanted: it has ended, or failed."""
        return self.ended or self.failure is not None

    def feed(self, data: bytes) -> bytes:
        """Take the next bytes and return what goes to the client. Look at `failure` afterwards."""
        try:
            run = self._splitter.feed(data)
        except sse.EventTooLarge as error:
            self.failure = Fault(FaultClass.BROKEN_STREAM, str(error))
            run = b""
        out = self._run(run) if run else b""
        # Of an answer without an index, or with the first one, a glance takes either.
        self.steady = not (self._going or self._splitter.is_inside or self.over) and self._unusual < MOST_UNUSUAL
        return out

    def glance(self, data: bytes) -> bytes:
        """What goes to the client of a piece that is one event, and goes on with the one answer under way.

        Empty for any other piece: nothing is done with that yet, so `feed` it.
        """
        # `sse.is_plain` with less to call, as nearly every event of every stream comes by here.
        if not data.startswith(b"data: ") or not data.endswith(b"\n\n"):
            return b""
        payload = data[6:-2]
        if _LF in payload or _CR in payload:
            return b""
        try:
            if decode_usual(payload).usage is None:
                data = self._used.take(data, payload, b"null", self.pieces, beside=True)
        except json.UNREADABLE:
            self._unusual += 1
            return b""
        # Looked for in what is left, as `feed` does: taking usage out may have spelt a name anew.
        if self._aside_mark is not None and self._aside_mark in data:
            self._unusual += 1
            return b""
        self._last = payload
        self.pieces += 1
        return data

    def close(self) -> bytes:
        """The body has ended. Returns what still goes to the client; an unfinished answer is a `failure`."""
        out = b""
        pending = self._splitter.pending.rstrip(b"\r\n") + b"\n\n"
        if sse.data_of(pending):
            # A last event without its blank line: whole if it can be read, lost otherwise.
            out = self._run(pending)
        if not self.finished and self.failure is None:
            self.failure = Fault(FaultClass.BROKEN_STREAM, "the provider's stream ended before the answer did")
        return out

    @property
    def usage(self) -> Usage | None:
        """What the provider has reported so far."""
        return self._used.reported

    def settled_usage(self) -> Usage:
        """What the provider reported; what it left out, or cannot be true, by size."""
        return self._used.settled(self.pieces, self._last, says=self._says)

    def account_for(self, usage: Usage) -> None:
        """Tell this usage at the end, in place of what this stream alone has used."""
        self._used.account_for(usage)

    def tail(self, headgate: dict[str, object]) -> bytes:
        """The end of a whole answer: the usage event for a client that asked, then `[DONE]`.

        Who did not ask is told in a comment, which no client takes for a part of the answer, that it was recovered.
        """
        if self._used.wanted:
            return sse.render(self._used.event(self.settled_usage(), self._last, headgate)) + sse.DONE
        how = headgate.get("recovered")
        return sse.DONE if how is None else b": headgate recovered=%s\n\n" % str(how).encode() + sse.DONE

    # Inside

    def _run(self, run: bytes) -> bytes:
        if sse.is_plain(run):
            # Nearly every run is one event of one line.
            return self._checked(run, run[6:-2], named=False)
        out: list[bytes] = []
        for event in sse.split(run):
            out.append(self._checked(event, sse.data_of(event), named=True))
            if self.failure is not None:
                # What came whole before the bad event is the client's.
                break
        return b"".join(out)

    def _checked(self, event: bytes, data: bytes, *, named: bool) -> bytes:
        """What goes to the client of an event; nothing of one that is a failure."""
        try:
            return self._event(event, data, named)
        except (ErrorInBody, Fault) as failure:
            self.failure = failure
        except json.DecodeError:
            # What is only skipped over in the first reading has turned out to be unreadable.
            self.failure = _unreadable()
        return b""

    def _event(self, event: bytes, data: bytes, named: bool) -> bytes:
        """`named` is false for an event that can have no name."""
        if not data or self.ended:
            return b"" if self.ended else event
        if data == b"[DONE]":
            self._end()
            return b""
        try:
            chunk = decode_chunk(data)
        except json.DecodeError:
            if data.strip() == b"[DONE]":
                self._end()
            elif not self.finished:
                self._unread(event, data, named)
            # Nothing of the answer is lost with it.
            return b""
        if (chunk.error or chunk.object == "error" or chunk.message or named) and says_failed(
            chunk, event, data, named
        ):
            self._failed(chunk, data)
            return b""
        choices = chunk.choices
        if choices:
            self._last = data
            self.pieces += 1
            choice = choices[0]
            # Nearly every event goes on with the one answer that is under way: then there is nothing to note.
            if choice.finish_reason is not None or choice.index != self._going or choice.error or len(choices) > 1:
                self._note(choices)
        if chunk.usage:
            event = self._used.take(event, data, bytes(chunk.usage), self.pieces, beside=bool(choices))
        if self._aside_mark is not None and self._aside_mark in event:
            event = self._used.take_aside(event, self.pieces)
        return event

    def _failed(self, chunk: Chunk, data: bytes) -> None:
        """The provider says that it failed. Raises ErrorInBody unless the client has all of the answer."""
        if chunk.usage:
            # What was used until it broke off is billed, and said here or nowhere.
            self._used.count(bytes(chunk.usage), data, self.pieces)
        if not self.finished:
            raise ErrorInBody(data)

    def _unread(self, event: bytes, data: bytes, named: bool) -> None:
        """An event came that is no JSON. Raises ErrorInBody for a sentence, Fault where the answer lacks it now."""
        if named and has_error_name(event):
            raise ErrorInBody(data)
        if not (named and is_by_the_way(event, data)):
            raise _unreadable()

    def _end(self) -> None:
        """`[DONE]` has come. Raises Fault when an answer was begun and not ended."""
        self.ended = True
        if self.has_content and not self._begun <= self._ends.keys():
            raise Fault(FaultClass.BROKEN_STREAM, "the provider ended its answer without a finish reason")
        if self.has_content and len(self._ends) < self._texts:
            raise Fault(FaultClass.BROKEN_STREAM, "the provider gave fewer answers than there were prompts")
        self.finished = True

    def _note(self, choices: list[Choice]) -> None:
        """Keep what the choices of an event tell about the answer. Raises Fault when the provider gave it up."""
        for choice in choices:
            if choice.error and is_error(choice.error) and not self.finished:
                raise ErrorInBody(b'{"error":%b}' % bytes(choice.error))
            index = choice.index or 0
            if self._ends.get(index) and part_of(choice) is not None:
                # Its finish reasons say nothing of the end: only `[DONE]` does.
                self._loose, self.finished = True, False
            if choice.finish_reason is None:
                self._begun.add(index)
                continue
            # Some servers send "" instead of null, or instead of a reason; only a word ends an answer by itself.
            self._ends.setdefault(index, False)
            if choice.finish_reason:
                if choice.finish_reason in FAILED:
                    raise Fault(FaultClass.BROKEN_STREAM, "the provider broke off its answer with an error")
                self._ends[index] = True
                self._complete = self._complete and choice.finish_reason in COMPLETE
                self._going = math.nan
                whole = sum(self._ends.values()) >= self._answers and all(map(self._ends.get, self._begun))
                self.finished = whole and not self._loose
        if not self.has_words:
            self._parts = self._parts.union(map(part_of, choices))
            self.has_words = WORDS in self._parts
            self._says = self.has_content = len(self._parts) > (None in self._parts)
            if self.has_words:
                self._parts = frozenset()
            if self.finished and not self._says:
                self._end_of_nothing()
        if self.has_words and not any(self._ends.values()) and len(choices) == 1 and choices[0].finish_reason is None:
            self._going = choices[0].index

    def _end_of_nothing(self) -> None:
        """An answer has ended in which nothing was said. Raises Fault unless there is a reason for that."""
        if self._complete and not (self._goes_on or may_be_empty(self._envelope)):
            raise Fault(FaultClass.SOFT_ERROR, "the provider's stream is an empty answer")
        self.has_content = True


def _unreadable() -> Fault:
    return Fault(FaultClass.BROKEN_STREAM, "the provider sent an event that cannot be read")
