"""What the tests of the store share."""

from __future__ import annotations

from headgate.types.money import Price
from headgate.types.policy import Budget, Exhausted, Period


class Clock:
    """A clock that stands still until a test moves it."""

    def __init__(self) -> None:
        self.at = 1_800_000_000.0

    def __call__(self) -> float:
        return self.at


MONTHLY = Budget(limit_pusd=25 * 10**12, per=Period.MONTH)
DAILY = Budget(
    limit_pusd=10**12,
    per=Period.DAY,
    until=1_900_000_000,
    on_exhausted=Exhausted.CHEAPER,
    cheaper_than=Price(input_pusd_per_mtok=50_000_000_000, output_pusd_per_mtok=100_000_000_000),
)
