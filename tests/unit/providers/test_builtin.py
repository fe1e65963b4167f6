"""The rows: facts a user would notice if they were wrong."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from headgate.providers.builtin import PROVIDERS, ROWS
from headgate.providers.provider import Provider
from headgate.types.deployment import Operation, StreamUsage

HOSTED = [row for row in ROWS if not row.local]
LOCAL = [row for row in ROWS if row.local and row.script is None]


def test_every_provider_promised_is_there() -> None:
    promised = (
        "deepinfra openai anthropic groq mistral xai together fireworks cerebras sambanova deepseek openrouter "
        "perplexity nebius novita hyperbolic gemini github huggingface cloudflare nvidia moonshot zai ollama vllm "
        "sglang llamacpp lmstudio sandbox"
    )
    assert set(PROVIDERS) == set(promised.split())


@pytest.mark.parametrize("row", HOSTED, ids=lambda row: row.name)
def test_a_hosted_provider_is_called_over_tls_with_a_bearer_credential_from_the_environment(row: Provider) -> None:
    url = urlsplit(row.base_url)
    assert url.scheme == "https"
    assert url.hostname
    assert not url.query
    assert not row.base_url.endswith("/")
    assert row.auth_header == ("authorization", "Bearer {}")
    assert row.env


@pytest.mark.parametrize("row", LOCAL, ids=lambda row: row.name)
def test_a_local_provider_is_on_this_machine_and_never_taken_from_the_environment(row: Provider) -> None:
    assert urlsplit(row.base_url).hostname == "127.0.0.1"
    assert row.base_url.endswith("/v1")
    assert row.env == ()


def test_no_two_local_servers_share_a_default_port() -> None:
    ports = [urlsplit(row.base_url).port for row in LOCAL]
    assert len(set(ports)) == len(ports) == 5


def test_no_environment_variable_belongs_to_two_providers() -> None:
    names = [name for row in ROWS for name in row.env]
    assert len(set(names)) == len(names)


def test_a_token_that_opens_more_than_models_is_not_taken_from_the_environment() -> None:
    assert PROVIDERS["github"].env == ("GITHUB_MODELS_TOKEN",)
    assert "GITHUB_TOKEN" not in {name for row in ROWS for name in row.env}


def test_the_sandbox_is_the_only_provider_in_this_process() -> None:
    assert [row.name for row in ROWS if row.script is not None] == ["sandbox"]


def test_only_providers_that_report_usage_unasked_are_not_asked_for_it() -> None:
    always = {row.name for row in ROWS if row.stream_usage is StreamUsage.ALWAYS}
    assert always == {"mistral", "perplexity", "zai"}
    assert {row.name: row.usage_aside for row in ROWS if row.usage_aside} == {"groq": "x_groq"}


def test_every_provider_serves_chat() -> None:
    assert all(Operation.CHAT in row.operations for row in ROWS)


@pytest.mark.parametrize(
    ("name", "operations"),
    [
        ("deepinfra", {"chat", "completion", "embedding"}),
        ("mistral", {"chat", "embedding"}),
        ("cerebras", {"chat", "completion"}),
        ("deepseek", {"chat"}),
        ("gemini", {"chat", "embedding"}),
    ],
)
def test_a_provider_serves_what_it_documents(name: str, operations: set[str]) -> None:
    assert PROVIDERS[name].operations == operations


def test_the_account_in_an_address_comes_from_the_environment() -> None:
    assert "${CLOUDFLARE_ACCOUNT_ID}" in PROVIDERS["cloudflare"].base_url
    assert [row.name for row in ROWS if "${" in row.base_url] == ["cloudflare"]


def test_each_row_lists_a_quirk_once() -> None:
    assert all(len(set(row.quirks)) == len(row.quirks) for row in ROWS)
