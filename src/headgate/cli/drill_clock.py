"""An event loop whose time leaps to the next thing that is due: minutes of waiting are rehearsed in no time.

Only for what needs no socket and no thread: whoever waits for one of those would wait for nothing.
"""

from __future__ import annotations

import asyncio
import selectors

BEGIN_S = 1000.0


class _Leaps(selectors.DefaultSelector):
    """Instead of waiting, notes how long it would have waited."""

    waited_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready and timeout is None:
            raise RuntimeError("a rehearsal waits for something that never comes")
        if not ready and timeout is not None and timeout > 0:
            self.waited_s += timeout
        return ready


class LeapingLoop(asyncio.SelectorEventLoop):
    """A loop with a clock of its own, in seconds; it moves only while nothing else is to be done."""

    def __init__(self) -> None:
        self._leaps = _Leaps()
        super().__init__(self._leaps)

    def time(self) -> float:
        return BEGIN_S + self._leaps.waited_s
