"""How long an error reply asks to be left alone, wherever it says so."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime

from headgate.types.fault import FaultClass
from headgate.upstream.fault_bodies import ErrorBody
from headgate.upstream.fault_sentences import MAX_SEARCHED
from headgate.upstream.retry_after import MAX_WAIT_S, reset_s, retry_after_s

_WORTH_WAITING = frozenset(
    {
        FaultClass.RATE_LIMITED,
        FaultClass.OVERLOADED,
        FaultClass.SERVER_ERROR,
        FaultClass.SOFT_ERROR,
        FaultClass.QUOTA_EXHAUSTED,
    }
)
_NUMBER = r"\d{1,9}(?:\.\d{1,9})?"
_UNIT = r"(?:milliseconds?|ms|seconds?|secs?|s|minutes?|mins?|m|hours?|hrs?|h|days?|d)(?![a-z])"
_ASKED = re.compile(
    rf"\b(?:try again|retry|wait)\b[^.\d]{{0,40}}((?:{_NUMBER}\s?{_UNIT}(?:,? and |, ?| )?)+)", re.IGNORECASE
)
# "You will regain access on 2026-12-01 at 00:00 UTC"; a moment without a zone could be anybody's.
_MOMENT = re.compile(
    r"\b(?:regain access|resets?|try again|wait)\b[^.\d]{0,40}"
    r"(\d{4}-\d\d-\d\d)(?:T| at | )(\d\d:\d\d(?::\d\d)?) ?(?:UTC|GMT|Z)\b",
    re.IGNORECASE,
)
_PART = re.compile(rf"({_NUMBER})\s?({_UNIT})", re.IGNORECASE)
_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}


def wait_s(
    status: int, headers: Mapping[str, str], error: ErrorBody, kind: FaultClass, now: datetime | None = None
) -> float | None:
    """Seconds the reply asks for, at most a day; None when it asks for nothing.

    Of several the first counts: the reply's own headers, but not those of a success, which may carry Retry-After and
    mean nothing by it; Google's RetryInfo; headers that the body quotes; a sentence. Dates count from `now`.
    """
    waits = [] if 200 <= status < 300 else [retry_after_s(headers, now)]
    for one in (error, error.nested or error):
        waits.append(retry_after_s({"retry-after": one.delay}, now))
        waits.append(retry_after_s(one.headers, now))
        reset = one.headers.get("x-ratelimit-reset", "").strip()
        waits.append(reset_s(reset, now) if reset else None)
    if kind in _WORTH_WAITING:
        waits += [_asked_for(error.text, now), _asked_for(error.nested.text, now) if error.nested else None]
    return next((wait for wait in waits if wait is not None), None)


def _asked_for(text: str, now: datetime | None) -> float | None:
    """The duration of "please try again in 6m0s", "wait 52220 seconds" and the like, or until the moment it names."""
    text = text[:MAX_SEARCHED]
    asked = _ASKED.search(text)
    if asked is None:
        moment = _MOMENT.search(text)
        return reset_s(f"{moment[1]}T{moment[2]}Z", now) if moment else None
    total = sum(float(number) * _scale(unit.lower()) for number, unit in _PART.findall(asked[1]))
    return min(total, MAX_WAIT_S)


def _scale(unit: str) -> float:
    if unit == "ms" or unit.startswith("milli"):
        return 0.001
    return _SECONDS[unit[0]]
