"""One request as the gateway sees it, before and after a deployment is chosen."""

from __future__ import annotations

import itertools
import secrets

import msgspec

from headgate.types.deployment import Body, Candidate, Operation
from headgate.types.policy import Order
from headgate.types.principal import Principal
from headgate.types.snapshot import Snapshot
from headgate.types.usage import Usage


class Envelope(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """What the gateway acts on in a client's body; everything else stays in `fields` as the bytes that came.

    `output_cap` is the most tokens an answer may have, times `n`; None when the client set none.
    """

    operation: Operation
    model: str
    fields: Body
    size: int
    stream: bool = False
    include_usage: bool = False
    continuous_usage: bool = False
    output_cap: int | None = None


class Request(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """An authenticated request and the one snapshot it reads from start to end."""

    id: str
    snapshot: Snapshot
    principal: Principal
    envelope: Envelope
    order: Order | None = None
    total_s: float | None = None


class Dropped(msgspec.Struct, frozen=True):
    """A deployment that is no candidate, and why."""

    deployment: str
    reason: str


class Plan(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Ordered candidates for one request, and the dropped ones with reasons."""

    candidates: tuple[Candidate, ...]
    dropped: tuple[Dropped, ...] = ()


class Account(msgspec.Struct, kw_only=True):
    """What is known of a request while it runs and when it is over: who served it, how often we tried, what it used.

    The reply headers and the ledger are written from this.
    """

    request_id: str
    provider: str = ""
    model: str = ""
    attempts: int = 0
    dropped: list[str] = []
    usage: Usage | None = None
    cost_pusd: int | None = None
    fault: str | None = None


class RequestIds:
    """Makes request ids that never repeat, over restarts too: a random start and a counter.

    uuid4 would cost several times as much on the path of every request.
    """

    def __init__(self) -> None:
        self._start = secrets.token_hex(8)
        self._counter = itertools.count(1)

    def next(self) -> str:
        return f"req_{self._start}{next(self._counter):08x}"
