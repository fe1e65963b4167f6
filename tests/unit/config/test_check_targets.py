from __future__ import annotations

import pytest

from headgate.catalog.offers import load_offers
from tests.unit.config.loading import problems, warnings
from tests.unit.config.test_load import ARCHITECTURE_EXAMPLE

HOSTED = "providers:\n  groq: {api_key: x}\n  openai: {api_key: x}\n  ollama:\n"
DECLARED = """\
providers:
  mybox:
    dialect: openai
    base_url: http://127.0.0.1:1/v1
    models: [{id: alpha}, {id: beta-large}, {id: 'tuned-*'}]
"""


def route(target: str, name: str = "r") -> str:
    return f"models:\n  '{name}':\n    targets:\n    - '{target}'\n"


def found_for(providers: str, target: str, name: str = "r") -> list[str]:
    return problems(route(target, name) + providers)


@pytest.mark.parametrize(
    "target",
    [
        "groq/llama-3.1-8b-instant",  # a provider's id
        "openai/gpt-4o-mini",  # a provider's id that is also a slug
        "gpt-4o-mini",  # a provider's own id, bare
        "meta-llama/Llama-3.1-8B-Instruct",  # a slug, with a slash
        "ollama/anything:7b",  # a provider of which nothing is known
    ],
)
def test_what_a_provider_offers_is_a_good_target(target: str) -> None:
    assert found_for(HOSTED, target) == []


@pytest.mark.parametrize("target", ["mybox/alpha", "alpha", "mybox/tuned-x"])
def test_declared_models_are_good_targets(target: str) -> None:
    assert found_for(DECLARED, target) == []


@pytest.mark.parametrize(
    ("providers", "target", "message"),
    [
        (
            HOSTED,
            "groq/llama-3.1-8b-instnt",
            "groq does not offer 'llama-3.1-8b-instnt'; nearest: llama-3.1-8b-instant",
        ),
        (
            DECLARED,
            "mybox/betalarge",
            "mybox does not offer 'betalarge'; nearest: beta-large; if it is new, declare it",
        ),
        (DECLARED, "mybox/tuned-", "mybox does not offer 'tuned-'"),
        (DECLARED, "tuned-x", "no configured provider offers 'tuned-x'"),
        (DECLARED, "Alpha", "no configured provider offers 'Alpha'; nearest: alpha"),
        (DECLARED, "qqqqqq", "no configured provider offers 'qqqqqq'"),
        (
            HOSTED,
            "gorq/llama-3.1-8b-instant",
            "'gorq/llama-3.1-8b-instant': no provider is called gorq; did you mean groq/llama-3.1-8b-instant?",
        ),
        (
            DECLARED,
            "moonshoot/kimi-k9",
            "'moonshoot/kimi-k9': no provider is called moonshoot; did you mean moonshot?",
        ),
        (
            DECLARED,
            "elsewhere/alpha",
            "'elsewhere/alpha': no provider is called elsewhere; 'alpha' is offered by mybox",
        ),
        (
            DECLARED,
            "deepinfra/x",
            "'deepinfra/x' needs the provider deepinfra, which is not configured; set DEEPINFRA_API_KEY, or add"
            " deepinfra: {api_key: …} under providers",
        ),
        (DECLARED, "ollama/x", "'ollama/x' needs the provider ollama, which is not configured; add ollama: {}"),
        (DECLARED, "r", "'r' is itself a route; a target is what a provider offers"),
        (DECLARED, "mybox/*", "holds a *, which only has a meaning in a route whose name holds one"),
    ],
)
def test_a_target_that_nobody_offers_is_named_with_what_is_near(providers: str, target: str, message: str) -> None:
    (found,) = found_for(providers, target)
    assert found.startswith(f"headgate.yaml:4: models.r.targets[0]: {message}")


def test_a_typo_of_a_provider_that_is_not_configured_is_told_with_how_to_add_it() -> None:
    (found,) = found_for(DECLARED, "gorq/llama-3.1-8b-instant")
    assert found.endswith(
        "'gorq/llama-3.1-8b-instant': no provider is called gorq; did you mean groq/llama-3.1-8b-instant? It needs the"
        " provider groq, which is not configured; set GROQ_API_KEY, or add groq: {api_key: …} under providers"
    )


def test_a_typo_is_looked_for_among_the_configured_providers_first() -> None:
    near = DECLARED.replace("mybox:", "groqq:")
    (found,) = found_for(near, "gorq/alpha")
    assert found.endswith("'gorq/alpha': no provider is called gorq; did you mean groqq/alpha?")


@pytest.mark.parametrize("target", ["${T}", "mybox/${T}", "${T}/alpha", "deepinfra/${T}", "gorq/${T}"])
def test_a_value_from_a_variable_is_not_shown(target: str) -> None:
    value = "hunter2hunter2"
    (found,) = problems(route(target) + DECLARED, {"T": value})
    assert value not in found
    assert target in found


