"""A provider's list over the packaged offers: what it corrects, what it adds, and what it never takes away."""

from __future__ import annotations

from typing import Any

import pytest

from headgate.catalog.overlay import absent, overlay
from headgate.providers.builtin import PROVIDERS
from headgate.types.deployment import Offer
from headgate.types.listing import ListedModel, ListedTier
from headgate.types.money import Change, Price, Terms, Tier, Window
from tests.unit.catalog.listed import copy, listed, offer, price, usd

LIST = "provider's list at api.acme.test, 2026-11-26"
CATALOGUE = "catalogue, 2026-11-01"


def over(known: Offer, model: ListedModel, **named: Any) -> Offer:
    (laid,) = overlay([known], copy(model, **named), "acme")
    return laid


def test_a_listed_price_takes_the_place_of_the_packaged_one_and_says_where_it_is_from() -> None:
    laid = over(offer(unconfirmed=True, context_tokens=1000), listed(input="3", output="4"))
    assert laid.price == price(input="3", output="4")
    assert laid.price_source == LIST
    assert not laid.unconfirmed
    assert laid.model == "lab/m"
    assert laid.source_of("context_tokens") == CATALOGUE


def test_half_a_price_changes_nothing() -> None:
    known = offer(input="1", output="2")
    for prices in (usd(input="3"), usd(output="3"), usd(cached_input="0.1"), ()):
        assert over(known, ListedModel(id="m", prices=prices)) == known


def test_classes_that_the_list_does_not_name_stay_only_beside_the_same_price() -> None:
    known = offer(price=price(input="1", output="2", cached_input="0.1", reasoning="3"))
    same = over(known, listed(prices=usd(input="1", output="2", cached_input="0.2")))
    assert same.price == price(input="1", output="2", cached_input="0.2", reasoning="3")
    assert over(known, listed(input="1.1", output="2")).price == price(input="1.1", output="2")


TERMS = Terms(
    tiers=(Tier(200_000, price(input="2")),),
    windows=(Window(frozenset({1}), ((0, 60),), price(input="0.5")),),
    changes=(Change(1, price(input="3")),),
    tier_percent=(("flex", 50),),
    request_fees=(("low", 5),),
)


def test_what_is_excepted_from_a_price_goes_when_the_price_is_another() -> None:
    known = offer(terms=TERMS)
    assert over(known, listed(input="1", output="2")).terms == TERMS
    changed = over(known, listed(input="1.5", output="2")).terms
    assert changed == Terms(tier_percent=(("flex", 50),), request_fees=(("low", 5),))
    only_tiers = offer(terms=Terms(tiers=TERMS.tiers))
    assert over(only_tiers, listed(input="1.5", output="2")).terms is None


def test_listed_tiers_take_the_place_of_packaged_ones() -> None:
    tiers = (ListedTier(128_000, usd(input="2", output="3")),)
    laid = over(offer(terms=TERMS), listed(tiers=tiers))
    assert laid.terms is not None
    assert laid.terms.tiers == (Tier(128_000, price(input="2", output="3")),)
    assert laid.terms.windows == TERMS.windows
    assert over(offer(), listed(tiers=tiers)).terms == Terms(tiers=laid.terms.tiers)


def test_an_embedding_needs_no_price_of_output() -> None:
    laid = over(offer(kind="embedding"), ListedModel(id="m", prices=usd(input="0.02")))
    assert laid.price == price(input="0.02", output="0")


def test_what_the_provider_says_is_free_costs_nothing() -> None:
    assert over(offer(input=None, output=None), ListedModel(id="m", free=True)).price == price(input="0", output="0")
    assert over(offer(), ListedModel(id="m")).price == price(input="1", output="2")


def test_a_price_finer_than_a_pico_dollar_is_rounded_half_to_even() -> None:
    laid = over(offer(), listed(prices=usd(input="1.0000000000005", output="2.0000000000015")))
    assert laid.price == Price(input_pusd_per_mtok=10**12, output_pusd_per_mtok=2 * 10**12 + 2)


def test_prices_of_an_earlier_copy_keep_its_date() -> None:
    laid = over(offer(), listed(input="3", output="4", context_tokens=5000), older={"m": "provider's list, earlier"})
    assert laid.price_source == "provider's list, earlier"
    assert laid.source_of("context_tokens") == LIST


def test_other_figures_are_laid_over_and_each_says_where_it_is_from() -> None:
    known = offer(context_tokens=1000, max_output_tokens=500, quantization="fp8", sources=(("quantization", "a page"),))
    laid = over(known, ListedModel(id="m", context_tokens=2000, max_input_tokens=1500, retires_on="2027-01-01"))
    assert (laid.context_tokens, laid.max_input_tokens, laid.max_output_tokens) == (2000, 1500, 500)
    assert laid.deprecated_on == "2027-01-01"
    assert not laid.retired
    assert laid.price_source == CATALOGUE
    said = {figure: laid.source_of(figure) for figure in ("context_tokens", "max_output_tokens", "deprecated_on")}
    assert said == {"context_tokens": LIST, "max_output_tokens": CATALOGUE, "deprecated_on": LIST}
    assert laid.source_of("quantization") == "a page"
    assert over(known, ListedModel(id="m", quantization="int4")).source_of("quantization") == LIST


