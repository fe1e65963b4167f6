"""An attempt beside another: when one is slow, the rest of the ladder is climbed next to it; the first content wins.

No task is made unless a clock says that an attempt is late. The attempt itself runs in the request's own task; a rival
that has content interrupts it the way a timeout would. A rival's failure never does.
"""

from __future__ import annotations

import asyncio

from headgate.gateway.ladder import Ladder, Running
from headgate.types.fault import Fault


async def climb(ladder: Ladder) -> Running:
    """The first candidate whose answer begins. Raises Fault: of all that happened the one that tells most."""
    while (place := await ladder.turn()) is not None:
        late_s = ladder.late_s(place)
        try:
            return await (ladder.tried(place) if late_s is None else Race(ladder, place).run(late_s))
        except Fault as fault:
            if ladder.ends(fault, place):
                raise
    raise ladder.verdict()


async def _climb_beside(ladder: Ladder) -> Running:
    """The rest of the ladder, for an attempt that is late; what a second answer may cost has to be there too."""
    if not await ladder.booking.set_aside_another():
        raise ladder.verdict()
    return await climb(ladder)


class Race:
    """One attempt, and from a moment on the rest of the ladder beside it."""

    def __init__(self, ladder: Ladder, place: int) -> None:
        self._ladder = ladder
        self._place = place
        self._task = asyncio.current_task()
        self._rival: asyncio.Task[Running] | None = None
        self._listening = True

    async def run(self, late_s: float) -> Running:
        """The first of them that has content; the other is cancelled. Raises Fault when neither has any."""
        timer = asyncio.get_running_loop().call_later(late_s, self._start)
        won: Running | None = None
        try:
            won = await self._ladder.tried(self._place)
        except asyncio.CancelledError:
            if self._listening or self._rival is None or self._task is None or self._task.uncancel() > 0:
                # It is the client that has left.
                raise
            won = self._rival.result()
        except Fault as fault:
            if self._rival is None or self._ladder.ends(fault, self._place):
                raise
            self._listening = False
            won = await self._rival
        finally:
            timer.cancel()
            await self._end_rival(won)
        return won

    def _start(self) -> None:
        if self._ladder.has_rival:
            self._ladder.count_rival(self._place)
            self._rival = asyncio.get_running_loop().create_task(_climb_beside(self._ladder))
            self._rival.add_done_callback(self._heard)

    def _heard(self, rival: asyncio.Task[Running]) -> None:
        if not self._listening or rival.cancelled() or rival.exception() is not None or self._task is None:
            return
        self._listening = False
        self._task.cancel()

    async def _end_rival(self, won: Running | None) -> None:
        """Whatever the rival still comes to must not interrupt what follows, and nothing of it may be left running."""
        self._listening = False
        rival = self._rival
        if rival is None:
            return
        if not rival.done():
            rival.cancel()
            await asyncio.wait([rival])
        if not rival.cancelled() and rival.exception() is None and rival.result() is not won:
            self._ladder.lose(rival.result())
