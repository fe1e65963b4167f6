"""What the fake provider sends: scripts, and replies written byte by byte."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from headgate.types.script import Script, Step

Framing = Literal["auto", "chunked", "length", "close"]


@dataclass(frozen=True)
class Request:
    """One request that arrived whole. `headers` are as they came; `connection` numbers connections from 1."""

    method: str
    path: str
    headers: list[tuple[bytes, bytes]]
    body: bytes
    connection: int

    def header(self, name: str) -> str | None:
        """The first header of this name in any case."""
        wanted = name.lower().encode()
        for key, value in self.headers:
            if key.lower() == wanted:
                return value.decode("latin-1")
        return None

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class RawReply:
    """Bytes to be written as they stand, each piece in a packet of its own; a number is seconds to wait.

    `then` is what happens to the connection: kept for the next request, closed, reset (RST), or left hanging.
    """

    chunks: Sequence[bytes | float]
    then: Literal["keep", "close", "reset", "hang"] = "keep"


@dataclass(frozen=True)
class Framed:
    """A script whose body is framed in a way other than the server's usual one."""

    script: Script
    framing: Framing


Reply = Script | Framed | RawReply
Responder = Callable[[Request], Reply]


def json_reply(value: Any, status: int = 200, **headers: str) -> Script:
    """A JSON reply; underscores in header names become hyphens."""
    named = tuple((name.replace("_", "-"), text) for name, text in headers.items())
    body = json.dumps(value).encode()
    return Script(status=status, headers=(("content-type", "application/json"), *named), steps=(Step(0.0, body),))


def event_reply(*events: Any, delay_s: float = 0.0, done: bool = True) -> Script:
    """A stream of server-sent events; each is a value to be sent as JSON, or bytes to be sent as they are."""
    steps = [Step(delay_s, event if isinstance(event, bytes) else _event(event)) for event in events]
    if done:
        steps.append(Step(0.0, b"data: [DONE]\n\n"))
    return Script(headers=(("content-type", "text/event-stream"),), steps=tuple(steps))


def _event(value: Any) -> bytes:
    return b"data: " + json.dumps(value).encode() + b"\n\n"
