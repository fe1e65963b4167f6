"""A name keeps meaning its model, whatever lists and documents call theirs."""

from __future__ import annotations

from pathlib import Path

import pytest

from headgate.catalog.identity import UNEXPLAINED, load_identity
from headgate.catalog.offers import load_offers
from headgate.config.load import load_document
from headgate.config.offering import Offering, offers_of
from headgate.config.problems import ConfigError
from headgate.providers.builtin import PROVIDERS
from headgate.types.deployment import Offer
from headgate.types.listing import ListedModel
from tests.unit.catalog.listed import copy
from tests.unit.config.loading import load
from tests.unit.config.test_offering import meaning, offering, sold

GPT = "openai/gpt-oss-120b"
TABLE = load_identity(None)
BOX = "dialect: openai, base_url: 'http://127.0.0.1:1/v1'"


def market(providers: str, lists: dict[str, list[ListedModel]] | None = None) -> Offering:
    """What is sold by these providers, with what their lists say."""
    shelf = {name: copy(*models) for name, models in (lists or {}).items()}
    return Offering(offers_of(load(f"providers: {{{providers}}}").document, lambda name, url, secrets: shelf.get(name)))


def named(provider: str, *ids: str, quantization: str | None = None) -> dict[str, list[ListedModel]]:
    return {provider: [ListedModel(id=id, quantization=quantization) for id in ids]}


def box(*models: str) -> str:
    return f"mybox: {{{BOX}, models: [{', '.join(models)}]}}"


@pytest.mark.parametrize("spelling", ["gpt-oss-120b", "GPT-OSS-120B", "openai.gpt-oss-120b"])
def test_an_id_that_only_a_list_knows_takes_no_spelling_of_a_model_away(spelling: str) -> None:
    before = market("groq: {api_key: x}, openrouter: {api_key: x}")
    after = market("groq: {api_key: x}, openrouter: {api_key: x}", named("openrouter", spelling))
    assert f"groq/{GPT}" in meaning(after, spelling)
    assert meaning(after, spelling) == meaning(before, GPT)
    assert meaning(after, f"openrouter/{spelling}") == [f"openrouter/{spelling}"]
    assert meaning(after, f"openrouter:{spelling}") == [f"openrouter/{spelling}"]


@pytest.mark.parametrize("more", ["", ", quantization: int4"])
def test_a_declared_short_name_of_a_model_that_is_sold_here_is_reached_by_its_pin(more: str) -> None:
    here = market(f"groq: {{api_key: x}}, {box('{id: gpt-oss-120b' + more + '}')}")
    assert meaning(here, "gpt-oss-120b") == meaning(here, GPT) == [f"groq/{GPT}"]
    assert here.variants("gpt-oss-120b") == ()
    assert meaning(here, "mybox/gpt-oss-120b") == ["mybox/gpt-oss-120b"]


def test_a_declared_short_name_is_the_name_where_nobody_sells_the_model() -> None:
    here = market(box("{id: gpt-oss-120b, quantization: int4}"))
    assert meaning(here, "gpt-oss-120b") == ["mybox/gpt-oss-120b"]


@pytest.mark.parametrize("model", [GPT, "gpt-oss-120b"])
def test_a_declared_id_is_the_model_that_the_document_says_it_is(model: str) -> None:
    ids = f"{{id: mine, model: {model}}}", f"{{id: small, model: {model}, quantization: int4}}"
    here = market(f"groq: {{api_key: x}}, {box(*ids)}")
    for name in (GPT, "gpt-oss-120b", "mine"):
        assert meaning(here, name) == [f"groq/{GPT}", "mybox/mine"]
    assert [choice.upstream_id for choice in here.variants("gpt-oss-120b")] == ["small"]


