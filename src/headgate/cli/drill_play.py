"""One rehearsed request: the gateway that serves clients, stand-ins for providers, and a client that only listens."""

from __future__ import annotations

import asyncio
import random
import time

import msgspec

from headgate.cli.drill_clock import LeapingLoop
from headgate.cli.drill_stage import Stage
from headgate.dialects.openai.request import parse_request
from headgate.errors import GatewayError
from headgate.gateway.booking import Books
from headgate.gateway.gateway import Gateway
from headgate.ledger.budget import MemoryBudgets
from headgate.ledger.limits import MemoryLimiter
from headgate.routing.hypothetical import NOBODY
from headgate.routing.observed import Observed
from headgate.types.deployment import Operation
from headgate.types.entry import SUCCESS, Entry
from headgate.types.request import Account, Attempt, Request, RequestIds
from headgate.upstream.call import Caller
from headgate.upstream.pool import Pool
from headgate.wire import json

TEXT = "Say something about the weather."
BODIES: dict[Operation, dict[str, object]] = {
    Operation.CHAT: {"messages": [{"role": "user", "content": TEXT}]},
    Operation.COMPLETION: {"prompt": TEXT},
    Operation.EMBEDDING: {"input": TEXT},
}
SAME_CHANCE = 1
"""Where chance decides, it decides the same in every drill."""


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What the client saw. `error` is the code it got, inside the stream when `status` is 200; None: a whole answer.

    `answered_by` is a deployment, None when nobody answered; `asked` are the targets in the order they were asked.
    `recovered` is how an answer that broke off went on. `time_s` is how long it would have taken.
    """

    status: int
    error: str | None
    answered_by: str | None
    asked: tuple[str, ...]
    attempts: int
    recovered: str | None
    time_s: float


class _Client:
    """The reply to a client that is never behind."""

    def __init__(self) -> None:
        self.committed = False

    async def whole(self, body: bytes, account: Account) -> None:
        self.committed = True

    async def begin(self, data: bytes, account: Account) -> None:
        self.committed = True

    def write(self, data: bytes) -> bool:
        return True

    async def drained(self) -> None:
        return

    async def end(self, data: bytes) -> None:
        return


class _NoLedger:
    """Rehearsals are nobody's bill."""

    refuses = False

    def record(self, entry: Entry) -> None:
        return


def play(stage: Stage, model: str, operation: Operation, *, stream: bool) -> Seen:
    """Serve one request with the stage as it stands, by a gateway that has not met anything yet."""
    random.seed(SAME_CHANCE)
    with asyncio.Runner(loop_factory=LeapingLoop) as runner:
        return runner.run(_serve(stage, model, operation, stream))


async def _serve(stage: Stage, model: str, operation: Operation, stream: bool) -> Seen:
    loop = asyncio.get_running_loop()
    pool, client, ids = Pool(), _Client(), RequestIds()
    books = Books(MemoryLimiter(), MemoryBudgets({}, time.time()), _NoLedger())
    gateway = Gateway(Caller(pool, {}), loop.time, books, Observed())
    asked: dict[str, object] = {"model": model, **BODIES[operation]}
    if stream:
        asked["stream"] = True
    envelope = parse_request(operation, json.encode(asked))
    request = Request(id=ids.next(), snapshot=stage.snapshot, principal=NOBODY, envelope=envelope)
    began = loop.time()
    try:
        account = await gateway.serve(request, client)
    except GatewayError as error:
        tries = getattr(getattr(error, "account", None), "tries", [])
        status = 200 if client.committed else error.status
        return _seen(status, error.code or error.type, tries, "", loop.time() - began)
    return _seen(200, None, account.tries, account.recovered, loop.time() - began)


def _seen(status: int, error: str | None, tries: list[Attempt], recovered: str, time_s: float) -> Seen:
    answered = [one.candidate.deployment.name for one in tries if one.result == SUCCESS]
    return Seen(
        status=status,
        error=error,
        answered_by=answered[-1] if answered and error is None else None,
        asked=tuple(target_of(one) for one in tries),
        attempts=len(tries),
        recovered=recovered or None,
        time_s=round(time_s, 2),
    )


def target_of(attempt: Attempt) -> str:
    """Who was asked, as targets are written."""
    return f"{attempt.candidate.deployment.upstream.provider}/{attempt.candidate.upstream_id}"
