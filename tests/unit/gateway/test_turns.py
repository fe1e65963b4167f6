"""Whose turn it is and how long it gets, by a clock that leaps; and what is said of a request that several had."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine
from typing import Any, TypeVar

import pytest

from headgate.cli.drill_clock import LeapingLoop
from headgate.dialects.openai.request import parse_request
from headgate.errors import UpstreamFailed
from headgate.gateway.booking import Booking
from headgate.gateway.gateway import Gateway
from headgate.gateway.ladder import Ladder, Means
from headgate.gateway.patience import TOGETHER, Patience
from headgate.gateway.turns import Turn
from headgate.routing.crowd import CROWD
from headgate.routing.health import Health
from headgate.routing.hypothetical import NOBODY
from headgate.routing.observed import Observed
from headgate.routing.treatment import treatment_of
from headgate.types.deployment import Candidate, Operation
from headgate.types.fault import FaultClass
from headgate.types.policy import HealthPolicy, Timeouts
from headgate.types.request import Account, Plan, Request
from headgate.types.script import Script
from headgate.upstream.call import Caller
from headgate.upstream.pool import Pool
from tests.fakes.provider import FakeProvider, json_reply
from tests.surface.gateway import KeptEntries, books, snapshot_of
from tests.surface.stage import chat
from tests.unit.gateway.test_gateway import Taken
from tests.unit.routing.snapshots import candidate, credentials

T = TypeVar("T")
POLICY, TIMEOUTS = HealthPolicy(), Timeouts()


def leaping(main: Coroutine[Any, Any, T]) -> T:
    with asyncio.Runner(loop_factory=LeapingLoop) as runner:
        return runner.run(main)


def ladder(health: Health, *candidates: Candidate, stream: bool = True) -> Ladder:
    body = json.dumps(chat("m", stream=stream)).encode()
    request = Request(
        id="req_1",
        snapshot=snapshot_of("providers: {sandbox: }\n"),
        principal=NOBODY,
        envelope=parse_request(Operation.CHAT, body),
    )
    plan = Plan(
        candidates=candidates, treatments=tuple([treatment_of(None, one.deployment.upstream) for one in candidates])
    )
    clock = asyncio.get_running_loop().time
    booking = Booking(books(), clock, Account(request_id="req_1"), NOBODY, Operation.CHAT, 0, clock(), "m", stream)
    return Ladder(Means(Caller(Pool(), {}), Observed(), health, Patience(), lambda: 0.5), request, plan, booking)


def place_of(turn: Turn | None) -> int | None:
    return None if turn is None else turn[0]


def fails(health: Health, one: Candidate, fault: FaultClass, now: float, wait_s: float | None = None) -> None:
    permit = health.begin(one, now, POLICY)
    assert permit is not None
    health.failed(permit, fault, now, POLICY, 0.5, wait_s)


def crowd(health: Health, one: Candidate, now: float) -> None:
    for _ in range(CROWD):
        assert health.begin(one, now, POLICY) is not None


@pytest.mark.parametrize("fault", [FaultClass.SERVER_ERROR, FaultClass.QUOTA_EXHAUSTED])
def test_the_clock_of_a_probe_counts_on_those_that_sit_out_while_it_looks(fault: FaultClass) -> None:
    async def main() -> None:
        health, now = Health(), asyncio.get_running_loop().time()
        if fault is FaultClass.SERVER_ERROR:
            # Two credentials, one server.
            first, second = credentials(candidate("p"), k1=1.0, k2=1.0)
        else:
            # Two models, one credential.
            first, second = candidate("p"), candidate("p", upstream_id="n", model="n")
        for _ in range(POLICY.failures if fault is FaultClass.SERVER_ERROR else 1):
            fails(health, first, fault, now, 1.0)
        await asyncio.sleep(100)
        climbing = ladder(health, first, second)
        assert place_of(climbing.turns.take()) == 0
        assert not health.standing(second, now + 100, POLICY).ready
        assert climbing.asking(0).clocks.first_token_s == TIMEOUTS.first_token_s * TOGETHER

    leaping(main())


def test_an_attempt_with_nobody_behind_it_gets_no_longer_than_its_clock() -> None:
    async def main() -> None:
        climbing = ladder(Health(), candidate("p"), candidate("q"))
        for place, times in ((0, TOGETHER), (1, 1.0)):
            assert place_of(climbing.turns.take()) == place
            assert climbing.asking(place).clocks.first_token_s == TIMEOUTS.first_token_s * times
        # Given up for a rival, it is the only one to be asked again.
        climbing.turns.give_back(0)
        assert place_of(climbing.turns.take()) == 0
        assert climbing.asking(0).clocks.first_token_s == TIMEOUTS.first_token_s

    leaping(main())


def test_who_was_waited_for_is_not_joined_to_a_crowd() -> None:
    async def main() -> None:
        loop, health = asyncio.get_running_loop(), Health()
        limited, crowded = candidate("limited"), candidate("crowded")
        fails(health, limited, FaultClass.RATE_LIMITED, loop.time(), 1.0)
        crowd(health, crowded, loop.time())
        turns = ladder(health, limited, crowded).turns
        assert place_of(turns.take()) == 1, "nobody else is left"
        # Others are there first when the limit is over.
        loop.call_later(1.001, lambda: crowd(health, limited, loop.time()))
        assert await turns.next() is None

    leaping(main())


async def test_of_two_that_fail_side_by_side_the_one_begun_last_is_named() -> None:
    slow = json_reply({"error": {"message": "boom"}}, status=500)
    async with FakeProvider() as one, FakeProvider() as two:
        one.always(Script(status=500, head_delay_s=0.2, headers=slow.headers, steps=slow.steps))
        two.always(json_reply({"error": {"message": "bad field"}}, status=400))
        ledger, pool = KeptEntries(), Pool()
        snapshot = snapshot_of(f"""
providers:
  first: {{dialect: openai, base_url: {one.base_url}, models: [{{id: m}}]}}
  second: {{dialect: openai, base_url: {two.base_url}, models: [{{id: m}}]}}
models:
  pair:
    targets: [first/m]
    fallback: [second/m]
    retries: 0
    hedge: {{after: 0.001, budget: 100%}}
    faults: {{bad_request: {{fallback: true}}}}
""")
        envelope = parse_request(Operation.CHAT, json.dumps(chat("pair")).encode())
        request = Request(id="req_1", snapshot=snapshot, principal=NOBODY, envelope=envelope)
        gateway = Gateway(Caller(pool, {}), asyncio.get_running_loop().time, books(ledger), Observed())
        with pytest.raises(UpstreamFailed, match="second: bad field") as raised:
            await gateway.serve(request, Taken())
        await pool.close()
    (entry,) = ledger.entries
    assert [row.provider for row in entry.attempts] == ["first", "second"]
    assert raised.value.account.provider == entry.provider == "second"
