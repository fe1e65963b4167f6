"""No SDK at all: the bytes a careful client looks at."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import httpx
from behaviours import API_KEY, BASE_URL, MODEL, run

client = httpx.Client(base_url=BASE_URL, timeout=30)
BEARER = {"authorization": f"Bearer {API_KEY}"}


def ask(**fields: Any) -> dict[str, Any]:
    return {"model": MODEL, "messages": [{"role": "user", "content": "Say hello."}], **fields}


def api_key_header() -> None:
    """the key may come as x-api-key"""
    reply = client.post("/chat/completions", json=ask(), headers={"x-api-key": API_KEY})
    assert reply.status_code == 200, reply.text
    assert reply.headers["content-type"].startswith("application/json")
    assert client.get("/models", headers={"x-api-key": API_KEY}).status_code == 200


def no_key() -> None:
    """no key at all is 401 in OpenAI's error shape"""
    reply = client.post("/chat/completions", json=ask())
    assert reply.status_code == 401
    assert {"message", "type", "param", "code"} <= set(reply.json()["error"])


def event_stream() -> None:
    """a stream is text/event-stream and ends with [DONE]"""
    with client.stream("POST", "/chat/completions", json=ask(stream=True), headers=BEARER) as reply:
        assert reply.headers["content-type"].startswith("text/event-stream")
        events = [line.removeprefix("data: ") for line in reply.iter_lines() if line.startswith("data: ")]
    assert events[-1] == "[DONE]"
    assert events.count("[DONE]") == 1
    assert all(json.loads(event)["object"] == "chat.completion.chunk" for event in events[:-1])


def cut_stream() -> None:
    """a stream that is cut says so in an error event and never says [DONE]"""
    lines: list[str] = []
    body = ask(model="sandbox/cut", stream=True)
    # Closing without the proper end of the body is a second way of saying it.
    with (
        client.stream("POST", "/chat/completions", json=body, headers=BEARER) as reply,
        contextlib.suppress(httpx.RemoteProtocolError),
    ):
        lines.extend(reply.iter_lines())
    events = [line.removeprefix("data: ") for line in lines if line.startswith("data: ")]
    assert "[DONE]" not in events
    assert "error" in json.loads(events[-1])


def wrong_requests() -> None:
    """what cannot be understood is 400 and names the field"""
    broken = client.post("/chat/completions", content=b'{"model": ', headers=BEARER)
    assert broken.status_code == 400
    missing = client.post("/chat/completions", json={"messages": []}, headers=BEARER)
    assert (missing.status_code, missing.json()["error"]["param"]) == (400, "model")
    wrong = client.post("/chat/completions", json=ask(stream="yes"), headers=BEARER)
    assert (wrong.status_code, wrong.json()["error"]["param"]) == (400, "stream")
    assert client.get("/chat/completions", headers=BEARER).status_code == 405


def health() -> None:
    """health is told without a key"""
    root = BASE_URL.removesuffix("/v1")
    assert httpx.get(f"{root}/healthz").status_code == 200
    assert httpx.get(f"{root}/readyz").status_code == 200


if __name__ == "__main__":
    run(api_key_header, no_key, event_stream, cut_stream, wrong_requests, health)
