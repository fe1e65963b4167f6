from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from headgate.catalog.offers import load_offers
from headgate.config.offering import CAPABILITIES, Offering, offers_of
from headgate.providers.builtin import PROVIDERS
from headgate.routing.names import matches
from headgate.routing.requirements import has
from headgate.types.deployment import Offer
from tests.unit.config.loading import load


def sold(provider: str, upstream_id: str, model: str, variant: str | None = None, retired: bool = False) -> Offer:
    return Offer(provider=provider, upstream_id=upstream_id, model=model, variant=variant, retired=retired)


def offering(*offers: Offer) -> Offering:
    by_provider: dict[str, list[Offer]] = {}
    for offer in offers:
        by_provider.setdefault(offer.provider, []).append(offer)
    return Offering({provider: tuple(found) for provider, found in by_provider.items()})


def meaning(market: Offering, name: str) -> list[str]:
    return [f"{choice.offer.provider}/{choice.offer.upstream_id}" for choice in market.resolve(name)]


def test_an_id_means_its_model_at_every_provider() -> None:
    market = offering(sold("a", "a-one", "org/One"), sold("b", "b-one", "org/One"), sold("b", "b-two", "org/Two"))
    for name in ("a-one", "b-one", "org/One"):
        assert meaning(market, name) == ["a/a-one", "b/b-one"]


def test_a_variant_is_reached_by_its_own_id_only() -> None:
    market = offering(sold("a", "one", "org/One"), sold("a", "one-turbo", "org/One", "turbo"))
    assert meaning(market, "org/One") == ["a/one"]
    assert meaning(market, "one-turbo") == ["a/one-turbo"]


def test_a_slug_of_which_only_variants_exist_means_none_of_them_unasked() -> None:
    market = offering(sold("a", "one-turbo", "org/One", "turbo"))
    assert meaning(market, "org/One") == []
    assert [choice.upstream_id for choice in market.variants("org/One")] == ["one-turbo"]


def test_a_slug_knows_the_variants_that_have_to_be_admitted_and_an_id_of_a_variant_knows_none() -> None:
    market = offering(sold("a", "one", "org/One"), sold("b", "one-turbo", "org/One", "turbo"))
    assert [choice.upstream_id for choice in market.variants("org/One")] == ["one-turbo"]
    assert market.variants("one-turbo") == ()
    assert market.variants("b/one-turbo") == ()


def test_an_id_spelt_like_its_slug_is_the_variant_it_is_only_where_nobody_has_the_plain_one() -> None:
    quantised = sold("b", "org/One", "org/One", "int4")
    assert meaning(offering(quantised), "org/One") == ["b/org/One"]
    market = offering(sold("a", "one", "org/One"), quantised)
    assert meaning(market, "org/One") == ["a/one"]
    assert [choice.offer.provider for choice in market.variants("org/One")] == ["b"]


def test_an_id_that_means_different_models_means_nothing_without_its_providers_name() -> None:
    market = offering(sold("a", "one", "org/One"), sold("b", "one", "org/Other"), sold("c", "c-one", "org/One"))
    assert (meaning(market, "one"), market.variants("one")) == ([], ())
    assert market.pins_of("one") == ["a/one", "b/one"]
    assert meaning(market, "a/one") == ["a/one"]
    assert meaning(market, "c-one") == ["a/one", "c/c-one"]


def test_an_id_spelt_like_the_slug_of_another_model_does_not_answer_to_it() -> None:
    market = offering(sold("a", "a-one", "org/One"), sold("b", "org/One", "b:org/One"))
    assert meaning(market, "org/One") == ["a/a-one"]
    assert meaning(market, "b/org/One") == ["b/org/One"]


def test_retired_offers_come_last() -> None:
    market = offering(sold("a", "one", "org/One", retired=True), sold("b", "one", "org/One"))
    assert meaning(market, "one") == ["b/one", "a/one"]


def test_a_pin_comes_before_a_slug_of_the_same_spelling() -> None:
    market = offering(sold("openai", "one", "openai/one"), sold("b", "b-one", "openai/one"))
    assert meaning(market, "openai/one") == ["openai/one"]


