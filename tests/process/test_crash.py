"""`kill -9` at random moments under load: nothing that a client got is lost, doubled or miscounted."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import time
from decimal import Decimal
from pathlib import Path

import httpx
import pytest

from tests.fakes.postgres import Postgres
from tests.process.books import reconcile, spent_pusd
from tests.process.headgate import HEADGATE, Home, Process
from tests.process.load import Load, counting_provider, document

ADMIN = "hga-admin-token-of-the-crash-tests"
SCOPE = "key:document:load"


@pytest.fixture
def restless(home: Home) -> Home:
    home.env["HEADGATE_ADMIN_TOKEN"] = ADMIN
    return home


def budget_of_the_load(process: Process) -> dict[str, int]:
    """Pico-dollars spent and set aside, as the running gateway has them."""
    reply = httpx.get(
        f"http://127.0.0.1:{process.port}/api/budgets/{SCOPE}",
        headers={"authorization": f"Bearer {ADMIN}"},
        trust_env=False,
        timeout=60,
    )
    assert reply.status_code == 200, reply.text
    total = next(period for period in reply.json()["periods"] if period["per"] == "total")
    return {name: int(Decimal(total[f"{name}_usd"]) * 10**12) for name in ("spent", "reserved")}


def kill_while_it_starts(home: Home, after_s: float) -> None:
    with subprocess.Popen(
        [HEADGATE, "up", "--port", "0"],
        cwd=home.directory,
        env=home.env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as starting:
        time.sleep(after_s)
        starting.send_signal(signal.SIGKILL)


def crash_and_restart(home: Home, load: Load, kills: int, rng: random.Random) -> None:
    """Kill it at random moments: most of them under load, some while it starts, some while it stops."""
    for number in range(kills):
        if number % 6 == 5:
            kill_while_it_starts(home, rng.uniform(0.0, 1.5))
            continue
        before = load.answers.spent_pusd
        with home.up("--port", "0") as process:
            load.port = process.port
            if number % 10 == 9:
                assert budget_of_the_load(process)["spent"] >= before, "a restart gave money back"
            time.sleep(rng.uniform(0.05, 0.6))
            if number % 6 == 4:
                process.send(signal.SIGTERM)
                time.sleep(rng.uniform(0.0, 0.3))
            process.send(signal.SIGKILL)
            process.wait()
            load.port = None
        assert "Traceback" not in process.errors, process.errors


def everything_balances_after(home: Home, database: Path | str, kills: int, seed: int) -> None:
    rng = random.Random(seed)
    with counting_provider() as provider:
        more = f"store: {json.dumps(database)}" if isinstance(database, str) else ""
        (home.directory / "headgate.yaml").write_text(document(provider.base_url, more))
        with Load(leaving=30, seed=seed) as load:
            crash_and_restart(home, load, kills, rng)
            with home.up("--port", "0") as process:
                load.port = process.port
                load.until(200)
                load.end()
                running = budget_of_the_load(process)
        answers = load.answers
        with home.up("--port", "0") as process:
            restarted = budget_of_the_load(process)
        assert len(answers.received) > 200 + kills, answers
        assert answers.broken, "no crash has hit anybody"
        assert not answers.refused, answers.refused
        reconcile(home, database, answers, provider)
    spent = spent_pusd(database, SCOPE)
    assert running == restarted == {"spent": spent, "reserved": 0}
    assert not list((home.data / "journal").glob("*.log")), "a clean stop leaves nothing in the journal"


def test_thirty_kills_under_load_lose_and_double_nothing(restless: Home) -> None:
    everything_balances_after(restless, restless.data / "headgate.db", kills=30, seed=1)


def test_kills_under_load_lose_and_double_nothing_in_postgres(restless: Home) -> None:
    with Postgres() as server:
        everything_balances_after(restless, server.make_database(), kills=6, seed=2)


def test_a_budget_at_its_edge_is_not_overspent_whatever_is_killed_meanwhile(restless: Home) -> None:
    limit_pusd = 3 * 10**11
    database = restless.data / "headgate.db"
    with counting_provider() as provider:
        (restless.directory / "headgate.yaml").write_text(document(provider.base_url, usd="0.3"))
        with Load(8, seed=3) as load:
            for kind, count in (("got", 10), ("got", 10), ("got", 10), ("refused", 50)):
                with restless.up("--port", "0") as process:
                    load.port = process.port
                    load.until(count) if kind == "got" else load.until_refused(count)
                    process.send(signal.SIGKILL)
                    process.wait()
                    load.port = None
            served = len(load.answers.received)
            with restless.up("--port", "0") as process:
                load.port = process.port
                load.until_refused(20)
                load.end()
                spent = budget_of_the_load(process)
        reconcile(restless, database, load.answers, provider)
    assert set(load.answers.refused) == {(429, "budget_exceeded")}
    # What was set aside for requests that the crash cut off is free again, and pays for a few more.
    assert len(load.answers.received) - served < 20, "the restart forgot what was spent"
    assert spent == {"spent": spent_pusd(database, SCOPE), "reserved": 0}
    assert limit_pusd * 9 // 10 < spent["spent"] <= limit_pusd
