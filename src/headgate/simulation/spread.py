"""Numbers that are drawn anew each time: how they are spread, and what they are on average."""

from __future__ import annotations

import math
from statistics import NormalDist

import msgspec

_NORMAL = NormalDist()
_EDGE = 1e-12


class Constant(msgspec.Struct, frozen=True):
    """Always the same."""

    value: float

    @property
    def mean(self) -> float:
        return self.value

    @property
    def mean_inverse(self) -> float:
        """What 1 divided by the number is on average."""
        return 1.0 / self.value

    def at(self, drawn: float) -> float:
        """The number for a draw from 0 to 1."""
        return self.value


class Uniform(msgspec.Struct, frozen=True):
    """Anything between two numbers."""

    low: float
    high: float

    @property
    def mean(self) -> float:
        return (self.low + self.high) / 2

    @property
    def mean_inverse(self) -> float:
        if self.high == self.low:
            return 1.0 / self.low
        return math.log(self.high / self.low) / (self.high - self.low)

    def at(self, drawn: float) -> float:
        return self.low + (self.high - self.low) * drawn


class Lognormal(msgspec.Struct, frozen=True):
    """Mostly near the median, now and then far above; `sigma` is the spread of the logarithm."""

    median: float
    sigma: float

    @property
    def mean(self) -> float:
        return self.median * math.exp(self.sigma**2 / 2)

    @property
    def mean_inverse(self) -> float:
        return math.exp(self.sigma**2 / 2) / self.median

    def at(self, drawn: float) -> float:
        return self.median * math.exp(self.sigma * _NORMAL.inv_cdf(min(max(drawn, _EDGE), 1 - _EDGE)))


Spread = Constant | Uniform | Lognormal
