"""Real providers, with the credentials in the environment: `.venv/bin/pytest -m live tests/live`.

Each provider whose well-known variable is set is asked for a few tokens, by the model that `headgate up` would put
into its example line. `HEADGATE_LIVE_MODEL=provider/id` asks for another.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from headgate.cli.example import BLANK, example_model
from headgate.config.compile import compile_snapshot
from headgate.config.entries import Found, found_in
from headgate.config.load import load_document
from headgate.gateway.gateway import Gateway
from headgate.types.deployment import Operation
from headgate.types.principal import Principal
from headgate.types.snapshot import Snapshot
from tests.conformance.gateway import ask, running_gateway

pytestmark = pytest.mark.live

FOUND = [found for found in found_in(os.environ) if not found.missing]


@pytest.fixture
async def gateway() -> AsyncIterator[Gateway]:
    async with running_gateway() as made:
        yield made


def configured(found: Found, folder: Path) -> tuple[Snapshot, str]:
    """A snapshot with one provider, and the model to ask it for."""
    names = {found.variable, *(name for name in os.environ if name.endswith("_ACCOUNT_ID"))}
    loaded = load_document(None, {name: os.environ[name] for name in names}, folder)
    snapshot = compile_snapshot(loaded.document, revision=1, created=0, issued_keys={})
    model = os.environ.get("HEADGATE_LIVE_MODEL") or example_model(snapshot, Principal(key="live"))
    if model is None or BLANK in model:
        pytest.skip(f"set HEADGATE_LIVE_MODEL={found.name}/ID: no model of this provider is known")
    return snapshot, model


@pytest.mark.parametrize("stream", [False, True], ids=["JSON", "stream"])
@pytest.mark.parametrize("found", FOUND, ids=lambda found: found.name)
async def test_a_provider_answers_and_tells_its_usage(
    found: Found, stream: bool, gateway: Gateway, tmp_path: Path
) -> None:
    snapshot, model = configured(found, tmp_path)
    body: dict[str, object] = {
        "model": model,
        "messages": [{"role": "user", "content": "Answer with the one word: pong"}],
        "max_completion_tokens": 256,
    }
    if stream:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    reply = await ask(gateway, snapshot, Operation.CHAT, body)
    assert reply.ended
    assert b"choices" in reply.body
    assert reply.account is not None
    assert reply.account.usage is not None
    assert not reply.account.usage.estimated
    assert reply.account.usage.prompt_tokens > 0
