"""A stream through the reader as the relay drives it, and envelopes to read it for."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from headgate.dialects.openai.request import parse_request
from headgate.dialects.openai.stream import StreamReader
from headgate.types.deployment import Operation
from headgate.types.fault import Fault
from headgate.types.request import Envelope
from headgate.types.usage import Usage
from headgate.wire import sse


def envelope(*, prompt: Any = None, usage: bool = False, continuous: bool = False, **fields: Any) -> Envelope:
    """A streamed request for a chat, or with a prompt for text; `usage` and `continuous` are its stream options."""
    asked = {"messages": [{"role": "user", "content": "hi"}]} if prompt is None else {"prompt": prompt}
    request: dict[str, Any] = {"model": "m", "stream": True, **asked}
    options = {"include_usage": usage, "continuous_usage_stats": continuous}
    operation = Operation.CHAT if prompt is None else Operation.COMPLETION
    return parse_request(operation, json.dumps(request | {"stream_options": options} | fields).encode())


@dataclass(frozen=True)
class Outcome:
    """What the client got, and how it ended: `complete`, `error` (told by the provider) or a fault class."""

    sent: bytes
    ended: str
    has_content: bool
    usage: Usage

    @property
    def events(self) -> list[Any]:
        """The JSON of every event that carries data, `[DONE]` as text."""
        payloads = [sse.data_of(event) for event in sse.split(self.sent)]
        return [data.decode() if data == b"[DONE]" else json.loads(data) for data in payloads if data]

    @property
    def text(self) -> str:
        parts = []
        for event in self.events:
            for choice in event["choices"] or () if isinstance(event, dict) and "choices" in event else ():
                content = (choice.get("delta") or {}).get("content") or choice.get("text") or ""
                parts.append(content if isinstance(content, str) else json.dumps(content))
        return "".join(parts)


def read(pieces: Iterable[bytes], asked: Envelope, aside: str | None = None) -> Outcome:
    """Feed the pieces until the stream is over or at its end, then finish as the relay does."""
    reader = StreamReader(asked, aside)
    sent = b""
    for piece in pieces:
        sent += reader.feed(piece)
        if reader.over:
            break
    else:
        sent += reader.close()
    failure = reader.failure
    if failure is None:
        assert reader.finished
        return Outcome(sent + reader.tail({}), "complete", reader.has_content, reader.settled_usage())
    ended = str(failure.kind) if isinstance(failure, Fault) else "error"
    return Outcome(sent, ended, reader.has_content, reader.settled_usage())


def rendered(*events: Any, end: bytes = b"\n") -> bytes:
    """Events as a provider sends them; values as JSON, bytes as they are."""
    lines = [event if isinstance(event, bytes) else b"data: " + json.dumps(event).encode() for event in events]
    return b"".join(line + end + end for line in lines)
