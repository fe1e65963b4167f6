"""Entries as export objects and as lines of CSV."""

from __future__ import annotations

import csv
import io
import json

import msgspec
import pytest

from headgate.ledger.report import COLUMNS, csv_header, csv_line, export_object, json_line, rfc3339
from headgate.types.entry import Outcome
from headgate.types.usage import Usage
from tests.unit.ledger.entries import AT_US, attempt, entry


def cells(line: str) -> dict[str, str]:
    [row] = csv.reader(io.StringIO(line))
    return dict(zip(COLUMNS, row, strict=True))


def test_the_object_of_a_request_says_everything_that_is_known() -> None:
    used = Usage(input=1200, output=200, reasoning=30, service_tier="flex")
    one = entry(
        "req_1", attempts=(attempt(result="stalled", pusd=None, usage=None), attempt(usage=used, provider="two"))
    )
    assert json.loads(json_line(one)) == {
        "request_id": "req_1",
        "at": "2024-10-04T01:00:00.000000Z",
        "workspace": "default",
        "key": "dev",
        "key_id": "k_dev",
        "operation": "chat",
        "model": "fast",
        "provider": "two",
        "upstream_model": "some-model",
        "stream": True,
        "status": 200,
        "outcome": "answered",
        "error": None,
        "usage": {
            "input": 1200,
            "cached_input": 0,
            "cache_write": 0,
            "audio_input": 0,
            "output": 200,
            "reasoning": 30,
            "audio_output": 0,
            "prompt_tokens": 1200,
            "completion_tokens": 230,
            "total_tokens": 1430,
            "estimated": False,
        },
        "plan": {
            "policy": "balanced",
            "candidates": [
                {
                    "deployment": "one/some-model",
                    "provider": "one",
                    "upstream_id": "some-model",
                    "expected_cost_pusd": 30_900_000,
                    "expected_time_s": 1.25,
                    "health": "healthy",
                },
                {
                    "deployment": "two/some-model",
                    "provider": "two",
                    "upstream_id": "some-model",
                    "expected_cost_pusd": None,
                    "expected_time_s": None,
                    "health": "unknown",
                },
            ],
            "dropped": [{"deployment": "three/some-model", "reason": "does not do images"}],
        },
        "cost_pusd": 30_900_000,
        "cost_usd": "0.0000309",
        "charged_pusd": 30_900_000,
        "done_ms": 1600.0,
        "attempts": [
            {
                "number": 1,
                "deployment": "one/some-model",
                "provider": "one",
                "model": "some-model",
                "credential": "default",
                "result": "stalled",
                "status": 503,
                "started_ms": 0.15,
                "connected_ms": 9.0,
                "first_token_ms": 300.0,
                "done_ms": 1500.0,
                "usage": None,
                "cost_pusd": None,
                "cost_usd": None,
                "cost_source": "unknown",
                "computed_pusd": None,
                "reported_pusd": None,
                "disagree": False,
                "service_tier": None,
                "price": None,
                "price_source": None,
            },
            {
                "number": 2,
                "deployment": "two/some-model",
                "provider": "two",
                "model": "some-model",
                "credential": "default",
                "result": "success",
                "status": 200,
                "started_ms": 0.15,
                "connected_ms": 9.0,
                "first_token_ms": 300.0,
                "done_ms": 1500.0,
                "usage": {
                    "input": 1200,
                    "cached_input": 0,
                    "cache_write": 0,
                    "audio_input": 0,
                    "output": 200,
                    "reasoning": 30,
                    "audio_output": 0,
                    "prompt_tokens": 1200,
                    "completion_tokens": 230,
                    "total_tokens": 1430,
                    "estimated": False,
                },
                "cost_pusd": 30_900_000,
                "cost_usd": "0.0000309",
                "cost_source": "computed",
                "computed_pusd": 30_900_000,
                "reported_pusd": None,
                "disagree": False,
                "service_tier": "flex",
                "price": {"input_usd_per_mtok": "0.02", "output_usd_per_mtok": "0.03"},
                "price_source": "catalog 2026-11-01",
            },
        ],
    }


def test_a_line_of_csv_has_a_cell_for_every_column_of_the_header() -> None:
    row = cells(csv_line(entry("req_1")))
    assert next(csv.reader(io.StringIO(csv_header()))) == list(COLUMNS)
    assert row["request_id"] == "req_1"
    assert (row["prompt_tokens"], row["completion_tokens"], row["estimated"]) == ("1200", "230", "false")
    assert (row["cost_pusd"], row["cost_usd"], row["error"]) == ("30900000", "0.0000309", "")
    assert json.loads(row["attempts"]) == json.loads(json_line(entry("req_1")))["attempts"]
    assert COLUMNS[-1] == "attempts"


def test_what_is_not_known_is_empty_in_csv_and_null_in_json() -> None:
    refused = entry("req_1", outcome=Outcome.REFUSED, attempts=(), error="budget_exceeded")
    row = cells(csv_line(refused))
    assert (row["input"], row["total_tokens"], row["cost_pusd"], row["cost_usd"]) == ("", "", "", "")
    assert (row["error"], row["attempts"]) == ("budget_exceeded", "[]")
    assert export_object(refused)["usage"] is None


@pytest.mark.parametrize(
    "name", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =cmd|' /C calc'!A0", '=1\n2,"3']
)
def test_no_cell_of_csv_becomes_a_formula_in_a_spreadsheet(name: str) -> None:
    row = cells(csv_line(entry("req_1", model=name, key=name)))
    assert row["model"] == row["key"] == "'" + name
    assert row["cost_pusd"] == "30900000"


def test_an_innocent_name_is_left_as_it_is() -> None:
    name = 'it\'s a=b, c-d, "e@f"\nand more'
    assert cells(csv_line(entry("req_1", model=name)))["model"] == name


def test_times_are_written_as_rfc_3339_to_the_microsecond() -> None:
    assert rfc3339(AT_US + 1) == "2024-10-04T01:00:00.000001Z"


def test_every_field_of_an_entry_is_in_its_object() -> None:
    shown = set(export_object(entry("req_1")))
    renamed = {"id": "request_id", "at_us": "at", "done_us": "done_ms"}
    kept = {renamed.get(name, name) for name in msgspec.structs.asdict(entry("req_1"))}
    assert kept - shown == {"scopes"}