def test_an_open_offer_is_reached_by_its_provider_only() -> None:
    market = offering(sold("a", "*", "*"))
    assert [choice.upstream_id for choice in market.resolve("a/any/thing")] == ["any/thing"]
    assert market.resolve("any") == ()
    assert market.resolve("*") == ()


def test_a_declared_model_corrects_the_catalog_and_leaves_the_rest_of_it() -> None:
    known = load_offers(["deepinfra"])["deepinfra"]
    before = next(offer for offer in known if offer.price.cached_input_pusd_per_mtok and offer.context_tokens)
    document = load(f"""
        providers:
          deepinfra:
            api_key: x
            models: [{{id: "{before.upstream_id}", input_usd_per_mtok: "7", max_output_tokens: 11}}]
        """).document
    offers = {offer.upstream_id: offer for offer in offers_of(document)["deepinfra"]}
    after = offers[before.upstream_id]
    assert len(offers) == len(known)
    assert after.price.input_pusd_per_mtok == 7 * 10**12
    assert after.price.output_pusd_per_mtok == before.price.output_pusd_per_mtok
    assert (after.max_output_tokens, after.context_tokens) == (11, before.context_tokens)
    assert (after.model, after.variant, after.declared) == (before.model, before.variant, True)


def test_a_declared_model_is_its_own_slug_unless_it_says_otherwise() -> None:
    document = load("""
        providers:
          mybox:
            dialect: openai
            base_url: http://127.0.0.1:1/v1
            models: [{id: a}, {id: b, model: org/B}, {id: "c-*"}, {id: e, kind: embedding, input_usd_per_mtok: "1"}]
        """).document
    offers = {offer.upstream_id: offer for offer in offers_of(document)["mybox"]}
    assert [offers[name].model for name in ("a", "b")] == ["a", "org/B"]
    assert [offers[name].kind for name in ("a", "c-*", "e")] == ["any", "any", "embedding"]
    assert offers["e"].price.known
    assert not offers["a"].price.known


def declared(text: str) -> dict[str, Offer]:
    """The offers of a provider that declares these models."""
    document = load(f"""
        providers:
          mybox:
            dialect: openai
            base_url: http://127.0.0.1:1/v1
            models: [{text}]
        """).document
    return {offer.upstream_id: offer for offer in offers_of(document)["mybox"]}


def test_capabilities_that_the_operator_lists_are_all_of_them() -> None:
    offers = declared("{id: some, capabilities: [tools, images]}, {id: none, capabilities: []}, {id: unsaid}")
    assert {need: has(offers["some"], need) for need in CAPABILITIES} == {
        need: need in ("tools", "vision") for need in CAPABILITIES
    }
    assert not any(has(offers["none"], need) is not False for need in CAPABILITIES)
    assert {has(offers["unsaid"], need) for need in CAPABILITIES} == {None}


def test_the_operators_words_are_the_catalogues_and_a_schema_implies_json() -> None:
    offers = declared("{id: a, capabilities: [images, audio, files]}, {id: b, capabilities: [json_schema]}")
    assert offers["a"].capabilities == frozenset({"vision", "audio_in", "pdf"})
    assert has(offers["b"], "json_object") is True
    assert "json_object" not in offers["b"].lacks


def test_a_list_of_the_operators_overrules_what_the_catalog_says_a_model_can_and_cannot_do() -> None:
    known = load_offers(["deepinfra"])["deepinfra"]
    before = next(offer for offer in known if offer.capabilities and "tools" in offer.capabilities)

    def after(more: str) -> Offer:
        document = load(f"""
            providers: {{deepinfra: {{api_key: x, models: [{{id: "{before.upstream_id}"{more}}}]}}}}
            """).document
        return next(one for one in offers_of(document)["deepinfra"] if one.upstream_id == before.upstream_id)

    assert has(before, "tools") is True
    assert has(after(", capabilities: [vision, logprobs]"), "tools") is False
    assert has(after(", capabilities: [vision, logprobs]"), "logprobs") is True
    untouched = after(", context_tokens: 5")
    assert (untouched.capabilities, untouched.lacks) == (before.capabilities, before.lacks)


