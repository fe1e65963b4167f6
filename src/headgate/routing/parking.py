"""What sits out for as long as a provider says, or for hours: credentials, offers, deployments at a rate limit."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

from headgate.types.fault import FaultClass

HOUR_S = 3_600.0
DAY_S = 24 * HOUR_S

MOST_PARKED = 10_000
"""Of each kind; what was parked longest ago is forgotten first, which costs one attempt."""

LEASE_S = 60.0
"""A probe that shows nothing for so long holds the others up no more."""

LEAST_WAIT_S = 1.0
"""What asks for less, or for nothing at all, is asked again after so long."""

FIRST_LIMIT_S = 2.0
LONGEST_LIMIT_S = 60.0
"""How long a deployment cools that says "too many" and not for how long: doubling each time it says so again."""

NEVER = -math.inf
"""A time that has always been over."""

Key = TypeVar("Key", bound=Hashable)


class Parked:
    """Why something is parked, since when, until when (infinity: for good), and the probe that looks if it works."""

    __slots__ = ("_probe", "_probe_until", "_step", "reason", "since", "until")

    def __init__(self, reason: FaultClass) -> None:
        self.reason = reason
        self.since = 0.0
        self.until = 0.0
        self._step = 0
        self._probe: object = None
        self._probe_until = 0.0

    @property
    def retry_at(self) -> float:
        """When the next probe may go."""
        return self.until if self._probe is None else self._probe_until

    def again(self, now: float, wait_s: float | None, first_s: float, longest_s: float) -> None:
        """Park it from now on: for as long as it asks, or twice as long as the last time."""
        if wait_s is None:
            wait_s = min(first_s * 2.0**self._step, longest_s)
            self._step = min(self._step + 1, 16)
        self.since = now
        self.until = now + max(min(wait_s, longest_s), LEAST_WAIT_S)
        self._probe = None

    def for_good(self, now: float) -> None:
        self.since = now
        self.until = math.inf
        self._probe = None

    def take(self, probe: object, now: float) -> None:
        self._probe = probe
        self._probe_until = now + LEASE_S

    def give_back(self, probe: object) -> None:
        if self._probe is probe:
            self._probe = None


class Parking(Generic[Key]):
    """Things by key that sit out. When the time is over one probe may look; success clears it.

    `first_s` is how long something sits out that does not say how long, `longest_s` to where that doubles; who asks
    for longer is looked at after `longest_s` as well. `began` is when the attempt began that has something to say: what
    began before the thing was parked neither parks it again nor clears it. `known` is all that is kept: mostly nothing.
    """

    def __init__(self, first_s: float, longest_s: float, most: int = MOST_PARKED) -> None:
        self._first_s = first_s
        self._longest_s = longest_s
        self._most = most
        self.known: OrderedDict[Key, Parked] = OrderedDict()

    def __len__(self) -> int:
        return len(self.known)

    def get(self, key: Key) -> Parked | None:
        """What is known of a thing that was parked and has not succeeded since."""
        return self.known.get(key) if self.known else None

    def is_parked(self, key: Key, now: float) -> bool:
        """Whether nothing may be sent: its time is not over, or a probe is under way."""
        parked = self.get(key)
        return parked is not None and now < parked.retry_at

    def begin(self, key: Key, probe: object, now: float) -> bool:
        """Let an attempt through, as the probe if the thing was parked; False: it must not be sent."""
        parked = self.get(key)
        if parked is None:
            return True
        if now < parked.retry_at:
            return False
        parked.take(probe, now)
        return True

    def give_back(self, key: Key, probe: object) -> None:
        """The probe ended in a way that says nothing of the thing: another may look."""
        parked = self.get(key)
        if parked is not None:
            parked.give_back(probe)

    def park(
        self,
        key: Key,
        reason: FaultClass,
        *,
        began: float,
        now: float,
        wait_s: float | None = None,
        for_good: bool = False,
    ) -> bool:
        """Let it sit out. True when that is news: it was not parked, or for another reason."""
        parked = self.get(key)
        if parked is not None and began <= parked.since:
            return False
        news = parked is None or parked.reason is not reason
        if parked is None or news:
            parked = self.known[key] = Parked(reason)
            if len(self.known) > self._most:
                self.known.popitem(last=False)
        self.known.move_to_end(key)
        if for_good:
            parked.for_good(now)
        else:
            parked.again(now, wait_s, self._first_s, self._longest_s)
        return news

    def succeeded(self, key: Key, began: float) -> None:
        """It works."""
        parked = self.get(key)
        if parked is not None and began > parked.since:
            del self.known[key]

    def forget(self, key: Key) -> None:
        """Let it be tried at once, whatever was known."""
        self.known.pop(key, None)


class Limit:
    """How long one deployment takes no more requests, as it says itself. When the time is over all may come again."""

    __slots__ = ("_since", "_step", "until")

    def __init__(self) -> None:
        self.until = NEVER
        self._since = NEVER
        self._step = 0

    def refused(self, began: float, now: float, wait_s: float | None) -> None:
        """An attempt that began then was one too many. To ask for no time at all is not to say for how long."""
        if not wait_s:
            if began <= self._since:
                return
            wait_s = min(FIRST_LIMIT_S * 2.0**self._step, LONGEST_LIMIT_S)
            self._step = min(self._step + 1, 16)
        self._since = max(self._since, now)
        # Who asks for hours is asked again after one: such limits are often lifted, or were told wrongly.
        self.until = max(self.until, now + min(wait_s, HOUR_S))

    def succeeded(self, began: float) -> None:
        """An attempt that began then was taken."""
        if began > self._since:
            self.until = NEVER
            self._step = 0
