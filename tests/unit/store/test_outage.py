"""Postgres goes away and comes back; the store says so, and goes on by itself."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from headgate.store.engine import Store, open_store
from headgate.store.errors import Duplicate, StoreError, StoreUnavailable
from headgate.store.records import KeyFields
from headgate.store.transactions import changing, writing
from headgate.store.workspaces import require_workspace
from tests.fakes.postgres import Postgres

ME = "tester"


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    """One of our own, so that other tests keep theirs."""
    with Postgres() as running:
        yield running


@pytest.fixture
def shaken(server: Postgres, data_dir: Path) -> Iterator[Store]:
    store = open_store(server.make_database(), data_dir=data_dir, env={})
    yield store
    store.close()


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_while_the_server_is_away_every_call_says_so_and_afterwards_all_is_well(
    server: Postgres, shaken: Store, how: str
) -> None:
    key, _ = shaken.keys.create("default", KeyFields(name="a"), actor=ME)
    before = shaken.load()
    getattr(server, how)()
    try:
        for call in (
            shaken.revision,
            shaken.load,
            lambda: shaken.keys.disable("default", key.id, actor=ME),
            lambda: shaken.events.append(workspace="default", kind="k", subject="s", message="m"),
            shaken.revision,
        ):
            with pytest.raises(StoreUnavailable) as caught:
                call()
            assert str(caught.value).isprintable()
            assert "canary" not in str(caught.value)
    finally:
        server.start()
    assert shaken.load() == before
    shaken.keys.disable("default", key.id, actor=ME)


def test_a_server_that_dies_within_a_transaction_makes_it_unavailable_and_undone(
    server: Postgres, shaken: Store
) -> None:
    revision = shaken.revision()

    def dies_within() -> None:
        with changing(shaken.engine) as connection:
            server.kill()
            require_workspace(connection, "default")

    try:
        with pytest.raises(StoreUnavailable):
            dies_within()
    finally:
        server.start()
    assert shaken.revision() == revision


def test_a_server_that_takes_connections_but_says_nothing_is_given_up(server: Postgres, data_dir: Path) -> None:
    url = server.make_database()
    server.pause()
    try:
        with pytest.raises(StoreUnavailable):
            open_store(url, data_dir=data_dir, env={})
    finally:
        server.go_on()


def test_changes_that_failed_in_an_outage_can_be_made_again(server: Postgres, shaken: Store) -> None:
    done: list[int] = []
    stop = threading.Event()
    unexpected: list[StoreError] = []

    def work() -> None:
        number = 0
        while not stop.is_set():
            try:
                shaken.keys.create("default", KeyFields(name=str(number)), actor=ME)
            except StoreUnavailable:
                stop.wait(0.05)
                continue
            except Duplicate:
                # The commit went through and the answer was lost.
                pass
            except StoreError as error:
                unexpected.append(error)
                return
            done.append(number)
            number += 1

    thread = threading.Thread(target=work)
    thread.start()
    try:
        for end in (server.stop, server.kill):
            before = len(done)
            while len(done) < before + 3 and thread.is_alive():
                stop.wait(0.01)
            end()
            server.start()
        before = len(done)
        while len(done) < before + 3 and thread.is_alive():
            stop.wait(0.01)
    finally:
        stop.set()
        thread.join(60)
    assert unexpected == []
    assert sorted(int(found.key.name) for found in shaken.load().keys) == done


def test_a_statement_that_takes_too_long_is_given_up(shaken: Store) -> None:
    sleep = "SET LOCAL statement_timeout = 50; SELECT pg_sleep(30)"
    with pytest.raises(StoreUnavailable), writing(shaken.engine) as connection:
        connection.exec_driver_sql(sleep)