def test_a_capability_is_added_unless_it_is_known_to_lack_and_none_is_taken_away() -> None:
    known = offer(capabilities=frozenset({"tools"}), lacks=frozenset({"vision"}))
    says = ListedModel(id="m", capabilities=frozenset({"vision", "pdf"}), lacks=frozenset({"tools", "logprobs"}))
    laid = over(known, says)
    assert laid.capabilities == frozenset({"tools", "pdf"})
    assert laid.lacks == frozenset({"vision", "logprobs"})
    assert laid.source_of("capabilities") == laid.source_of("lacks") == LIST
    silent = over(offer(), ListedModel(id="m"))
    assert silent.capabilities is None
    again = over(known, ListedModel(id="m", capabilities=frozenset({"tools"})))
    assert again.source_of("capabilities") == CATALOGUE


@pytest.mark.parametrize(("day", "retired"), [("2026-11-25", True), ("2026-11-26", True), ("2026-11-27", False)])
def test_a_model_retires_when_its_day_has_come(day: str, retired: bool) -> None:
    model = ListedModel(id="m", retires_on=day)
    assert over(offer(), model).retired is retired
    (added,) = overlay([], copy(model), "acme")
    assert added.retired is retired


def test_an_unknown_model_is_an_offer_of_its_own_whatever_it_is_called() -> None:
    model = listed("lab/known", kind="chat", context_tokens=4000, capabilities=frozenset({"tools"}), quantization="fp8")
    known, added = overlay([offer("m", model="lab/known")], copy(model), "acme")
    assert known.upstream_id == "m"
    assert added == Offer(
        provider="acme",
        upstream_id="lab/known",
        model="acme:lab/known",
        kind="chat",
        price=price(input="1", output="2"),
        price_source=LIST,
        context_tokens=4000,
        capabilities=frozenset({"tools"}),
        quantization="fp8",
    )
    (bare,) = overlay([], copy(ListedModel(id="x", prices=usd(input="1"))), "acme")
    assert bare == Offer(provider="acme", upstream_id="x", model="acme:x", kind="any", price_source=LIST)


def test_what_holds_for_every_model_of_a_provider_holds_for_a_new_one() -> None:
    row = next(row for row in PROVIDERS.values() if row.tier_percent)
    (added,) = overlay([], copy(listed("new")), row.name)
    assert added.terms == Terms(tier_percent=row.tier_percent)


def test_a_list_takes_nothing_away_and_what_it_leaves_out_can_be_told() -> None:
    offers = [offer("a"), offer("b"), offer("c", retired=True), offer("d"), offer("e*")]
    seen = copy(listed("a"), listed("x", aliases=("d",)))
    laid = overlay(offers, seen, "acme")
    assert [one.upstream_id for one in laid] == ["a", "b", "c", "d", "e*", "x"]
    assert laid[1] == offers[1]
    assert absent(offers, seen) == ("b",)


@pytest.mark.parametrize(
    ("slug", "packaged", "stored_as", "variant"),
    [
        ("lab/m", None, "fp8", "fp8"),
        ("lab/m", None, "Q4_K_M", "Q4_K_M"),
        ("lab/m", None, "BF16", None),
        ("lab/m", None, "fp32", None),
        ("lab/m", None, "unknown", None),
        ("lab/m", None, "mxfp4", "mxfp4"),
        ("openai/gpt-oss-120b", None, "mxfp4", None),
        ("openai/gpt-oss-120b", None, "fp8", "fp8"),
        ("deepseek-ai/DeepSeek-V3.2-Exp", None, "FP8", None),
        ("deepseek-ai/DeepSeek-V3", None, "fp4", "fp4"),
        ("deepseek-ai/DeepSeek-R1-0528", None, "fp8", None),
        ("deepseek-ai/DeepSeek-R1-Distill-Llama-70B", None, "fp8", "fp8"),
        ("lab/m", "turbo", "fp8", "turbo"),
        ("lab/m", "fp8", "bf16", "fp8"),
        ("lab/m", None, None, None),
    ],
)
def test_weights_that_a_list_says_are_stored_smaller_than_published_are_a_variant(
    slug: str, packaged: str | None, stored_as: str | None, variant: str | None
) -> None:
    known = offer(model=slug, variant=packaged, quantization="fp8" if packaged == "fp8" else None)
    assert over(known, ListedModel(id="m", quantization=stored_as)).variant == variant
