"""The packaged offers, compared with the files they come from."""

from __future__ import annotations

import json
from collections import Counter
from datetime import datetime
from decimal import Decimal
from importlib import resources
from typing import Any

import pytest

from headgate.catalog.offers import load_offers, parse_offer, with_second_opinion
from headgate.providers.builtin import PROVIDERS
from headgate.types.deployment import Offer
from headgate.types.money import PUSD_PER_USD, Price, Terms
from headgate.wire.json import DecodeError

DATA = resources.files("headgate.catalog").joinpath("data")
FILES = ("offers.jsonl", "genai_prices.jsonl")
ROWS: list[dict[str, Any]] = [
    json.loads(line) for name in FILES for line in DATA.joinpath(name).read_bytes().splitlines()
]
EVERY = sorted({row["provider"] for row in ROWS})
READ = {
    *("model", "provider", "upstream_id", "kind", "variant", "status", "responses_only", "rolling", "deprecated_on"),
    *(
        "context_tokens",
        "usual_context_tokens",
        "max_input_tokens",
        "max_output_tokens",
        "capabilities",
        "lacks",
        "unsaid",
        "quantization",
    ),
    *("tiers", "price_windows", "price_changes", "unit_prices", "price_source", "sources", "disagreement"),
}
"""Fields an offer is made of, beside the prices."""
PRICES = {
    "input_usd_per_mtok": "input_pusd_per_mtok",
    "output_usd_per_mtok": "output_pusd_per_mtok",
    "cached_input_usd_per_mtok": "cached_input_pusd_per_mtok",
    "cache_write_usd_per_mtok": "cache_write_pusd_per_mtok",
}


@pytest.fixture(scope="module")
def offers() -> dict[tuple[str, str], Offer]:
    loaded = load_offers(EVERY)
    return {(offer.provider, offer.upstream_id): offer for found in loaded.values() for offer in found}


def test_every_line_becomes_one_offer(offers: dict[tuple[str, str], Offer]) -> None:
    assert len(ROWS) > 1500
    assert set(offers) == {(row["provider"], row["upstream_id"]) for row in ROWS}
    assert sum(len(found) for found in load_offers(EVERY).values()) == len(ROWS)


def test_every_price_is_the_decimal_of_the_file_and_zero_never_stands_for_unknown(
    offers: dict[tuple[str, str], Offer],
) -> None:
    for row in ROWS:
        price = offers[row["provider"], row["upstream_id"]].price
        for written, read in PRICES.items():
            pusd = getattr(price, read)
            if written in row:
                assert Decimal(pusd) / PUSD_PER_USD == Decimal(row[written]) > 0
            elif row["kind"] == "embedding" and read == "output_pusd_per_mtok" and "input_usd_per_mtok" in row:
                assert pusd == 0, "an embedding has no output to pay for"
            else:
                assert pusd is None


def rates(row: dict[str, Any]) -> Price:
    """Prices straight from the file."""
    return Price(**{PRICES[name]: int(Decimal(row[name]) * PUSD_PER_USD) for name in PRICES if name in row})


def test_every_tier_window_and_change_of_the_file_is_a_term_of_its_offer(
    offers: dict[tuple[str, str], Offer],
) -> None:
    seen: Counter[str] = Counter()
    for row in ROWS:
        terms = offers[row["provider"], row["upstream_id"]].terms or Terms()
        seen.update(name for name in ("tiers", "price_windows", "price_changes") if name in row)
        assert [(tier.above_tokens, tier.price) for tier in terms.tiers] == [
            (tier["above_tokens"], rates(tier))
            for tier in sorted(row.get("tiers", []), key=lambda tier: int(tier["above_tokens"]))
        ]
        assert [(window.weekdays, window.price) for window in terms.windows] == [
            (frozenset(window["weekdays"]), rates(window)) for window in row.get("price_windows", [])
        ]
        assert [(change.from_s, change.price) for change in terms.changes] == [
            (datetime.fromisoformat(change["from"] + "T00:00:00Z").timestamp(), rates(change))
            for change in row.get("price_changes", [])
        ]
        assert terms.service_tiers == ()
        assert dict(terms.tier_percent) == dict(PROVIDERS[row["provider"]].tier_percent if known(row) else ())
    assert min(seen.values()) >= 4
    assert len(seen) == 3


def known(row: dict[str, Any]) -> bool:
    return row["provider"] in PROVIDERS


def test_windows_are_minutes_of_the_day(offers: dict[tuple[str, str], Offer]) -> None:
    terms = offers["deepseek", "deepseek-v4-pro"].terms
    assert terms is not None
    assert [window.minutes for window in terms.windows] == [((0, 60), (240, 360), (600, 1440)), ((0, 1440),)]


