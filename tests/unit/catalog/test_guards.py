"""What is believed of a provider's list, and what is refused with which reason."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from headgate.catalog.guards import (
    Judged,
    Known,
    Reason,
    is_sound,
    judge,
)
from headgate.catalog.market import Market
from headgate.types.listing import ListedModel, ListedTier
from headgate.types.money import Terms, Tier
from tests.unit.catalog.listed import CACHED, INPUT, OUTPUT, listed, offer, price, usd


def reasons(judged: Judged) -> dict[str, Reason]:
    return {one.figure: one.reason for one in judged.refusals}


def prices(judged: Judged) -> dict[str, str]:
    (model,) = judged.models
    return {figure: str(value) for figure, value in model.prices}


BASE = {INPUT: "1", OUTPUT: "2"}
FIGURES_REFUSED: dict[str, tuple[dict[str, Any], str, Reason]] = {
    "negative": ({"prices": usd(input="-1", output="2")}, INPUT, Reason.NEGATIVE),
    "a NaN": ({"prices": usd(input="NaN", output="2")}, INPUT, Reason.NOT_FINITE),
    "a NaN that signals": ({"prices": usd(input="sNaN", output="2")}, INPUT, Reason.NOT_FINITE),
    "endless": ({"prices": usd(input="1", output="Infinity")}, OUTPUT, Reason.NOT_FINITE),
    "0": ({"prices": usd(input="0", output="2")}, INPUT, Reason.ZERO),
    "a minus before 0": ({"prices": usd(input="-0", output="2")}, INPUT, Reason.ZERO),
    "a price for one token": ({"prices": usd(input="0.000001", output="0.000002")}, INPUT, Reason.BELOW_FLOOR),
    "a million times too much": ({"prices": usd(input="1000000", output="2")}, INPUT, Reason.ABOVE_CEILING),
    "an exponent without end": ({"prices": usd(input="1e999999", output="2")}, INPUT, Reason.ABOVE_CEILING),
    "dear output": ({"prices": usd(input="1", output="701")}, OUTPUT, Reason.ABOVE_CEILING),
    "a dear embedding": ({"kind": "embedding", "prices": usd(input="5.1")}, INPUT, Reason.ABOVE_CEILING),
    "dear speech": ({"kind": "audio_out", "prices": usd(input="51", output="60")}, INPUT, Reason.ABOVE_CEILING),
    "a dear write": (
        {"prices": usd(input="1", output="2", cache_write="601")},
        "cache_write_usd_per_mtok",
        Reason.ABOVE_CEILING,
    ),
    "cheap output": ({"prices": usd(input="1", output="0.89")}, OUTPUT, Reason.OUTPUT_BELOW_INPUT),
    "a cache that saves nothing": (
        {"prices": usd(input="1", output="2", cached_input="1")},
        CACHED,
        Reason.CACHED_NOT_BELOW_INPUT,
    ),
    "output of an embedding": (
        {"kind": "embedding", "prices": usd(input="1", output="2")},
        OUTPUT,
        Reason.OUTPUT_ON_EMBEDDING,
    ),
    "a price of something else": (
        {"prices": usd(input="1", output="2", image="3")},
        "image_usd_per_mtok",
        Reason.UNKNOWN_FIGURE,
    ),
    "a small window": ({"context_tokens": 255}, "context_tokens", Reason.WINDOW_OUT_OF_RANGE),
    "a negative window": ({"context_tokens": -1}, "context_tokens", Reason.WINDOW_OUT_OF_RANGE),
    "a large window": ({"context_tokens": 20_000_001}, "context_tokens", Reason.WINDOW_OUT_OF_RANGE),
    "an answer of nothing": ({"max_output_tokens": 0}, "max_output_tokens", Reason.WINDOW_OUT_OF_RANGE),
    "an answer that fills the window": (
        {"context_tokens": 1000, "max_output_tokens": 1000},
        "max_output_tokens",
        Reason.CAP_NOT_BELOW_WINDOW,
    ),
    "a prompt beyond the window": (
        {"context_tokens": 1000, "max_input_tokens": 1001},
        "max_input_tokens",
        Reason.CAP_NOT_BELOW_WINDOW,
    ),
    "no date": ({"retires_on": "soon"}, "retires_on", Reason.BAD_DATE),
    "a date of long ago": ({"retires_on": "0001-01-01"}, "retires_on", Reason.BAD_DATE),
    "a date in another shape": ({"retires_on": "20261126"}, "retires_on", Reason.BAD_DATE),
    "a name with a line break": ({"quantization": "fp\n8"}, "quantization", Reason.BAD_WORD),
    "what the reader could not read": ({"problems": ("full: in words that are not known",)}, "full", Reason.UNREADABLE),
    "what the reader says without a place": ({"problems": ("odd",)}, "", Reason.UNREADABLE),
    "no number": ({"problems": ("pricing.input: not a number",)}, "pricing.input", Reason.NOT_A_NUMBER),
}


@pytest.mark.parametrize("name", FIGURES_REFUSED)
def test_a_figure_that_makes_no_sense_is_refused_with_its_reason_and_the_model_stays(name: str) -> None:
    fields, figure, reason = FIGURES_REFUSED[name]
    judged = judge([listed(**fields)], Known())
    assert reasons(judged)[figure] is reason
    (model,) = judged.models
    assert figure not in dict(model.prices)
    assert not getattr(model, figure, None)
    assert all(one.words.isprintable() for one in judged.refusals)
    assert is_sound(model)


def test_a_list_without_a_fault_is_taken_as_it_is() -> None:
    model = ListedModel(
        id="lab/model-1:free",
        kind="chat",
        prices=usd(input="0.15", output="0.6", cached_input="0.0004", cache_write="0.2"),
        tiers=(ListedTier(200_000, usd(input="0.3", output="1.2")),),
        context_tokens=1_000_000,
        max_input_tokens=900_000,
        max_output_tokens=64_000,
        quantization="fp8",
        retires_on="2027-01-31",
        aliases=("lab/model",),
    )
    judged = judge([model], Known())
    assert judged.models == (model,)
    assert judged.refusals == ()


def test_half_of_a_base_price_is_not_used() -> None:
    judged = judge([listed(prices=usd(input="-1", output="2", cached_input="0.1"))], Known())
    assert prices(judged) == {}
    assert judged.carried == frozenset()


def test_a_cache_that_saves_nothing_takes_nothing_else_with_it() -> None:
    assert prices(judge([listed(prices=usd(input="1", output="2", cached_input="3"))], Known())) == BASE


def test_0_is_refused_by_name_and_the_last_good_price_stays() -> None:
    known = Known(last={"m": listed(prices=usd(input="1", output="2", cached_input="0.1"))})
    for side, figure in (("input", INPUT), ("output", OUTPUT)):
        judged = judge([listed(prices=usd(**{"input": "1", "output": "2"} | {side: "0"}))], known)
        assert reasons(judged) == {figure: Reason.ZERO}
        assert prices(judged) == BASE | {CACHED: "0.1"}
        assert judged.carried == {"m"}


def test_a_refused_figure_beside_a_price_that_is_the_same_stays_and_beside_another_is_unknown() -> None:
    known = Known(last={"m": listed(prices=usd(input="1", output="2", cached_input="0.1"))})
    same = judge([listed(prices=usd(input="1", output="2", cached_input="0"))], known)
    assert reasons(same) == {CACHED: Reason.ZERO}
    assert prices(same) == BASE | {CACHED: "0.1"}
    assert same.carried == {"m"}
    other = judge([listed(prices=usd(input="1.1", output="2", cached_input="0"))], known)
    assert reasons(other) == {CACHED: Reason.ZERO}
    assert prices(other) == {INPUT: "1.1", OUTPUT: "2"}
    assert other.carried == frozenset()


def test_what_stays_must_be_a_price_of_the_kind_that_the_model_is_now() -> None:
    last = listed(prices=usd(input="1", output="2", cached_input="0.1", reasoning="6"))
    now = listed(kind="embedding", prices=usd(input="1", output="2", cached_input="0.1", reasoning="6"))
    assert prices(judge([now], Known(last={"m": last}))) == {INPUT: "1", CACHED: "0.1"}


def test_0_for_what_nobody_had_a_price_of_is_nothing_to_speak_of() -> None:
    tier = ListedTier(200_000, usd(input="2", output="4", cached_input="0"))
    judged = judge([listed(prices=usd(input="1", output="2", cached_input="0", image="0"), tiers=(tier,))], Known())
    assert judged.refusals == ()
    assert prices(judged) == BASE
    assert judged.models[0].tiers == (ListedTier(200_000, usd(input="2", output="4")),)


def test_a_refused_price_stays_as_the_last_good_copy_had_it_as_a_whole() -> None:
    last = listed(input="1", output="2")
    judged = judge([listed(input="21", output="4")], Known(last={"m": last}))
    assert reasons(judged) == {INPUT: Reason.OUTLIER}
    assert prices(judged) == BASE
    assert judged.carried == {"m"}
    assert prices(judge([listed(input="20", output="40")], Known(last={"m": last}))) == {INPUT: "20", OUTPUT: "40"}


def test_a_price_is_compared_with_the_catalogue_where_no_copy_has_one() -> None:
    known = Known(offers={"m": offer(input="1", output="2")})
    judged = judge([listed(input="0.049", output="2")], known)
    assert reasons(judged) == {INPUT: Reason.OUTLIER}
    assert prices(judged) == {}
    later = Known(offers=known.offers, last={"m": listed(input="0.06", output="0.1")})
    assert prices(judge([listed(input="0.049", output="0.1")], later)) == {INPUT: "0.049", OUTPUT: "0.1"}


def test_a_price_far_off_what_three_others_ask_is_refused() -> None:
    others = [
        offer(input=cost, output="2", provider=name, model="lab/m") for name, cost in zip("abc", "123", strict=True)
    ]
    for sellers, refused in ((others, {INPUT: Reason.OUTLIER}), (others[:2], {})):
        known = Known(provider="acme", offers={"m": offer(input=None, output=None)}, market=Market(sellers))
        assert reasons(judge([listed(input="0.019", output="2")], known)) == refused
        assert reasons(judge([listed(input="0.021", output="2")], known)) == {}


def test_the_market_counts_each_other_provider_once_and_not_what_is_no_longer_sold() -> None:
    sellers = [
        offer(provider="a", model="x", input="1"),
        offer(provider="a", model="x", input="9"),
        offer(provider="b", model="x", input="3"),
        offer(provider="c", model="x", input="5", retired=True),
        offer(provider="d", model="x", input="7"),
        offer(provider="acme", model="x", input="100", output="200"),
    ]
    assert Market(sellers).medians("x", "acme") == {INPUT: Decimal(3), OUTPUT: Decimal(2)}
    assert Market(sellers).medians("x", "a") == {INPUT: Decimal(7), OUTPUT: Decimal(2)}
    assert Market(sellers[:3]).medians("x", "acme") == {}


def test_a_price_that_could_not_be_read_stays_as_it_was_and_one_that_is_not_said_does_not() -> None:
    known = Known(last={"m": listed(input="1", output="2")})
    unreadable = listed(prices=usd(output="2"), problems=("pricing.prompt: a float written as text",))
    judged = judge([unreadable], known)
    assert prices(judged) == BASE
    assert judged.carried == {"m"}
    assert prices(judge([listed(prices=usd(output="2"))], known)) == {OUTPUT: "2"}
    other = listed(prices=usd(input="3", output="4"), problems=("context: is no number",))
    assert prices(judge([other], known)) == {INPUT: "3", OUTPUT: "4"}


TIERS_REFUSED = {
    "out of order": (ListedTier(200_000, usd(input="2")), ListedTier(128_000, usd(input="3"))),
    "twice": (ListedTier(200_000, usd(input="2")), ListedTier(200_000, usd(input="3"))),
    "from nothing on": (ListedTier(0, usd(input="2")),),
    "beyond any prompt": (ListedTier(20_000_001, usd(input="2")),),
    "far off its base": (ListedTier(200_000, usd(input="21")),),
    "at a negative price": (ListedTier(200_000, usd(input="-2")),),
    "far off the last": (ListedTier(300_000, usd(input="10")),),
    "with output cheaper than input": (ListedTier(200_000, usd(input="2", output="1")),),
}


@pytest.mark.parametrize("name", TIERS_REFUSED)
def test_a_price_whose_tiers_make_no_sense_is_not_used_at_all(name: str) -> None:
    known = Known(
        offers={"m": offer(terms=Terms(tiers=(Tier(300_000, price(input="0.4")),)))},
        last={"m": listed(input="0.9", output="1.9")},
    )
    judged = judge([listed(tiers=TIERS_REFUSED[name])], known)
    assert judged.refusals[0].figure.startswith("tiers")
    assert prices(judged) == {INPUT: "0.9", OUTPUT: "1.9"}
    assert judged.models[0].tiers == ()


def test_what_is_said_to_be_free_needs_no_price_unless_it_had_one() -> None:
    free = listed(prices=usd(input="0", output="0"), free=True)
    judged = judge([free], Known())
    assert judged.models[0].free
    assert judged.models[0].prices == ()
    assert judged.refusals == ()
    before = Known(offers={"m": offer(input="1", output="2")}, last={"m": listed(input="3", output="4")})
    judged = judge([free], before)
    assert not judged.models[0].free
    assert reasons(judged) == {"free": Reason.OUTLIER}
    assert prices(judged) == {INPUT: "3", OUTPUT: "4"}


@pytest.mark.parametrize(
    "changed",
    [
        {"prices": usd(input="NaN", output="2")},
        {"prices": usd(input="1", output="-2")},
        {"prices": usd(input="0.0000000000001", output="2")},
        {"tiers": (ListedTier(200_000, usd(input="0")),)},
        {"tiers": (ListedTier(-1, usd(input="1")),)},
        {"context_tokens": 0},
        {"retires_on": "never"},
        {"id": "*"},
    ],
)
def test_a_model_that_no_judge_let_out_is_not_sound(changed: dict[str, Any]) -> None:
    assert not is_sound(listed(**changed))
