"""Days, weeks from Monday, months from the 1st, all at 00:00 UTC."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.ledger.periods import day_of, first_days, render_budget, render_time, resets_at
from headgate.types.policy import Period

EPOCH = date(1970, 1, 1)
DAYS = st.dates(date(1971, 1, 1), date(2200, 12, 31))


@given(DAYS)
def test_periods_begin_where_the_calendar_says(day: date) -> None:
    number = (day - EPOCH).days
    first = [EPOCH + timedelta(days=begin) for begin in first_days(number)]
    assert first == [day, day - timedelta(days=day.weekday()), day.replace(day=1), EPOCH]


@given(DAYS, st.sampled_from([Period.DAY, Period.WEEK, Period.MONTH]))
def test_a_period_resets_on_the_first_day_of_another(day: date, period: Period) -> None:
    number = (day - EPOCH).days
    index = list(Period).index(period)
    reset_at = resets_at(period, number)
    assert reset_at is not None
    assert first_days(day_of(reset_at))[index] == day_of(reset_at) > number
    assert first_days(day_of(reset_at - 1))[index] == first_days(number)[index]


def test_a_total_never_resets() -> None:
    assert resets_at(Period.TOTAL, 20_000) is None


@given(st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1)))
def test_a_time_belongs_to_its_utc_day(moment: datetime) -> None:
    assert day_of(moment.replace(tzinfo=UTC).timestamp()) == (moment.date() - EPOCH).days


@pytest.mark.parametrize(
    ("limit", "period", "text"),
    [
        (25 * 10**12, Period.MONTH, "$25 per month"),
        (500_000_000_000, Period.DAY, "$0.5 per day"),
        (10**12, Period.TOTAL, "$1 in total"),
    ],
)
def test_a_budget_is_told_in_dollars(limit: int, period: Period, text: str) -> None:
    assert render_budget(limit, period) == text


def test_a_time_is_told_as_rfc_3339() -> None:
    assert render_time(1_796_083_200) == "2026-12-01T00:00:00Z"
