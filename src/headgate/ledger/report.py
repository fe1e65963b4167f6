"""Entries as other programs get them: one object a request, as JSON or flattened into a line of CSV."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from typing import Any

import msgspec

from headgate.types.entry import AttemptRow, Entry
from headgate.types.money import Price, render_usd
from headgate.types.usage import Usage
from headgate.wire import json

_PUSD = "_pusd_per_mtok"
_USD = "_usd_per_mtok"
# What spreadsheets take for the beginning of a formula; a tab or a line end before it is skipped by them.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")

_USAGE = (
    "input",
    "cached_input",
    "cache_write",
    "audio_input",
    "output",
    "reasoning",
    "audio_output",
    "prompt_tokens",
    "completion_tokens",
    "total_tokens",
    "estimated",
)
_BEFORE = (
    "request_id",
    "at",
    "workspace",
    "key",
    "key_id",
    "operation",
    "model",
    "provider",
    "upstream_model",
    "stream",
    "status",
    "outcome",
    "error",
)
_AFTER = ("cost_pusd", "cost_usd", "charged_pusd", "done_ms")
COLUMNS = (*_BEFORE, *_USAGE, *_AFTER, "attempts")


def export_object(entry: Entry) -> dict[str, Any]:
    """A request for `ledger export` and the admin API. `cost_usd` and prices are decimal text, times milliseconds."""
    return {
        "request_id": entry.id,
        "at": rfc3339(entry.at_us),
        "workspace": entry.workspace,
        "key": entry.key,
        "key_id": entry.key_id,
        "operation": entry.operation,
        "model": entry.model,
        "provider": entry.provider,
        "upstream_model": entry.upstream_model,
        "stream": entry.stream,
        "status": entry.status,
        "outcome": entry.outcome.value,
        "error": entry.error,
        "usage": usage_object(entry.usage),
        "cost_pusd": entry.cost_pusd,
        "cost_usd": _usd(entry.cost_pusd),
        "charged_pusd": entry.charged_pusd,
        "done_ms": _ms(entry.done_us),
        "attempts": [_attempt(number, attempt) for number, attempt in enumerate(entry.attempts, start=1)],
        "plan": None if entry.plan is None else entry.plan.told(),
    }


def _attempt(number: int, attempt: AttemptRow) -> dict[str, Any]:
    cost = attempt.cost
    return {
        "number": number,
        "deployment": attempt.deployment,
        "provider": attempt.provider,
        "model": attempt.model,
        "credential": attempt.credential,
        "result": attempt.result,
        "status": attempt.status,
        "started_ms": _ms(attempt.started_us),
        "connected_ms": _ms(attempt.connected_us),
        "first_token_ms": _ms(attempt.first_token_us),
        "done_ms": _ms(attempt.done_us),
        "usage": usage_object(attempt.usage),
        "cost_pusd": cost.pusd,
        "cost_usd": _usd(cost.pusd),
        "cost_source": cost.source.value,
        "computed_pusd": cost.computed_pusd,
        "reported_pusd": cost.reported_pusd,
        "disagree": cost.disagree,
        "service_tier": None if attempt.usage is None else attempt.usage.service_tier,
        "price": None if cost.price is None else price_object(cost.price),
        "price_source": cost.price_source or None,
    }


def usage_object(usage: Usage | None) -> dict[str, Any] | None:
    """Tokens by class, and their sums as clients know them."""
    if usage is None:
        return None
    return {
        "input": usage.input,
        "cached_input": usage.cached_input,
        "cache_write": usage.cache_write,
        "audio_input": usage.audio_input,
        "output": usage.output,
        "reasoning": usage.reasoning,
        "audio_output": usage.audio_output,
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.tokens,
        "estimated": usage.estimated,
    }


def price_object(price: Price) -> dict[str, str | None]:
    """The prices that are known, as decimal text in USD per million tokens."""
    return {
        name.replace(_PUSD, _USD): render_usd(value)
        for name, value in msgspec.structs.asdict(price).items()
        if name.endswith(_PUSD) and value is not None
    }


def json_line(entry: Entry) -> bytes:
    """A request as one line of JSON."""
    return json.encode(export_object(entry)) + b"\n"


def csv_header() -> str:
    return _csv_line(COLUMNS)


def csv_line(entry: Entry) -> str:
    """A request as one line of CSV; its attempts are JSON in the last column, what is not known is empty."""
    whole = export_object(entry)
    usage = whole["usage"] or dict.fromkeys(_USAGE)
    cells = [
        *(whole[name] for name in _BEFORE),
        *(usage[name] for name in _USAGE),
        *(whole[name] for name in _AFTER),
        json.encode(whole["attempts"]).decode(),
    ]
    return _csv_line([_cell(value) for value in cells])


def _cell(value: Any) -> str:
    """What a cell shows. Text that a spreadsheet would run as a formula gets a `'` before it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value)
    return f"'{text}" if isinstance(value, str) and text.lstrip(" ").startswith(_FORMULA) else text


def _csv_line(cells: tuple[str, ...] | list[str]) -> str:
    line = io.StringIO()
    csv.writer(line).writerow(cells)
    return line.getvalue()


def rfc3339(at_us: int) -> str:
    """Unix microseconds as RFC 3339 in UTC."""
    seconds, rest = divmod(at_us, 10**6)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:06d}Z"


def _usd(pusd: int | None) -> str | None:
    return None if pusd is None else render_usd(pusd)


def _ms(us: int | None) -> float | None:
    return None if us is None else us / 1000
