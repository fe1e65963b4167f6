"""`headgate simulate`: what each policy would cost and take, against an oracle that knows the truth."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import msgspec

from headgate.cli.scenario_file import read_scenario
from headgate.config.problems import ConfigError
from headgate.simulation import shipped
from headgate.simulation.figures import Figures, Report, simulate
from headgate.types.money import PUSD_PER_USD
from headgate.types.policy import Order
from headgate.wire import json

OK = 0
MISSED = 1
BAD_SCENARIO = 2

_HEAD = (
    "span",
    "requests",
    "served",
    "cost USD",
    "regret",
    "mean s",
    "p50 s",
    "p95 s",
    "regret",
    "explored",
    "extra",
    "shares",
)


def list_scenarios() -> int:
    """Print the scenarios that come with Headgate, a line each."""
    for name in shipped.names():
        print(f"{name}: {' '.join(read_scenario(name).about.split())}")
    return OK


def show_scenario(name: str) -> int:
    """Print the file of a scenario that comes with Headgate, to begin one's own from."""
    path = shipped.file_of(name)
    if path is None:
        print(f"headgate: no scenario of this name; there are {', '.join(shipped.names())}", file=sys.stderr)
        return BAD_SCENARIO
    print(path.read_text(encoding="utf-8"), end="")
    return OK


def run_simulation(wanted: str, policies: Sequence[Order], seed: int | None, as_json: bool, enforce: bool) -> int:
    """Play a scenario and print its figures.

    Returns the exit code: 0, 2 for a scenario that cannot be used, 1 when `enforce` and a target was missed.
    """
    try:
        scenario = read_scenario(wanted)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return BAD_SCENARIO
    report = simulate(scenario, seed=seed, policies=policies or None)
    if as_json:
        print(json.pretty(msgspec.to_builtins(report)).decode())
    else:
        for line in table(report):
            print(line)
    for words in report.missed:
        print(f"missed: {words}", file=sys.stderr)
    return MISSED if enforce and report.missed else OK


def table(report: Report) -> list[str]:
    """The whole run, then each window after an event, in aligned columns."""
    lines: list[str] = []
    sections = {"whole run": ""} | {f"after {name}": name for name in report.oracles[0].windows}
    for title, window in sections.items():
        rows: list[tuple[str, ...]] = [(title, *_HEAD[1:])]
        named = [(one.name, one) for one in report.policies] + [(f"oracle: {one.name}", one) for one in report.oracles]
        rows += [_row(name, one.windows[window] if window else one.whole) for name, one in named]
        lines += [*_aligned(rows), ""]
    return lines[:-1]


def _row(name: str, one: Figures) -> tuple[str, ...]:
    shares = sorted(one.shares.items(), key=lambda item: -item[1])
    return (
        name,
        str(one.requests),
        f"{100 * one.success:.2f} %",
        f"{one.cost_pusd / PUSD_PER_USD:.4f}",
        _percent(one.cost_regret),
        f"{one.mean_s:.2f}",
        f"{one.p50_s:.2f}",
        f"{one.p95_s:.2f}",
        _percent(one.p95_regret),
        f"{100 * one.explored:.2f} %",
        f"{one.exploration_cost:+.1f}/{one.exploration_time:+.1f} %" if one.explored else "",
        ", ".join(f"{provider} {100 * share:.0f} %" for provider, share in shares if share >= 0.005),
    )


def _percent(value: float | None) -> str:
    return "" if value is None else f"{value:+.1f} %"


def _aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    return [
        "  ".join(
            [
                row[0].ljust(widths[0]),
                *(cell.rjust(width) for cell, width in zip(row[1:-1], widths[1:-1], strict=True)),
                row[-1],
            ]
        ).rstrip()
        for row in rows
    ]
