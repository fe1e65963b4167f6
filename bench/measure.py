"""The measurements: one turn takes one program through every phase; the least of its turns is its figure."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from statistics import median

from bench import load, proc, wire
from bench.programs import Program, Running, StartFailedError


@dataclass(frozen=True)
class Shape:
    """How much load a run makes. A turn's requests are made in `rounds`, the least kept.

    Times are in seconds or, where named so, milliseconds."""

    turns: int = 2
    requests: int = 20_000
    warmup: int = 3_000
    connections: int = 32
    rounds: int = 4
    stream_rounds: int = 2
    streams: int = 200
    words: int = 100
    gap_ms: int = 20
    rate: float = 300
    windows: int = 4
    window_s: float = 1
    open_streams: int = 2_000
    open_words: int = 5
    open_gap_ms: int = 500

    def slower(self, factor: int) -> Shape:
        """The same measurements with less load, for a program that could not bear it; figures stay comparable."""
        if factor == 1:
            return self
        return replace(
            self,
            requests=max(self.requests // factor, self.connections),
            warmup=max(self.warmup // factor, 20),
            streams=max(self.streams // factor, 1),
            rate=self.rate / factor,
            open_streams=max(self.open_streams // factor, 1),
        )


FULL = Shape()
QUICK = Shape(requests=6_000, warmup=1_000, words=50, windows=2, window_s=0.7, open_words=4, stream_rounds=1)
TINY = Shape(
    requests=200, warmup=50, connections=8, rounds=2, stream_rounds=1, streams=10, words=10, gap_ms=5, rate=100,
    windows=2, window_s=0.2, open_streams=40, open_words=5, open_gap_ms=100,
)  # fmt: skip


@dataclass
class Measured:
    """A program's figures: the least of each over its turns, the turns themselves, and every fault seen."""

    turns: list[dict[str, float]] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    @property
    def least(self) -> dict[str, float]:
        """The least of each figure; of complete streams too, so that one incomplete turn shows."""
        names = {name for turn in self.turns for name in turn}
        return {name: min(turn[name] for turn in self.turns if name in turn) for name in sorted(names)}

    def saw(self, phase: str, tally: load.Tally) -> load.Tally:
        """Keeps a phase's faults; returns the tally."""
        if tally.failed:
            self.errors.append(f"{phase}: {tally.failed} failed, {tally.done} fine: {'; '.join(tally.faults)}")
        return tally


def percentile(values: Iterable[float], share: float) -> float:
    """The value below which that share of the values lies; 0 of none."""
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)] if ordered else 0.0


async def turn(program: Program, measured: Measured, shape: Shape, core: int, fakes: list[int]) -> None:
    """Starts the program, measures everything once, stops it; what went wrong is kept in `measured.errors`."""
    running = Running(program, core, fakes)
    figures: dict[str, float] = {}
    try:
        await running.first_answer()
        figures["start_s"] = running.start_s
        await _phases(running, fakes[0], measured, shape.slower(program.slower), figures)
    except (OSError, StartFailedError) as error:
        measured.errors.append(f"{type(error).__name__}: {error}")
    finally:
        measured.turns.append(figures)
        running.stop()


async def _phases(
    running: Running, fake_port: int, measured: Measured, shape: Shape, figures: dict[str, float]
) -> None:
    measured.saw("first requests", await load.closed_loop(running.port, 20, 4, 60))
    idle = proc.memory(running.pid)
    figures |= {"idle_rss_mb": idle.rss / 1e6, "idle_pss_mb": idle.pss / 1e6}
    await _json_cpu(running, measured, shape, figures)
    await _event_cpu(running, measured, shape, figures)
    figures |= await _latency(running.port, fake_port, measured, shape)
    await _open_streams(running, fake_port, measured, shape, figures)


