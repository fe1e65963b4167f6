"""Sums of the ledger as a table for people."""

from __future__ import annotations

from datetime import date, timedelta

from headgate.store.ledger_query import By, Sum
from headgate.types.money import render_usd


def sums_table(by: By, found: list[Sum]) -> list[str]:
    """A header, a line for each sum and one for all of them, in aligned columns."""
    counted = "attempts" if found and found[0].attempts is not None else "requests"
    rows: list[tuple[str, ...]] = [
        (str(by), counted, "failed", "prompt tokens", "completion tokens", "cost USD", "unknown cost")
    ]
    rows += [(_name(by, one), *_figures(one)) for one in found]
    total = [one.attempts if one.attempts is not None else one.requests for one in found]
    rows.append(
        (
            "total",
            str(sum(total)),
            str(sum(one.failed for one in found)),
            str(sum(one.usage.prompt_tokens for one in found)),
            str(sum(one.usage.completion_tokens for one in found)),
            render_usd(sum(one.cost_pusd for one in found)),
            str(sum(one.unpriced for one in found)),
        )
    )
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    return [
        "  ".join(
            [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        )
        for row in rows
    ]


def _figures(one: Sum) -> tuple[str, ...]:
    return (
        str(one.requests if one.attempts is None else one.attempts),
        str(one.failed),
        str(one.usage.prompt_tokens),
        str(one.usage.completion_tokens),
        render_usd(one.cost_pusd),
        str(one.unpriced),
    )


def _name(by: By, one: Sum) -> str:
    if by is By.DAY:
        return (date(1970, 1, 1) + timedelta(days=int(one.id))).isoformat()
    # Names are the operator's, models may be what a client wrote: nothing of it may steer the terminal.
    shown = "".join(char if char.isprintable() else "?" for char in one.name) or "-"
    return f"{shown} ({one.id})" if by is By.KEY and one.id not in ("", one.name) else shown
