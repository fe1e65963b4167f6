"""One suite for every provider row: what leaves the gateway for it, and what of its answer reaches a client."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from headgate.errors import UpstreamFailed
from headgate.gateway.gateway import Gateway
from headgate.providers.builtin import ROWS
from headgate.providers.provider import Provider
from headgate.providers.quirks import QUIRKS
from headgate.providers.sandbox import Pace, sandbox_scripts
from headgate.types.deployment import Operation, StreamUsage
from tests.conformance.gateway import ask, running_gateway, snapshot_of
from tests.fakes.provider import FakeProvider, Request, json_reply

MODEL = "org/some-model:v1"
CREDENTIAL = "credential-of-the-operator-0123456789"
CANARY = "header-of-the-upstream-9876543210"
PATHS = {Operation.CHAT: "/chat/completions", Operation.COMPLETION: "/completions", Operation.EMBEDDING: "/embeddings"}
QUESTION: dict[str, Any] = {"model": "", "messages": [{"role": "user", "content": "hello"}]}
REMOTE = [row for row in ROWS if row.script is None]

_instant = sandbox_scripts(Pace(first_token_s=0.0, per_token_s=0.0))


@pytest.fixture
async def upstream() -> AsyncIterator[FakeProvider]:
    async with FakeProvider() as fake:
        yield fake


@pytest.fixture
async def gateway() -> AsyncIterator[Gateway]:
    async with running_gateway() as made:
        yield made


def answering(operation: Operation) -> Any:
    return lambda request: _instant(operation, request.body)


def document(row: Provider, upstream: FakeProvider) -> dict[str, object]:
    kinds = {Operation.CHAT: "chat", Operation.COMPLETION: "chat", Operation.EMBEDDING: "embedding"}
    models = [{"id": f"{MODEL}-{operation}", "kind": kinds[operation]} for operation in Operation]
    return {"providers": {row.name: {"api_key": CREDENTIAL, "base_url": upstream.base_url, "models": models}}}


def body_for(row: Provider, operation: Operation, **more: object) -> dict[str, object]:
    asked = {
        Operation.CHAT: {"messages": QUESTION["messages"]},
        Operation.COMPLETION: {"prompt": "hello"},
        Operation.EMBEDDING: {"input": "hello"},
    }
    return {"model": f"{row.name}/{MODEL}-{operation}", **asked[operation], **more}


def events(body: bytes) -> list[Any]:
    payloads = [event[6:] for event in body.decode().split("\n\n") if event.startswith("data: ")]
    return [payload if payload == "[DONE]" else json.loads(payload) for payload in payloads]


@pytest.mark.parametrize("row", REMOTE, ids=lambda row: row.name)
async def test_each_operation_of_a_row_goes_to_its_path_with_its_credential(
    row: Provider, upstream: FakeProvider, gateway: Gateway, tmp_path: Path
) -> None:
    snapshot = snapshot_of(document(row, upstream), tmp_path)
    for operation in sorted(row.operations):
        upstream.always(answering(operation))
        reply = await ask(gateway, snapshot, operation, body_for(row, operation))
        sent: Request = upstream.requests[-1]
        assert sent.path == "/v1" + PATHS[operation]
        assert sent.json()["model"] == f"{MODEL}-{operation}"
        assert row.auth_header is not None
        name, template = row.auth_header
        assert sent.header(name) == template.format(CREDENTIAL)
        assert "stream_options" not in sent.json()
        assert reply.account is not None
        assert reply.account.usage is not None
        assert reply.account.usage.input > 0
        assert CREDENTIAL.encode() not in reply.body


@pytest.mark.parametrize("row", REMOTE, ids=lambda row: row.name)
async def test_operations_a_row_lacks_are_refused_before_anything_is_sent(
    row: Provider, upstream: FakeProvider, gateway: Gateway, tmp_path: Path
) -> None:
    snapshot = snapshot_of(document(row, upstream), tmp_path)
    for operation in set(Operation) - row.operations:
        with pytest.raises(Exception, match=f"no {operation} endpoint"):
            await ask(gateway, snapshot, operation, body_for(row, operation))
    assert upstream.requests == []


@pytest.mark.parametrize("asked", [True, False], ids=["usage asked", "usage not asked"])
@pytest.mark.parametrize("row", REMOTE, ids=lambda row: row.name)
async def test_a_stream_tells_its_usage_to_those_who_asked_and_to_nobody_else(
    row: Provider, asked: bool, upstream: FakeProvider, gateway: Gateway, tmp_path: Path
) -> None:
    snapshot = snapshot_of(document(row, upstream), tmp_path)
    upstream.always(
        lambda request: _instant(
            "chat", json.dumps(request.json() | {"model": "usage-always", "stream_options": None}).encode()
        )
    )
    options = {"stream_options": {"include_usage": True}} if asked else {}
    reply = await ask(gateway, snapshot, Operation.CHAT, body_for(row, Operation.CHAT, stream=True, **options))
    *chunks, done = events(reply.body)
    assert done == "[DONE]"
    assert reply.ended
    telling = [chunk for chunk in chunks if chunk.get("usage")]
    assert len(telling) == (1 if asked else 0)
    if asked:
        assert telling == chunks[-1:]
        assert telling[0]["choices"] == []
        assert telling[0]["headgate"]["provider"] == row.name
    else:
        assert all("usage" not in chunk for chunk in chunks)
    options_sent = upstream.requests[-1].json().get("stream_options")
    assert options_sent == (None if row.stream_usage is StreamUsage.ALWAYS else {"include_usage": True})
    assert reply.account is not None
    assert reply.account.usage is not None
    assert not reply.account.usage.estimated


@pytest.mark.parametrize("row", REMOTE, ids=lambda row: row.name)
async def test_the_quirks_of_a_row_are_applied_and_nothing_else_is_changed(
    row: Provider, upstream: FakeProvider, gateway: Gateway, tmp_path: Path
) -> None:
    snapshot = snapshot_of(document(row, upstream), tmp_path)
    upstream.always(answering(Operation.CHAT))
    body = body_for(row, Operation.CHAT, max_completion_tokens=77, seed=5, top_p=0.5, x_future_field={"b": [1, None]})
    await ask(gateway, snapshot, Operation.CHAT, body)
    expected = {
        name: json.dumps(value, separators=(",", ":")).encode() for name, value in body.items() if name != "model"
    }

    fields = {name: msgspec.Raw(value) for name, value in expected.items()}
    for quirk in row.quirks:
        QUIRKS[quirk](fields, [])
    sent = upstream.requests[-1].json()
    assert sent.pop("model") == f"{MODEL}-chat"
    assert sent == {name: json.loads(bytes(value)) for name, value in fields.items()}
    assert sent["x_future_field"] == {"b": [1, None]}
    assert sent.get("max_tokens", sent.get("max_completion_tokens")) == 77


@pytest.mark.parametrize("row", REMOTE, ids=lambda row: row.name)
async def test_a_refusal_keeps_the_providers_words_and_none_of_its_secrets(
    row: Provider, upstream: FakeProvider, gateway: Gateway, tmp_path: Path
) -> None:
    snapshot = snapshot_of(document(row, upstream), tmp_path)
    refusal = {"error": {"message": f"slow down, holder of {CREDENTIAL}", "type": "rate_limit", "code": None}}
    upstream.always(json_reply(refusal, status=429, retry_after="7", x_internal=CANARY))
    with pytest.raises(UpstreamFailed) as caught:
        await ask(gateway, snapshot, Operation.CHAT, body_for(row, Operation.CHAT))
    error = caught.value
    assert error.status == 429
    assert "slow down" in error.message
    assert error.headers == ((b"retry-after", b"7"),)
    assert CREDENTIAL not in error.message
    assert CANARY not in repr(error.headers) + error.message
