"""Means that grow old: observations count less the older they are, and two surprises in a row make them begin anew.

Nothing here has a clock: whoever adds or reads says what time it is, in seconds of any clock that only goes forward.
"""

from __future__ import annotations

HALF_LIFE_S = 300.0
"""After so long without news an observation counts half."""

MOST_WEIGHT = 30.0
"""No average remembers more observations than this: a provider that becomes slow shows after a dozen requests."""

FAR = 2.5
"""An observation so many times above or below the mean is a surprise. Two in a row, and what was before is as good as
forgotten: the provider is no longer what it was."""

_MOST_KEPT = MOST_WEIGHT - 1.0
"""As many count beside one more."""

_AFTER_SURPRISE = 1.0
"""As many observations count what was before two surprises."""

DOUBT = 0.6
"""By which part a mean of a single observation may well be wrong; of n it is the root of n less."""


class _Fading:
    """So many observations, of which older ones count less, and how many of the latest were surprises in a row: far
    above the mean, or as a negative number far below it."""

    __slots__ = ("at", "surprises", "weight")

    def __init__(self) -> None:
        self.weight = 0.0
        self.at = 0.0
        self.surprises = 0

    def startle(self, *, above: bool) -> None:
        """An observation is far above the mean, or far below it."""
        self.surprises = max(self.surprises, 0) + 1 if above else min(self.surprises, 0) - 1
        if abs(self.surprises) > 1:
            self.weight = min(self.weight, _AFTER_SURPRISE)

    def doubt(self, now: float) -> float:
        """The part of the mean by which it may well be wrong by now."""
        weight, age_s = self.weight, now - self.at
        if age_s > 0.0:
            weight *= 0.5 ** (age_s / HALF_LIFE_S)
        # No `max`, no `math.sqrt`: exploring asks every candidate, and the calls would be most of what it takes.
        return DOUBT / weight**0.5 if weight > DOUBT * DOUBT else 1.0


class Average(_Fading):
    """A mean of observations in which older ones count less."""

    __slots__ = ("mean",)

    def __init__(self) -> None:
        super().__init__()
        self.mean = 0.0

    def add(self, value: float, now: float, *, surprising: bool = True) -> None:
        """Add an observation; not `surprising` where it counts like any other however far from the mean it is."""
        mean = self.mean
        if surprising and self.weight:
            if value > mean * FAR or value * FAR < mean:
                self.startle(above=value > mean)
            else:
                self.surprises = 0
        kept = self.weight * 0.5 ** ((now - self.at) / HALF_LIFE_S)
        self.weight = weight = (kept if kept < _MOST_KEPT else _MOST_KEPT) + 1.0
        self.mean = mean + (value - mean) / weight
        self.at = now


class Ratio(_Fading):
    """A quotient of two means in which older observations count less: `value` is None until there is one."""

    __slots__ = ("_above", "_below", "value")

    def __init__(self) -> None:
        super().__init__()
        self._above = 0.0
        self._below = 0.0
        self.value: float | None = None

    def add(self, above: float, below: float, now: float) -> None:
        if self.value is not None:
            usual = self.value * below
            if above > usual * FAR or above * FAR < usual:
                self.startle(above=above > usual)
            else:
                self.surprises = 0
        # As in an average. A method for both would be called for nearly every figure of every answer.
        kept = self.weight * 0.5 ** ((now - self.at) / HALF_LIFE_S)
        self.weight = weight = (kept if kept < _MOST_KEPT else _MOST_KEPT) + 1.0
        self._above += (above - self._above) / weight
        self._below += (below - self._below) / weight
        self.at = now
        self.value = self._above / self._below if self._below > 0 else None
