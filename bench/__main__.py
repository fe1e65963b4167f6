"""Runs the bench: `python -m bench [--quick] [--only headgate,nginx] [--json FILE] [--requests N]`; see `--help`."""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import signal
import sys
from dataclasses import replace
from pathlib import Path
from time import perf_counter

import uvloop

from bench import measure, proc, report
from bench.measure import Measured, Shape
from bench.million import after_a_million
from bench.programs import PROGRAMS, Fakes, Program
from bench.turn import turn

_LATEST = Path(__file__).parent / "results" / "latest.json"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench", description="What the data plane costs, measured against a bare nginx."
    )
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help="less of everything, under 40 seconds")
    size.add_argument(
        "--tiny", action="store_true", help="a few hundred requests: shows that the bench works, measures nothing"
    )
    parser.add_argument(
        "--only", metavar="NAMES", help="programs to measure, by comma: " + ",".join(p.name for p in PROGRAMS)
    )
    parser.add_argument("--requests", type=int, metavar="N", help="JSON requests of a turn")
    parser.add_argument("--turns", type=int, metavar="N", help="turns of each program (2)")
    parser.add_argument(
        "--million", action="store_true", help="also memory, disk and books after a million requests (minutes)"
    )
    parser.add_argument(
        "--json", type=Path, default=_LATEST, metavar="FILE", help="where the result goes (bench/results/latest.json)"
    )
    parser.add_argument("--enforce", action="store_true", help="exit with 1 when a figure is over its budget")
    options = parser.parse_args()
    if unknown := set(options.only.split(",") if options.only else ()) - {program.name for program in PROGRAMS}:
        parser.error(f"no such program: {', '.join(sorted(unknown))}")
    if (options.requests is not None and options.requests < 1) or (options.turns is not None and options.turns < 1):
        parser.error("--requests and --turns must be at least 1")
    return options


def shape_of(options: argparse.Namespace) -> Shape:
    shape = measure.QUICK if options.quick else measure.TINY if options.tiny else measure.FULL
    return replace(shape, requests=options.requests or shape.requests, turns=options.turns or shape.turns)


async def run(chosen: list[Program], shape: Shape, cores: proc.Cores, million: bool) -> dict[str, Measured]:
    """Every program in turns; everything started is stopped."""
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    programs = {program: Measured() for program in chosen}
    fakes = Fakes(cores.load)
    try:
        for number in range(1, shape.turns + 1):
            began = perf_counter()
            await turn(programs, shape, cores.program, fakes.ports)
            print(f"turn {number} of {shape.turns}: {perf_counter() - began:.1f} s", file=sys.stderr, flush=True)
        for program in chosen if million else ():
            if program.slower == 1:
                await after_a_million(program, programs[program], cores.program, fakes.ports)
    finally:
        fakes.stop()
    return {program.name: measured for program, measured in programs.items()}


def notes(chosen: list[Program], shape: Shape, cores: proc.Cores) -> list[str]:
    said = [
        f"{shape.turns} turns, in each the programs side by side by rounds; the least kept."
        " CPU is that of the program's process tree.",
        f"JSON: {shape.requests:,} requests over {shape.connections} connections. Events: {shape.streams} streams of"
        f" {shape.words} content events, one per {shape.gap_ms} ms each; all CPU of them over their content events.",
    ]
    if cores.shared:
        said.append("Only one core: the program under test shared it with the load, so latencies mean little.")
    for program in chosen:
        if program.slower > 1:
            less = shape.slower(program.slower)
            said.append(
                f"{program.name} got {less.requests:,} requests, {less.streams} streams, {less.rate:.0f}"
                f" requests a second and {less.open_streams} open streams: it could not bear more."
            )
    return said


def main() -> int:
    options = arguments()
    shape = shape_of(options)
    wanted = [program for program in PROGRAMS if not options.only or program.name in options.only.split(",")]
    chosen = [program for program in wanted if program.find()]
    missing = {program.name for program in wanted} - {program.name for program in chosen}
    if not chosen:
        print("none of the programs is installed: " + ", ".join(sorted(missing)), file=sys.stderr)
        return 1
    versions = {program.name: program.version() for program in chosen}
    cores = proc.claim_cores()
    gc.freeze()
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            programs = runner.run(run(chosen, shape, cores, options.million))
    except (KeyboardInterrupt, asyncio.CancelledError):
        print("stopped", file=sys.stderr)
        return 130
    lines = [report.judge(row, programs) for row in report.rows(shape)]
    result = report.document(lines, programs, shape, versions, cores)
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")
    print(report.table(lines, missing), "", *notes(chosen, shape, cores), sep="\n")
    for name, measured in programs.items():
        for error in measured.errors:
            print(f"ERROR {name}: {error}")
    over = [line.row.label for line in lines if line.verdict == "over budget"]
    if not result["valid"]:
        print("This run is invalid: there were errors.")
        return 1
    return 1 if over and options.enforce else 0


if __name__ == "__main__":
    sys.exit(main())
