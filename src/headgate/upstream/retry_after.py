"""How long a provider asks us to wait, in whichever of the usual spellings."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

# "Retry in 21 hours" must make a credential sit out, not a request sleep; nobody waits longer than a day here.
MAX_WAIT_S = 86_400.0

_EPOCH_S, _EPOCH_MS = 1e9, 1e12
"""Nobody asks us to wait for thirty years: larger numbers are moments, in seconds or milliseconds since 1970."""

_NUMBER = re.compile(r"\d+(\.\d+)?")
_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+(?:\.\d+)?)s)?(?:(\d+(?:\.\d+)?)ms)?")


def retry_after_s(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Seconds from `retry-after-ms` or `retry-after`: a number, a duration such as 2m59.5s, an HTTP or RFC 3339 date.

    Of a header that was sent more than once the first counts. None when neither says anything readable. `now` is the
    time a date counts from.
    """
    milliseconds = headers.get("retry-after-ms", "").strip()
    if _NUMBER.fullmatch(milliseconds):
        return min(float(milliseconds) / 1000, MAX_WAIT_S)
    value = headers.get("retry-after", "").strip()
    if not value:
        return None
    seconds = _seconds(value.partition(",")[0].rstrip())
    if seconds is None:
        seconds = _until(value, now or datetime.now(UTC))
    return None if seconds is None else min(max(seconds, 0.0), MAX_WAIT_S)


def reset_s(value: str, now: datetime | None = None) -> float | None:
    """Seconds until a limit is full again, as rate-limit headers write it; None for what cannot be read.

    Beside the spellings of `retry_after_s` that is a Unix time, in seconds or milliseconds.
    """
    seconds = _seconds(value.strip())
    now = now or datetime.now(UTC)
    if seconds is None:
        seconds = _until(value.strip(), now)
    elif seconds > _EPOCH_MS:
        seconds = seconds / 1000 - now.timestamp()
    elif seconds > _EPOCH_S:
        seconds -= now.timestamp()
    return None if seconds is None else min(max(seconds, 0.0), MAX_WAIT_S)


def _seconds(value: str) -> float | None:
    if _NUMBER.fullmatch(value):
        return float(value)
    match = _DURATION.fullmatch(value)
    if match is None:
        return None
    hours, minutes, seconds, milliseconds = (float(part or 0) for part in match.groups())
    return hours * 3600 + minutes * 60 + seconds + milliseconds / 1000


def _until(value: str, now: datetime) -> float | None:
    try:
        when = parsedate_to_datetime(value)
    except ValueError:
        try:
            when = datetime.fromisoformat(value)
        except ValueError:
            return None
    except OverflowError:
        # A year or an offset of more digits than a date can have.
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return (when - now).total_seconds()