def test_spoken_tokens_reasoning_and_requests_have_their_own_prices(offers: dict[tuple[str, str], Offer]) -> None:
    spoken = 0
    for row in ROWS:
        offer = offers[row["provider"], row["upstream_id"]]
        units = row.get("unit_prices", {})
        for name, side in (("audio_input", "input"), ("audio_output", "output"), ("reasoning", "output")):
            usd, plain = units.get(f"{name}_usd_per_mtok"), row.get(f"{side}_usd_per_mtok")
            own = getattr(offer.price, f"{name}_pusd_per_mtok")
            if usd is None or usd == plain:
                assert own is None, "it follows the price of its side"
            else:
                spoken += 1
                assert own == Decimal(usd) * PUSD_PER_USD
        fees = dict((offer.terms or Terms()).request_fees)
        written = units.get("usd_per_1k_requests_by_search_size", {})
        assert {size: fee * 1000 for size, fee in fees.items()} == {
            size: Decimal(usd) * PUSD_PER_USD for size, usd in written.items()
        }
    assert spoken > 50


def test_a_price_says_which_source_it_comes_from_and_of_which_day(offers: dict[tuple[str, str], Offer]) -> None:
    for row in ROWS:
        offer = offers[row["provider"], row["upstream_id"]]
        chosen = row.get("price_source", row["sources"][0]["name"])
        dates = [source.get("as_of") for source in row["sources"] if source["name"] == chosen]
        name, _, date = offer.price_source.partition(", ")
        assert (name, date or None) == (chosen, dates[0])


@pytest.mark.parametrize(
    "wrong",
    [
        {"input_usd_per_mtok": "-1"},
        {"output_usd_per_mtok": "cheap"},
        {"price_windows": [{"utc": ["10h-11h"], "weekdays": [1]}]},
        {"price_windows": [{"utc": ["10:00"], "weekdays": [1]}]},
        {"price_windows": [{"utc": ["10:00-25:00"], "weekdays": [1]}]},
        {"price_changes": [{"from": "soon"}]},
        {"tiers": [{"above_tokens": "many"}]},
        {"sources": "none"},
    ],
)
def test_a_line_that_cannot_be_right_is_refused(wrong: dict[str, Any]) -> None:
    right = {"provider": "p", "model": "m", "upstream_id": "m", "kind": "chat", "status": "live"}
    assert parse_offer(json.dumps(right).encode()).price_source == ""
    with pytest.raises((ValueError, DecodeError, ArithmeticError)):
        parse_offer(json.dumps(right | wrong).encode())


def test_what_is_not_a_price_is_taken_as_it_is(offers: dict[tuple[str, str], Offer]) -> None:
    for row in ROWS:
        offer = offers[row["provider"], row["upstream_id"]]
        assert offer.model == row["model"]
        assert offer.kind == ("responses" if row.get("responses_only") else row["kind"])
        assert offer.variant == row.get("variant")
        assert offer.context_tokens == row.get("context_tokens")
        assert offer.usual_context_tokens == row.get("usual_context_tokens")
        assert offer.max_input_tokens == row.get("max_input_tokens")
        assert offer.max_output_tokens == row.get("max_output_tokens")
        assert offer.quantization == row.get("quantization")
        assert offer.deprecated_on == row.get("deprecated_on")
        assert offer.capabilities == (frozenset(row["capabilities"]) if "capabilities" in row else None)
        assert offer.lacks == frozenset(row.get("lacks", ()))
        assert offer.unsaid == frozenset(row.get("unsaid", ()))
        assert offer.rolling == row.get("rolling", False)
        assert not offer.declared


def test_no_field_of_a_row_is_left_out_but_those_nothing_is_priced_or_chosen_by() -> None:
    # A write to the cache for an hour has to be asked for in a way no client of ours can; images, characters and hours
    # of audio belong to endpoints that are not served.
    left_out = {"cache_write_1h_usd_per_mtok", "region", "snapshot"}
    assert {name for row in ROWS for name in row} == READ | PRICES.keys() | left_out


def test_a_row_of_the_first_file_hides_one_of_the_second_unless_it_knows_no_price() -> None:
    ids = Counter((row["provider"], row["upstream_id"]) for row in ROWS)
    twice = {key for key, count in ids.items() if count > 1}
    for row in ROWS:
        if (row["provider"], row["upstream_id"]) in twice and "genai" not in row["sources"][0]["name"]:
            assert not any(name in row for name in PRICES)


def row_of(**fields: Any) -> bytes:
    right = {"provider": "p", "model": "m", "upstream_id": "m", "kind": "chat", "status": "live"}
    return json.dumps(right | fields).encode()


ONE = {"name": "one", "as_of": "2026-01-02"}
TWO = {"name": "two", "as_of": None}