def test_a_serving_that_the_operator_calls_quantised_has_to_be_admitted() -> None:
    offers = declared("{id: a, model: org/A}, {id: b, model: org/A, quantization: FP8}, {id: c, quantization: BF16}")
    assert [offers[name].variant for name in ("a", "b", "c")] == [None, "FP8", None]
    market = Offering({"mybox": tuple(offers.values())})
    assert meaning(market, "org/A") == ["mybox/a"]
    assert [choice.upstream_id for choice in market.variants("org/A")] == ["b"]
    assert meaning(market, "b") == ["mybox/b"]


def test_another_spelling_means_the_offers_of_its_slug_and_never_hides_a_name_that_is_somebodys_own() -> None:
    market = Offering(load_offers(list(PROVIDERS)))
    assert len(market.aliases) > 100
    assert not {*market.aliases} & {*market.names}
    for alias, named in market.aliases.items():
        offers = (*named.plain, *named.variants)
        (slug,) = {offer.model for offer in offers}
        assert market.resolve(alias) or market.variants(alias)
        if any(offer.variant is None for offer in named.plain):
            assert market.meant(slug).plain == named.plain


def test_a_provider_of_which_nothing_is_known_offers_anything() -> None:
    document = load("providers: {ollama: {}, github: {api_key: x}}").document
    offers = offers_of(document)
    assert [(offer.upstream_id, offer.kind, offer.declared) for offer in offers["ollama"]] == [("*", "any", False)]
    assert [offer.upstream_id for offer in offers["github"]] == ["*"]


def test_the_sandbox_offers_anything_also_beside_declared_models() -> None:
    document = load('providers: {sandbox: {models: [{id: mine, input_usd_per_mtok: "1"}]}}').document
    offers = offers_of(document)["sandbox"]
    assert [(offer.upstream_id, offer.declared) for offer in offers] == [("mine", True), ("*", False)]
    market = Offering({"sandbox": offers})
    assert meaning(market, "sandbox/mine") == ["sandbox/mine"]
    assert meaning(market, "sandbox/429") == ["sandbox/*"]


def test_every_name_of_the_whole_catalog_means_something_it_names() -> None:
    market = Offering(load_offers(list(PROVIDERS)))
    assert len(market.names) > 1000
    for name, named in market.names.items():
        offers = named.plain
        assert offers or named.variants
        assert not set(offers) & set(named.variants)
        assert len({offer.model for offer in (*offers, *named.variants)}) == 1
        meant = {word.lower() for offer in (*offers, *named.variants) for word in (offer.model, offer.upstream_id)}
        assert name.lower() in meant


_IDS = st.sampled_from(["one", "two", "org/One", "org/Two", "x-*"])
_OFFERS = st.builds(
    sold,
    st.sampled_from(["a", "b", "org"]),
    _IDS,
    st.sampled_from(["org/One", "org/Two", "one"]),
    st.sampled_from([None, "turbo"]),
    st.booleans(),
)


@given(st.lists(_OFFERS, max_size=8))
def test_a_name_always_means_at_least_one_offer_and_live_ones_first(offers: list[Offer]) -> None:
    market = offering(*offers)
    for name, named in market.names.items():
        assert any(named)
        found = named.plain
        assert len(set(found)) == len(found)
        assert [offer.retired for offer in found] == sorted(offer.retired for offer in found)
        assert market.resolve(name) or market.variants(name)
    for provider, ids in market.pins.items():
        for upstream_id, offer in ids.items():
            assert market.resolve(f"{provider}/{upstream_id}") == ((offer, upstream_id),)
            same_id = [ids[upstream_id] for ids in market.pins.values() if upstream_id in ids]
            if {one.model for one in same_id} == {offer.model} and all(one.model != upstream_id for one in offers):
                assert offer.upstream_id in market.names


def test_a_star_stands_for_at_least_one_character() -> None:
    assert matches("a-*", "a-b")
    assert not matches("a-*", "a-")
    assert not matches("a*a", "a")
    assert matches("*", "x")
    assert matches("plain", "plain")
