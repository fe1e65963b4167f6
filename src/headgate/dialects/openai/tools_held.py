"""Tool calls of a stream, held back until their arguments are whole.

A client that acts on half the arguments of a call does the wrong thing, and one that has seen half of them cannot be
given another provider's. So a stream flows up to its first call, and from there on waits for the finish reason.
"""

from __future__ import annotations

from typing import Any

import msgspec

from headgate.dialects.openai.finish import CUT_OFF
from headgate.types.fault import Fault, FaultClass
from headgate.wire import json, sse

MAX_HELD_BYTES = 16 * 1024 * 1024
"""The most that is held for one answer."""

_ABSENT = msgspec.Raw()
_EMPTY = (b"", b"null", b"[]", b"{}")


class _Delta(msgspec.Struct, gc=False):
    tool_calls: msgspec.Raw = _ABSENT
    function_call: msgspec.Raw = _ABSENT


class _Choice(msgspec.Struct, gc=False):
    index: msgspec.Raw = _ABSENT
    finish_reason: str | None = None
    delta: msgspec.Raw = _ABSENT


class _Chunk(msgspec.Struct, gc=False):
    choices: list[_Choice] | None = None


class _Call:
    """The arguments that came under one index, in pieces; `starts` are the pieces that had a name with them."""

    __slots__ = ("pieces", "starts")

    def __init__(self) -> None:
        self.pieces: list[str] = []
        self.starts: list[int] = []

    def add(self, function: Any) -> None:
        fields = function if isinstance(function, dict) else {}
        if fields.get("name"):
            self.starts.append(len(self.pieces))
        # Arguments that are a value instead of text are whole as they are.
        if isinstance(arguments := fields.get("arguments"), str):
            self.pieces.append(arguments)

    def whole(self) -> bool:
        """Whether the pieces are whole JSON, as one call or as several under one index.

        Some servers give parallel calls the same index or none, others repeat the name with every piece of one call.
        Ids tell nothing: there are servers that make a new one for each piece.
        """
        if is_whole_json("".join(self.pieces)):
            return True
        edges = [0, *self.starts, len(self.pieces)]
        return all(is_whole_json("".join(self.pieces[edges[at] : edges[at + 1]])) for at in range(len(edges) - 1))


_chunk = json.Decoder[_Chunk](_Chunk)
_delta = json.Decoder[_Delta | None](_Delta | None)
_any_json = json.Decoder[msgspec.Raw](msgspec.Raw)


class ToolsHeld:
    """Stands between a stream and the client: `feed` whole events, `close` at the end of an answer that is whole.

    Everything before the first event with a tool call passes; from there on all that carries data is held until each
    choice that calls has its finish reason, and then goes on as it came. Arguments that are no whole JSON by then are a
    `failure`, unless the finish reason says that the answer was cut off: then the client is told as it would be by the
    provider. Empty arguments are whole. What was held when a stream breaks was never sent.

    `holding`  something waits here
    `failure`  arguments that are not whole, more than `limit` bytes, or an event that cannot be read
    """

    __slots__ = ("_calls", "_held", "_limit", "_size", "failure")

    def __init__(self, limit: int = MAX_HELD_BYTES) -> None:
        self._limit = limit
        self._held: list[bytes] = []
        self._size = 0
        self._calls: dict[bytes, dict[str, _Call]] = {}
        self.failure: Fault | None = None

    @property
    def holding(self) -> bool:
        return bool(self._held)

    def feed(self, run: bytes) -> bytes:
        """Take whole events; give those that may go on. Look at `failure` afterwards."""
        if not self._held and not _may_call(run):
            return run if self.failure is None else b""
        out: list[bytes] = []
        for event in sse.split(run) if self.failure is None else ():
            try:
                out.append(self._event(event))
            except Fault as failure:
                self._fail(failure)
                break
            except json.DecodeError:
                self._fail(Fault(FaultClass.BROKEN_STREAM, "the provider sent an event that cannot be read"))
                break
        return b"".join(out)

    def close(self) -> bytes:
        """The answer is whole, with or without finish reasons: give what is held. Look at `failure` afterwards."""
        try:
            for choice in list(self._calls):
                self._finish(choice, "")
        except Fault as failure:
            self._fail(failure)
        return self._release()

    def _event(self, event: bytes) -> bytes:
        data = sse.data_of(event)
        if not data:
            return event
        for choice in _chunk.decode(data).choices or ():
            self._note(choice)
        if not self._calls and not self._held:
            return event
        self._size += len(event)
        if self._size > self._limit:
            raise Fault(FaultClass.BROKEN_STREAM, f"the tool calls of an answer are longer than {self._limit} bytes")
        self._held.append(event)
        return b"" if self._calls else self._release()

    def _note(self, choice: _Choice) -> None:
        index = bytes(choice.index) if bytes(choice.index) not in _EMPTY else b"0"
        if choice.delta and bytes(choice.delta).startswith(b"{"):
            delta = _delta.decode(choice.delta) or _Delta()
            if bytes(delta.tool_calls) not in _EMPTY:
                self._add(index, json.parse(delta.tool_calls))
            if bytes(delta.function_call) not in _EMPTY:
                self._call(index, "function_call").add(json.parse(delta.function_call))
        if choice.finish_reason:
            self._finish(index, choice.finish_reason)

    def _add(self, choice: bytes, calls: Any) -> None:
        for call in calls if isinstance(calls, list) else [calls]:
            fields = call if isinstance(call, dict) else {}
            self._call(choice, str(fields.get("index"))).add(fields.get("function"))

    def _call(self, choice: bytes, index: str) -> _Call:
        return self._calls.setdefault(choice, {}).setdefault(index, _Call())

    def _finish(self, choice: bytes, reason: str) -> None:
        calls = self._calls.pop(choice, {})
        if reason not in CUT_OFF and not all(call.whole() for call in calls.values()):
            raise Fault(FaultClass.BROKEN_STREAM, "the arguments of a tool call are not whole")

    def _release(self) -> bytes:
        out = b"".join(self._held)
        self._held, self._size = [], 0
        return out

    def _fail(self, failure: Fault) -> None:
        self.failure = failure
        self._calls.clear()
        self._release()


def _may_call(run: bytes) -> bool:
    """Whether a run may hold a call. Inside a text the quotes are escaped; a name spelt with escapes is looked at."""
    # `in` costs several times what `find` does.
    return run.find(b"_call") >= 0 or run.find(b"\\u00") >= 0


def is_whole_json(text: str) -> bool:
    """Whether the arguments of a call are whole JSON, or nothing at all."""
    if not text.strip():
        return True
    try:
        _any_json.decode(text.encode())
    except json.DecodeError:
        return False
    return True
