"""A plan as a table for people."""

from __future__ import annotations

from typing import Any

from headgate.cli.offline import table
from headgate.config.problems import shorten
from headgate.routing.requirements import WORDS
from headgate.types.money import render_usd

UNKNOWN = "unknown"
_HEAD = ("", "deployment", "cost USD", "time s", "health", "in USD/Mtok", "out", "price from", "notes")
_RIGHT = (0, 2, 3, 5, 6)


def plan_table(plan: dict[str, Any]) -> list[str]:
    """The candidates in order and the dropped ones, from the object of a plan."""
    candidates = plan["candidates"]
    lines = (
        [f"policy {plan['policy']}, for {plan['expected_tokens']} tokens of prompt and answer"] if candidates else []
    )
    if candidates:
        rows = [_HEAD, *(_row(place, one) for place, one in enumerate(candidates, start=1))]
        lines += table(rows, _RIGHT)
    if plan["dropped"]:
        lines += ["dropped:"] if candidates else ["nobody can serve this:"]
        lines += [f"  {shorten(one['deployment'], 200)}: {shorten(one['reason'], 300)}" for one in plan["dropped"]]
    return lines


def _row(place: int, one: dict[str, Any]) -> tuple[str, ...]:
    cost, time = one["expected_cost_pusd"], one["expected_time_s"]
    return (
        str(place),
        one["deployment"],
        UNKNOWN if cost is None else render_usd(cost),
        UNKNOWN if time is None else f"{time:.3f}",
        one["health"],
        one["input_usd_per_mtok"] or UNKNOWN,
        one["output_usd_per_mtok"] or UNKNOWN,
        one["price_source"] or "-",
        "; ".join(_notes(one)) or "-",
    )


def _notes(one: dict[str, Any]) -> list[str]:
    notes = []
    if one["upstream_id"] not in one["deployment"]:
        notes.append(f"asked for {one['upstream_id']}")
    if one["variant"]:
        notes.append(f"variant {one['variant']}")
    if one["unsure"]:
        words = " and ".join(WORDS.get(need, need) for need in one["unsure"])
        notes.append(f"nobody says whether it does {words}")
    if one["retired"]:
        notes.append("retired")
    elif one["retires_on"]:
        notes.append(f"retires on {one['retires_on']}")
    if one["unconfirmed"]:
        notes.append("its price is unconfirmed, so it does not win by it")
    elif one["estimate"]:
        notes.append("sources disagree about its price")
    return notes
