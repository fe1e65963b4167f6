"""The offers taken from genai-prices: what the tool writes from the package, and what it leaves out."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from genai_prices.data import providers
from genai_prices.types import ModelInfo, ModelPrice, TieredPrices, Usage

from headgate.catalog.cost import cost_pusd
from headgate.catalog.identity import load_identity
from headgate.catalog.offers import load_offers
from headgate.catalog.terms import standing
from headgate.providers.builtin import PROVIDERS
from headgate.types.deployment import Offer
from headgate.types.money import PUSD_PER_USD, Terms
from headgate.types.usage import Usage as OurUsage

ROOT = Path(__file__).parents[3]
DATA = resources.files("headgate.catalog").joinpath("data")
TEXT = DATA.joinpath("genai_prices.jsonl").read_bytes()
ROWS: list[dict[str, Any]] = [json.loads(line) for line in TEXT.splitlines()]
AS_OF = datetime(2026, 11, 9, 12, tzinfo=UTC)
THEIRS = {"moonshot": "moonshotai"}


def model_of(row: dict[str, Any]) -> ModelInfo:
    """The row there that this one comes from."""
    own, host = row["upstream_id"], ""
    provider = THEIRS.get(row["provider"], row["provider"])
    if provider == "huggingface":
        own, _, host = own.rpartition(":")
        provider = f"huggingface_{host}"
    (models,) = [source.models for source in providers if source.id == provider]
    (model,) = [model for model in models if model.id.lower() == own.lower()]
    return model


@pytest.fixture(scope="module")
def offers() -> dict[tuple[str, str], Offer]:
    loaded = load_offers({row["provider"] for row in ROWS})
    return {(offer.provider, offer.upstream_id): offer for found in loaded.values() for offer in found}


def test_the_file_is_what_the_tool_writes() -> None:
    tool = subprocess.run([sys.executable, "tools/genai_offers.py"], cwd=ROOT, capture_output=True, check=True)
    assert tool.stdout == TEXT
    counted = sum(int(line.split()[0]) for line in tool.stderr.splitlines())
    assert counted == sum(len(source.models) for source in providers), "every model is taken, or left out for a reason"


def test_a_provider_the_catalogue_has_nothing_of_has_offers() -> None:
    sold = Counter(row["provider"] for row in ROWS)
    assert set(sold) <= set(PROVIDERS)
    assert {"moonshot", "zai", "cloudflare", "huggingface"} <= set(sold)
    assert min(sold["moonshot"], sold["zai"], sold["cloudflare"]) > 10


def test_nothing_that_the_catalogue_has_with_a_price_is_there_again() -> None:
    known = {
        (row["provider"], row["upstream_id"]): row
        for row in map(json.loads, DATA.joinpath("offers.jsonl").read_bytes().splitlines())
    }
    for row in ROWS:
        first = known.get((row["provider"], row["upstream_id"]))
        assert first is None or not any(field.endswith("_usd_per_mtok") for field in first)


def test_one_source_alone_is_never_sure() -> None:
    for row in ROWS:
        assert row["status"] in {"unconfirmed", "retired"}
        assert (row["status"] == "retired") == bool(model_of(row).deprecated)
        (source,) = row["sources"]
        assert source["name"].startswith("genai-prices 0.2.3")
        assert "capabilities" not in row
        assert "lacks" not in row


def test_a_model_is_another_name_only_where_the_table_lists_the_id() -> None:
    identity = load_identity(None)
    merged = 0
    for row in ROWS:
        own = row["upstream_id"]
        if row["model"] == f"{row['provider']}:{own}":
            assert "variant" not in row
            continue
        merged += 1
        assert identity.meaning(identity.spelt(own) or "") == (row["model"], row.get("variant"))
        assert ":" not in row["model"]
    assert merged > 10
    assert {row["model"] for row in ROWS if row["upstream_id"] in {"glm-5", "kimi-k2"}} == {
        "zai:glm-5",
        "moonshot:kimi-k2",
    }


@pytest.mark.parametrize("prompt", [0, 1000, 33_000, 130_000, 300_000])
def test_a_request_costs_what_the_package_says(offers: dict[tuple[str, str], Offer], prompt: int) -> None:
    tiered = 0
    for row in ROWS:
        offer = offers[row["provider"], row["upstream_id"]]
        model = model_of(row)
        assert isinstance(model.prices, ModelPrice) or not row.get("price_changes")
        terms = offer.terms or Terms()
        price = standing(offer.price, terms, prompt, AS_OF.timestamp())
        cached = prompt // 4 if offer.price.cached_input_pusd_per_mtok is not None else 0
        answer = 100 if row["kind"] == "chat" else 0
        ours = cost_pusd(price, OurUsage(input=prompt - cached, cached_input=cached, output=answer))
        listed = model.get_prices(AS_OF)
        usage = Usage(input_tokens=prompt, cache_read_tokens=cached, output_tokens=answer)
        theirs = listed.calc_price(usage)["total_price"] * PUSD_PER_USD
        assert ours is not None
        assert abs(ours - theirs) <= 1, row["upstream_id"]
        tiered += any(isinstance(value, TieredPrices) for value in listed.__dict__.values())
    assert tiered > 5


def test_windows_are_the_packages(offers: dict[tuple[str, str], Offer]) -> None:
    known = 0
    for row in ROWS:
        offer = offers[row["provider"], row["upstream_id"]]
        assert offer.context_tokens in {None, model_of(row).context_window}
        known += offer.context_tokens is not None
        assert Decimal(row["input_usd_per_mtok"]) > 0
    assert known > 200
