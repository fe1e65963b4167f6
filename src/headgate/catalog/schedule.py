"""When each list is fetched again. Pure: it has no clock, and what it takes for chance is handed in."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable

import msgspec

HOUR_S = 3600.0
MAX_PAUSE_S = 6 * HOUR_S
_MAX_DOUBLINGS = 30


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """When lists are fetched, in seconds: the first time after a start, how often it is looked whether one is due, and
    the first pause after a failure, which doubles with each further one. `jitter` is the share by which all of them
    vary, so that many gateways do not ask at the same moment."""

    first_s: float = 30.0
    look_s: float = 5.0
    retry_s: float = 60.0
    jitter: float = 0.2


class _Progress(msgspec.Struct):
    """How one list has fared since the start: when it was tried last, and how often in a row it has failed."""

    factor: float
    tried: float = 0.0
    failures: int = 0


class Schedule:
    """The lists of a process by some key. `chance` gives a number from 0 to 1; `begin` is the start, on the clock that
    every `now` is of."""

    def __init__(self, timing: Timing, begin: float, chance: Callable[[], float]) -> None:
        self._timing = timing
        self._chance = chance
        self._first = begin + timing.first_s * self._factor()
        self._progress: dict[Hashable, _Progress] = {}

    def keep(self, keys: Collection[Hashable]) -> None:
        """Forget the lists that are not among these, and begin with those that are new."""
        self._progress = {key: self._progress.get(key) or _Progress(self._factor()) for key in keys}

    def is_due(self, key: Hashable, now: float, interval_s: float, age_s: float | None) -> bool:
        """Whether a list is to be fetched now; `age_s` is how old its last good copy is, None when there is none."""
        progress = self._progress[key]
        if now < self._first:
            return False
        if progress.failures:
            doublings = min(progress.failures - 1, _MAX_DOUBLINGS)
            pause_s = min(self._timing.retry_s * 2.0**doublings, MAX_PAUSE_S, interval_s)
            return now >= progress.tried + pause_s * progress.factor
        # A clock that was set back must not keep a list from being fetched for years.
        return age_s is None or abs(age_s) >= interval_s * progress.factor

    def tried(self, key: Hashable, now: float, *, failed: bool) -> None:
        """A list was fetched, or was not."""
        progress = self._progress[key]
        progress.tried = now
        progress.failures = progress.failures + 1 if failed else 0
        progress.factor = self._factor()

    def _factor(self) -> float:
        return 1 + self._timing.jitter * (2 * self._chance() - 1)
