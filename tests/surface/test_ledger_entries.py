"""What the ledger is told of each request, however it ends."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from headgate.types.entry import Entry
from headgate.types.money import CostSource
from headgate.types.script import Ending, Script, Step
from tests.fakes.provider import event_reply
from tests.surface.stage import KEY, LLAMA, NARROW, Stage, chat, chunk, completion, event, stream
from tests.surface.wire import Wire, ask, request

pytestmark = pytest.mark.asyncio(loop_scope="module")
USAGE: dict[str, Any] = {"prompt_tokens": 1001, "completion_tokens": 333, "prompt_tokens_details": {"cached_tokens": 7}}
# 994 × 0.1234567 + 7 × 0.0123457 + 333 × 0.7654321 USD per million tokens, in pico-dollars.
COST_PUSD = 377_691_269


@pytest_asyncio.fixture(loop_scope="module")
async def entries(stage: Stage) -> AsyncIterator[list[Entry]]:
    stage.gateway.ledger.entries.clear()
    yield stage.gateway.ledger.entries


@pytest.mark.parametrize("streams", [False, True])
async def test_an_answer_is_an_entry_with_its_attempt_its_tokens_and_its_cost(
    stage: Stage, entries: list[Entry], streams: bool
) -> None:
    stage.fake.always(stream("Hel", "lo.", tail=[{"choices": [], "usage": USAGE}]) if streams else completion(**USAGE))
    answer = await stage.chat(stream=streams)
    (entry,) = entries
    assert entry.id == answer.headers["x-request-id"]
    assert (entry.key, entry.key_id, entry.workspace) == ("everything", "document:everything", "default")
    assert (entry.operation, entry.model, entry.stream) == ("chat", "fast-llama", streams)
    assert (entry.status, entry.outcome, entry.error) == (200, "answered", None)
    assert (entry.provider, entry.upstream_model) == ("fake", LLAMA)
    assert entry.usage is not None
    assert (entry.usage.input, entry.usage.cached_input, entry.usage.output) == (994, 7, 333)
    assert entry.cost_pusd == entry.charged_pusd == COST_PUSD
    assert entry.scopes == ("key:document:everything", "workspace:default")
    (attempt,) = entry.attempts
    assert (attempt.deployment, attempt.credential) == (f"fake/{LLAMA}", "default")
    assert (attempt.result, attempt.status) == ("success", 200)
    assert attempt.connected_us is not None
    assert attempt.first_token_us is not None
    order = [0, attempt.started_us, attempt.connected_us, attempt.first_token_us, attempt.done_us, entry.done_us]
    assert order == sorted(order)
    assert attempt.cost.source is CostSource.COMPUTED
    assert attempt.cost.price_source == "document"
    assert attempt.cost.price is not None


async def test_an_answer_without_usage_is_booked_by_its_size_and_says_so(stage: Stage, entries: list[Entry]) -> None:
    stage.fake.always(completion("word " * 200))
    answer = await stage.chat()
    (entry,) = entries
    assert "x-headgate-cost-usd" not in answer.headers
    assert entry.usage is not None
    assert entry.usage.estimated
    assert 150 <= entry.usage.output <= 400
    assert entry.attempts[0].cost.source is CostSource.ESTIMATED


@pytest.mark.parametrize(
    ("body", "key", "status", "error"),
    [
        (chat("nobody-has-this"), KEY, 404, "model_not_found"),
        (chat(LLAMA), NARROW, 403, "model_not_allowed"),
        (chat(temperature="hot"), KEY, 400, "invalid_type"),
        (b"{", KEY, 400, "invalid_json"),
    ],
)
async def test_a_refusal_is_an_entry_without_an_attempt(
    stage: Stage, entries: list[Entry], body: Any, key: str, status: int, error: str
) -> None:
    answer = await ask(stage.port, request(body=body, key=key))
    (entry,) = entries
    assert (entry.id, entry.status, entry.outcome, entry.error) == (
        answer.headers["x-request-id"], status, "refused", error,
    )  # fmt: skip
    assert answer.status == status
    assert (entry.attempts, entry.usage, entry.cost_pusd, entry.charged_pusd) == ((), None, None, 0)


async def test_who_shows_no_key_leaves_no_entry(stage: Stage, entries: list[Entry]) -> None:
    assert (await ask(stage.port, request(body=chat(), key=None))).status == 401
    assert entries == []


async def test_a_failure_is_an_entry_with_the_faults_class(stage: Stage, entries: list[Entry]) -> None:
    stage.fake.always(Script(status=503, headers=(("content-type", "application/json"),), steps=(Step(0.0, b"{}"),)))
    answer = await stage.chat()
    (entry,) = entries
    assert (entry.status, entry.outcome) == (answer.status, "failed")
    assert [(attempt.result, attempt.status) for attempt in entry.attempts] == [("overloaded", 503)] * 2
    assert (entry.usage, entry.cost_pusd, entry.charged_pusd) == (None, None, 0)


async def test_an_error_before_the_answer_is_not_booked_by_guess(stage: Stage, entries: list[Entry]) -> None:
    stage.fake.always(event_reply({"error": {"message": "no", "type": "server_error"}}, done=False))
    await stage.chat(stream=True)
    (entry,) = entries
    assert (entry.outcome, entry.usage, entry.charged_pusd) == ("failed", None, 0)


async def test_a_stream_that_breaks_off_is_booked_as_far_as_it_came(stage: Stage, entries: list[Entry]) -> None:
    steps = (Step(0.0, event(chunk("Hel"))), Step(0.0, event(chunk("lo"))))
    stage.fake.always(Script(headers=(("content-type", "text/event-stream"),), steps=steps, ending=Ending.CUT))
    await stage.chat(stream=True)
    (entry,) = entries
    assert (entry.status, entry.outcome) == (200, "failed")
    assert entry.usage is not None
    # Another is asked to go on, and breaks off as well.
    assert [one.usage and (one.usage.estimated, one.usage.output) for one in entry.attempts] == [(True, 2)] * 2
    assert entry.usage.output == 4
    assert entry.charged_pusd == entry.cost_pusd
    assert entry.attempts[0].result in ("broken_stream", "reset")


@pytest.mark.parametrize("streams", [False, True])
async def test_a_client_that_leaves_before_the_answer_is_an_entry_of_what_was_sent(
    stage: Stage, entries: list[Entry], streams: bool
) -> None:
    stage.fake.always(Script(ending=Ending.HANG, headers=(("content-type", "application/json"),)))
    wire = await Wire.open(stage.port)
    asked = len(stage.fake.requests)
    await wire.send(request(body=chat(stream=streams), key=KEY))
    await stage.fake.until(lambda fake: len(fake.requests) > asked)
    wire.leave()
    await stage.gateway.until_idle()
    (entry,) = entries
    assert (entry.status, entry.outcome) == (499, "disconnected")
    assert entry.usage is not None
    assert entry.usage.estimated
    assert (entry.usage.input > 0, entry.usage.output > 0) == (True, False) or not streams
    assert entry.attempts[0].result == "cancelled"
