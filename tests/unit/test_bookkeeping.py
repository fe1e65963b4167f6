"""What counts requests, put together: what one run spends the next one knows, and operators learn of budgets."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from headgate.bookkeeping import HealthWatch, keep_books, open_journal
from headgate.config.document import Document
from headgate.ledger.refusal import BudgetExceeded
from headgate.routing.health import Health
from headgate.settings import Settings
from headgate.store.engine import Store, open_store
from headgate.store.records import KeyFields, TokenFields
from headgate.types.deployment import Candidate
from headgate.types.entry import Entry, Outcome
from headgate.types.fault import FaultClass
from headgate.types.policy import Allowance, Budget, HealthPolicy, Period
from headgate.types.principal import Principal
from headgate.types.snapshot import Snapshot
from tests.surface.gateway import snapshot_of, until

USD = 10**12
BUDGET = Budget(limit_pusd=10 * USD, per=Period.TOTAL)
OWN = Allowance(scope="key:one", budgets=(BUDGET,))
DECLARED = """
providers:
  near: {dialect: openai, base_url: "http://127.0.0.1:9/v1", api_key: kept-to-itself, models: [{id: m}]}
"""


def entry(number: int, charged: int) -> Entry:
    return Entry(
        f"req_{number:024d}", time.time_ns() // 1000, "b", "one", "one", "chat", "m", False, 200, Outcome.ANSWERED,
        None, "p", "m", None, None, charged, 1, ("key:one",), (),
    )  # fmt: skip


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(None, data_dir=tmp_path, env={})


async def test_what_one_run_spent_the_next_one_counts(tmp_path: Path, store: Store) -> None:
    document, settings, loop = Document(), Settings(data_dir=tmp_path), asyncio.get_running_loop()
    with keep_books(document, store, open_journal(document, settings), loop) as first:
        first.books.ledger.record(entry(1, 4 * USD))
        first.books.ledger.record(entry(2, 5 * USD))
        assert first.alarm is None
        assert not first.refuses
    with keep_books(document, store, open_journal(document, settings), loop) as second:
        with pytest.raises(BudgetExceeded):
            await second.budgets.reserve((OWN,), 2 * USD, time.time())
        (await second.budgets.reserve((OWN,), USD, time.time())).release()
        assert second.waiting_bytes == 0
        assert second.dropped == 0


async def test_a_budget_that_runs_out_is_an_event_of_its_workspace(tmp_path: Path, store: Store) -> None:
    document, settings, loop = Document(), Settings(data_dir=tmp_path), asyncio.get_running_loop()
    holder = Principal(key="one", key_id="one", workspace="b", allowances=(OWN,))
    snapshot = Snapshot(
        revision=1, created=1, keys={b"h": holder}, routes={}, patterns=(), pins={}, open_pins={}, catch_all={},
        models={}, listed=(), providers=(),
    )  # fmt: skip
    with keep_books(document, store, open_journal(document, settings), loop) as books:
        books.published(snapshot)
        (await books.budgets.reserve((OWN,), 9 * USD, time.time())).settle(9 * USD)
        (await books.budgets.reserve((OWN,), USD, time.time())).settle(USD)
        await until(lambda: len(store.events.list(workspace="b")) == 2)
    exhausted, warning = sorted(store.events.list(workspace="b"), key=lambda event: event.kind)
    assert (exhausted.kind, warning.kind) == ("budget_exhausted", "budget_warning")
    assert {exhausted.subject, warning.subject} == {"key:one"}
    assert "$9 of the budget of $10" in warning.message


async def test_an_event_of_a_token_of_every_workspace_is_no_tenants_to_read(tmp_path: Path, store: Store) -> None:
    document, settings, loop = Document(), Settings(data_dir=tmp_path), asyncio.get_running_loop()
    store.workspaces.create("b", actor="t")
    of_all, _ = store.tokens.create(TokenFields(name="all", role="owner"), actor="t")
    bound, _ = store.tokens.create(TokenFields(name="bound", role="admin", workspace="b"), actor="t")
    key, _ = store.keys.create("b", KeyFields(name="k"), actor="t")
    with keep_books(document, store, open_journal(document, settings), loop) as books:
        for scope in (f"token:{of_all.id}", f"token:{bound.id}", f"key:{key.id}", "workspace:b", "key:gone"):
            books.notices("kind", scope, "words")
        await until(lambda: len(store.events.list(workspace=None)) == 4)
    mine = {event.subject for event in store.events.list(workspace="b")}
    assert mine == {f"token:{bound.id}", f"key:{key.id}", "workspace:b"}
    assert store.events.list(workspace="default") == ()


async def test_a_refused_credential_is_told_once_and_is_no_tenants_to_read(tmp_path: Path, store: Store) -> None:
    document, settings, loop = Document(), Settings(data_dir=tmp_path), asyncio.get_running_loop()
    [deployment] = snapshot_of(DECLARED).pins["near"]["m"]
    candidate, health, policy = Candidate(deployment, "m"), Health(), HealthPolicy()
    with keep_books(document, store, open_journal(document, settings), loop) as books:
        watch = HealthWatch(health, books.notices, loop, every_s=0.01)
        watch.start()
        for _ in range(3):
            permit = health.begin(candidate, loop.time(), policy)
            if permit is not None:
                health.failed(permit, FaultClass.BAD_CREDENTIAL, loop.time(), policy, 0.5)
        await until(lambda: len(store.events.list(workspace=None)) == 1)
        watch.stop()
    [event] = store.events.list(workspace=None)
    assert (event.workspace, event.kind, event.subject) == ("", "credential_refused", "near/m")
    assert "was refused" in event.message
    assert "kept-to-itself" not in event.message


async def test_what_health_has_met_at_the_last_moment_is_told_as_well(tmp_path: Path, store: Store) -> None:
    document, settings, loop = Document(), Settings(data_dir=tmp_path), asyncio.get_running_loop()
    [deployment] = snapshot_of(DECLARED).pins["near"]["m"]
    health, policy = Health(), HealthPolicy()
    with keep_books(document, store, open_journal(document, settings), loop) as books:
        watch = HealthWatch(health, books.notices, loop)
        watch.start()
        permit = health.begin(Candidate(deployment, "m"), loop.time(), policy)
        assert permit is not None
        health.failed(permit, FaultClass.MODEL_NOT_FOUND, loop.time(), policy, 0.5)
        watch.stop()
        await until(lambda: len(store.events.list(workspace=None)) == 1)
    [event] = store.events.list(workspace=None)
    assert event.kind == "model_gone"
