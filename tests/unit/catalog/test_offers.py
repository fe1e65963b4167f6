"""The packaged offers, compared with the file they come from."""

from __future__ import annotations

import json
from collections import Counter
from decimal import Decimal
from importlib import resources
from typing import Any

import pytest

from headgate.catalog.offers import load_offers
from headgate.types.deployment import Offer
from headgate.types.money import PUSD_PER_USD

LINES = resources.files("headgate.catalog").joinpath("data/offers.jsonl").read_text("utf-8").splitlines()
ROWS: list[dict[str, Any]] = [json.loads(line) for line in LINES]
EVERY = sorted({row["provider"] for row in ROWS})
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


def test_what_is_not_a_price_is_taken_as_it_is(offers: dict[tuple[str, str], Offer]) -> None:
    for row in ROWS:
        offer = offers[row["provider"], row["upstream_id"]]
        assert offer.model == row["model"]
        assert offer.kind == ("responses" if row.get("responses_only") else row["kind"])
        assert offer.variant == row.get("variant")
        assert offer.context_tokens == row.get("context_tokens")
        assert offer.max_output_tokens == row.get("max_output_tokens")
        assert offer.quantization == row.get("quantization")
        assert offer.deprecated_on == row.get("deprecated_on")
        assert offer.capabilities == (frozenset(row["capabilities"]) if "capabilities" in row else None)
        assert not offer.declared


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
