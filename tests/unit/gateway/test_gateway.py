"""The life of a request without a socket on either side: the sandbox answers, and a list takes what a client would."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from headgate.dialects.openai.request import parse_request
from headgate.errors import GatewayError, InvalidRequest, ModelNotFound, NotAllowed, UpstreamFailed
from headgate.gateway.gateway import Gateway
from headgate.routing.observed import Observed
from headgate.types.deployment import Operation
from headgate.types.entry import SUCCESS
from headgate.types.fault import FaultClass
from headgate.types.principal import Principal
from headgate.types.request import Account, Request
from headgate.upstream.call import Caller
from headgate.upstream.pool import Pool
from tests.surface.gateway import books, snapshot_of

DOCUMENT = """
providers:
  sandbox:
    timeouts: {gap_s: 60, total_s: 1.5}
models:
  quick: {targets: [sandbox/stall], timeouts: {gap_s: 0.1}}
  short: {targets: [sandbox/hang], timeouts: {total_s: 0.2}}
  raced:
    targets: [sandbox/hang, sandbox/500]
    policy: ordered
    retries: 0
    hedge: {after: 0.05, budget: 100%}
    timeouts: {total_s: 0.3}
"""


class Taken:
    """A client that takes everything at once."""

    def __init__(self) -> None:
        self.committed = False
        self.pieces: list[bytes] = []
        self.ended = False

    async def whole(self, body: bytes, account: Account) -> None:
        await self.begin(body, account)
        self.ended = True

    async def begin(self, data: bytes, account: Account) -> None:
        self.committed = True
        self.write(data)

    def write(self, data: bytes) -> bool:
        self.pieces.append(data)
        return True

    async def drained(self) -> None:
        await asyncio.sleep(0)

    async def end(self, data: bytes) -> None:
        self.write(data)
        self.ended = True


async def serve(
    model: str, *, models: tuple[str, ...] = ("*",), total_s: float | None = None, **fields: Any
) -> tuple[Account, Taken]:
    body = {"model": model, "messages": [{"role": "user", "content": "Hi."}], **fields}
    request = Request(
        id="req_1",
        snapshot=snapshot_of(DOCUMENT),
        principal=Principal(key="k", models=models),
        envelope=parse_request(Operation.CHAT, json.dumps(body).encode()),
        total_s=total_s,
    )
    taken = Taken()
    gateway = Gateway(Caller(Pool(), {}), asyncio.get_running_loop().time, books(), Observed())
    return await gateway.serve(request, taken), taken


async def test_a_request_is_answered_and_accounted_for() -> None:
    account, taken = await serve("sandbox/fast")
    assert taken.ended
    assert json.loads(taken.pieces[0])["choices"]
    assert (account.request_id, account.provider, account.model, account.attempts) == ("req_1", "sandbox", "fast", 1)
    assert account.usage is not None
    assert account.cost_pusd == 0
    assert account.tries[0].result == SUCCESS


async def test_a_stream_is_answered_and_accounted_for() -> None:
    account, taken = await serve("sandbox/fast", stream=True)
    assert taken.ended
    assert taken.pieces[-1].endswith(b"data: [DONE]\n\n")
    assert account.usage is not None
    assert not account.usage.estimated


@pytest.mark.parametrize(
    ("model", "more", "error"),
    [
        ("nobody", {}, ModelNotFound),
        ("sandbox/fast", {"models": ("quick",)}, NotAllowed),
        ("sandbox/400", {}, UpstreamFailed),
        ("sandbox/reset", {"stream": True}, UpstreamFailed),
    ],
)
async def test_what_cannot_be_answered_is_raised_and_nothing_is_sent(
    model: str, more: dict[str, Any], error: type[GatewayError]
) -> None:
    with pytest.raises(error):
        await serve(model, **more)


async def test_a_fault_carries_the_account_for_the_reply_headers() -> None:
    with pytest.raises(UpstreamFailed) as raised:
        await serve("sandbox/429")
    account = raised.value.account
    assert (account.provider, account.tries[0].result) == ("sandbox", FaultClass.RATE_LIMITED)
    assert raised.value.status == 429
    assert (b"retry-after", b"2") in raised.value.headers


async def test_a_request_that_nobody_answered_is_said_to_be_of_the_last_who_was_asked() -> None:
    with pytest.raises(UpstreamFailed) as raised:
        await serve("raced", stream=True)
    account = raised.value.account
    assert [one.candidate.upstream_id for one in account.tries] == ["hang", "500"]
    # The first ended after it.
    assert account.model == "500"


async def test_usage_of_a_stream_that_broke_off_is_booked_all_the_same() -> None:
    with pytest.raises(UpstreamFailed) as raised:
        await serve("sandbox/cut", stream=True)
    usage = raised.value.account.usage
    assert usage is not None
    assert usage.estimated
    assert usage.output > 0


@pytest.mark.parametrize(
    ("model", "kind"),
    [("quick", FaultClass.STALLED), ("short", FaultClass.TOTAL_TIMEOUT), ("sandbox/stall", FaultClass.TOTAL_TIMEOUT)],
)
async def test_a_routes_clocks_come_before_its_providers_and_those_before_the_usual_ones(
    model: str, kind: FaultClass
) -> None:
    with pytest.raises(UpstreamFailed) as raised:
        await serve(model, stream=True)
    assert raised.value.fault.kind is kind


async def test_a_requests_own_deadline_can_only_shorten_the_routes() -> None:
    for model, total_s in (("sandbox/hang", 0.1), ("short", 600.0)):
        with pytest.raises(UpstreamFailed) as raised:
            await serve(model, total_s=total_s)
        assert raised.value.fault.kind is FaultClass.TOTAL_TIMEOUT


async def test_a_kind_that_nobody_has_is_a_clients_mistake_with_the_reason() -> None:
    snapshot = snapshot_of(
        "providers: {p: {dialect: openai, base_url: 'http://127.0.0.1:9/v1', models: [{id: e, kind: embedding}]}}"
    )
    envelope = parse_request(Operation.CHAT, b'{"model":"e","messages":[{"role":"user"}]}')
    request = Request(id="r", snapshot=snapshot, principal=Principal(key="k"), envelope=envelope)
    gateway = Gateway(Caller(Pool(), {}), asyncio.get_running_loop().time, books(), Observed())
    with pytest.raises(InvalidRequest, match="kind embedding") as raised:
        await gateway.serve(request, Taken())
    assert raised.value.param == "model"
