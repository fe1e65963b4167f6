"""A database that goes away, hangs, or was never there: no client notices, and the books are complete afterwards."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

from tests.fakes.postgres import PASSWORD, Postgres
from tests.process.books import ledger, reconcile
from tests.process.headgate import Home, Process
from tests.process.load import CountingProvider, Load, counting_provider, document

AWAY = "entries do not reach the database"
BACK = "entries reach the database again"


@pytest.fixture(scope="module")
def own_server() -> Iterator[Postgres]:
    with Postgres() as server:
        yield server


@pytest.fixture
def server(own_server: Postgres) -> Iterator[Postgres]:
    """A server that a test may end as it likes: the next one finds it running."""
    yield own_server
    own_server.stop()
    own_server.start()


@contextmanager
def stage(home: Home, server: Postgres, more: str = "") -> Iterator[tuple[str, CountingProvider]]:
    """The address of an empty database, and the provider; the document names both."""
    with counting_provider() as provider:
        url = server.make_database()
        text = document(provider.base_url, f"store: {json.dumps(url)}\n{more}")
        (home.directory / "headgate.yaml").write_text(text)
        yield url, provider


@contextmanager
def everything_waits(url: str) -> Iterator[None]:
    """Nobody writes a request while the block runs: as with a server that hangs."""
    with psycopg.connect(url) as holder:
        holder.execute("LOCK TABLE requests IN ACCESS EXCLUSIVE MODE")
        yield
        holder.rollback()


def test_a_database_killed_twice_under_load_costs_no_request_and_no_row(home: Home, server: Postgres) -> None:
    with stage(home, server) as (url, provider):
        with home.up("--port", "0") as process, Load(8) as load:
            load.port = process.port
            load.until(100)
            for outage in (1, 2):
                server.kill()
                process.until_it_says(AWAY)
                load.until(400)
                # Long enough for the pauses between tries to have grown.
                time.sleep(3)
                server.start()
                load.until(100)
                until_said(process, BACK, outage)
            load.end()
            assert process.errors.count(AWAY) == 2, "each outage is told once"
            assert not load.answers.refused, load.answers.refused
            assert not load.answers.broken, "a request failed"
        assert "Traceback" not in process.errors, process.errors
        reconcile(home, url, load.answers, provider)


def until_said(process: Process, words: str, times: int) -> None:
    deadline = time.monotonic() + 90
    while process.errors.count(words) < times:
        assert time.monotonic() < deadline, process.errors
        time.sleep(0.02)


def test_no_request_waits_for_a_database_that_hangs(home: Home, server: Postgres) -> None:
    with stage(home, server) as (url, provider):
        with home.up("--port", "0") as process, Load(8) as load:
            load.port = process.port
            load.until(50)
            with everything_waits(url):
                load.answers.slowest_s = 0.0
                began = time.monotonic()
                load.until(300)
                time.sleep(max(0.0, began + 3 - time.monotonic()))
                assert load.answers.slowest_s < time.monotonic() - began, "a request waited for the database"
            load.end()
            assert not load.answers.broken, "a request failed"
            assert not load.answers.refused, load.answers.refused
        reconcile(home, url, load.answers, provider)


def test_a_stop_while_the_database_is_away_keeps_everything_for_the_next_start(home: Home, server: Postgres) -> None:
    with stage(home, server) as (url, provider):
        with home.up("--port", "0") as process, Load(4) as load:
            load.port = process.port
            load.until(50)
            server.kill()
            load.until(100)
            load.end()
            assert process.stop() == 0
        process.until_it_says("they stay in the journal and go there after the next start")
        line = home.refused("--port", "0")
        assert "the database is not available" in line
        assert "127.0.0.1" in line
        assert PASSWORD not in line
        seen = ledger(home, "verify")
        assert (seen.returncode, seen.stdout) == (2, "")
        assert len(seen.stderr.splitlines()) == 1, seen.stderr
        server.start()
        with home.up("--port", "0"):
            pass
        reconcile(home, url, load.answers, provider)


def test_a_database_that_refuses_us_is_one_line_without_its_password(home: Home, server: Postgres) -> None:
    for url, words in (
        (server.url("postgres", password="canary-of-a-wrong-password"), "authentication failed"),
        (server.url("no_such_database"), "does not exist"),
    ):
        (home.directory / "headgate.yaml").write_text(document("http://127.0.0.1:1/v1", f"store: {json.dumps(url)}"))
        line = home.refused("--port", "0")
        assert words in line
        assert "canary" not in line
        assert PASSWORD not in line


def test_a_full_spool_refuses_requests_and_recovers(home: Home, server: Postgres) -> None:
    with stage(home, server, "ledger: {spool_mb: 1, when_full: refuse}") as (url, provider):
        with home.up("--port", "0") as process, Load(8) as load:
            load.port = process.port
            load.until(20)
            server.kill()
            load.until_refused(100)
            assert "1 MB wait for the database; entries wait in memory, requests are refused" in process.errors
            asked = provider.asked.total()
            load.until_refused(100)
            assert provider.asked.total() - asked < 20, "requests go on that cannot be recorded"
            server.start()
            process.until_it_says("the journal takes entries again; 0 were lost so far")
            load.until(100)
            load.end()
        assert set(load.answers.refused) == {(503, "ledger_full")}
        assert not load.answers.broken
        reconcile(home, url, load.answers, provider)


def test_a_full_spool_serves_on_where_the_operator_wants_that(home: Home, server: Postgres) -> None:
    with stage(home, server, "ledger: {spool_mb: 1, when_full: serve}") as (url, provider):
        with home.up("--port", "0") as process, Load(8) as load:
            load.port = process.port
            load.until(20)
            server.kill()
            process.until_it_says("entries wait in memory, requests go on unrecorded until the journal can be written")
            load.until(300)
            server.start()
            process.until_it_says("the journal takes entries again; 0 were lost so far")
            load.end()
        assert not load.answers.refused, load.answers.refused
        assert not load.answers.broken
        reconcile(home, url, load.answers, provider)
