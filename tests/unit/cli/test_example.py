"""Which model the printed line asks for: one that answers, at little cost, and that the key may use."""

from __future__ import annotations

import re

import pytest

from headgate.catalog.offers import load_offers
from headgate.cli.example import example, example_model
from headgate.providers.builtin import PROVIDERS
from headgate.routing.resolve import resolve
from headgate.types.principal import Principal
from tests.unit.config.loading import load, snapshot

BOX = "{dialect: openai, base_url: 'http://127.0.0.1:9/v1', models: [%s]}"
KNOWN = sorted(name for name, offers in load_offers(list(PROVIDERS)).items() if offers)
OPEN = [name for name in PROVIDERS if name not in (*KNOWN, "sandbox")]
DEEPINFRA = "deepinfra: {api_key: x}"


def chosen(text: str, *models: str) -> str | None:
    return example_model(snapshot(text, {"CLOUDFLARE_ACCOUNT_ID": "a"}), Principal(key="k", models=models or ("*",)))


def of(provider: str) -> str:
    return f"providers: {{{provider}: {{api_key: x}}}}" if provider != "ollama" else "providers: {ollama: {}}"


@pytest.mark.parametrize("provider", KNOWN)
def test_of_a_known_provider_it_is_a_live_chat_model_that_is_not_dear(provider: str) -> None:
    if provider not in PROVIDERS:
        pytest.skip("no row")
    name = chosen(of(provider))
    assert name is not None
    found = resolve(snapshot(of(provider), {"CLOUDFLARE_ACCOUNT_ID": "a"}), name)
    assert found is not None
    offers = [one.deployment.offer for one in found.targets]
    assert all(offer.kind == "chat" and not offer.retired for offer in offers)
    assert not re.search("research|guard|audio|ocr|search", name)
    sold = [offer for offer in load_offers([provider])[provider] if offer.kind == "chat" and not offer.retired]
    sure = [offer for offer in sold if not offer.unconfirmed and offer.price.known]
    if sure:
        assert all(offer.price.known and not offer.unconfirmed for offer in offers)
        assert offers[0].price.output_pusd_per_mtok is not None
        assert offers[0].price.output_pusd_per_mtok <= 3 * 10**12


@pytest.mark.parametrize("provider", OPEN)
def test_of_a_provider_that_takes_any_id_it_is_a_blank(provider: str) -> None:
    assert chosen(of(provider)) == f"{provider}/<id>"


@pytest.mark.parametrize(
    ("text", "models", "name"),
    [
        ("providers: {sandbox: }\nmodels: {mine: {targets: [sandbox/echo]}}", ("*",), "mine"),
        ("providers: {sandbox: }\nmodels: {mine: {targets: [sandbox/echo]}}", ("sandbox/*",), "sandbox/hello"),
        (f"providers: {{sandbox: , {DEEPINFRA}}}", ("*",), "sandbox/hello"),
        ("providers: {sandbox: }", ("sandbox/echo",), "sandbox/echo"),
        ("providers: {sandbox: }", ("nothing",), None),
        ("providers: {ollama: }", ("ollama/llama3",), "ollama/llama3"),
        ("providers: {ollama: }", ("gpt-*",), None),
        (f"providers: {{{DEEPINFRA}}}", ("*/gemma-3-4b-*",), "google/gemma-3-4b-it"),
        (f"providers: {{{DEEPINFRA}}}", ("deepinfra/google/gemma-3-4b-*",), "deepinfra/google/gemma-3-4b-it"),
        (f"providers: {{p: {BOX % '{id: e, kind: embedding}'}}}", ("*",), None),
        (f"providers: {{p: {BOX % '{id: e, kind: embedding}, {id: b}'}}}", ("*",), "b"),
        (f"providers: {{p: {BOX % '{id: a}'}, ollama: }}", ("*",), "a"),
        (f"providers: {{p: {BOX % '{id: a*}'}}}", ("*",), None),
    ],
)
def test_a_route_comes_first_and_what_the_key_may_not_use_never(
    text: str, models: tuple[str, ...], name: str | None
) -> None:
    assert chosen(text, *models) == name


def test_a_route_that_cannot_chat_is_passed_over() -> None:
    box = BOX % "{id: e, kind: embedding}, {id: c}"
    assert chosen(f"providers: {{p: {box}}}\nmodels: {{vectors: {{targets: [e]}}}}") == "c"


@pytest.mark.parametrize(
    ("secret", "env", "header", "remarks"),
    [
        ("hg-written-in-the-document", {}, "$HEADGATE_KEY", ("with HEADGATE_KEY set to the secret of key dev",)),
        ("${MINE}", {"MINE": "hg-from-the-environment"}, "$MINE", ()),
        # Only a part of the key is in the variable.
        (
            "hg-a-written-beginning-${MINE}",
            {"MINE": "x"},
            "$HEADGATE_KEY",
            ("with HEADGATE_KEY set to the secret of key dev",),
        ),
        (
            "${MINE:-hg-the-default-of-the-document}",
            {},
            "$HEADGATE_KEY",
            ("with HEADGATE_KEY set to the secret of key dev",),
        ),
    ],
)
def test_the_key_is_the_first_one_by_the_name_a_shell_can_fill_in(
    secret: str, env: dict[str, str], header: str, remarks: tuple[str, ...]
) -> None:
    text = f"keys: [{{name: dev, secret: '{secret}'}}, {{name: b, secret: '${{B}}'}}]\nproviders: {{sandbox: }}"
    env = {**env, "B": "hg-a-second-key-beside-it"}
    made = example(load(text, env), snapshot(text, env), "http://127.0.0.1:1/v1", None)
    assert made is not None
    assert f'"Authorization: Bearer {header}"' in made.command
    assert made.remarks == remarks


def test_a_blank_is_told_to_be_filled_in() -> None:
    text = "keys: [{name: dev, secret: '${KEY}'}]\nproviders: {ollama: }"
    env = {"KEY": "hg-out-of-the-environment"}
    made = example(load(text, env), snapshot(text, env), "http://127.0.0.1:1/v1", None)
    assert made is not None
    assert '"model":"ollama/<id>"' in made.command
    assert made.remarks == ("with the id of a model in place of <id>",)
