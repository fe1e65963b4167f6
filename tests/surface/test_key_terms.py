"""What a key's terms mean at the door: when it has ended, and where it may be used from."""

from __future__ import annotations

import pytest

from tests.surface.gateway import running
from tests.surface.wire import ask, request

KEY = "hg-surface-tests-key-with-terms"


def document(terms: str) -> str:
    return f"keys: [{{name: bound, secret: {KEY}, {terms}}}]\nproviders: {{sandbox: }}\n"


@pytest.mark.parametrize("path", ["/v1/models", "/v1/models/sandbox/fast"])
@pytest.mark.parametrize(
    ("terms", "status", "code"),
    [
        ("expires_at: 2020-01-01", 401, "expired_api_key"),
        ("expires_at: 2999-01-01", 200, None),
        ('addresses: ["10.0.0.0/8"]', 403, "address_not_allowed"),
        ('addresses: ["10.0.0.0/8", "127.0.0.1"]', 200, None),
        ('addresses: ["::ffff:127.0.0.0/104"]', 200, None),
    ],
)
async def test_a_key_opens_nothing_outside_its_terms(terms: str, status: int, code: str | None, path: str) -> None:
    async with running(document(terms)) as gateway:
        answer = await ask(gateway.port, request("GET", path, key=KEY))
        posed = await ask(gateway.port, request("GET", path, key=KEY, headers=b"X-Forwarded-For: 10.1.1.1\r\n"))
    assert (answer.status, posed.status) == (status, status), "a header says nothing about where a client is"
    if code is not None:
        assert answer.error["code"] == code
        assert "bound" in answer.error["message"]
