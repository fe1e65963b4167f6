"""The corpus of error replies: one file a shape, under the name of the provider that sends it.

A file holds `status`, `headers`, the reply as `body` (JSON), `text` or `base64`, whether it is a `stream` (then `body`
is the list of its events), what is to be concluded (`expect`), and the `source` that documents the shape. A new shape
is a new file; nothing else needs to be changed.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

from headgate.dialects.openai.reply import ErrorInBody, read_reply
from headgate.dialects.openai.stream import StreamReader
from headgate.types.deployment import Operation
from headgate.types.fault import Fault
from headgate.types.request import Envelope
from headgate.types.secret import Secret
from headgate.upstream.faults import classify
from tests.unit.dialects.driving import envelope

CORPUS = Path(__file__).parent / "corpus"
CASES: dict[str, dict[str, Any]] = {
    path.relative_to(CORPUS).with_suffix("").as_posix(): json.loads(path.read_text("utf-8"))
    for path in sorted(CORPUS.rglob("*.json"))
}
STREAMS = {name: case for name, case in CASES.items() if case["stream"]}
WHOLE = {name: case for name, case in CASES.items() if not case["stream"]}
SECRET = Secret("sk-proj-4f9Kx2LqPz81mNvB")


def provider_of(name: str) -> str:
    return name.partition("/")[0]


def bytes_of(case: dict[str, Any]) -> bytes:
    """The body as it comes over the wire, events and all."""
    if "base64" in case:
        return base64.b64decode(case["base64"], validate=True)
    if "text" in case:
        text: str = case["text"]
        return text.encode()
    if case["stream"]:
        return "".join(f"{_event(event)}\n\n" for event in case["body"]).encode()
    return json.dumps(case["body"]).encode()


def _event(event: Any) -> str:
    if isinstance(event, str):
        return event if event.startswith(":") else f"data: {event}"
    if set(event) == {"event", "data"}:
        return f"event: {event['event']}\ndata: {json.dumps(event['data'])}"
    return f"data: {json.dumps(event)}"


def fault_of(case: dict[str, Any], body: bytes | None = None, status: int | None = None) -> Fault:
    """The fault of a reply that is no stream, as the gateway comes to it: a success is read as an answer first."""
    body = bytes_of(case) if body is None else body
    status = case["status"] if status is None else status
    if status == 200:
        failure = read_reply(Envelope(operation=Operation.CHAT, model="m", fields={}, size=0), body).failure
        assert failure is not None, "the reply was taken for an answer"
        if isinstance(failure, Fault):
            return failure
        body = failure.body
    return classify(status, case["headers"], body, [SECRET])


def fault_of_stream(case: dict[str, Any], pieces: list[bytes]) -> Fault:
    """The fault of a stream that arrives in these pieces."""
    reader = StreamReader(envelope(), None)
    for piece in pieces:
        if reader.failure is None:
            reader.feed(piece)
    if reader.failure is None:
        reader.close()
    failure = reader.failure
    if isinstance(failure, ErrorInBody):
        return classify(case["status"], case["headers"], failure.body, [SECRET])
    assert failure is not None, "the stream was taken for an answer"
    return failure