def test_a_second_opinion_gives_a_price_and_nothing_else() -> None:
    first = parse_offer(row_of(context_tokens=1000, capabilities=["tools"], sources=[ONE]))
    second = parse_offer(
        row_of(model="p:m", context_tokens=9, input_usd_per_mtok="1", output_usd_per_mtok="2", sources=[TWO])
    )
    both = with_second_opinion(first, second)
    assert (both.price, both.price_source) == (second.price, "two")
    assert (both.model, both.context_tokens, both.unconfirmed) == ("m", 1000, False)
    assert [both.source_of(name) for name in ("context_tokens", "capabilities", "price")] == [
        "one, 2026-01-02",
        "one, 2026-01-02",
        "two",
    ]
    assert with_second_opinion(second, first) is second
    priced = parse_offer(row_of(input_usd_per_mtok="3", sources=[ONE]))
    assert with_second_opinion(priced, second) is priced


def test_figures_that_are_no_prices_come_from_the_first_source(offers: dict[tuple[str, str], Offer]) -> None:
    apart = 0
    for row in ROWS:
        offer = offers[row["provider"], row["upstream_id"]]
        first = row["sources"][0]
        source = first["name"] if first["as_of"] is None else f"{first['name']}, {first['as_of']}"
        for name in ("context_tokens", "max_output_tokens", "capabilities", "lacks", "deprecated_on"):
            if name in row:
                assert offer.source_of(name) == source
                apart += source != offer.price_source
        taken = row.get("disagreement", {}).get("context_tokens", {})
        assert not taken or taken[first["name"]] == row["context_tokens"]
    assert apart > 20
    loaded = load_offers(EVERY)
    shared = [offer.sources for found in loaded.values() for offer in found if offer.sources]
    assert len({id(each) for each in shared}) == len(set(shared)) < len(shared)


@pytest.mark.parametrize(
    ("disagreement", "disputed"),
    [
        ({}, False),
        ({"context_tokens": {"one": 10, "two": 1000}}, False),
        ({"input_usd_per_mtok": {"one": "0.9", "two": "1"}}, False),
        ({"input_usd_per_mtok": {"one": "0.89", "two": "1"}}, True),
        ({"output_usd_per_mtok": {"one": "1", "two": "1.02"}, "cached_input_usd_per_mtok": {"a": "2", "b": "1"}}, True),
        ({"tiers": {"one": "none", "two": ">200000 6/22.5"}}, True),
    ],
)
def test_sources_more_than_ten_percent_apart_about_a_price_make_it_disputed(
    disagreement: dict[str, Any], disputed: bool
) -> None:
    offer = parse_offer(row_of(disagreement=disagreement))
    assert offer.disputed is disputed
    assert not offer.unconfirmed


def test_some_offers_of_the_catalogue_are_disputed(offers: dict[tuple[str, str], Offer]) -> None:
    disputed = {key for key, offer in offers.items() if offer.disputed}
    assert len(disputed) == 64
    assert ("deepinfra", "zai-org/GLM-5.2") in disputed
    assert disputed < {(row["provider"], row["upstream_id"]) for row in ROWS if "disagreement" in row}


def test_retired_and_unconfirmed_come_from_the_status(offers: dict[tuple[str, str], Offer]) -> None:
    statuses = Counter((offer.retired, offer.unconfirmed) for offer in offers.values())
    expected = Counter((row["status"] == "retired", row["status"] == "unconfirmed") for row in ROWS)
    assert statuses == expected
    assert set(statuses) == {(False, False), (True, False), (False, True)}


def test_a_model_of_the_responses_api_alone_is_no_chat_model(offers: dict[tuple[str, str], Offer]) -> None:
    alone = {(row["provider"], row["upstream_id"]) for row in ROWS if row.get("responses_only")}
    assert alone
    assert {key for key, offer in offers.items() if offer.kind == "responses"} == alone


def test_only_the_named_providers_are_loaded() -> None:
    loaded = load_offers({"deepinfra", "groq"})
    assert set(loaded) == {"deepinfra", "groq"}
    assert all(found for found in loaded.values())
    assert all(offer.provider == name for name, found in loaded.items() for offer in found)


def test_a_provider_the_catalogue_does_not_know_has_no_offers() -> None:
    assert load_offers(["nobody", "deep"]) == {"nobody": (), "deep": ()}
    assert load_offers([]) == {}


def test_the_order_of_the_file_is_kept() -> None:
    found = load_offers(["mistral"])["mistral"]
    assert [offer.upstream_id for offer in found] == [r["upstream_id"] for r in ROWS if r["provider"] == "mistral"]


def test_equal_sets_of_capabilities_are_one_object() -> None:
    found = load_offers(["openrouter"])["openrouter"]
    sets = [offer.capabilities for offer in found if offer.capabilities is not None]
    assert len({id(each) for each in sets}) == len(set(sets)) < len(sets)
