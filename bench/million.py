"""A million requests with limits, a budget and the ledger on: is memory flat, what is a request on the disk, and do the
books balance afterwards.

Beside `python -m bench --million` it runs alone: `python -m bench.million [--requests N]`.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from time import perf_counter

import uvloop

from bench import load, proc
from bench.measure import Measured
from bench.programs import Fakes, Headgate, Program, Running, StartFailedError

_REQUESTS = 1_000_000
_LIMIT_S = 3600
_SHIPPING_S = 120
"""A stop ships what is still in the journal; that much patience it gets."""


async def after_a_million(
    program: Program, measured: Measured, core: int, fakes: list[int], requests: int = _REQUESTS
) -> None:
    """Memory after a tenth of that many requests and after all of them, as `million_grown` (1.0 is flat); of Headgate
    also the bytes a request takes in the database and whether `headgate ledger verify` is content."""
    figures: dict[str, float] = {}
    running = Running(program, core, fakes)
    try:
        await running.first_answer()
        measured.saw("first requests", await load.closed_loop(running.port, 20, 4, 60))
        sizes = [proc.memory(running.pid).rss]
        for share in (requests // 10, requests - requests // 10):
            began = perf_counter()
            measured.saw("a million requests", await load.closed_loop(running.port, share, 32, _LIMIT_S))
            sizes.append(proc.memory(running.pid).rss)
            spent_s = perf_counter() - began
            print(
                f"  {program.name}: {share:,} requests in {spent_s:.0f} s, {sizes[-1] / 1e6:.1f} MB",
                file=sys.stderr,
                flush=True,
            )
        figures |= {
            "million_start_mb": sizes[0] / 1e6,
            "million_rss_mb": sizes[-1] / 1e6,
            "million_grown": sizes[-1] / sizes[1],
        }
        running.end(_SHIPPING_S)
        if isinstance(program, Headgate):
            figures |= _books(running.folder, measured, requests)
    except (OSError, StartFailedError, sqlite3.Error) as error:
        measured.errors.append(f"{type(error).__name__}: {error}")
    finally:
        running.stop()
    if measured.turns:
        measured.turns[-1] |= figures
    else:
        measured.turns.append(figures)


def _books(folder: Path, measured: Measured, requests: int) -> dict[str, float]:
    """What a stopped Headgate left in its data directory. What does not balance goes to the errors."""
    data = folder / "data"
    database = data / "headgate.db"
    size = sum(file.stat().st_size for file in data.glob("headgate.db*"))
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as file:
        (rows,) = file.execute("SELECT count(*) FROM requests").fetchone()
    if rows < requests:
        measured.errors.append(f"ledger: {rows:,} rows for {requests:,} requests")
    binary = Headgate().find()
    assert binary is not None, "it was running a moment ago"
    done = subprocess.run(
        [binary, "ledger", "verify", "--config", str(folder / "headgate.yaml")],
        env={**os.environ, "HEADGATE_DATA_DIR": str(data)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        measured.errors.append(f"headgate ledger verify: {done.stdout}{done.stderr}")
    return {"ledger_rows": rows, "request_bytes": size / max(rows, 1)}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.million", description=__doc__)
    parser.add_argument("--requests", type=int, default=_REQUESTS, metavar="N", help="that many instead of a million")
    requests = parser.parse_args().requests
    cores = proc.claim_cores()
    measured = Measured()
    fakes = Fakes(cores.load)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(after_a_million(Headgate(), measured, cores.program, fakes.ports, max(requests, 10)))
    finally:
        fakes.stop()
    for name, figure in measured.turns[-1].items():
        print(f"{name:18} {figure:,.2f}")
    for error in measured.errors:
        print(f"ERROR {error}")
    return 1 if measured.errors else 0


if __name__ == "__main__":
    sys.exit(main())
