"""The timer: what it fetches and when, and how what it finds gets into the snapshot in use."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from headgate.catalog.copies import Shelf
from headgate.catalog.schedule import Timing
from headgate.config.document import Document
from headgate.config.stored import Compiler
from headgate.publishing import Publisher
from headgate.refreshing import Refresher, RefreshTimer, refresh_once
from headgate.store.engine import Store, open_store
from headgate.types.snapshot import Snapshot
from headgate.upstream.pool import Pool
from tests.fakes.provider import FakeProvider, RawReply, json_reply
from tests.unit.catalog.listed import price
from tests.unit.config.loading import load, problems
from tests.unit.test_refreshing import KNOWN, document, good, row
from tests.upstream.driving import until

SOON = Timing(first_s=0.0, look_s=0.01, retry_s=0.01, jitter=0.0)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(None, data_dir=tmp_path / "data", env={})


@pytest.fixture
async def fake() -> AsyncIterator[FakeProvider]:
    async with FakeProvider() as fake:
        fake.always(good())
        yield fake


class Gateway:
    """As much of a gateway as turns lists into snapshots."""

    def __init__(self, document: Document, store: Store, data_dir: Path) -> None:
        self.shelf = Shelf(data_dir)
        self.seen = self.shelf.history_mark()
        self.published: list[Snapshot] = []
        compiler = Compiler(store.credentials.open, {}, {}, self.shelf)
        self.publisher = Publisher(document, store, compiler, self.published.append)
        self.hours = 24

    @asynccontextmanager
    async def running(self, timing: Timing = SOON) -> AsyncIterator[None]:
        pool = Pool()
        timer = RefreshTimer(
            Refresher(pool, self.shelf, {}),
            self.shelf,
            snapshot=lambda: self.publisher.current,
            hours=lambda: self.hours,
            changed=self.publisher.recompile,
            seen=self.seen,
            timing=timing,
        )
        timer.start()
        try:
            yield
        finally:
            await timer.stop()
            await pool.close()

    @property
    def sold(self) -> set[str]:
        return set(self.publisher.current.pins[KNOWN])


async def test_a_list_is_fetched_soon_after_the_start_and_a_new_snapshot_has_its_figures(
    fake: FakeProvider, store: Store, tmp_path: Path
) -> None:
    gateway = Gateway(document(fake.base_url), store, tmp_path)
    first = gateway.publisher.current
    async with gateway.running():
        await until(lambda: "m0" in gateway.sold)
        await asyncio.sleep(0.1)
    assert "m0" not in first.pins[KNOWN]
    assert gateway.publisher.current.revision == 2
    assert gateway.publisher.current.pins[KNOWN]["m0"][0].offer.price == price(input="1", output="2")
    assert len(fake.requests) == 1


async def test_a_fresh_copy_serves_from_the_start_and_is_not_fetched_again(
    fake: FakeProvider, store: Store, tmp_path: Path
) -> None:
    asked = document(fake.base_url)
    await refresh_once(asked, {}, tmp_path)
    gateway = Gateway(asked, store, tmp_path)
    assert "m0" in gateway.sold
    async with gateway.running():
        await asyncio.sleep(0.2)
    assert len(fake.requests) == 1
    assert len(gateway.published) == 1


async def test_what_another_process_has_fetched_is_taken_up(fake: FakeProvider, store: Store, tmp_path: Path) -> None:
    asked = document(fake.base_url)
    gateway = Gateway(asked, store, tmp_path)
    gateway.hours = 0
    async with gateway.running():
        await asyncio.sleep(0.1)
        assert fake.requests == [], "0 hours is never"
        await refresh_once(asked, {}, tmp_path)
        await until(lambda: "m0" in gateway.sold)
        fake.always(good(row("m0", "0.000003", "0.000004")))
        await refresh_once(asked, {}, tmp_path)
        await until(lambda: gateway.publisher.current.pins[KNOWN]["m0"][0].offer.price == price(input="3", output="4"))
    assert len(gateway.published) == 3


async def test_a_provider_that_a_changed_document_brings_is_fetched_without_a_restart(
    fake: FakeProvider, store: Store, tmp_path: Path
) -> None:
    gateway = Gateway(load("providers: {sandbox: }").document, store, tmp_path)
    async with gateway.running():
        await asyncio.sleep(0.05)
        gateway.publisher.publish(gateway.publisher.build(document(fake.base_url), 2))
        await until(lambda: "m0" in gateway.sold)


async def test_a_list_that_fails_is_tried_again_told_once_and_changes_nothing(
    fake: FakeProvider, store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    fake.always(json_reply({"data": []}))
    gateway = Gateway(document(fake.base_url), store, tmp_path)
    with caplog.at_level(logging.INFO, "headgate"):
        async with gateway.running():
            await fake.until(lambda fake: len(fake.requests) >= 3)
            fake.always(good())
            await until(lambda: "m0" in gateway.sold)
    said = [record for record in caplog.records if record.message.startswith("catalog: the list of")]
    assert [record.levelno for record in said] == [logging.WARNING, logging.INFO]
    assert "is not used, empty" in said[0].message


async def test_a_provider_of_whose_lists_one_fails_is_asked_again_long_before_the_next_time(
    fake: FakeProvider, store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    fake.always(lambda request: json_reply({}, 500) if request.path.endswith("/list") else good())
    gateway = Gateway(document(fake.base_url, "deepinfra"), store, tmp_path)
    with caplog.at_level(logging.WARNING, "headgate"):
        async with gateway.running():
            await fake.until(lambda fake: len(fake.requests) >= 6)
    assert [record.message.count("a part of it was not read") for record in caplog.records] == [1]


async def test_a_server_of_the_operators_own_that_has_no_list_is_nothing_to_warn_of(
    fake: FakeProvider, store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    fake.always(json_reply({}, 404))
    gateway = Gateway(document(fake.base_url, "mybox"), store, tmp_path)
    with caplog.at_level(logging.DEBUG, "headgate"):
        async with gateway.running():
            await fake.until(lambda fake: len(fake.requests) >= 2)
    said = [record.levelno for record in caplog.records if record.message.startswith("catalog:")]
    assert said == [logging.DEBUG]


async def test_stopping_leaves_a_list_that_does_not_come(fake: FakeProvider, store: Store, tmp_path: Path) -> None:
    fake.always(RawReply((b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{",), "hang"))
    gateway = Gateway(document(fake.base_url), store, tmp_path)
    async with gateway.running(), asyncio.timeout(20):
        await fake.until(lambda fake: fake.requests)
    await fake.until(lambda fake: fake.open_connections == 0)


async def test_a_document_built_before_a_list_changed_is_published_with_the_change(
    fake: FakeProvider, store: Store, tmp_path: Path
) -> None:
    asked = document(fake.base_url)
    gateway = Gateway(asked, store, tmp_path)
    built = gateway.publisher.build(asked.model_copy(), 2)
    await refresh_once(asked, {}, tmp_path)
    gateway.publisher.recompile()
    assert "m0" in gateway.sold
    gateway.publisher.publish(built)
    assert "m0" in gateway.sold


def test_how_often_lists_are_fetched_is_the_operators_to_say() -> None:
    def hours(text: str) -> int:
        return load(f"providers: {{sandbox: }}\n{text}").document.catalog.refresh_hours

    assert hours("") == 24
    assert hours("catalog:") == 24
    assert hours("catalog: {refresh_hours: 0}") == 0
    assert hours("catalog: {refresh_hours: 720}") == 720
    for wrong in ("-1", "721", "often", "true"):
        (problem,) = problems(f"providers: {{sandbox: }}\ncatalog: {{refresh_hours: {wrong}}}")
        assert "catalog.refresh_hours" in problem
