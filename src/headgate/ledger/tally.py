"""What one scope has spent in the running day, week, month and in all, and what is set aside for it."""

from __future__ import annotations

from headgate.ledger.periods import DAY_S, first_days


class Sums:
    """What a scope has booked, and what is set aside for it, in all periods alike."""

    __slots__ = ("reserved", "spent")

    def __init__(self) -> None:
        self.reserved = 0
        self.spent = 0


_NOTHING = Sums()


class Window:
    """One period of one scope. A new period is a new window, so what belongs to an old one cannot reach it.

    It counts what its scope has booked and set aside since it began: a request changes the sums of the scope and not
    every window of it.
    """

    __slots__ = ("_reserved", "_spent", "_sums", "told")

    def __init__(self, sums: Sums, spent: int = 0) -> None:
        self._sums = sums
        self._spent = spent - sums.spent
        self._reserved = -sums.reserved
        self.told = False  # that a request was refused

    @property
    def spent(self) -> int:
        return self._sums.spent + self._spent

    @property
    def reserved(self) -> int:
        return self._sums.reserved + self._reserved

    @property
    def engaged(self) -> int:
        """What is spent and what is set aside."""
        sums = self._sums
        return sums.spent + sums.reserved + self._spent + self._reserved

    def book(self, pusd: int, released: int) -> None:
        """Count a cost, and what is no longer set aside, for this window alone."""
        self._spent += pusd
        self._reserved -= released

    def end(self) -> None:
        """The period is over: what its scope does from now on is none of it."""
        self._spent, self._reserved, self._sums = self.spent, self.reserved, _NOTHING


class Tally:
    """The windows of one scope (day, week, month, total) on the day they were last turned to."""

    __slots__ = ("begins", "day", "ends", "sums", "windows")

    def __init__(self, day: int, spent: tuple[int, int, int, int] = (0, 0, 0, 0)) -> None:
        self.sums = Sums()
        self.windows = tuple(Window(self.sums, pusd) for pusd in spent)
        self._date(day)

    def _date(self, day: int) -> None:
        self.day = day
        self.begins = day * DAY_S
        self.ends = self.begins + DAY_S

    def turn(self, day: int) -> None:
        """Begin the periods that are new on a day. A clock that is set back never brings fresh money.

        Requests that arrived just before midnight and come here after it count on the newer day. A clock that went
        back further was wrong before: the figures stay, and their periods end by the clock as it is now.
        """
        if day > self.day:
            pairs = zip(self.windows, first_days(self.day), first_days(day), strict=True)
            self.windows = tuple(window if was == now else self._after(window) for window, was, now in pairs)
        if day > self.day or day < self.day - 1:
            self._date(day)

    def _after(self, window: Window) -> Window:
        window.end()
        return Window(self.sums)

    def of(self, day: int) -> list[Window]:
        """The windows that a day at or before this one belongs to."""
        pairs = zip(self.windows, first_days(self.day), first_days(day), strict=True)
        return [window for window, current, then in pairs if current == then]
