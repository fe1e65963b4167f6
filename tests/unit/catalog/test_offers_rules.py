"""Rules every row of the catalogue keeps, whoever it comes from: what breaks one is a mistake of the source."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from datetime import date, time
from decimal import Decimal
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from headgate.catalog.offers import load_offers
from tests.unit.catalog.names import traits

ROOT = Path(__file__).parents[3]

Row = dict[str, Any]

DATA = resources.files("headgate.catalog").joinpath("data")
ROWS: list[Row] = [
    json.loads(line)
    for name in ("offers.jsonl", "genai_prices.jsonl")
    for line in DATA.joinpath(name).read_bytes().splitlines()
]

PRICE = "_usd_per_mtok"
PLAIN_DECIMAL = re.compile(r"(?:0|[1-9]\d*)(?:\.\d*[1-9])?")
KINDS = {"chat", "embedding", "rerank", "image", "audio_in", "audio_out"}
CAPABILITIES = {
    *("tools", "parallel_tools", "json_object", "json_schema", "vision", "audio_in", "pdf", "reasoning"),
    *("prefill", "logprobs", "prompt_cache", "streaming"),
}
LACKS = CAPABILITIES | {"sampling_params", "forced_tool_choice", "system_messages", "tool_choice"}
DEAREST = {"chat": (200, 700), "embedding": (5, 5), "rerank": (5, 5)}
"""USD for a million tokens of input and of output; anything dearer is a price for another number of tokens."""


def name(row: Row) -> str:
    return f"{row['provider']}/{row['upstream_id']}"


def breaking(rows: Iterator[Row]) -> list[str]:
    return [name(row) for row in rows]


def parts(row: Row) -> Iterator[Row]:
    """Whatever has prices: the row, its tiers, windows and changes."""
    yield row
    for list_name in ("tiers", "price_windows", "price_changes"):
        yield from row.get(list_name, ())


def prices(part: Row) -> dict[str, Decimal]:
    return {key.removesuffix(PRICE): Decimal(value) for key, value in part.items() if key.endswith(PRICE)}


def written(row: Row) -> Iterator[str]:
    """Every amount of money in a row, as it is spelt."""
    for part in parts(row):
        yield from (value for key, value in part.items() if key.endswith(PRICE))
    for value in row.get("unit_prices", {}).values():
        yield from value.values() if isinstance(value, dict) else [value]


def test_a_row_has_what_makes_it_one_and_no_id_is_sold_twice_by_one_provider() -> None:
    seen = set()
    for row in ROWS:
        for field in ("model", "provider", "upstream_id"):
            assert row[field] == row[field].strip() != ""
        assert row["kind"] in KINDS
        assert row["status"] in {"live", "unconfirmed", "retired"}
        assert name(row) not in seen
        seen.add(name(row))


def test_money_is_spelt_as_plain_decimals_and_nothing_is_free_or_negative() -> None:
    for row in ROWS:
        for value in written(row):
            assert isinstance(value, str), name(row)
            assert PLAIN_DECIMAL.fullmatch(value), name(row)
            assert 0 < Decimal(value) <= 2000, name(row)


def test_no_price_is_the_rest_of_a_division() -> None:
    assert (
        breaking(row for row in ROWS if any(len(value.replace(".", "").lstrip("0")) > 6 for value in written(row)))
        == []
    )


def test_prices_are_for_a_million_tokens() -> None:
    for row in ROWS:
        most_in, most_out = DEAREST.get(row["kind"], (50, 200))
        for part in parts(row):
            for side, usd in prices(part).items():
                assert usd >= Decimal("0.001") or side == "cached_input", name(row)
                assert usd <= (most_out if side == "output" else most_in * 3 if "write" in side else most_in), name(row)


def test_output_costs_about_as_much_as_input_or_more() -> None:
    for row in ROWS:
        for part in (row, *row.get("price_windows", ())):
            cost = prices(part)
            if row["kind"] == "chat" and {"input", "output"} <= cost.keys():
                assert cost["input"] * Decimal("0.9") <= cost["output"] <= cost["input"] * 60, name(row)


def test_what_comes_from_the_cache_is_cheaper() -> None:
    for row in ROWS:
        for part in parts(row):
            cost = prices(part)
            assert cost.get("cached_input", 0) < cost.get("input", Decimal("Infinity")), name(row)


def test_no_seller_asks_one_price_for_models_of_every_size() -> None:
    sizes: dict[tuple[str, ...], set[float]] = defaultdict(set)
    for row in ROWS:
        host = row["upstream_id"].rpartition(":")[2] if ":" in row["upstream_id"] else ""
        cost = (row.get("input" + PRICE, ""), row.get("output" + PRICE, ""))
        weights = [trait[1][:-1] for trait in traits(row["upstream_id"]) if trait[0] == "size" and trait[1][-1] == "b"]
        numbers = [float(weight) for weight in weights if weight.replace(".", "").isdigit()]
        if row["kind"] == "chat" and numbers and cost[0]:
            sizes[row["provider"], host, *cost].add(max(numbers))
    assert len(sizes) > 100
    assert {key: found for key, found in sizes.items() if len(found) > 4 and max(found) > 20 * min(found)} == {}


def test_a_price_by_size_of_the_model_has_a_page_that_names_it() -> None:
    buckets = {Decimal(usd) for usd in ("0.1", "0.2", "0.5", "0.9", "1.2")}
    for row in ROWS:
        cost = prices(row)
        if row["provider"] == "fireworks" and row["kind"] == "chat" and cost.get("input") == cost.get("output"):
            assert cost["input"] not in buckets or row["status"] != "live" or row["sources"][0].get("cites"), name(row)


def test_only_text_that_is_written_has_an_output_price() -> None:
    assert breaking(row for row in ROWS if row["kind"] in {"embedding", "rerank"} and "output" in prices(row)) == []


def test_windows_hold_a_prompt_and_an_answer() -> None:
    for row in ROWS:
        window = row.get("context_tokens", 20_000_000)
        assert 256 <= window <= 20_000_000, name(row)
        assert 256 <= row.get("max_input_tokens", 256) <= window, name(row)
        assert 1 <= row.get("max_output_tokens", 1) < window, name(row)


def test_tiers_rise_and_lie_within_the_window() -> None:
    for row in ROWS:
        tiers = row.get("tiers", [])
        starts = [tier["above_tokens"] for tier in tiers]
        assert starts == sorted(set(starts)), name(row)
        assert all(0 < start < row.get("context_tokens", 20_000_000) for start in starts), name(row)
        dear = [prices(row).get("input", Decimal(0)), *(prices(tier)["input"] for tier in tiers)]
        assert dear == sorted(dear), name(row)


def test_windows_and_changes_have_hours_and_days_that_exist() -> None:
    for row in ROWS:
        for window in row.get("price_windows", ()):
            assert window["weekdays"]
            assert set(window["weekdays"]) <= set(range(1, 8))
            assert [time.fromisoformat(clock) for span in window["utc"] for clock in span.split("-")]
        assert all(date.fromisoformat(change["from"]) > date(2026, 11, 9) for change in row.get("price_changes", ()))


def test_ids_of_fireworks_routes_are_routes() -> None:
    ids = [row["upstream_id"] for row in ROWS if row["provider"] == "fireworks"]
    routed = [own for own in ids if re.search(r"-us$|-spot$|/spot-|-fast$|-ultrafast$", own)]
    assert len(routed) > 5
    assert all(own.startswith("accounts/fireworks/routers/") for own in routed)


def test_capabilities_are_words_of_the_list_and_nothing_is_claimed_and_denied() -> None:
    for row in ROWS:
        for field, words in (("capabilities", CAPABILITIES), ("lacks", LACKS)):
            found = row.get(field, [])
            assert found == sorted(set(found) & words), name(row)
            assert field not in row or found, name(row)
        assert not set(row.get("capabilities", ())) & set(row.get("lacks", ())), name(row)


def test_a_model_whose_name_says_that_it_does_not_think_is_not_said_to() -> None:
    plain = re.compile(r"non-reasoning|qwen3.*(?:-instruct|coder)")
    claimed = [row for row in ROWS if "reasoning" in row.get("capabilities", ())]
    assert len(claimed) > 500
    assert breaking(row for row in claimed if plain.search(f"{row['model']} {row['upstream_id']}".lower())) == []


def test_audio_is_priced_by_the_hour_not_by_the_second() -> None:
    hourly = [row for row in ROWS if "usd_per_audio_hour" in row.get("unit_prices", {})]
    assert len(hourly) > 20
    for row in hourly:
        assert Decimal("0.03") <= Decimal(row["unit_prices"]["usd_per_audio_hour"]) <= 5, name(row)
        assert "whisper" not in row["upstream_id"] or not prices(row), name(row)


def test_sources_are_named_and_what_they_disagree_about_is_theirs() -> None:
    for row in ROWS:
        sources = {source["name"]: source["as_of"] for source in row["sources"]}
        assert sources, name(row)
        assert all(day is None or date.fromisoformat(day) for day in sources.values())
        assert row.get("price_source", next(iter(sources))) in sources, name(row)
        for field, values in row.get("disagreement", {}).items():
            assert len(values) > 1, name(row)
            assert values.keys() <= sources.keys(), name(row)
            if field != "tiers":
                figures = [Decimal(value) for value in values.values()]
                assert max(figures) * Decimal("0.99") > min(figures), name(row)
        newest = max((day for day in sources.values() if day), default="")
        gone = row.get("deprecated_on", "9999-12-31")
        assert not (newest and gone <= newest and row["status"] == "live"), name(row)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_row_loads_and_every_known_price_survives(kind: str) -> None:
    loaded = {
        (offer.provider, offer.upstream_id): offer
        for found in load_offers({row["provider"] for row in ROWS}).values()
        for offer in found
    }
    dropped = [
        name(row)
        for row in ROWS
        if row["kind"] == kind
        and "input" in prices(row)
        and loaded[row["provider"], row["upstream_id"]].price.input_pusd_per_mtok is None
    ]
    assert dropped == []


def compared(lines: bytes, folder: Path) -> bytes:
    """What the tool makes of a file."""
    file = folder / "offers.jsonl"
    file.write_bytes(lines)
    subprocess.run([sys.executable, "tools/compare_offers.py", file], cwd=ROOT, check=True, capture_output=True)
    return file.read_bytes()


def test_what_is_said_of_offers_of_one_model_was_compared(tmp_path: Path) -> None:
    packaged = resources.files("headgate.catalog").joinpath("data/offers.jsonl").read_bytes()
    assert compared(packaged, tmp_path) == packaged, "run it: python tools/compare_offers.py"
    assert b'"unsaid"' in packaged
    assert all(not set(row.get("unsaid", ())) & {*row.get("capabilities", ()), *row.get("lacks", ())} for row in ROWS)


def test_what_a_description_leaves_out_is_denied_only_where_no_other_offer_of_the_model_has_it(tmp_path: Path) -> None:
    def found(field: str, *rows: dict[str, Any]) -> list[list[str] | None]:
        lines = [{"model": "m", "kind": "chat", **row, "status": "live"} for row in rows]
        data = compared("".join(json.dumps(line) + "\n" for line in lines).encode(), tmp_path)
        return [json.loads(line).get(field) for line in data.splitlines()]

    silent, described = {"capabilities": ["streaming"]}, {"capabilities": ["streaming", "tools"]}
    denying, seeing = {**described, "lacks": ["vision"]}, {"capabilities": ["vision"]}
    assert found("unsaid", described, seeing) == [["vision"], ["tools"]]
    assert found("unsaid", described, denying) == [None, None]
    assert found("lacks", silent, denying) == [["vision"], ["vision"]]
    assert found("lacks", silent, denying, seeing) == [None, ["vision"], None], "who knows better says nothing"


def test_where_a_window_is_not_known_the_largest_of_the_same_model_stands_beside_it(tmp_path: Path) -> None:
    rows = [
        {"model": "m", "kind": "chat", "status": "live"},
        {"model": "m", "kind": "chat", "context_tokens": 9, "status": "live"},
        {"model": "m", "kind": "chat", "context_tokens": 7, "status": "live"},
        {"model": "other", "kind": "chat", "status": "live"},
        {"model": "m", "kind": "embedding", "status": "live"},
    ]
    data = compared("".join(json.dumps(row) + "\n" for row in rows).encode(), tmp_path)
    found = [json.loads(line).get("usual_context_tokens") for line in data.splitlines()]
    assert found == [9, None, None, None, None]
    assert compared(data, tmp_path) == data
