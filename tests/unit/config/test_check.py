"""One case for each way in which the parts of a document do not fit each other."""

from __future__ import annotations

import pytest

from headgate.config.check import exposure
from tests.unit.config.loading import MYBOX, load, problems, warnings

BOX = "providers:\n  mybox:\n    dialect: openai\n    base_url: http://127.0.0.1:1/v1\n"
SECRET = "s" * 20
OTHER = "t" * 20


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            f"keys:\n- {{name: a, secret: {SECRET}}}\n- {{name: a, secret: {OTHER}}}",
            "3: keys[1].name: 'a' is already the name of keys[0]",
        ),
        (
            f"keys:\n- {{name: a, secret: {SECRET}}}\n- {{name: b, secret: {SECRET}}}",
            "3: keys[1].secret: is the same secret as that of keys[0]",
        ),
        (
            "server:\n  host: 0.0.0.0",
            "2: server.host: 0.0.0.0 can be reached from other machines; declare at least one key under keys, or use"
            " 127.0.0.1",
        ),
        (
            "providers:\n  deepinfar: {api_key: x}",
            "2: providers.deepinfar: no provider is called deepinfar; did you mean deepinfra? Any other server needs"
            " dialect and base_url",
        ),
        (
            "providers:\n  zzz: {dialect: openai}",
            "2: providers.zzz: zzz is not a provider Headgate knows, so it needs base_url (dialect: openai,"
            " base_url: https://…/v1)",
        ),
        (
            "providers:\n  deepinfra: {}",
            "2: providers.deepinfra: deepinfra needs a credential: api_key: ${DEEPINFRA_API_KEY}",
        ),
        (
            "providers:\n  deepinfra:",
            "2: providers.deepinfra: deepinfra needs a credential: api_key: ${DEEPINFRA_API_KEY}",
        ),
        (
            "providers:\n  a/b: {dialect: openai, base_url: 'http://127.0.0.1/v1'}",
            '2: providers["a/b"]: a name has up to 64 letters, digits',
        ),
        (
            "providers:\n  x:\n    dialect: anthropic\n    base_url: http://127.0.0.1/v1",
            "3: providers.x.dialect: 'anthropic' is not a dialect this version speaks; it speaks openai",
        ),
        (
            "providers:\n  cloudflare:\n    api_key: x",
            "2: providers.cloudflare: its address needs ${CLOUDFLARE_ACCOUNT_ID} from the environment",
        ),
        (
            "providers:\n  sandbox:\n    base_url: http://127.0.0.1/v1",
            "3: providers.sandbox.base_url: sandbox runs inside Headgate and takes no base_url",
        ),
        (
            f"{BOX}    api_key: x\n    credentials: [{{name: a, api_key: b}}]",
            "6: providers.mybox.credentials: stands beside api_key; write one of the two",
        ),
        (
            f"{BOX}    credentials:\n    - {{name: a, api_key: b}}\n    - {{name: a, api_key: c}}",
            "7: providers.mybox.credentials[1].name: 'a' is already the name of credentials[0]",
        ),
        (
            f"{BOX}    credentials: [{{name: 'a#b', api_key: c}}]",
            "5: providers.mybox.credentials[0].name: a name has up to",
        ),
        (f"{BOX}    headers: {{Host: x}}", "5: providers.mybox.headers.Host: is set by the gateway itself"),
        (
            f"{BOX}    headers: {{content-length: '1'}}",
            "5: providers.mybox.headers.content-length: is set by the gateway",
        ),
        (
            f"{BOX}    headers: {{Authorization: x}}",
            "5: providers.mybox.headers.Authorization: is set by the gateway itself; a credential goes under api_key",
        ),
        (f"{BOX}    headers: {{'a b': x}}", '5: providers.mybox.headers["a b"]: is not a header name'),
        (
            f"{BOX}    headers:\n      X-A: x\n      x-a: y",
            "7: providers.mybox.headers.x-a: is written twice; header names",
        ),
        (
            f"{BOX}    quirks: [cap_as_max_token]",
            "5: providers.mybox.quirks[0]: 'cap_as_max_token' is not a quirk; did you mean cap_as_max_tokens?",
        ),
        (
            f"{BOX}    models:\n    - id: a\n    - id: a",
            "7: providers.mybox.models[1].id: 'a' is already declared in models[0]",
        ),
        (f"{BOX}    models: [{{id: a, model: 'b*'}}]", "5: providers.mybox.models[0].model: a slug cannot hold a *"),
        (
            f"{BOX}    models: [{{id: a, context_tokens: 5, max_output_tokens: 6}}]",
            "5: providers.mybox.models[0].max_output_tokens: is larger than context_tokens",
        ),
    ],
)
def test_parts_that_do_not_fit_are_told_with_line_path_and_way_out(text: str, expected: str) -> None:
    (found,) = problems(text)
    assert found.startswith(f"headgate.yaml:{expected}")


