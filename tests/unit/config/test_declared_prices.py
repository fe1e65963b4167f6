"""What the operator says about prices, and what of the catalogue's stands beside it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from headgate.catalog.cost import cost_pusd, reckon
from headgate.catalog.offers import load_offers
from headgate.config.offering import offers_of
from headgate.types.deployment import DOCUMENT, Offer
from headgate.types.money import CostSource, Price, Terms, Tier
from headgate.types.usage import Usage
from tests.unit.config.loading import load, problems, warnings

AT = 1_795_435_200.0
USD = 10**12


def declared(provider: str, model: str) -> Offer:
    """The first model declared for a provider."""
    known = "dialect: openai, base_url: 'http://127.0.0.1:1/v1'" if provider == "mybox" else "api_key: x"
    document = load(f"providers: {{{provider}: {{{known}, models: [{{{model}}}]}}}}").document
    name = document.providers[provider].models[0].id
    return next(offer for offer in offers_of(document)[provider] if offer.upstream_id == name)


def known(provider: str, **having: bool) -> Offer:
    """An offer of the catalogue that has, or has not, something of its terms."""
    return next(
        offer
        for offer in load_offers([provider])[provider]
        if offer.price.known and all(bool(getattr(offer.terms, name, ())) is wanted for name, wanted in having.items())
    )


def test_declared_tiers_are_used() -> None:
    offer = declared(
        "mybox",
        'id: a, input_usd_per_mtok: "1", output_usd_per_mtok: "2", tiers: ['
        '{above_tokens: 200, input_usd_per_mtok: "3"}, {above_tokens: 100, output_usd_per_mtok: "4"}]',
    )
    assert offer.terms == Terms(
        tiers=(Tier(100, Price(output_pusd_per_mtok=4 * USD)), Tier(200, Price(input_pusd_per_mtok=3 * USD)))
    )
    assert offer.price_source == DOCUMENT
    costs = [reckon(offer, Usage(input=tokens, output=10), AT).pusd for tokens in (100, 101, 201)]
    assert costs == [120 * 10**6, (101 + 40) * 10**6, (603 + 20) * 10**6]


def test_declared_service_tiers_are_used_where_the_reply_names_one() -> None:
    offer = declared(
        "mybox",
        'id: a, input_usd_per_mtok: "1", output_usd_per_mtok: "2", '
        'service_tiers: {priority: {input_usd_per_mtok: "2", output_usd_per_mtok: "5"}}',
    )
    assert reckon(offer, Usage(input=10, output=1, service_tier="priority"), AT).pusd == 25 * 10**6
    assert reckon(offer, Usage(input=10, output=1), AT).pusd == 12 * 10**6
    assert reckon(offer, Usage(input=10, output=1, service_tier="flex"), AT).pusd is None


def test_prices_of_other_classes_can_be_declared() -> None:
    offer = declared(
        "mybox",
        'id: a, input_usd_per_mtok: "1", output_usd_per_mtok: "2", audio_input_usd_per_mtok: "3", '
        'reasoning_usd_per_mtok: "5", audio_output_usd_per_mtok: "7"',
    )
    assert cost_pusd(offer.price, Usage(audio_input=1, reasoning=10, audio_output=100)) == 753 * 10**6


def test_a_declared_price_holds_at_every_length_hour_and_date() -> None:
    for provider, terms in (("openai", "tiers"), ("deepseek", "windows"), ("gemini", "changes")):
        before = known(provider, **{terms: True})
        after = declared(provider, f'id: "{before.upstream_id}", input_usd_per_mtok: "7"')
        assert before.terms is not None
        assert after.price_source == DOCUMENT
        assert after.price == msgspec.structs.replace(before.price, input_pusd_per_mtok=7 * USD)
        assert getattr(after.terms, terms, ()) == ()
        kept = () if after.terms is None else after.terms.tier_percent
        assert kept == before.terms.tier_percent, "the share of a service tier is no price"


def test_what_names_no_price_leaves_the_prices_of_the_catalogue() -> None:
    before = known("openai", tiers=True)
    after = declared("openai", f'id: "{before.upstream_id}", max_output_tokens: 11')
    assert (after.price, after.terms, after.price_source) == (before.price, before.terms, before.price_source)


def test_declared_tiers_stand_in_place_of_those_of_the_catalogue() -> None:
    before = known("openai", tiers=True)
    after = declared("openai", f'id: "{before.upstream_id}", tiers: [{{above_tokens: 5, input_usd_per_mtok: "9"}}]')
    assert before.terms is not None
    assert after.price == before.price
    assert after.terms == msgspec.structs.replace(before.terms, tiers=(Tier(5, Price(input_pusd_per_mtok=9 * USD)),))
    assert after.price_source == DOCUMENT


def test_a_model_the_catalogue_does_not_know_has_the_service_tiers_of_its_provider() -> None:
    offer = declared("openai", 'id: "ft:mine", input_usd_per_mtok: "1", output_usd_per_mtok: "2"')
    made = reckon(offer, Usage(input=10, service_tier="flex"), AT)
    assert (made.pusd, made.price_source) == (5 * 10**6, DOCUMENT)


def test_what_runs_in_this_process_costs_nothing() -> None:
    offers = offers_of(load("providers: {sandbox: {}}").document)["sandbox"]
    everything = next(offer for offer in offers if offer.upstream_id == "*")
    made = reckon(everything, Usage(input=10, output=10, estimated=True), AT)
    assert (made.pusd, made.source) == (0, CostSource.ESTIMATED)


BASE = "providers: {{mybox: {{dialect: openai, base_url: 'http://127.0.0.1:1/v1', models: [{{id: a, {}}}]}}}}\n"


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ("tiers: [{above_tokens: 5}, {above_tokens: 7}, {above_tokens: 5}]", "has two tiers above 5 tokens"),
        ("tiers: [{above_tokens: 0}]", "tiers[0].above_tokens"),
        ("tiers: [{above_tokens: 5, input_usd_per_mtok: 0.5}]", "must be exact"),
        ("service_tiers: {default: {input_usd_per_mtok: '1'}}", "the usual tier"),
        ("service_tiers: {Priority: {input_usd_per_mtok: '1'}}", "small letters"),
        ("service_tiers: {'a b': {input_usd_per_mtok: '1'}}", "small letters"),
        ("service_tiers: {priority: {above_tokens: 5}}", "above_tokens"),
        ("service_tiers: {priority: {input_usd_per_mtok: '-1'}}", "amount in US dollars"),
        ("service_tiers: [priority]", "service_tiers"),
    ],
)
def test_prices_that_cannot_be_meant_are_refused_where_they_stand(wrong: str, words: str) -> None:
    found = problems(BASE.format(wrong))
    assert len(found) == 1
    assert "providers.mybox.models[0]" in found[0]
    assert words in found[0]


@pytest.mark.parametrize(
    "right", ["tiers: [{above_tokens: 5, input_usd_per_mtok: '1'}]", "service_tiers: {flex: {input_usd_per_mtok: '1'}}"]
)
def test_prices_that_count_give_no_warning(right: Any) -> None:
    assert [warning for warning in warnings(BASE.format(right)) if "models" in warning] == []