async def _json_cpu(running: Running, measured: Measured, shape: Shape, figures: dict[str, float]) -> None:
    measured.saw("warm-up", await load.closed_loop(running.port, shape.warmup, shape.connections, 120))
    rounds = []
    for _ in range(shape.rounds):
        before = proc.cpu_ns(running.pid)
        tally = await load.closed_loop(running.port, max(shape.requests // shape.rounds, 1), shape.connections, 240)
        rounds.append((proc.cpu_ns(running.pid) - before) / 1e3 / max(tally.done, 1))
        measured.saw("JSON requests", tally)
    figures["json_us"] = min(rounds)


async def _event_cpu(running: Running, measured: Measured, shape: Shape, figures: dict[str, float]) -> None:
    """CPU of whole streams (request, head and end included) over their content events."""
    warm = await load.streams(running.port, shape.streams, max(shape.words // 10, 2), shape.gap_ms, 60)
    measured.saw("warm-up streams", warm)
    rounds, reads = [], []
    for _ in range(shape.stream_rounds):
        before = proc.cpu_ns(running.pid)
        tally = await load.streams(running.port, shape.streams, shape.words, shape.gap_ms, 120)
        rounds.append((proc.cpu_ns(running.pid) - before) / 1e3 / max(tally.events, 1))
        reads.append(tally.reads / max(tally.events, 1))
        measured.saw("streams", tally)
    figures |= {"event_us": min(rounds), "reads_per_event": min(reads)}


async def _latency(port: int, fake_port: int, measured: Measured, shape: Shape) -> dict[str, float]:
    """Open-loop latencies in milliseconds, and what the program adds to the direct way.

    Windows of the direct way and of the program alternate, so that both have the same neighbours; the median of each
    percentile over the windows counts.
    """
    seen: dict[str, list[float]] = {"direct_p50_ms": [], "direct_p99_ms": [], "p50_ms": [], "p99_ms": []}
    for _ in range(shape.windows):
        for prefix, where in (("direct_", fake_port), ("", port)):
            values, tally = await load.open_loop(where, shape.rate, shape.window_s)
            measured.saw(f"{prefix}open loop", tally)
            seen[f"{prefix}p50_ms"].append(percentile(values, 0.5) * 1e3)
            seen[f"{prefix}p99_ms"].append(percentile(values, 0.99) * 1e3)
    figures = {name: median(values) for name, values in seen.items()}
    for name in ("p50_ms", "p99_ms"):
        figures[f"added_{name}"] = max(figures[name] - figures[f"direct_{name}"], 0.0)
    return figures


async def _open_streams(
    running: Running, fake_port: int, measured: Measured, shape: Shape, figures: dict[str, float]
) -> None:
    def all_open() -> None:
        used = proc.memory(running.pid)
        figures.update({"open_rss_mb": used.rss / 1e6, "open_pss_mb": used.pss / 1e6})
        wire.ring(fake_port)

    tally = await load.streams(
        running.port, shape.open_streams, shape.open_words, shape.open_gap_ms, 120, usage=True, all_open=all_open
    )
    figures |= {"open_streams": shape.open_streams, "complete": tally.done}
    measured.saw("open streams", tally)
    if "open_rss_mb" not in figures:
        measured.errors.append("open streams: they were never all open, so their memory is not known")


async def million(program: Program, measured: Measured, core: int, fakes: list[int], requests: int = 1_000_000) -> None:
    """Memory after a tenth of that many requests and after all of them, as `grown` (1.0 is flat)."""
    running = Running(program, core, fakes)
    try:
        await running.first_answer()
        sizes = []
        for share in (requests // 10, requests - requests // 10):
            measured.saw("a million requests", await load.closed_loop(running.port, share, 32, 1800))
            sizes.append(proc.memory(running.pid).rss)
            print(f"  {program.name}: {sizes[-1] / 1e6:.1f} MB", file=sys.stderr, flush=True)
        measured.turns[-1] |= {"million_rss_mb": sizes[-1] / 1e6, "million_grown": sizes[-1] / sizes[0]}
    except (OSError, StartFailedError) as error:
        measured.errors.append(f"{type(error).__name__}: {error}")
    finally:
        running.stop()
