"""Damaged files, full disks, wrong keys, newer databases: a clear line, nothing readable lost, no silent start."""

from __future__ import annotations

import json
import resource
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from zlib import crc32

import httpx
import pytest

from headgate.ledger.segment import HEADER
from tests.process.books import assert_verified, exported, ledger, query, reconcile
from tests.process.headgate import HEADGATE, Home, Process
from tests.process.load import KEY, MODEL, Answers, CountingProvider, Load, counting_provider, document

FIRST_KEY = "canary-master-key-of-forty-characters-01"
OTHER_KEY = "another-master-key-of-forty-characters-2"
CREDENTIAL = "canary-credential-in-the-store"
LIMITED = (
    "import os, resource, sys; size = int(sys.argv[1]); "
    "resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY)); os.execv(sys.argv[2], sys.argv[2:])"
)


@pytest.fixture
def provider(home: Home) -> Iterator[CountingProvider]:
    with counting_provider() as provider:
        (home.directory / "headgate.yaml").write_text(document(provider.base_url))
        yield provider


def database(home: Home) -> Path:
    return home.data / "headgate.db"


def crash_after(home: Home, requests: int) -> tuple[Answers, Path]:
    """Serve some requests, then die. What clients got, and the segment of the journal that is left."""
    with home.up("--port", "0") as process, Load(4) as load:
        load.port = process.port
        load.until(requests)
        load.end()
        process.send(signal.SIGKILL)
        process.wait()
    (segment,) = (home.data / "journal").glob("*.log")
    return load.answers, segment


def lose_the_database(home: Home) -> None:
    """So that every row has to come out of the journal again."""
    for file in home.data.glob("headgate.db*"):
        file.unlink()


def records(segment: Path) -> list[tuple[int, int]]:
    """Where each record of an undamaged segment begins and ends."""
    data, at, found = segment.read_bytes(), 0, []
    while at < len(data):
        end = at + HEADER.size + HEADER.unpack_from(data, at)[1]
        found.append((at, end))
        at = end
    return found


def ids(home: Home) -> set[str]:
    return {row["id"] for row in query(database(home), "SELECT id FROM requests")}


def started_and_stopped(home: Home) -> str:
    """Start and stop once; what it says on standard error."""
    with home.up("--port", "0") as process:
        assert process.stop() == 0
    assert "Traceback" not in process.errors, process.errors
    return process.errors


# The journal


def test_a_torn_last_record_is_told_and_cut_off_and_every_other_is_kept(home: Home, provider: CountingProvider) -> None:
    answers, segment = crash_after(home, 40)
    whole = records(segment)
    lose_the_database(home)
    with segment.open("r+b") as file:
        file.truncate(whole[-1][1] - 7)
    assert f"{segment.name} ended in the middle of an entry" in started_and_stopped(home)
    assert len(ids(home)) == len(whole) - 1
    assert len(answers.received.keys() - ids(home)) <= 1
    assert_verified(home)


