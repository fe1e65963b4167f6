"""The journal: appending, reading on, retiring, and a file system that refuses."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from headgate.ledger.journal import Journal, JournalBroken, JournalFull, JournalLocked
from headgate.ledger.recovery import Findings
from headgate.ledger.segment import HEADER, MAX_PAYLOAD
from tests.unit.ledger.journals import drain, segments


def test_what_is_appended_is_read_in_order_across_segments(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal", segment_bytes=200)
    payloads = [b"%d" % number * (number % 9 + 1) for number in range(100)]
    for payload in payloads:
        journal.append(payload)
    assert len(segments(tmp_path / "journal")) > 3
    assert drain(journal) == payloads


def test_reading_goes_on_where_it_ended_when_more_is_appended(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal", segment_bytes=60)
    position = journal.start
    for number in range(20):
        journal.append(b"entry %d" % number)
        payloads, position = journal.read(position, 10)
        assert payloads == [b"entry %d" % number]
        assert journal.read(position, 10)[0] == []


def test_a_record_longer_than_one_bite_of_the_file_is_read(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    payloads = [b"a", os.urandom(MAX_PAYLOAD), b"b", os.urandom(600_000)]
    for payload in payloads:
        journal.append(payload)
    assert drain(journal) == payloads


def test_a_record_longer_than_a_record_may_be_is_refused(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    with pytest.raises(ValueError, match="longer than"):
        journal.append(bytes(MAX_PAYLOAD + 1))


def test_what_one_process_left_is_read_by_the_next(tmp_path: Path) -> None:
    first = Journal(tmp_path / "journal")
    first.append(b"one")
    first.append(b"two")
    first.close()
    second = Journal(tmp_path / "journal")
    second.append(b"three")
    assert drain(second) == [b"one", b"two", b"three"]
    assert second.findings == Findings(records=2)
    assert second.waiting_bytes == 3 * HEADER.size + len(b"onetwothree")


def test_a_second_process_is_told_that_the_directory_is_in_use(tmp_path: Path) -> None:
    first = Journal(tmp_path / "journal")
    with pytest.raises(JournalLocked, match="another Headgate process"):
        Journal(tmp_path / "journal")
    first.close()
    Journal(tmp_path / "journal").close()


def test_files_are_for_their_owner_alone(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "data" / "journal")
    journal.append(b"one")
    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "data" / "journal").stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "data" / "journal").iterdir()} == {0o600}


def test_shipped_segments_are_deleted_and_the_one_in_use_stays(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal", segment_bytes=100)
    for number in range(30):
        journal.append(b"entry %d" % number)
    before = len(segments(tmp_path / "journal"))
    _, position = journal.read(journal.start, 10)
    journal.retire(position)
    assert 1 < len(segments(tmp_path / "journal")) < before
    assert drain(journal)[-1] == b"entry 29"
    journal.retire(journal.end)
    assert len(segments(tmp_path / "journal")) == 1
    assert journal.waiting_bytes == 0
    journal.append(b"more")
    assert journal.waiting_bytes == HEADER.size + 4


def test_a_shipped_segment_that_got_old_is_deleted_though_it_is_not_full(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal", idle_s=0.0)
    journal.append(b"one")
    _, position = journal.read(journal.start, 10)
    journal.append(b"two")
    journal.retire(position)
    assert len(segments(tmp_path / "journal")) == 1
    payloads, position = journal.read(position, 10)
    assert payloads == [b"two"]
    journal.retire(position)
    assert segments(tmp_path / "journal") == []
    journal.append(b"three")
    assert journal.read(position, 10)[0] == [b"three"]


def test_closing_leaves_no_segment_when_everything_was_shipped(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    journal.append(b"one")
    journal.retire(journal.end)
    journal.close()
    assert segments(tmp_path / "journal") == []


def test_closing_keeps_what_was_not_shipped(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    journal.append(b"one")
    journal.close()
    assert drain(Journal(tmp_path / "journal")) == [b"one"]


def test_the_spool_is_bounded_and_takes_more_once_something_was_shipped(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal", segment_bytes=2_000, spool_bytes=10_000)
    for _ in range(100):
        journal.append(bytes(88))
    with pytest.raises(JournalFull, match="wait for the database"):
        journal.append(bytes(88))
    assert sum(path.stat().st_size for path in segments(tmp_path / "journal")) == 10_000
    _, position = journal.read(journal.start, 30)
    journal.retire(position)
    journal.append(bytes(88))


def test_one_thread_reads_while_another_appends(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal", segment_bytes=5_000)
    count = 20_000

    def fill() -> None:
        for number in range(count):
            journal.append(b"%d" % number)

    filler = threading.Thread(target=fill)
    filler.start()
    found: list[bytes] = []
    position = journal.start
    while len(found) < count:
        payloads, position = journal.read(position, 50)
        assert payloads or filler.is_alive() or journal.end > position
        found += payloads
        journal.retire(position)
    filler.join()
    assert found == [b"%d" % number for number in range(count)]
    assert len(segments(tmp_path / "journal")) == 1


def test_a_path_that_cannot_be_a_directory_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(JournalBroken, match="cannot be used"):
        Journal(tmp_path / "file" / "journal")


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from headgate.ledger.journal import Journal, JournalBroken
journal = Journal(Path(sys.argv[1]))
journal.append(b"a" * 1000)
resource.setrlimit(resource.RLIMIT_FSIZE, (1500, resource.RLIM_INFINITY))
refused = 0
for _ in range(3):
    try:
        journal.append(b"b" * 1000)
    except JournalBroken:
        refused += 1
journal.append(b"c" * 100)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
journal.append(b"d" * 1000)
assert refused == 3, refused
"""


def test_a_write_that_finds_no_room_leaves_the_file_sound(tmp_path: Path) -> None:
    """A limit on file sizes does what a full disk does: a write is cut short, and the next one fails."""
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[1] == resource.RLIM_INFINITY
    ended = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path / "journal")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    journal = Journal(tmp_path / "journal")
    assert drain(journal) == [b"a" * 1000, b"c" * 100, b"d" * 1000]
    assert journal.findings == Findings(records=3)


KILLED = """
import os, signal, sys
from pathlib import Path
from headgate.ledger.journal import Journal
journal = Journal(Path(sys.argv[1]), segment_bytes=10_000)
for number in range(1_000_000):
    journal.append(b"%d" % number)
    if number == 5_000:
        print(number, flush=True)
"""


def test_nothing_that_was_appended_is_lost_when_the_process_is_killed(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path / "journal")], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"5000\n"
        process.kill()
    found = drain(Journal(tmp_path / "journal"), 1000)
    assert len(found) > 5_000
    assert found == [b"%d" % number for number in range(len(found))]
