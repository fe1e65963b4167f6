"""Who is under way at one deployment since it last gave a sign of life: whether more should be sent. Pure.

Of many requests that come at once, all have begun before the first failure is seen. So not failures alone tell how many
may go the same way, but also that nobody has been heard of yet.
"""

from __future__ import annotations

from collections import deque

CROWD = 10
"""So many attempts may begin without a sign of life before those who have a choice go elsewhere."""

USUAL = 3
"""While signs of life come as they use to, so many times as many as it usually takes until the next one."""

SILENCE = 2
"""So many times as long as usual without a sign of life, and it is no longer as usual."""

PATIENCE_S = 60.0
"""A crowd that nobody has joined for so long is no obstacle to one more, whatever became of it."""

MOST = 10_000
"""So many attempts are kept in mind for one deployment."""


class Passage:
    """An attempt that was let through: when, after how many changes of its breaker, as which of its attempts (0: as a
    probe), and whether it has ended."""

    __slots__ = ("at", "epoch", "number", "over")

    def __init__(self, at: float, epoch: int, number: int) -> None:
        self.at = at
        self.epoch = epoch
        self.number = number
        self.over = False


class Crowd:
    """Attempts that began after the youngest one that gave a sign of life: the running ones, and the failed ones.

    `failed` are failures among them since that sign. Times are seconds of any clock that only goes forward.
    """

    __slots__ = ("_begun", "_begun_at", "_lag", "_proven", "_proven_at", "_running", "_usual_s", "_younger", "failed")

    def __init__(self) -> None:
        self.failed = 0
        self._running = 0
        self._younger: deque[Passage] = deque()
        self._begun = 0
        self._begun_at = 0.0
        self._proven = 0
        self._proven_at = float("-inf")
        self._lag = 0.0
        self._usual_s = 0.0

    def full(self, now: float, failures: int) -> bool:
        """Whether another should go elsewhere if it can; twice as many as the failures that open a breaker never are
        too many."""
        size = self._running + self.failed
        if size < CROWD or size < 2 * failures or now - self._begun_at >= PATIENCE_S:
            return False
        return size >= USUAL * self._lag or now - self._proven_at > SILENCE * self._usual_s

    def begin(self, now: float, epoch: int) -> Passage:
        """One more."""
        self._begun += 1
        self._begun_at = now
        passage = Passage(now, epoch, self._begun)
        if len(self._younger) >= MOST:
            self._drop_oldest()
        self._younger.append(passage)
        self._running += 1
        return passage

    def alive(self, passage: Passage, now: float) -> None:
        """One gave a sign of life. From the youngest so far is learned how long that takes, and how many begin
        meanwhile."""
        if passage.number <= self._proven:
            return
        lag, took_s = self._begun - passage.number, now - passage.at
        # Up at once and down by and by: rarely too few are let through, and soon again enough.
        self._lag = lag if lag > self._lag else self._lag + (lag - self._lag) / 8
        usual_s = self._usual_s
        self._usual_s = took_s if took_s > usual_s else usual_s + (took_s - usual_s) / 8
        number = self._proven = passage.number
        self._proven_at, self.failed = now, 0
        younger = self._younger
        while younger and younger[0].number <= number:
            self._running -= not younger.popleft().over

    def left(self, passage: Passage, *, failed: bool = False) -> None:
        """One has ended. After a failure nothing is as usual until the next sign of life."""
        if failed:
            self._proven_at = float("-inf")
        if passage.number <= self._proven or passage.over:
            passage.over = True
            return
        passage.over = True
        self._running -= 1
        self.failed += failed
        while self._younger and self._younger[0].over:
            self._younger.popleft()

    def clear(self, now: float) -> None:
        """It lives: whoever has begun until now is no part of the crowd any more."""
        self._proven, self._proven_at = self._begun, now
        self._running = self.failed = 0
        self._younger.clear()

    def _drop_oldest(self) -> None:
        oldest = self._younger.popleft()
        self._running -= not oldest.over
        self._proven = max(self._proven, oldest.number)
