"""How much load a run makes, and what it keeps of each program: the least of every figure over the turns."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from bench import load


@dataclass(frozen=True)
class Shape:
    """How much load a run makes. A turn's requests are made in `rounds`, the least kept.

    Times are in seconds or, where named so, milliseconds."""

    turns: int = 2
    requests: int = 20_000
    warmup: int = 3_000
    connections: int = 32
    rounds: int = 5
    stream_rounds: int = 3
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
