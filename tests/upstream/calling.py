"""Deployments and envelopes for tests that go through `call.Caller`."""

from __future__ import annotations

import json
from typing import Any

from headgate.dialects.openai.request import parse_request
from headgate.types.deployment import Candidate, Credential, Deployment, Offer, Operation, Upstream
from headgate.types.request import Envelope
from headgate.types.secret import Secret


def candidate(
    base_url: str, *, secret: str | None = "sk-very-secret", upstream_id: str = "m", **named: Any
) -> Candidate:
    """A candidate whose upstream differs from the plain one in what is named."""
    settings: dict[str, Any] = {"provider": "fake", "dialect": "openai", "auth_header": ("authorization", "Bearer {}")}
    upstream = Upstream(**(settings | {"base_url": base_url} | named))
    credential = Credential(name="default", secret=None if secret is None else Secret(secret))
    offer = Offer(provider="fake", upstream_id=upstream_id, model=upstream_id)
    return Candidate(Deployment(offer=offer, credential=credential, upstream=upstream), upstream_id)


def envelope(operation: Operation = Operation.CHAT, **fields: Any) -> Envelope:
    """What a client's request with these fields becomes; a model and a message are filled in."""
    request: dict[str, Any] = {"model": "asked"}
    if operation is Operation.CHAT:
        request["messages"] = [{"role": "user", "content": "hi"}]
    if operation is Operation.EMBEDDING:
        request["input"] = "hi"
    return parse_request(operation, json.dumps(request | fields).encode())
