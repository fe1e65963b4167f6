"""What was asked for on the command line → what a key may do."""

from __future__ import annotations

from typing import Any

import pytest

from headgate.cli.key_terms import read_terms, seconds_of
from headgate.cli.options import Asked, Mistake
from headgate.types.policy import Exhausted, Period
from headgate.types.principal import ANY_MODEL

NOW = 1_800_000_000.0
DAY_S = 86_400


def refusal(**asked: Any) -> list[str]:
    with pytest.raises(Mistake) as caught:
        read_terms(Asked(**asked), NOW)
    return str(caught.value).splitlines()


def test_a_key_of_which_nothing_was_said_may_use_everything() -> None:
    terms = read_terms(Asked(name="app"), NOW)
    fields = terms.fields()
    assert (fields.name, fields.models, fields.expires_at, terms.budgets) == ("app", ANY_MODEL, None, ())
    assert terms.given == {"name"}
    assert terms.warnings == ()


def test_durations_count_from_now() -> None:
    terms = read_terms(Asked(name="app", expires="30d", budgets=["1/total"], until="2w"), NOW)
    assert terms.fields().expires_at == int(NOW) + 30 * DAY_S
    (budget,) = terms.budgets
    assert (budget.per, budget.until) == (Period.TOTAL, int(NOW) + 14 * DAY_S)


def test_what_holds_for_one_budget_holds_for_all() -> None:
    asked = Asked(name="app", budgets=["25/month", "$3.5/day"], on_exhausted="cheaper", cheaper_than="0.1/0.4")
    month, day = read_terms(asked, NOW).budgets
    assert (month.limit_pusd, day.limit_pusd) == (25 * 10**12, 35 * 10**11)
    for budget in (month, day):
        assert budget.on_exhausted is Exhausted.CHEAPER
        assert budget.cheaper_than is not None
        assert budget.cheaper_than.input_pusd_per_mtok == 10**11
        assert budget.cheaper_than.output_pusd_per_mtok == 4 * 10**11


def test_a_change_holds_only_what_was_given_and_none_takes_a_value_away() -> None:
    change = read_terms(Asked(rpm="none", models=["a,b", "c"], addresses=["none"], expires="none"), NOW).change()
    assert (change.rpm, change.models, change.addresses, change.expires_at) == (None, ("a", "b", "c"), (), None)
    untouched = read_terms(Asked(tpm="5"), NOW).change()
    assert untouched == type(untouched)(tpm=5)


def test_no_budgets_is_something_else_than_nothing_said_of_them() -> None:
    assert "budgets" in read_terms(Asked(budgets=["none"]), NOW).given
    assert "budgets" not in read_terms(Asked(rpm="1"), NOW).given


