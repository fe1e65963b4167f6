"""What the books of a gateway say, read behind its back and through its commands, and whether they are right."""

from __future__ import annotations

import json
import sqlite3
import subprocess
from collections import Counter, defaultdict
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row

from tests.process.headgate import HEADGATE, TIMEOUT_S, Home
from tests.process.load import Answers, CountingProvider, cost_pusd

DAY_US = 86_400_000_000
CLASSES = ("input", "cached_input", "cache_write", "audio_input", "output", "reasoning", "audio_output")

Row = dict[str, Any]


def query(database: Path | str, statement: str) -> list[Row]:
    """Rows of a SQLite file or of a Postgres address, past the gateway's own code."""
    if isinstance(database, str):
        with psycopg.connect(database, row_factory=dict_row) as connection:
            return connection.execute(statement.encode()).fetchall()
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as file:
        file.row_factory = sqlite3.Row
        return [dict(row) for row in file.execute(statement)]


def ledger(home: Home, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run `headgate ledger …`."""
    return subprocess.run(
        [HEADGATE, "ledger", *arguments],
        cwd=home.directory,
        env=home.env | env,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )


def assert_verified(home: Home) -> str:
    """`headgate ledger verify` finds nothing; what it says."""
    done = ledger(home, "verify")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "everything balances" in done.stdout
    return done.stdout


def exported(home: Home) -> list[Row]:
    done = ledger(home, "export", "--format", "jsonl")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return [json.loads(line) for line in done.stdout.splitlines()]


def reconcile(home: Home, database: Path | str, answers: Answers, provider: CountingProvider) -> None:
    """Every answer that a client got whole is in the books once, to the token and the pico-dollar, and nothing is
    there that nobody asked for."""
    assert not answers.wrong, answers.wrong[:3]
    rows = {row["id"]: row for row in query(database, "SELECT * FROM requests")}
    lost = [id_ for id_ in answers.received if id_ not in rows]
    assert not lost, f"{len(lost)} of {len(answers.received)} answers are in no row, such as {lost[:3]}"
    for id_, wanted in answers.received.items():
        row = rows[id_]
        assert row["outcome"] == "answered", row
        assert row["status"] == 200, row
        assert tokens_of(row) == wanted.tokens, row
        assert row["cost_pusd"] == row["charged_pusd"] == wanted.cost_pusd, row
    _judge_rest([row for id_, row in rows.items() if id_ not in answers.received], rows, answers, provider)
    _reconcile_attempts(database, rows)
    _reconcile_spending(database, rows)
    assert_verified(home)
    _reconcile_export(exported(home), rows)


def tokens_of(row: Row) -> dict[str, int]:
    """The classes that are not zero, and those the load always has."""
    always = ("input", "cached_input", "output", "reasoning")
    return {name: row[name] or 0 for name in CLASSES if name in always or row[name]}


def _judge_rest(rest: list[Row], rows: dict[str, Row], answers: Answers, provider: CountingProvider) -> None:
    """Rows that no client got an answer for: only for what a provider was asked, and each once."""
    got = {wanted.prompt for wanted in answers.received.values()}
    assert len(rows) <= answers.sent
    counted = Counter(row["input"] + row["cached_input"] for row in rest if row["outcome"] == "answered")
    for prompt, times in counted.items():
        assert times == 1, f"{times} rows for the request of {prompt} prompt tokens"
        assert prompt not in got, f"a second row for the request of {prompt} prompt tokens"
        assert provider.asked[prompt - 1_000] >= 1, f"nobody was asked for {prompt} prompt tokens"
    for row in rest:
        if row["input"] is None:
            assert row["charged_pusd"] == 0, row
        else:
            assert row["cost_pusd"] == row["charged_pusd"] == cost_pusd(tokens_of(row)), row


def _reconcile_attempts(database: Path | str, rows: dict[str, Row]) -> None:
    attempts: dict[str, list[Row]] = defaultdict(list)
    for attempt in query(database, "SELECT * FROM attempts"):
        attempts[attempt["request_id"]].append(attempt)
    assert not attempts.keys() - rows.keys(), "attempts of no request"
    for id_, row in rows.items():
        for name in CLASSES:
            assert (row[name] or 0) == sum(attempt[name] or 0 for attempt in attempts[id_]), row
        assert (row["cost_pusd"] or 0) == sum(attempt["cost_pusd"] or 0 for attempt in attempts[id_]), row


def _reconcile_spending(database: Path | str, rows: dict[str, Row]) -> None:
    """The counters say what the rows of each scope and UTC day add up to."""
    sums: dict[tuple[str, int], list[int]] = defaultdict(lambda: [0, 0, 0])
    for row in rows.values():
        for scope in json.loads(row["scopes"]):
            counter = sums[scope, row["at_us"] // DAY_US]
            counter[0] += row["charged_pusd"]
            counter[1] += 1
            counter[2] += sum(tokens_of(row).values())
    spending = {
        (row["scope"], row["day"]): [row["pusd"], row["requests"], row["tokens"]]
        for row in query(database, "SELECT * FROM spending")
    }
    assert spending == sums


def spent_pusd(database: Path | str, scope: str) -> int:
    """What a scope spent on all days, by the counters."""
    return sum(row["pusd"] for row in query(database, "SELECT * FROM spending") if row["scope"] == scope)


def _reconcile_export(lines: list[Row], rows: dict[str, Row]) -> None:
    assert len(lines) == len(rows)
    for line in lines:
        row = rows[line["request_id"]]
        assert line["cost_pusd"] == row["cost_pusd"]
        assert line["charged_pusd"] == row["charged_pusd"]
        assert sum(attempt["cost_pusd"] or 0 for attempt in line["attempts"]) == (row["cost_pusd"] or 0)
        if row["input"] is None:
            assert line["usage"] is None
        else:
            assert {name: line["usage"][name] for name in CLASSES} == {name: row[name] for name in CLASSES}
