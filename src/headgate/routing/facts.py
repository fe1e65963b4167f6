"""What traffic has taught about one deployment: a few numbers that grow old.

Nothing here has a clock: whoever adds or reads says what time it is, in seconds of any clock that only goes forward.
"""

from __future__ import annotations

from collections import deque

from headgate.routing.averages import Average, Ratio
from headgate.types.headroom import Headroom
from headgate.types.policy import HealthPolicy

_RECENT, _ENOUGH_RECENT = 100, 20
"""First-token times that are kept one by one, and how many of them say something about the slowest."""

_SLOW_PERCENT = 90.0

_PAUSE_S = 5.0
"""How long nobody is sent who need not be, where a provider says "too many" and not for how long."""

TROUBLE = 3
"""So many failures in a row and a deployment is said to be failing."""


class Left:
    """How much is left of one limit until a moment, as far as a reply has told and as we have used since. Nothing is
    known of it from then on."""

    __slots__ = ("amount", "until")

    def __init__(self) -> None:
        self.amount = 0.0
        self.until = 0.0

    def told(self, amount: float, until: float) -> None:
        self.amount, self.until = amount, until


class Facts:
    """One deployment, as traffic shows it.

    `first_token_s` and `per_token` come from whole answers. `cached_share` is the part of the input that the provider
    read from its prompt cache; `cost_factor` what the provider says a request cost, as a multiple of what tokens and
    price come to. `recent` are first-token times of streams and `recent_whole` times of answers in one piece, one by
    one. `in_flight` are attempts that run, `answers` the whole answers there ever were, `failures` the
    failures since the last of them, and `failed_at` when the latest came. Times are those of the caller's clock.
    """

    __slots__ = (
        "answers",
        "cached_share",
        "cost_factor",
        "failed_at",
        "failures",
        "first_token_s",
        "in_flight",
        "last_tried",
        "per_token",
        "recent",
        "recent_whole",
        "requests",
        "tokens",
    )

    def __init__(self) -> None:
        self.first_token_s = Average()
        self.per_token = Ratio()
        self.recent: deque[float] = deque(maxlen=_RECENT)
        self.recent_whole: deque[float] = deque(maxlen=_RECENT)
        self.cached_share = Average()
        self.cost_factor = Average()
        self.in_flight = 0
        self.answers = 0
        self.failures = 0
        self.failed_at = 0.0
        self.last_tried: float | None = None
        self.requests = Left()
        self.tokens = Left()

    def begin(self, tokens: int, now: float) -> None:
        """An attempt starts that will use about so many tokens."""
        self.in_flight += 1
        self.last_tried = now
        self.requests.amount -= 1
        self.tokens.amount -= tokens

    def end(self) -> None:
        """An attempt is over, whatever came of it."""
        self.in_flight -= 1

    def failed(self, now: float | None = None) -> None:
        """An attempt failed and the deployment is to blame. Without a time, that of the latest attempt is taken."""
        self.failures += 1
        self.failed_at = (self.last_tried or 0.0) if now is None else now

    def rests(self, now: float, health: HealthPolicy) -> bool:
        """Whether nobody should be sent because attempts keep failing.

        Once in a cooldown one request finds out.
        """
        return self.failures >= health.failures and (self.in_flight > 0 or now - self.failed_at < health.cooldown_s)

    def answered(self, first_token_s: float | None, total_s: float, tokens: int, now: float) -> None:
        """A whole answer of so many tokens came. `first_token_s` is None where only its end could be seen.

        What such an answer took beyond the first-token time that streams have shown counts as writing.
        """
        self.failures = 0
        self.answers += 1
        if first_token_s is not None:
            self.first_token_s.add(first_token_s, now)
            self.recent.append(first_token_s)
        else:
            self.recent_whole.append(total_s)
        if tokens <= 0:
            if first_token_s is None:
                self.first_token_s.add(total_s, now)
            return
        waited = self.first_token_s.mean if first_token_s is None else first_token_s
        self.per_token.add(max(total_s - waited, 0.0), tokens, now)

    def billed(
        self, cached: int, prompt: int, reported_pusd: int | None, computed_pusd: int | None, now: float
    ) -> None:
        """What the provider says of a prompt's tokens, and of the cost beside our own figure.

        A reported cost of nothing, for tokens that have a price, teaches nothing: it may be credit, or a field that
        is always there.
        """
        if prompt > 0:
            self.cached_share.add(cached / prompt, now)
        if reported_pusd and computed_pusd:
            self.cost_factor.add(reported_pusd / computed_pusd, now)

    def told(self, headroom: Headroom, now: float) -> None:
        """What the provider says is left. A limit without a reset is taken to refill within a minute."""
        if headroom.requests is not None:
            self.requests.told(headroom.requests, now + _or_minute(headroom.requests_reset_s))
        if headroom.tokens is not None:
            self.tokens.told(headroom.tokens, now + _or_minute(headroom.tokens_reset_s))

    def refused(self, wait_s: float | None, now: float) -> None:
        """The provider takes no more requests for the time it says, or a while."""
        until = now + (_PAUSE_S if wait_s is None else wait_s)
        if self.requests.amount <= 0:
            # It may have said before that it takes longer.
            until = max(until, self.requests.until)
        self.requests.told(0, until)

    def has_room(self, tokens: int, concurrent: int | None, now: float) -> bool:
        """Whether one more request of so many tokens would likely be taken.

        A reply may have been written before the requests that now run were counted, so these are set aside.
        """
        if concurrent is not None and self.in_flight >= concurrent:
            return False
        return (now >= self.requests.until or self.requests.amount >= self.in_flight + 1) and (
            now >= self.tokens.until or self.tokens.amount >= tokens
        )

    def expected_s(self, tokens: float) -> float | None:
        """Seconds to the end of an answer of so many tokens; None while no answer has been seen."""
        pace = self.per_token.value
        if pace is None:
            return self.first_token_s.mean if self.first_token_s.weight else None
        return self.first_token_s.mean + pace * tokens

    def content_within_s(self, percent: float, *, stream: bool) -> float | None:
        """The time in which so many of a hundred recent answers have had content: streams their first token, others
        all of it. None with too few."""
        recent = self.recent if stream else self.recent_whole
        if len(recent) < _ENOUGH_RECENT:
            return None
        ordered = sorted(recent)
        return ordered[min(int(len(ordered) * percent / 100), len(ordered) - 1)]

    def outlasted(self, waited_s: float, *, stream: bool) -> None:
        """An attempt was given up that had no content after so long.

        Only those that took longer than nearly all others count: they are the ones that hedging never sees the end of.
        """
        usual = self.content_within_s(_SLOW_PERCENT, stream=stream)
        if usual is not None and waited_s >= usual:
            (self.recent if stream else self.recent_whole).append(waited_s)

    def least_s(self, tokens: float, now: float) -> float:
        """Seconds such an answer may well take if what is known of the deployment flatters it least; 0 without any."""
        pace = self.per_token.value
        if pace is None:
            return self.first_token_s.mean * (1.0 - self.first_token_s.doubt(now))
        return (self.first_token_s.mean + pace * tokens) * (1.0 - self.per_token.doubt(now))

    @property
    def startled(self) -> bool:
        """Whether the latest answer was far quicker than those before."""
        return self.per_token.surprises < 0 or self.first_token_s.surprises < 0

    def health(self, *, room: bool = True) -> str:
        """One word: unknown, healthy, failing, limited."""
        if not room:
            return "limited"
        if self.failures >= TROUBLE:
            return "failing"
        return "healthy" if self.answers else "unknown"


NOTHING_KNOWN = Facts()
"""Of a deployment nobody has called."""


def _or_minute(seconds: float | None) -> float:
    return 60.0 if seconds is None else seconds
