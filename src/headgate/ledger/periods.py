"""When the periods of a budget begin and end, in days since 1970-01-01, and how an amount and a time are told."""

from __future__ import annotations

from datetime import UTC, date, datetime

from headgate.types.money import render_usd
from headgate.types.policy import Period

DAY_S = 86_400
PERIODS = (Period.DAY, Period.WEEK, Period.MONTH, Period.TOTAL)

_EPOCH = date(1970, 1, 1).toordinal()
# The first of January 1970 was a Thursday.
_MONDAY = 3


def day_of(now: float) -> int:
    """The UTC day of a time in Unix seconds."""
    return int(now // DAY_S)


def first_days(day: int) -> tuple[int, int, int, int]:
    """The first days of the day, week, month and total that a day belongs to; all time begins with day 0."""
    return day, day - (day + _MONDAY) % 7, day - date.fromordinal(day + _EPOCH).day + 1, 0


def resets_at(period: Period, day: int) -> int | None:
    """When the period that a day belongs to ends, in Unix seconds; None for one that never does."""
    match period:
        case Period.DAY:
            return (day + 1) * DAY_S
        case Period.WEEK:
            return (first_days(day)[1] + 7) * DAY_S
        case Period.MONTH:
            # Any month's 1st is less than 32 days before a day of the next month.
            return first_days(first_days(day)[2] + 31)[2] * DAY_S
        case Period.TOTAL:
            return None


def render_time(at: int) -> str:
    """Unix seconds as RFC 3339."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def render_budget(limit_pusd: int, period: Period) -> str:
    """A budget as people say it: $25 per month."""
    return f"${render_usd(limit_pusd)} {'in total' if period is Period.TOTAL else f'per {period}'}"