@pytest.mark.parametrize(
    ("id", "slug"),
    [
        ("meta-llama/Llama-3.1-8B-Instruct", "meta-llama/Llama-3.1-8B-Instruct"),
        ("meta-llama/Meta-Llama-3.1-8B-Instruct", "meta-llama/Llama-3.1-8B-Instruct"),
        ("llama-3.1-8b-instant", "llama-3.1-8b-instant"),
        ("Llama-3.1-8B-Instruct", "Llama-3.1-8B-Instruct"),
        ("accounts/fireworks/models/llama-v3p1-8b-instruct", "accounts/fireworks/models/llama-v3p1-8b-instruct"),
        ("meta-llama/Meta-Llama-3.1-8B-Instruct-Turbo", "meta-llama/Meta-Llama-3.1-8B-Instruct-Turbo"),
        ("deepseek-chat", "deepseek-chat"),
        ("deepseek:deepseek-v4-flash", "mybox:deepseek:deepseek-v4-flash"),
        ("llama3:8b", "llama3:8b"),
    ],
)
def test_a_declared_id_is_a_known_model_only_under_its_whole_name(id: str, slug: str) -> None:
    here = market(f"groq: {{api_key: x}}, deepseek: {{api_key: x}}, {box(f'{{id: {id!r}}}')}")
    assert here.pins["mybox"][id].model == slug


def test_nobody_else_answers_to_the_slug_of_what_one_provider_alone_sells() -> None:
    for id in ("deepseek:deepseek-v4-flash", "deepseek-v4-flash"):
        here = market(f"deepseek: {{api_key: x}}, {box(f'{{id: {id!r}}}')}")
        assert meaning(here, "deepseek:deepseek-v4-flash") == ["deepseek/deepseek-v4-flash"]
        assert meaning(here, f"mybox/{id}") == [f"mybox/{id}"]
    assert meaning(here, "deepseek-v4-flash") == []


def test_a_name_of_the_table_means_its_model_where_another_provider_calls_something_else_so() -> None:
    both = market("novita: {api_key: x}, groq: {api_key: x}")
    assert meaning(both, "moonshotai/kimi-k2-instruct") == ["novita/moonshotai/kimi-k2-instruct"]
    assert meaning(both, "groq/moonshotai/kimi-k2-instruct") == ["groq/moonshotai/kimi-k2-instruct"]
    alone = market("groq: {api_key: x}")
    assert meaning(alone, "moonshotai/kimi-k2-instruct") == ["groq/moonshotai/kimi-k2-instruct"]


def test_a_route_to_a_name_of_different_models_is_a_problem_that_names_the_pins(tmp_path: Path) -> None:
    path = tmp_path / "headgate.yaml"
    ids = "{id: one, model: org/One}", "{id: org/one, model: org/One}"
    other = f"other: {{{BOX}, models: [{{id: one, model: org/Two}}, {{id: org/one, model: org/Two}}]}}"
    routes = "{a: {targets: [one]}, b: {targets: [org/one]}}"
    path.write_text(f"providers: {{{box(*ids)}, {other}}}\nmodels: {routes}")
    with pytest.raises(ConfigError) as raised:
        load_document(path, {}, tmp_path)
    for name in ("one", "org/one"):
        words = f"'{name}' means nothing without its provider's name; name one: mybox/{name}, other/{name}"
        assert words in str(raised.value)


def test_what_only_a_list_knows_takes_no_name_from_what_is_known() -> None:
    listed = sold("b", "one", "b:one")
    assert meaning(offering(sold("a", "one", "org/One"), listed), "one") == ["a/one"]
    assert meaning(offering(sold("a", "one", "one"), listed), "one") == ["a/one"]
    assert meaning(offering(listed), "one") == ["b/one"]
    assert meaning(offering(listed, sold("c", "one", "c:one")), "one") == []


def test_servings_that_nobody_explains_are_not_the_same_as_each_other() -> None:
    here = market("novita: {api_key: x}")
    found = [id for id, offer in here.pins["novita"].items() if offer.variant == UNEXPLAINED]
    assert len(found) > 5
    for id in found:
        assert meaning(here, id) == [f"novita/{id}"]
    pair = offering(sold("a", "one-p", "org/One", UNEXPLAINED), sold("b", "one-dst", "org/One", UNEXPLAINED))
    assert meaning(pair, "one-p") == ["a/one-p"]
    assert meaning(pair, "org/One") == []


