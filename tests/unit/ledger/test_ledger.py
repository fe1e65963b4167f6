"""Recording entries when the journal takes them, and when it does not."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import msgspec
import pytest

from headgate.ledger.journal import Journal
from headgate.ledger.ledger import Ledger, WhenFull
from headgate.ledger.writer import decode_entry
from headgate.types.entry import Entry
from tests.unit.ledger.entries import attempt, entry, ids


def recorded(journal: Journal) -> list[Entry]:
    found: list[Entry] = []
    position = journal.start
    while True:
        payloads, position = journal.read(position, 100)
        if not payloads:
            return found
        found += map(decode_entry, payloads)


def test_an_entry_is_in_the_journal_when_record_returns(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    one = entry(next(ids()), attempts=(attempt(result="stalled", pusd=None), attempt()))
    Ledger(journal).record(one)
    assert recorded(journal) == [one]


def test_an_entry_of_a_newer_version_with_a_field_more_is_still_read(tmp_path: Path) -> None:
    one = entry(next(ids()))
    fields = msgspec.msgpack.decode(msgspec.msgpack.encode(one))
    assert decode_entry(msgspec.msgpack.encode([*fields, "a field of a newer version"])) == one


def test_entries_wait_in_memory_while_the_journal_is_full_and_keep_their_order(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    journal = Journal(tmp_path / "journal", segment_bytes=4_000, spool_bytes=8_000)
    ledger = Ledger(journal)
    made = [entry(id_) for id_ in islice(ids(), 40)]
    for one in made:
        ledger.record(one)
    assert ledger.alarm is not None
    assert ledger.refuses
    seen: list[Entry] = []
    position = journal.start
    while len(seen) < len(made):
        payloads, position = journal.read(position, 100)
        assert payloads
        seen += map(decode_entry, payloads)
        journal.retire(position)
        ledger.retry()
    assert seen == made
    assert ledger.alarm is None
    assert not ledger.refuses
    assert ledger.dropped == 0
    assert caplog.text.count("requests are refused until") == 1
    assert caplog.text.count("takes entries again") == 1


def test_nothing_is_refused_when_the_operator_wants_to_serve(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal", spool_bytes=100)
    ledger = Ledger(journal, when_full=WhenFull.SERVE)
    ledger.record(entry(next(ids())))
    assert ledger.alarm is not None
    assert not ledger.refuses


def test_what_does_not_fit_in_memory_is_counted_and_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    journal = Journal(tmp_path / "journal", spool_bytes=100)
    ledger = Ledger(journal, when_full=WhenFull.SERVE, held_bytes=3_000)
    made = [entry(id_) for id_ in islice(ids(), 50)]
    for one in made:
        ledger.record(one)
    held = 50 - ledger.dropped
    assert 2 <= held < 10
    assert caplog.text.count("ENTRIES ARE LOST") == 1
    size = sum(len(msgspec.msgpack.encode(one)) for one in made[:held])
    assert size <= 3_000 < size + len(msgspec.msgpack.encode(made[held]))


def test_the_journal_is_used_again_once_its_directory_is_back(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal", segment_bytes=1_000)
    ledger = Ledger(journal)
    made = [entry(id_) for id_ in islice(ids(), 10)]
    ledger.record(made[0])
    shutil.rmtree(tmp_path / "journal")
    for one in made[1:]:
        ledger.record(one)
    assert ledger.alarm is not None
    assert "No such file or directory" in ledger.alarm
    (tmp_path / "journal").mkdir()
    ledger.retry()
    assert ledger.alarm is None
    # What went into a file that was deleted meanwhile can still be read from it.
    assert recorded(journal) == made


def test_an_entry_that_cannot_be_written_is_in_the_log_and_record_does_not_raise(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    journal = Journal(tmp_path / "journal")
    ledger = Ledger(journal)
    number = ids()
    for bad in (
        entry(next(number), model="\ud800"),
        entry(next(number), at_us=2**70),
        entry(next(number), model="x" * 2**21),
    ):
        ledger.record(bad)
        assert bad.id in caplog.text
    assert ledger.dropped == 3
    assert ledger.alarm is None
    assert recorded(journal) == []


def test_entries_of_one_turn_are_written_together_when_it_is_time_and_not_before(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    due: list[Callable[[], None]] = []
    ledger = Ledger(journal, before_answers=due.append)
    for id_ in ("req_1", "req_2"):
        ledger.record(entry(id_))
    assert journal.waiting_bytes == 0
    assert len(due) == 1, "asked for once a turn"
    due.pop()()
    assert [one.id for one in recorded(journal)] == ["req_1", "req_2"]
    ledger.record(entry("req_3"))
    assert len(due) == 1
    ledger.write()
    due.pop()()
    assert [one.id for one in recorded(journal)] == ["req_1", "req_2", "req_3"], "and each of them once"
    journal.close()
