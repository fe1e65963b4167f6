"""An attempt beside another: when one is slow, the rest of the ladder is climbed next to it; the first content wins.

No task is made unless a clock says that an attempt is late. The attempt itself runs in the request's own task; a rival
that has content interrupts it the way a timeout would. A rival's failure never does.
"""

from __future__ import annotations

import asyncio

from headgate.gateway.ladder import TICK_S, Ladder, Running
from headgate.gateway.turns import Turn
from headgate.types.fault import Fault

AGAIN_S = 1.0
"""With nobody to ask when an attempt is late, so long until the next look: somebody may be back by then."""


async def climb(ladder: Ladder) -> Running:
    """The first candidate whose answer begins. Raises Fault: of all that happened the one that tells most."""
    alone = len(ladder.plan.candidates) == 1
    while ladder.is_first or await ladder.affords():
        turn = ladder.turns.take() or await ladder.turns.next()
        if turn is None:
            break
        try:
            return await (ladder.tried(turn) if alone else Race(ladder, turn).run())
        except Fault as fault:
            if ladder.ends(fault, turn[0]):
                raise
    raise ladder.verdict()


class Race:
    """One attempt, and from a moment on the rest of the ladder beside it."""

    __slots__ = (
        "_began",
        "_ladder",
        "_listening",
        "_loop",
        "_place",
        "_rival",
        "_task",
        "_timer",
        "_tried",
        "_turn",
    )

    def __init__(self, ladder: Ladder, turn: Turn) -> None:
        self._ladder = ladder
        self._turn = turn
        self._place = turn[0]
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()
        self._timer: asyncio.TimerHandle
        self._tried = 0
        self._began = 0.0
        self._rival: asyncio.Task[Running] | None = None
        self._listening = True

    async def run(self) -> Running:
        """The first of them that has content; the other is cancelled. Raises Fault when neither has any."""
        ladder, place, loop = self._ladder, self._place, self._loop
        began = self._began = loop.time()
        hedge_s = None if ladder.plan.treatments[place].hedge is None else ladder.hedge_s(place)
        if hedge_s is None:
            # Nearly every answer has begun by then: what is late is worked out when one has not.
            self._timer = loop.call_later(ladder.soonest_s(place, began), self._look)
        elif hedge_s < (late_s := ladder.late_s(place, began)):
            self._timer = loop.call_later(hedge_s, self._hedge)
        else:
            self._timer = loop.call_later(late_s, self._overtake)
        won: Running | None = None
        try:
            won = await ladder.tried(self._turn)
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
            self._timer.cancel()
            self._listening = False
            if self._rival is not None:
                await self._end_rival(self._rival, won)
        return won

    def _hedge(self) -> None:
        """The first is slower than most of its answers: ask somebody else if that is not too many already."""
        if not (self._ladder.may_hedge(self._place) and self._started()):
            self._look()

    def _look(self) -> None:
        """Whether the first is late by now; if not, look again when it is."""
        late_in_s = self._began + self._ladder.late_s(self._place, self._began) - self._loop.time()
        if late_in_s > TICK_S:
            self._timer = self._loop.call_later(late_in_s, self._overtake)
        else:
            self._overtake()

    def _overtake(self) -> None:
        """The first is late: ask somebody else, as soon as there is anybody."""
        if not self._started():
            self._timer = self._loop.call_later(AGAIN_S, self._overtake)

    def _started(self) -> bool:
        if self._ladder.speaks(self._place) or not self._ladder.turns.has_rival:
            return False
        self._ladder.count_rival(self._place)
        self._tried = len(self._ladder.booking.account.tries)
        self._rival = self._loop.create_task(climb(self._ladder))
        self._rival.add_done_callback(self._heard)
        return True

    def _heard(self, rival: asyncio.Task[Running]) -> None:
        if not self._listening or rival.cancelled() or self._task is None:
            return
        failure = rival.exception()
        if failure is None:
            self._listening = False
            self._task.cancel()
        elif isinstance(failure, Fault) and not self._ladder.ends(failure, self._place):
            # Who could not be asked, or failed, may be back while the first still runs.
            if len(self._ladder.booking.account.tries) == self._tried:
                self._ladder.uncount_rival(self._place)
            self._rival = None
            self._timer = self._loop.call_later(AGAIN_S, self._overtake)

    async def _end_rival(self, rival: asyncio.Task[Running], won: Running | None) -> None:
        """Whatever the rival still comes to must not interrupt what follows, and nothing of it may be left running.

        A client that leaves meanwhile leaves the winner behind as well.
        """
        left = False
        rival.cancel()
        while not rival.done():
            try:
                await asyncio.wait([rival])
            except asyncio.CancelledError:
                left = True
        if not rival.cancelled() and rival.exception() is None and rival.result() is not won:
            self._ladder.lose(rival.result())
        if left:
            if won is not None:
                self._ladder.lose(won)
            raise asyncio.CancelledError
