"""The table and the JSON of a run: figures, ratios to nginx, budgets and aims."""

from __future__ import annotations

import platform
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from bench.measure import Measured, Shape
from bench.proc import Cores

_COLUMNS = ("figure", "nginx", "headgate", "ratio", "budget", "aim", "verdict", "litellm")


@dataclass(frozen=True)
class Row:
    """One line of the table. A budget is a multiple of nginx's figure when `times_nginx`, else the figure itself.

    `at_least` turns the budget round: as much or more.
    """

    label: str
    figure: str
    digits: int
    budget: float
    aim: float
    times_nginx: bool = False
    at_least: bool = False


def rows(shape: Shape) -> list[Row]:
    """The rows of a run of that shape, with the budgets."""
    many = f"{shape.open_streams:,}"
    return [
        Row("CPU a JSON request, µs", "json_us", 1, 8, 5, times_nginx=True),
        Row("CPU a streamed event, µs", "event_us", 1, 2.5, 1.8, times_nginx=True),
        Row(f"added latency at {shape.rate:.0f}/s p50, ms", "added_p50_ms", 2, 0.5, 0.3),
        Row(f"added latency at {shape.rate:.0f}/s p99, ms", "added_p99_ms", 2, 3, 1.5),
        Row("resident memory idle, MB", "idle_rss_mb", 1, 90, 70),
        Row(f"with {many} open streams, MB", "open_rss_mb", 1, 180, 120),
        Row(f"of {many} streams complete", "complete", 0, shape.open_streams, shape.open_streams, at_least=True),
        Row("start to first answer, s", "start_s", 2, 1.5, 0.8),
        Row("memory, 1 million requests : 100,000", "million_grown", 2, 1.1, 1.1),
        Row("database, bytes a request", "request_bytes", 0, 1024, 800),
    ]


@dataclass(frozen=True)
class Line:
    """A row with a run's values in it."""

    row: Row
    values: dict[str, float]
    ratio: float | None
    verdict: str


def judge(row: Row, programs: dict[str, Measured]) -> Line:
    """The row's values for every program, the ratio of Headgate's to nginx's, and the verdict on Headgate."""
    values = {}
    for name, measured in programs.items():
        value = measured.least.get(row.figure)
        if value is not None:
            values[name] = value
    ours, limit = values.get("headgate"), values.get("nginx")
    ratio = ours / limit if ours is not None and limit is not None and limit > 0 else None
    judged = ratio if row.times_nginx else ours
    return Line(row, values, ratio if not row.at_least else None, _verdict(row, judged))


def _verdict(row: Row, judged: float | None) -> str:
    if judged is None:
        return "-"
    if row.at_least:
        return "aim met" if judged >= row.aim else "over budget"
    if judged <= row.aim:
        return "aim met"
    return "in budget" if judged <= row.budget else "over budget"


def table(lines: list[Line], missing: set[str]) -> str:
    """Aligned plain text; a program in `missing` has "not installed" in its column."""
    cells = [list(_COLUMNS)]
    for line in lines:
        row = line.row
        if not line.values and row.figure in ("million_grown", "request_bytes"):
            continue

        def shown(name: str, line: Line = line) -> str:
            value = line.values.get(name)
            if value is None:
                return "not installed" if name in missing else "-"
            return f"{value:,.{line.row.digits}f}"

        sign, unit = ("≥ " if row.at_least else "≤ "), (" ×" if row.times_nginx else "")
        cells.append(
            [
                row.label,
                shown("nginx"),
                shown("headgate"),
                "-" if line.ratio is None else f"{line.ratio:.2f} ×",
                f"{sign}{row.budget:g}{unit}",
                f"{sign}{row.aim:g}{unit}",
                line.verdict,
                shown("litellm"),
            ]
        )
    widths = [max(len(cell) for cell in column) for column in zip(*cells, strict=True)]
    align: list[Callable[[str, int], str]] = [str.ljust, *[str.rjust] * 5, str.ljust, str.rjust]
    text = [
        "  ".join(fit(cell, width) for fit, cell, width in zip(align, line, widths, strict=True)).rstrip()
        for line in cells
    ]
    return "\n".join([text[0], "-" * max(map(len, text)), *text[1:]])


def machine(cores: Cores) -> dict[str, object]:
    """What the run ran on."""
    info = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    names = [line.partition(":")[2].strip() for line in info.splitlines() if line.startswith("model name")]
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "cpu": names[0] if names else platform.processor(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "cores": asdict(cores),
    }


def document(
    lines: list[Line],
    programs: dict[str, Measured],
    shape: Shape,
    versions: dict[str, str],
    cores: Cores,
) -> dict[str, object]:
    """The run as a JSON value: every turn of every program, the least of them, ratios and verdicts."""
    return {
        "machine": machine(cores),
        "versions": versions,
        "shape": asdict(shape),
        "valid": not any(measured.errors for measured in programs.values()),
        "programs": {name: {"least": m.least, "turns": m.turns, "errors": m.errors} for name, m in programs.items()},
        "figures": {
            line.row.figure: {
                "label": line.row.label,
                "values": line.values,
                "ratio": line.ratio,
                "budget": line.row.budget,
                "aim": line.row.aim,
                "times_nginx": line.row.times_nginx,
                "verdict": line.verdict,
            }
            for line in lines
        },
    }