def test_a_repeated_key_is_told_beside_other_problems() -> None:
    assert problems("server: {port: 1}\nkeys: 5\nserver: {port: 2}") == [
        "headgate.yaml:2: keys: must be a list",
        "headgate.yaml:3: server: is written twice, on lines 1 and 3; keep one of them",
    ]


def test_a_provider_without_credential_does_not_hide_what_is_wrong_with_a_route() -> None:
    text = "providers:\n  groq:\nmodels:\n  r:\n    targets: [groq/llama-3.1-8b-instnt, zzz]"
    assert [line.split(": ")[1] for line in problems(text)] == [
        "providers.groq",
        "models.r.targets[0]",
        "models.r.targets[1]",
    ]


def test_listening_beyond_this_machine_is_a_warning_once_there_are_keys() -> None:
    text = f"server: {{host: '::'}}\nkeys: [{{name: a, secret: {SECRET}}}]\n{MYBOX}"
    (found,) = warnings(text)
    assert found.startswith("headgate.yaml:1: server.host: :: can be reached from other machines, and this port speaks")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost", "LocalHost"])
def test_loopback_addresses_are_not_exposed(host: str) -> None:
    assert exposure(host, keys=0) is None


@pytest.mark.parametrize("host", ["0.0.0.0", "10.0.0.1", "::", "example.org", "localhost.example.org"])
def test_all_other_addresses_are_exposed(host: str) -> None:
    assert exposure(host, keys=0) is not None
    assert exposure(host, keys=1) is not None


@pytest.mark.parametrize(
    ("url", "credential", "warned"),
    [
        ("http://10.0.0.5:8000/v1", "api_key: x", True),
        ("http://10.0.0.5:8000/v1", "credentials: [{name: a, api_key: x}]", True),
        ("http://10.0.0.5:8000/v1", "models: []", False),
        ("https://10.0.0.5:8000/v1", "api_key: x", False),
        ("http://127.0.0.1:8000/v1", "api_key: x", False),
        ("http://[::1]:8000/v1", "api_key: x", False),
    ],
)
def test_a_credential_that_would_cross_a_network_unencrypted_is_a_warning(
    url: str, credential: str, warned: bool
) -> None:
    found = warnings(f"providers:\n  mybox:\n    dialect: openai\n    base_url: {url}\n    {credential}")
    assert found == (
        [
            "headgate.yaml:4: providers.mybox.base_url: the credential crosses the network unencrypted;"
            " use https:// if you can"
        ]
        if warned
        else []
    )


def test_a_known_provider_may_be_called_elsewhere() -> None:
    document = load("providers: {groq: {api_key: x, base_url: 'https://proxy.example/v1/'}}").document
    assert document.providers["groq"].base_url == "https://proxy.example/v1"


def test_local_providers_need_nothing() -> None:
    assert load("providers:\n  ollama:\n  vllm: {}").document.providers["ollama"].api_key is None


def test_models_of_the_sandbox_are_checked_and_cannot_claim_names_of_others() -> None:
    assert problems("providers:\n  sandbox:\n    models:\n    - {id: a}\n    - {id: a}\n    - {id: 'x-*'}") == [
        "headgate.yaml:5: providers.sandbox.models[1].id: 'a' is already declared in models[0]",
        "headgate.yaml:6: providers.sandbox.models[2].id: sandbox takes any id as sandbox/<id> anyway; a * would claim"
        " names of others",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "keys: [{name: '${V}', secret: aaaaaaaaaaaaaaaaaaaa}, {name: '${V}', secret: bbbbbbbbbbbbbbbbbbbb}]",
        "providers: {p: {dialect: '${V}', base_url: 'http://127.0.0.1:1/v1'}}",
        "providers: {ollama: {quirks: ['${V}']}}",
        "providers: {ollama: {models: [{id: '${V}'}, {id: '${V}'}]}}",
        "providers: {ollama: {credentials: [{name: '${V}', api_key: a}, {name: '${V}', api_key: b}]}}",
    ],
)
def test_a_value_from_a_variable_is_told_by_the_variable(text: str) -> None:
    (found,) = problems(text, {"V": "hunter2"})
    assert "hunter2" not in found
    assert "'${V}'" in found


def test_only_the_sandbox_has_a_pace() -> None:
    assert problems("providers: {groq: {api_key: x, pace: {per_token_s: 1}}}") == [
        "headgate.yaml:1: providers.groq.pace: only a provider that runs inside Headgate has a pace of our choosing"
    ]
    assert problems("providers: {sandbox: {pace: {per_token_s: -1}}}") != []
