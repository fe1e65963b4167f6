"""Hours in half an hour: random faults at a steady rate, and a look at what the process keeps of them.

`python -m tests.faults.soak` runs for 30 minutes at 200 requests a second, prints a line a minute and fails when an
answer misled a client, a connection or a task is left, or memory grew.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.faults.storm import Storm, storm

REPORT_S = 60.0
MOST_GROWN = 40 * 1024 * 1024
LEAST_SUCCESS = 0.9995


@dataclass(frozen=True)
class Report:
    """What a soak came to. Memory is compared with that after the first sixth, when every table has filled."""

    asked: int
    success: float
    misled: int
    left_connections: int
    left_tasks: int
    grown_bytes: int

    @property
    def passed(self) -> bool:
        clean = self.misled == 0 and self.left_connections == 0 and self.left_tasks <= 0
        return clean and self.grown_bytes < MOST_GROWN and self.success >= LEAST_SUCCESS


async def soak(seconds: float, rate: float, *, tell: bool = False) -> Report:
    """Random faults for so long, at so many requests a second."""
    async with storm(seed=11) as there:
        tasks_before = len(asyncio.all_tasks())
        loop = asyncio.get_running_loop()
        began = loop.time()
        under_way: set[asyncio.Task[None]] = set()
        resident, told, started = 0, began, 0
        while (passed_s := loop.time() - began) < seconds:
            while started < passed_s * rate:
                started += 1
                task = loop.create_task(there.ask())
                under_way.add(task)
                task.add_done_callback(under_way.discard)
            if not resident and passed_s > seconds / 6:
                resident = _resident(there)
            if loop.time() - told >= REPORT_S:
                told = loop.time()
                there.forget()
                if tell:
                    sad = {how: times for how, times in there.seen.items() if not how.startswith("by ")}
                    print(f"{passed_s:6.0f} s  {there.asked} requests  {there.success:.4%}  {_rss() >> 20} MiB  {sad}")
            await asyncio.sleep(0.01)
        await asyncio.gather(*under_way)
        await there.gateway.until_idle()
        grown = _resident(there) - resident
        used = there.gateway.pool.open_connections - there.gateway.pool.idle_connections
        left = len(asyncio.all_tasks()) - tasks_before - sum(fake.open_connections for fake in there.fakes)
        return Report(there.asked, there.success, len(there.misled), used, left, grown)


def _resident(there: Storm) -> int:
    """Memory, without what the test itself keeps of requests."""
    there.forget()
    gc.collect()
    return _rss()


def _rss() -> int:
    """Resident bytes of this process."""
    fields = Path("/proc/self/statm").read_text().split()
    return int(fields[1]) * 4096


def main() -> None:
    """Run, print the report, exit with 1 when it failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.soak", description=__doc__)
    parser.add_argument("--seconds", type=float, default=1800.0)
    parser.add_argument("--rate", type=float, default=200.0, help="requests a second")
    options = parser.parse_args()
    report = asyncio.run(soak(options.seconds, options.rate, tell=True))
    print(report)
    sys.exit(not report.passed)


if __name__ == "__main__":
    main()