def test_a_budget_of_nothing_is_a_warning() -> None:
    (warning,) = read_terms(Asked(name="app", budgets=["0/day"]), NOW).warnings
    assert warning.startswith("--budget: is nothing")


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"rpm": "-5"}, "--rpm: must be at least 1, not '-5'"),
        ({"rpm": "0"}, "--rpm: must be at least 1, not '0'"),
        ({"tpm": "9" * 30}, "--tpm: must be at most"),
        ({"concurrent": "many"}, "--concurrent: must be a whole number, not 'many'"),
        ({"concurrent": "1.5"}, "--concurrent: must be a whole number, not '1.5'"),
        ({"policy": "cheap"}, "--policy: must be one of cheapest, fastest, balanced, ordered, weighted, not 'cheap'"),
        ({"expires": "99999999w"}, "--expires: '99999999w' is further away than any date"),
        (
            {"budgets": ["1/day"], "until": "99999999w"},
            "--until: '99999999w' is further away than any date",
        ),
        ({"addresses": ["10.0.0.1/8"]}, "--address: has bits set beyond its prefix; did you mean 10.0.0.0/8?"),
        ({"addresses": ["10.0.0.0/8", "none"]}, "--address: must be an address"),
        ({"models": [","]}, "--models: must not be empty"),
        ({"models": ["a b"]}, "--models: 'a b' holds a space"),
        ({"budgets": ["25"]}, "--budget: write USD/PERIOD, such as 25/month, not '25'"),
        ({"budgets": ["/day"]}, "--budget: write USD/PERIOD"),
        ({"budgets": ["-1/day"]}, "--budget: must be an amount in US dollars"),
        ({"budgets": ["1e3/day"]}, "--budget: must be an amount in US dollars"),
        ({"budgets": ["99999999/day"]}, "--budget: is more than 1,000,000 US dollars"),
        ({"budgets": ["1/mont"]}, "--budget: must be one of day, week, month, total, not 'mont'; did you mean month?"),
        ({"budgets": ["1/day", "2/day"]}, "--budget: is a second budget per day"),
        ({"budgets": ["1/day"], "until": "2020-01-01"}, "--until: lies in the past"),
        ({"until": "30d"}, "--until: goes with --budget"),
        ({"budgets": ["none"], "until": "30d"}, "--until: goes with --budget"),
        ({"on_exhausted": "cheaper"}, "--on-exhausted: goes with --budget"),
        ({"budgets": ["1/day"], "on_exhausted": "cheaper"}, "--cheaper-than: goes with --on-exhausted cheaper"),
        ({"budgets": ["1/day"], "cheaper_than": "1/2"}, "--cheaper-than: goes with --on-exhausted cheaper"),
        ({"budgets": ["1/day"], "on_exhausted": "stop"}, "--on-exhausted: must be one of refuse, cheaper"),
        (
            {"budgets": ["1/day"], "on_exhausted": "cheaper", "cheaper_than": "1/x"},
            "--cheaper-than: must be an amount in US dollars",
        ),
        ({"expires": "2020-01-01"}, "--expires: lies in the past"),
        ({"expires": "soon"}, "--expires: must be a date such as"),
        ({"expires": "2090-01-01T10:00"}, "--expires: names no time zone"),
        ({"expires": "999999999w"}, "further away than any date"),
        ({"metadata": ["x"]}, "--metadata: write NAME=TEXT, not 'x'"),
        ({"metadata": ["x=1", "x=2"]}, "--metadata: 'x' is given twice"),
        ({"metadata": ["x=" + "y" * 5000]}, "--metadata: is longer than 4096 bytes"),
        ({"metadata": ["x=\udcff"]}, "--metadata: holds bytes that are not text"),
        ({"workspace": "Blue"}, "--workspace: must be 1 to 63 lower-case letters"),
        ({"name": ""}, "NAME: is empty"),
        ({"name": "x" * 101}, "NAME: is longer than 100 characters"),
        ({"name": "one\nhg-two"}, "NAME: holds a line break"),
        ({"name": " one"}, "NAME: holds a line break, a character that cannot be printed, or spaces around it"),
    ],
)
def test_what_makes_no_sense_is_refused_with_the_name_of_its_option(asked: dict[str, Any], words: str) -> None:
    (line,) = refusal(**asked)
    assert words in line


def test_every_mistake_is_told() -> None:
    assert len(refusal(rpm="0", tpm="x", policy="cheap", budgets=["1/mont", "x/day"])) == 5


@pytest.mark.parametrize(("text", "seconds"), [("0", 0), ("90s", 90), ("5m", 300), ("24h", 86_400), ("2w", 14 * DAY_S)])
def test_a_duration_is_read_with_its_unit(text: str, seconds: int) -> None:
    assert seconds_of(text, "--grace", 30 * DAY_S) == seconds


@pytest.mark.parametrize("text", ["24", "", "-1h", "1y", "1.5h", "h", "31d", "99999999999h", "١h"])
def test_what_is_no_duration_or_too_long_is_refused(text: str) -> None:
    with pytest.raises(Mistake, match="--grace: must be"):
        seconds_of(text, "--grace", 30 * DAY_S)
