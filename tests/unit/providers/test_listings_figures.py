"""Figures, dates and words of lists: what is taken, what is refused, and why."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headgate.providers.listings.deepinfra import tiers_of
from headgate.providers.listings.figures import (
    CENTS_PER_100M,
    CENTS_PER_TOKEN,
    PER_TOKEN,
    TEN_THOUSANDTHS_PER_MTOK,
    NoFigure,
    figure,
    times,
)
from headgate.providers.listings.reading import Fields, next_page
from headgate.providers.listings.words import capabilities_of, day_of, inputs_of, kind_of
from headgate.types.listing import Ask
from headgate.wire import json


@pytest.mark.parametrize(
    ("text", "exact"),
    [
        ("0.1", "0.1"),
        ("1.7999999999999998e-07", "0.00000018"),
        ("0.30000000000000004", "0.3"),
        ("1e-06", "0.000001"),
        ("2.50", "2.5"),
        ("5700", "5700"),
        ("-3", "-3"),
        ("123456789012345", "123456789012000"),
        ("1e3", "1000"),
        ("-0.0", "0"),
    ],
)
def test_a_number_is_what_is_written_without_the_noise_of_a_float(text: str, exact: str) -> None:
    assert format(figure(json.parse_exact(text.encode())), "f") == exact


@pytest.mark.parametrize(
    ("text", "exact"),
    [
        ("0", "0"),
        ("0.00000125", "0.00000125"),
        ("15", "15"),
        ("-0.5", "-0.5"),
        ("3.00", "3"),
        ("0.000000150000000000", "0.00000015"),
        ("123456789012", "123456789012"),
        ("1000000000000000", "1000000000000000"),
    ],
)
def test_a_plain_decimal_as_text_is_what_it_says(text: str, exact: str) -> None:
    assert figure(text) == Decimal(exact)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("1e-06", "float written as text"),
        ("1.5E+3", "float written as text"),
        ("-1e3", "float written as text"),
        ("0.00000017999999999999998", "float written as text"),
        ("1234567890123", "float written as text"),
        ("--1", "not a number"),
        ("+1", "not a number"),
        (" 1", "not a number"),
        ("1 ", "not a number"),
        ("1\n", "not a number"),
        ("1,5", "not a number"),
        ("$1", "not a number"),
        (".5", "not a number"),
        ("5.", "not a number"),
        ("", "not a number"),
        ("NaN", "not finite"),
        ("-Infinity", "not finite"),
        ("1_000", "not a number"),
        ("١", "not a number"),
        ("0." + "0" * 50, "not a number"),
        (True, "not a number"),
        (None, "not a number"),
        ([], "not a number"),
        ({}, "not a number"),
        (0.5, "not a number"),
        (10**30, "beyond any measure"),
        (Decimal("1e-30"), "beyond any measure"),
        (Decimal("1e999999"), "beyond any measure"),
    ],
)
def test_what_is_no_figure_is_refused_with_the_reason(value: Any, reason: str) -> None:
    with pytest.raises(NoFigure, match=f"^{reason}$"):
        figure(value)


def test_units_are_turned_into_dollars_for_a_million_tokens_exactly() -> None:
    assert times(Decimal("0.00000125"), PER_TOKEN) == Decimal("1.25")
    assert times(Decimal("0.00012"), CENTS_PER_TOKEN) == Decimal("1.2")
    assert times(Decimal(20000), CENTS_PER_100M) == Decimal(2)
    assert times(Decimal(5700), TEN_THOUSANDTHS_PER_MTOK) == Decimal("0.57")


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.decimals(min_value=0, max_value=1000, places=6))
def test_a_price_survives_a_float_at_the_provider(usd: Decimal) -> None:
    through_a_float = json.encode(float(usd) / 1_000_000)
    assert times(figure(json.parse_exact(through_a_float)), PER_TOKEN) == usd.quantize(Decimal("0.000001"))


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**20), max_value=10**20))
def test_a_figure_is_written_without_an_exponent_above_zero(value: Decimal) -> None:
    try:
        found = figure(value)
    except NoFigure:
        assert abs(value.adjusted()) >= 30
    else:
        exponent = found.as_tuple().exponent
        assert isinstance(exponent, int)
        assert exponent <= 0


@pytest.mark.parametrize(
    ("value", "day"),
    [
        ("2027-03-31", "2027-03-31"),
        ("2026-12-31T12:00:00Z", "2026-12-31"),
        ("2026-12-31 12:00:00", "2026-12-31"),
        (1798761600, "2027-01-01"),
        (1798761599, "2026-12-31"),
        (1798761600000, "2027-01-01"),
        (Decimal("1798761599.5"), "2026-12-31"),
        ("2027-02-30", None),
        ("2027-3-31", None),
        ("20270331", None),
        ("2027/03/31", None),
        ("2027-03-31x", None),
        ("soon", None),
        ("", None),
        ("1970-01-01", None),
        (5, None),
        (0, None),
        (-1, None),
        (10**30, None),
        (Decimal("1e400"), None),
        (True, None),
        (None, None),
    ],
)
def test_a_date_is_a_day_that_can_be_meant(value: Any, day: str | None) -> None:
    assert day_of(value) == day


def test_words_are_the_catalogues_whatever_a_list_calls_them() -> None:
    assert capabilities_of(["Function-Calling", "structured-outputs", "json", "tool-calling", "web", ""]) == {
        "tools",
        "json_schema",
        "json_object",
    }
    assert inputs_of(["text", "IMAGE", "audio", "file", "video"]) == {"vision", "audio_in", "pdf"}
    assert kind_of(["image", "text"]) == "chat"
    assert kind_of(["embeddings"]) == "embedding"
    assert kind_of(["video"]) is None


def test_a_field_that_cannot_be_read_is_told_with_its_place() -> None:
    problems: list[str] = []
    fields = Fields({"a": {"b": "1e-6", "c": [{"d": 5}], "n": Decimal("1e500")}, "w": ["x", 5, "", " y"]}, problems)
    inner = fields.inner("a")
    assert inner.price("b", PER_TOKEN) is None
    assert inner.tokens("n", "missing") is None
    assert [each.text("d") for each in inner.objects("c")] == [None]
    assert fields.words("w") == ("x",)
    assert problems == ["a.b: float written as text", "a.n: beyond any measure", "a.c.d: not a text"]


def test_a_price_of_0_or_less_is_given_as_it_stands_unless_it_stands_for_none() -> None:
    problems: list[str] = []
    fields = Fields({"a": 0, "b": "0.0", "c": "-0.000001", "d": "0.000001"}, problems)
    names = tuple((name, name) for name in "abcde")
    assert dict(fields.prices(names, PER_TOKEN)) == {"a": 0, "b": 0, "c": -1, "d": 1}
    assert dict(fields.prices(names, PER_TOKEN, unset=Decimal(0))) == {"c": -1, "d": 1}
    assert problems == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "$1 in $2 out",
        "$1 in $2 out <= 32K",
        "$1 in $2 out <= 32K,$2 in $4 out",
        "$1 in $2 out <= 32K; $2 in $4 out",
        "$1 in $2 out < 32K, $2 in $4 out > 32K",
        "$1 in $2 out <= 32K, $2 in $4 out > 64K",
        "$1 in $2 out <= 32K, $2 in $4 out <= 16K",
        "$1 in $2 out <= 32K, $2 in $4 out <= 32K, $3 in $6 out",
        "$1 in $2 out <= 0K, $2 in $4 out",
        "$1 in $2 out <= 32, $2 in $4 out",
        "$1 in $2 out <= 0.0001K, $2 in $4 out",
        "$1 in $2 out, $2 in $4 out > 32K",
        "$1 in $2 out <= 32K, $2 in $4 out > 32K, ",
        "$-1 in $2 out <= 32K, $2 in $4 out",
        "$1 out $2 in <= 32K, $2 out $4 in",
        "$1e-3 in $2 out <= 32K, $2 in $4 out",
        "$1 in $2 out <= 32K, $2 in $4 out per image",
    ],
)
def test_tiers_in_any_other_words_are_not_guessed_at(text: str) -> None:
    assert tiers_of(text) is None


def test_a_row_of_tiers_may_end_openly_at_its_bound_or_at_the_window() -> None:
    for end in ("", " > 0.5M", " <= 1M"):
        tiers = tiers_of(f"$1 in $2 out <= 0.5M, $2 in $4 out{end}")
        assert tiers is not None
        assert [tier.above_tokens for tier in tiers] == [0, 500_000]


def test_a_cursor_becomes_part_of_the_address_and_nothing_more() -> None:
    ask = Ask("//v1/models?limit=5&after=a")
    assert next_page(ask, "after", "b&limit=9#/../x") == (Ask("//v1/models?limit=5&after=b%26limit%3D9%23%2F..%2Fx"),)
    assert next_page(Ask("/models"), "after", "b") == (Ask("/models?after=b"),)
    for none in ("a", "", None, 5, "x" * 600, "a\r\nhost: b"):
        assert next_page(ask, "after", none) == ()