def test_half_a_journal_is_what_half_a_journal_holds(home: Home, provider: CountingProvider) -> None:
    _, segment = crash_after(home, 40)
    whole = records(segment)
    lose_the_database(home)
    start, end = whole[len(whole) // 2]
    with segment.open("r+b") as file:
        file.truncate((start + end) // 2)
    assert f"{segment.name} ended in the middle of an entry; its {(start + end) // 2 - start} bytes" in (
        started_and_stopped(home)
    )
    assert len(ids(home)) == len(whole) // 2


@pytest.mark.parametrize("garbage", [b"\0" * 64, b"\xff" * 64, b"HGj1" * 16], ids=["zeros", "ones", "beginnings"])
def test_garbage_in_the_middle_costs_only_what_it_covers_and_is_told_until_somebody_looks(
    home: Home, provider: CountingProvider, garbage: bytes
) -> None:
    _, segment = crash_after(home, 40)
    whole = records(segment)
    lose_the_database(home)
    start, _ = whole[10]
    with segment.open("r+b") as file:
        # Into the header of one record and the body of it.
        file.seek(start + 4)
        file.write(garbage)
    said = started_and_stopped(home)
    assert f"{segment.name} is damaged" in said
    copy = segment.with_name(f"{segment.name}.damaged")
    assert f"a copy of the file is {copy.name}" in said
    assert garbage in copy.read_bytes()
    assert len(ids(home)) == len(whole) - 1
    seen = ledger(home, "verify")
    assert seen.returncode == 1
    assert f"{copy.name} is a damaged segment" in seen.stdout
    copy.unlink()
    assert_verified(home)


def test_a_file_of_garbage_in_the_journal_is_told_and_does_not_stop_the_start(
    home: Home, provider: CountingProvider
) -> None:
    answers, _ = crash_after(home, 20)
    (home.data / "journal" / "0000000009-0badcafe.log").write_bytes(b"no journal at all" * 1000)
    said = started_and_stopped(home)
    assert "0000000009-0badcafe.log is damaged: 17000 bytes" in said
    assert answers.received.keys() <= ids(home)


def test_an_entry_that_is_none_is_set_aside_and_verify_tells_of_it(home: Home, provider: CountingProvider) -> None:
    answers, segment = crash_after(home, 20)
    salt = int(segment.stem.partition("-")[2], 16)
    payload = b"\x93not an entry"
    with segment.open("ab") as file:
        file.write(HEADER.pack(b"HGj1", len(payload), crc32(payload, salt)) + payload)
    said = started_and_stopped(home)
    assert "is set aside in" in said
    assert answers.received.keys() <= ids(home)
    assert (home.data / "journal" / "rejected").read_bytes().endswith(payload)
    seen = ledger(home, "verify")
    assert seen.returncode == 1, "nothing tells of it but a line in an old log"
    assert "1 entries were set aside in the file rejected" in seen.stdout


# Directories and disks


def test_a_data_directory_that_cannot_be_is_one_line(home: Home, provider: CountingProvider) -> None:
    (home.directory / "file").write_text("")
    for path in ("file", "file/below", "/proc/headgate", "/sys/kernel"):
        line = home.refused("--port", "0", HEADGATE_DATA_DIR=path)
        assert path.partition("/below")[0] in line


@pytest.mark.parametrize("name", ["journal", "headgate.db", "headgate.db.lock", "journal/lock"])
def test_something_else_in_place_of_a_file_is_one_line(home: Home, provider: CountingProvider, name: str) -> None:
    place = home.data / name
    if name == "journal":
        home.data.mkdir()
        place.write_text("")
    else:
        place.mkdir(parents=True)
    line = home.refused("--port", "0")
    assert str(home.data) in line


def test_a_journal_that_cannot_be_written_lets_no_key_be_made_that_nobody_has_seen(home: Home) -> None:
    home.data.mkdir()
    (home.data / "journal").write_text("")
    home.refused("--port", "0")
    (home.data / "journal").unlink()
    with home.up("--port", "0") as process:
        assert process.key is not None, "a key was made by the start that failed, and never shown"
        assert "hga-" in process.printed, "an admin token was made by the start that failed, and never shown"


def test_a_full_disk_at_start_is_one_line(home: Home, provider: CountingProvider) -> None:
    for size in ("0", "5000", "60000"):
        done = subprocess.run(
            [sys.executable, "-c", LIMITED, size, HEADGATE, "up", "--port", "0"],
            cwd=home.directory,
            env=home.env,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 2, done.stdout + done.stderr
        assert len(done.stderr.splitlines()) == 1, done.stderr
        assert done.stdout == ""
    started_and_stopped(home)


def test_a_disk_that_fills_up_refuses_requests_and_loses_none_that_was_answered(
    home: Home, provider: CountingProvider
) -> None:
    command = (sys.executable, "-c", LIMITED, "400000", HEADGATE, "up")
    with home.up("--port", "0", command=command) as process, Load(4) as load:
        load.port = process.port
        load.until_refused(50)
        assert set(load.answers.refused) == {(503, "ledger_full")}
        assert "the journal of the ledger cannot be used: File too large" in process.errors or (
            "no space left for a whole record" in process.errors
        )
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        process.until_it_says("the journal takes entries again; 0 were lost so far")
        load.until(50)
        load.end()
    assert "Traceback" not in process.errors, process.errors
    reconcile(home, database(home), load.answers, provider)


# The database


def test_a_database_of_a_newer_version_is_left_alone(home: Home, provider: CountingProvider) -> None:
    crash_after(home, 10)
    with closing(sqlite3.connect(database(home))) as file:
        file.execute("UPDATE alembic_version SET version_num = '9999'")
        file.commit()
    before = query(database(home), "SELECT count(*) AS n FROM requests")
    line = home.refused("--port", "0")
    assert "version 9999" in line
    assert "start a newer headgate" in line
    for verb in ("verify", "export"):
        seen = ledger(home, verb)
        assert seen.returncode == 2
        assert "version 9999" in seen.stderr
    assert query(database(home), "SELECT count(*) AS n FROM requests") == before
    assert list((home.data / "journal").glob("*.log")), "the journal was shipped into a database nobody understands"


def test_a_file_that_is_no_database_is_one_line_and_keeps_the_journal(home: Home, provider: CountingProvider) -> None:
    answers, segment = crash_after(home, 10)
    lose_the_database(home)
    database(home).write_bytes(b"this is no database" * 500)
    assert "not a database" in home.refused("--port", "0")
    assert segment.exists()
    database(home).unlink()
    started_and_stopped(home)
    assert answers.received.keys() <= ids(home)


def test_a_database_of_another_program_is_left_alone(home: Home, provider: CountingProvider) -> None:
    home.data.mkdir()
    with closing(sqlite3.connect(database(home))) as file:
        file.execute("CREATE TABLE requests (mine TEXT)")
        file.commit()
    assert "another program" in home.refused("--port", "0")
    assert query(database(home), "SELECT name FROM sqlite_master") == [{"name": "requests"}]


# Keys and neighbours


def add_credential(home: Home, **env: str) -> None:
    subprocess.run(
        [HEADGATE, "credentials", "add", "counting", "--name", "stored"],
        cwd=home.directory,
        env=home.env | env,
        input=f"{CREDENTIAL}\n",
        text=True,
        capture_output=True,
        timeout=60,
        check=True,
    )


def test_a_wrong_master_key_is_told_by_the_name_of_what_it_does_not_open(
    home: Home, provider: CountingProvider
) -> None:
    add_credential(home, HEADGATE_SECRET_KEY=FIRST_KEY)
    with home.up("--port", "0", HEADGATE_SECRET_KEY=FIRST_KEY) as process:
        assert process.errors == ""
    with home.up("--port", "0", HEADGATE_SECRET_KEY=OTHER_KEY) as process:
        process.until_it_says("\n")
        assert "stored" in process.errors
        assert "master key" in process.errors
    for secret in (FIRST_KEY, OTHER_KEY, CREDENTIAL):
        assert secret not in process.errors + process.printed
    with home.up("--port", "0", HEADGATE_SECRET_KEY=FIRST_KEY) as process:
        assert process.errors == "", "the start with the wrong key has damaged something"


def test_a_master_key_that_is_too_short_is_one_line(home: Home, provider: CountingProvider) -> None:
    line = home.refused("--port", "0", HEADGATE_SECRET_KEY="short-canary")
    assert "HEADGATE_SECRET_KEY" in line
    assert "short-canary" not in line


def test_a_second_gateway_on_one_data_directory_is_refused_and_harms_nobody(
    home: Home, provider: CountingProvider
) -> None:
    with home.up("--port", "0") as process, Load(4) as load:
        load.port = process.port
        load.until(20)
        line = home.refused("--port", "0")
        assert "another Headgate process uses it" in line
        assert "HEADGATE_DATA_DIR" in line
        load.until(20)
        load.end()
        assert not load.answers.broken
    reconcile(home, database(home), load.answers, provider)


# What clients may write


def test_a_name_of_megabytes_is_cut_in_the_books_and_loses_no_entry(home: Home, provider: CountingProvider) -> None:
    with home.up("--port", "0") as process:
        reply = ask_for(process, "x" * 3_000_000)
        assert reply.status_code == 404
        served = ask_for(process, MODEL)
    assert "LOST" not in process.errors
    assert process.errors == ""
    lines = {line["request_id"]: line for line in exported(home)}
    assert served.headers["x-request-id"] in lines
    assert len(lines[reply.headers["x-request-id"]]["model"]) < 1000


def ask_for(process: Process, model: str) -> httpx.Response:
    wanted = {"number": 1, "stream": False, "cached": 0, "completion": 1, "reasoning": 0, "pause_s": 0.0}
    return httpx.post(
        f"http://127.0.0.1:{process.port}/v1/chat/completions",
        headers={"authorization": f"Bearer {KEY}"},
        json={"model": model, "messages": [{"role": "user", "content": json.dumps(wanted)}]},
        trust_env=False,
        timeout=60,
    )
