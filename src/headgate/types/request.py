"""One request as the gateway sees it, before and after a deployment is chosen."""

from __future__ import annotations

import itertools
import secrets
import time
from collections.abc import Sequence

import msgspec

from headgate.types.deployment import Body, Candidate, Operation
from headgate.types.headroom import Headroom
from headgate.types.money import Cost
from headgate.types.policy import Order, Preferences, Treatment
from headgate.types.principal import Principal
from headgate.types.snapshot import Snapshot
from headgate.types.usage import Usage

NO_COST = Cost()


def now_us() -> int:
    """Unix time in microseconds."""
    return time.time_ns() // 1000


class Envelope(msgspec.Struct, frozen=True, kw_only=True, eq=False, gc=False):
    """What the gateway acts on in a client's body; everything else stays in `fields` as the bytes that came.

    `output_cap` is the most tokens an answer may have, times `n`; None when the client set none. `answers` is `n`.
    `requires` are the capabilities without which the request cannot be served, in the catalogue's words. `sizes` and
    `writes` are left to `catalog.estimate`, which works them out once: several ask of every request.
    """

    operation: Operation
    model: str
    fields: Body
    size: int
    stream: bool = False
    include_usage: bool = False
    continuous_usage: bool = False
    output_cap: int | None = None
    answers: int = 1
    requires: frozenset[str] = frozenset()
    preferences: Preferences | None = None
    sizes: tuple[int, int] | None = None
    writes: tuple[int, int | None] | None = None


class Request(msgspec.Struct, frozen=True, kw_only=True, eq=False, gc=False):
    """An authenticated request and the one snapshot it reads from start to end."""

    id: str
    snapshot: Snapshot
    principal: Principal
    envelope: Envelope
    at_us: int = msgspec.field(default_factory=now_us)
    """When it arrived, in Unix microseconds."""
    arrived: float | None = None
    """The same moment in the event loop's time; None: just now."""
    order: Order | None = None
    total_s: float | None = None


class Dropped(msgspec.Struct, frozen=True, gc=False):
    """A deployment that is no candidate, and why."""

    deployment: str
    reason: str


class Figures(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What speaks for or against a candidate: what the request is expected to cost with it, in pico-dollars, and to
    take, in seconds to the end of the answer; None is not known. `health` is one word. `unsure` are requirements of
    which nobody says whether it meets them.
    """

    cost_pusd: int | None = None
    time_s: float | None = None
    health: str = "unknown"
    unsure: tuple[str, ...] = ()


class Plan(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Ordered candidates for one request, and the dropped ones with reasons.

    `figures` and `treatments` run parallel to the candidates: what the order was made from, and how each is asked.
    `order` is the policy that was applied, `tokens` what the first candidate is expected to use.
    """

    candidates: tuple[Candidate, ...]
    dropped: tuple[Dropped, ...] = ()
    figures: tuple[Figures, ...] = ()
    treatments: tuple[Treatment, ...] = ()
    order: Order = Order.CHEAPEST
    tokens: int = 0

    def only(self, kept: Sequence[int], reason: str) -> Plan:
        """The plan with the candidates at these places alone; the others are dropped for a reason."""
        gone = [Dropped(one.deployment.name, reason) for place, one in enumerate(self.candidates) if place not in kept]
        return Plan(
            candidates=tuple([self.candidates[place] for place in kept]),
            dropped=(*self.dropped, *gone),
            figures=tuple([self.figures[place] for place in kept]) if self.figures else (),
            treatments=tuple([self.treatments[place] for place in kept]) if self.treatments else (),
            order=self.order,
            tokens=self.tokens,
        )


class Attempt(msgspec.Struct, eq=False):
    """One send to one deployment while it runs. Times are the event loop's; None for what has not happened.

    `result` is empty while it runs, then `success`, a fault class, or `cancelled`.
    """

    candidate: Candidate
    started: float
    connected: float | None = None
    first_token: float | None = None
    done: float | None = None
    result: str = ""
    status: int | None = None
    usage: Usage | None = None
    cost: Cost = NO_COST
    headroom: Headroom | None = None
    held: bool = False
    """Whether the client was too slow for the answer, so that its time says nothing of the provider."""


class Account(msgspec.Struct, kw_only=True, eq=False):
    """What is known of a request while it runs and when it is over: who served it, how often we tried, what it used.

    The reply headers and the ledger are written from this. `provider` and `model` are those of the attempt whose answer
    the client gets, else of the one begun last; `dropped` belongs to such an answer alone. `headers` go out with the
    reply, whatever it is. `recovered` is how an answer that broke off went on: `continue` or `restart`.
    """

    request_id: str
    provider: str = ""
    model: str = ""
    tries: list[Attempt] = []
    dropped: list[str] = []
    usage: Usage | None = None
    cost_pusd: int | None = None
    headers: list[tuple[bytes, bytes]] = []
    recovered: str = ""

    @property
    def attempts(self) -> int:
        return len(self.tries)


class RequestIds:
    """Makes request ids that never repeat, over restarts too: a random start and a counter.

    uuid4 would cost several times as much on the path of every request.
    """

    def __init__(self) -> None:
        self._start = secrets.token_hex(8)
        self._counter = itertools.count(1)

    def next(self) -> str:
        return f"req_{self._start}{next(self._counter):08x}"
