"""Why a budget does not pay for a request, and what the client may know of it."""

from __future__ import annotations

from math import ceil

from headgate.errors import GatewayError
from headgate.ledger.periods import render_budget, render_time
from headgate.types.money import Price, render_usd
from headgate.types.policy import Budget, Exhausted, Period

WHOSE = {"key": "this key", "token": "this key's creator", "workspace": "the workspace"}


class BudgetExceeded(GatewayError):
    """The worst case of a request is more than a budget has left.

    All amounts are pico-dollars. `budget` is the one that keeps the request out the longest; `reset_at` (Unix
    seconds) is when it begins anew, None when it does not. `cheaper` when every budget in the way admits cheaper
    candidates: those that cost at most `cheaper_than` may be asked, with `beyond` at the reservation. The message says
    figures of the key's own budget only: those of a workspace or a creator would tell what other keys spend.
    """

    status = 429
    type = "insufficient_quota"
    code = "budget_exceeded"

    def __init__(
        self,
        scope: str,
        budget: Budget,
        *,
        spent: int,
        reserved: int,
        worst: int,
        now: float,
        reset_at: int | None,
        cheaper_than: Price | None,
    ) -> None:
        self.scope = scope
        self.budget = budget
        self.spent = spent
        self.reserved = reserved
        self.left = max(0, budget.limit_pusd - spent - reserved)
        self.worst = worst
        self.ended = ended(budget, now)
        self.reset_at = None if self.ended else reset_at
        self.cheaper = cheaper_than is not None
        self.cheaper_than = cheaper_than
        # The rest of this budget is set aside for requests that are running: most of it comes back in a moment.
        busy = not self.ended and spent + worst <= budget.limit_pusd
        super().__init__(self._ended() if self.ended else self._short(busy), headers=self._advice(busy, now))

    def _ended(self) -> str:
        until = render_time(self.budget.until or 0)
        return f"{self._whose()} ended at {until}; nothing can be spent until it is extended"

    def _short(self, busy: bool) -> str:
        own = self.scope.startswith("key:")
        limit, period = self.budget.limit_pusd, self.budget.per
        budget = self._whose() + (f" of {render_budget(limit, period)}" if own else _of_period(period))
        left = f"has ${render_usd(self.left)} left" if own else "has too little left for this request"
        reset = "" if self.reset_at is None else f"; it resets {render_time(self.reset_at)}"
        later = "" if self.reset_at is None else ", or wait until then"
        way_out = f"lower max_tokens{later}"
        if busy:
            way_out = "lower max_tokens, or try again when requests that run now have ended: their worst is set aside"
        elif self.spent >= limit:
            left = "is used up"
            way_out = "nothing can be spent until it is raised" if self.reset_at is None else "wait until then"
        elif self.worst > limit:
            way_out = "lower max_tokens: it would not fit a new one either"
        if self.cheaper_than is not None:
            way_out += f"; now it pays only for {_at_most(self.cheaper_than)}"
        return f"{budget} {left}, and this request could cost up to ${render_usd(self.worst)}{reset}; {way_out}"

    def _whose(self) -> str:
        return f"{WHOSE.get(self.scope.partition(':')[0], WHOSE['workspace'])}'s budget"

    def _advice(self, busy: bool, now: float) -> tuple[tuple[bytes, bytes], ...]:
        """When to try again; the official clients try a 429 again by themselves unless told not to."""
        if busy:
            return ((b"retry-after", b"1"),)
        stop = (b"x-should-retry", b"false")
        if self.reset_at is None or self.worst > self.budget.limit_pusd:
            return (stop,)
        return ((b"retry-after", b"%d" % max(1, ceil(self.reset_at - now))), stop)


def _at_most(price: Price) -> str:
    entered, written = render_usd(price.input_pusd_per_mtok or 0), render_usd(price.output_pusd_per_mtok or 0)
    return f"models of at most ${entered} per million tokens of input and ${written} of output"


def _of_period(period: Period) -> str:
    return "" if period is Period.TOTAL else f" for this {period}"


def ended(budget: Budget, now: float) -> bool:
    """Whether the budget's last moment has passed: from then on it pays for nothing."""
    return budget.until is not None and now >= budget.until


def admits_cheaper(budget: Budget, now: float) -> bool:
    """Whether candidates under the budget's price may be asked though it is used up."""
    price = budget.cheaper_than
    return budget.on_exhausted is Exhausted.CHEAPER and price is not None and price.known and not ended(budget, now)


def tightest_price(budgets: list[Budget], now: float) -> Price | None:
    """What a candidate may cost at most to be asked in spite of all these budgets; None when one admits nobody."""
    prices = [budget.cheaper_than for budget in budgets if budget.cheaper_than and admits_cheaper(budget, now)]
    if len(prices) < len(budgets):
        return None
    return Price(
        input_pusd_per_mtok=min(price.input_pusd_per_mtok or 0 for price in prices),
        output_pusd_per_mtok=min(price.output_pusd_per_mtok or 0 for price in prices),
    )
