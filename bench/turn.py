"""One turn: every program is started and measured, phase by phase and round by round side by side.

In each phase the programs take their rounds one after the other, so that a busy minute of the machine falls on all of
them and not on one. A program that has no round of its own sleeps meanwhile.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable
from statistics import median

from bench import load, proc, wire
from bench.measure import Measured, Shape, percentile
from bench.programs import Program, Running, StartFailedError


class Seat:
    """A program in one turn, and the samples taken of it."""

    def __init__(self, program: Program, measured: Measured, shape: Shape, core: int, fakes: list[int]) -> None:
        self.name = program.name
        self.measured = measured
        self._shape = shape.slower(program.slower)
        self._fake_port = fakes[0]
        self._samples: dict[str, list[float]] = defaultdict(list)
        self._figures: dict[str, float] = {}
        self._running = Running(program, core, fakes)
        self._port, self._pid = self._running.port, self._running.pid

    def stop(self) -> None:
        """Ends the program."""
        self._running.stop()

    def figures(self) -> dict[str, float]:
        """The least round of CPU figures, the median window of latencies, and what is measured once."""
        figures = {
            name: median(values) if name.endswith("_ms") else min(values) for name, values in self._samples.items()
        }
        for name in ("p50_ms", "p99_ms"):
            if name in figures:
                figures[f"added_{name}"] = max(figures[name] - figures[f"direct_{name}"], 0.0)
        return self._figures | figures

    async def begin(self) -> None:
        """Waits for the first answer; memory after a few requests."""
        await self._running.first_answer()
        self.measured.saw("first requests", await load.closed_loop(self._port, 20, 4, 60))
        idle = proc.memory(self._pid)
        self._figures |= {
            "start_s": self._running.start_s,
            "idle_rss_mb": idle.rss / 1e6,
            "idle_pss_mb": idle.pss / 1e6,
        }

    async def warm_requests(self) -> None:
        """JSON requests that are not measured."""
        shape = self._shape
        self.measured.saw("warm-up", await load.closed_loop(self._port, shape.warmup, shape.connections, 120))

    async def requests(self) -> None:
        """CPU of one round of JSON requests."""
        before = proc.cpu_ns(self._pid)
        each = max(self._shape.requests // self._shape.rounds, 1)
        tally = await load.closed_loop(self._port, each, self._shape.connections, 240)
        self._samples["json_us"].append((proc.cpu_ns(self._pid) - before) / 1e3 / max(tally.done, 1))
        self.measured.saw("JSON requests", tally)

    async def warm_streams(self) -> None:
        """Streams that are not measured."""
        shape = self._shape
        tally = await load.streams(self._port, shape.streams, max(shape.words // 10, 2), shape.gap_ms, 60)
        self.measured.saw("warm-up streams", tally)

    async def streams(self) -> None:
        """CPU of whole streams (request, head and end included) over their content events."""
        shape = self._shape
        before = proc.cpu_ns(self._pid)
        tally = await load.streams(self._port, shape.streams, shape.words, shape.gap_ms, 120)
        self._samples["event_us"].append((proc.cpu_ns(self._pid) - before) / 1e3 / max(tally.events, 1))
        self._samples["reads_per_event"].append(tally.reads / max(tally.events, 1))
        self.measured.saw("streams", tally)

    async def latency(self) -> None:
        """One window of open-loop latencies on the direct way, and one with the program between."""
        for prefix, port in (("direct_", self._fake_port), ("", self._port)):
            values, tally = await load.open_loop(port, self._shape.rate, self._shape.window_s)
            self.measured.saw(f"{prefix}open loop", tally)
            self._samples[f"{prefix}p50_ms"].append(percentile(values, 0.5) * 1e3)
            self._samples[f"{prefix}p99_ms"].append(percentile(values, 0.99) * 1e3)

    async def open_streams(self) -> None:
        """Memory while every stream is open, and how many of them come to their proper end."""
        shape = self._shape

        def all_open() -> None:
            used = proc.memory(self._pid)
            self._figures.update({"open_rss_mb": used.rss / 1e6, "open_pss_mb": used.pss / 1e6})
            wire.ring(self._fake_port)

        tally = await load.streams(
            self._port, shape.open_streams, shape.open_words, shape.open_gap_ms, 120, usage=True, all_open=all_open
        )
        self._figures |= {"open_streams": shape.open_streams, "complete": tally.done}
        self.measured.saw("open streams", tally)
        if "open_rss_mb" not in self._figures:
            self.measured.errors.append("open streams: they were never all open, so their memory is not known")


PHASES: tuple[tuple[Callable[[Seat], Awaitable[None]], Callable[[Shape], int]], ...] = (
    (Seat.warm_requests, lambda shape: 1),
    (Seat.requests, lambda shape: shape.rounds),
    (Seat.warm_streams, lambda shape: 1),
    (Seat.streams, lambda shape: shape.stream_rounds),
    (Seat.latency, lambda shape: shape.windows),
    (Seat.open_streams, lambda shape: 1),
)


async def turn(programs: dict[Program, Measured], shape: Shape, core: int, fakes: list[int]) -> None:
    """Takes every program through every phase; what goes wrong with one is kept in its errors and ends its turn."""
    seats: list[Seat] = []
    failed: set[Seat] = set()

    async def take(seat: Seat, phase: Callable[[Seat], Awaitable[None]]) -> None:
        try:
            await phase(seat)
        except (OSError, StartFailedError) as error:
            seat.measured.errors.append(f"{type(error).__name__}: {error}")
            failed.add(seat)

    try:
        for program, measured in programs.items():
            seats.append(Seat(program, measured, shape, core, fakes))
            await take(seats[-1], Seat.begin)
        for phase, times in PHASES:
            for _ in range(times(shape)):
                for seat in seats:
                    if seat not in failed:
                        await take(seat, phase)
    finally:
        for seat in seats:
            seat.measured.turns.append(seat.figures())
            seat.stop()