def test_a_plain_offer_that_its_own_list_calls_quantised_has_to_be_admitted() -> None:
    providers = "groq: {api_key: x}, deepinfra: {api_key: x}"
    own = "meta-llama/Meta-Llama-3.1-8B-Instruct"
    slug = "meta-llama/Llama-3.1-8B-Instruct"
    plain, quantised = (market(providers, named("deepinfra", own, quantization=how)) for how in ("bf16", "fp8"))
    assert f"deepinfra/{own}" in meaning(plain, slug)
    for name in (slug, "Llama-3.1-8B-Instruct", "llama-3.1-8b-instant"):
        assert f"deepinfra/{own}" not in meaning(quantised, name)
        assert own in [choice.upstream_id for choice in quantised.variants(name)]
    assert meaning(quantised, f"deepinfra/{own}") == [f"deepinfra/{own}"]
    alone = market("deepinfra: {api_key: x}", named("deepinfra", own, slug, quantization="fp8"))
    assert f"deepinfra/{own}" in meaning(alone, own)


def test_the_operators_word_on_how_weights_are_stored_comes_after_the_lists() -> None:
    own = "meta-llama/Meta-Llama-3.1-8B-Instruct"
    providers = f"deepinfra: {{api_key: x, models: [{{id: {own}, quantization: bf16}}]}}"
    here = market(providers, named("deepinfra", own, quantization="fp8"))
    assert here.pins["deepinfra"][own].variant is None


def walk(here: Offering) -> None:
    """What holds of every name."""
    sold_here = {offer.model for ids in here.pins.values() for offer in ids.values()}
    for name, means in {**here.names, **here.aliases}.items():
        offers = (*means.plain, *means.variants)
        assert len({offer.model for offer in offers}) == 1, name
        if any(offer.variant is None for offer in means.plain):
            assert all(offer.variant is None for offer in means.plain), name
        elif len(means.plain) > 1 and UNEXPLAINED in {offer.variant for offer in means.plain}:
            assert {offer.upstream_id for offer in means.plain} == {name}
        claim = TABLE.meaning(name)
        if claim is not None and claim.slug in sold_here and claim.variant != UNEXPLAINED:
            assert {offer.model for offer in offers} == {claim.slug}, name
    for offer in (offer for ids in here.pins.values() for offer in ids.values()):
        scope = offer.model.partition("/")[0].partition(":")
        assert not scope[1] or scope[0] == offer.provider or scope[0] not in here.pins, offer


def everything() -> str:
    return ", ".join(
        f"{name}: {{api_key: x, base_url: 'http://127.0.0.1:1'}}"
        for name in sorted(PROVIDERS)
        if load_offers([name])[name]
    )


def test_every_name_of_everything_that_is_sold_means_one_model() -> None:
    walk(market(everything()))


def test_every_name_means_one_model_beside_hostile_lists_and_declared_ids() -> None:
    plain = market(everything())
    names = [*plain.names, *plain.aliases]
    lists = {
        **named("openrouter", *names[::3], *(name.swapcase() for name in names[1::3])),
        **named("deepinfra", *plain.pins["deepinfra"], *names[::5], quantization="int4"),
    }
    ids = [*dict.fromkeys([*names[::7], *plain.pins["deepseek"], *plain.pins["groq"]])]
    stored = ["", ", quantization: int4", ", quantization: bf16"]
    declared = [f"{{id: {id!r}{stored[at % 3]}}}" for at, id in enumerate(ids) if "*" not in id]
    here = market(f"{everything()}, {box(*declared)}", lists)
    walk(here)
    for name in plain.aliases:
        meant = here.meant(name)
        before: set[Offer] = {*plain.meant(name).plain, *plain.meant(name).variants}
        assert {offer.model for offer in (*meant.plain, *meant.variants)} == {offer.model for offer in before}, name