def test_a_target_that_stands_twice_is_told_without_the_value_of_its_variable() -> None:
    text = f"{DECLARED}models: {{r: {{targets: ['ollama/${{T}}', 'ollama/${{T}}']}}}}".replace(
        "providers:", "providers:\n  ollama:"
    )
    (found,) = warnings(text, {"T": "hunter2"})
    assert found.endswith("'ollama/${T}' stands here a second time")


def test_the_example_of_the_design_says_what_is_missing_and_what_to_do() -> None:
    env = {"HEADGATE_KEY": "a-key-of-twenty-characters", "DEEPINFRA_API_KEY": "x"}
    assert problems(ARCHITECTURE_EXAMPLE, env) == [
        "headgate.yaml:20: models.fast-llama.targets[1]: 'groq/llama-3.1-8b-instant' needs the provider groq, which is"
        " not configured; set GROQ_API_KEY, or add groq: {api_key: …} under providers",
        "headgate.yaml:22: models.fast-llama.fallback[0]: 'openai/gpt-4o-mini' needs the provider openai, which is not"
        " configured; set OPENAI_API_KEY, or add openai: {api_key: …} under providers",
    ]


def test_a_fallback_that_nobody_offers_is_named_too() -> None:
    (found,) = problems(f"{DECLARED}models: {{r: {{targets: [alpha], fallback: [alpha, gamma]}}}}")
    assert found.startswith("headgate.yaml:6: models.r.fallback[1]: no configured provider offers 'gamma'")


@pytest.mark.parametrize(
    ("name", "target"),
    [("*", "mybox/*"), ("x-*", "mybox/tuned-*"), ("x-*", "mybox/new-*"), ("x-*", "beta-*"), ("*", "alpha")],
)
def test_a_star_in_the_name_allows_one_in_the_target(name: str, target: str) -> None:
    assert found_for(DECLARED, target, name) == []


def test_a_star_that_can_fit_nothing_is_an_error() -> None:
    (found,) = found_for(DECLARED, "other/thing-*", "x-*")
    assert found.endswith("no configured provider offers anything that fits 'other/thing-*'")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a*b*", "holds more than one *"),
        ("", "a model name has 1 to 256 characters"),
        (" a", "a model name holds no line break and no spaces around it"),
        ("x" * 257, "a model name has 1 to 256 characters"),
    ],
)
def test_a_route_needs_a_name_that_clients_can_write(name: str, message: str) -> None:
    (found,) = found_for(DECLARED, "alpha", name)
    assert found.startswith("headgate.yaml:2: models")
    assert found.endswith(message)


def test_a_route_is_not_blamed_for_a_provider_that_could_not_be_read() -> None:
    text = (
        route("mybox/alpha")
        + route("alpha", "s").removeprefix("models:\n")
        + DECLARED.replace("id: alpha", "ide: alpha")
    )
    assert {line.split(": ")[1] for line in problems(text)} == {
        "providers.mybox.models[0].id",
        "providers.mybox.models[0].ide",
    }


def test_a_retired_target_is_a_warning() -> None:
    retired = next(offer for offer in load_offers(["openai"])["openai"] if offer.retired)
    (found,) = warnings(route(f"openai/{retired.upstream_id}") + HOSTED)
    assert found == (
        f"headgate.yaml:4: models.r.targets[0]: openai/{retired.upstream_id} is retired, as far as we know;"
        " requests to it will likely fail"
    )


def test_a_target_with_a_date_of_retirement_is_a_warning_that_names_it() -> None:
    leaving = next(offer for offer in load_offers(["openai"])["openai"] if offer.deprecated_on and not offer.retired)
    (found,) = warnings(route(f"openai/{leaving.upstream_id}") + HOSTED)
    assert found.endswith(f"openai/{leaving.upstream_id} is to be retired on {leaving.deprecated_on}")


def test_a_target_that_stands_twice_is_a_warning() -> None:
    (found,) = warnings(f"{DECLARED}models: {{r: {{targets: [alpha, alpha]}}}}")
    assert found.endswith("models.r.targets[1]: 'alpha' stands here a second time")


def test_a_route_may_name_a_hosted_provider_that_only_the_environment_configures() -> None:
    text = route("groq/llama-3.1-8b-instant") + DECLARED
    assert problems(text) != []
    assert warnings(text, {"GROQ_API_KEY": "x"}) == [
        "headgate.yaml:1: models: a route names groq, which is not under providers; used with $GROQ_API_KEY"
    ]


def test_a_name_that_a_configured_provider_offers_takes_no_other_from_the_environment() -> None:
    text = route("openai/gpt-4o-mini") + DECLARED.replace("id: alpha", "id: openai/gpt-4o-mini")
    assert warnings(text, {"OPENAI_API_KEY": "x"}) == []
