"""Reconciling journal, rows and spending counters."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest
from sqlalchemy import text

from headgate.ledger.journal import Journal
from headgate.ledger.ledger import Ledger
from headgate.ledger.rejected import set_aside
from headgate.ledger.segment import find_segments, frame
from headgate.ledger.verify import verify, waiting
from headgate.store.engine import Store, open_store
from headgate.types.entry import Entry
from tests.unit.ledger.entries import attempt, entry, ids


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = open_store(None, data_dir=tmp_path, env={})
    yield made
    made.close()


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "journal"


def journalled(directory: Path, entries: list[Entry]) -> None:
    journal = Journal(directory, segment_bytes=4_000)
    ledger = Ledger(journal)
    for one in entries:
        ledger.record(one)
    journal.close()


def test_a_ledger_at_rest_balances(store: Store, directory: Path) -> None:
    made = [entry(id_) for id_ in islice(ids(), 20)]
    journalled(directory, made)
    store.ledger.add(made)
    found = verify(store.ledger, directory)
    assert found.balanced
    assert (found.journal_records, found.waiting, found.requests, found.counters) == (20, 0, 20, 2)
    assert found.lines()[-1] == "everything balances"


def test_entries_that_wait_for_the_database_are_counted_and_nothing_is_wrong(store: Store, directory: Path) -> None:
    made = [entry(id_) for id_ in islice(ids(), 20)]
    journalled(directory, made)
    store.ledger.add(made[:15])
    found = verify(store.ledger, directory)
    assert found.balanced
    assert found.waiting == waiting(store.ledger, directory) == 5


def test_without_any_journal_the_rows_alone_are_verified(store: Store, directory: Path) -> None:
    store.ledger.add([entry(next(ids()))])
    assert verify(store.ledger, directory).balanced
    assert waiting(store.ledger, directory) == 0
    assert not directory.exists()


def test_an_entry_that_the_database_lost_is_named(store: Store, directory: Path) -> None:
    made = [entry(id_) for id_ in islice(ids(), 20)]
    journalled(directory, made)
    store.ledger.add(made[:7] + made[8:15])
    found = verify(store.ledger, directory)
    assert found.findings == [f"request {made[7].id}: it is in the journal, not in the database"]
    assert found.waiting == 5


def test_a_cost_that_differs_between_journal_and_database_is_named(store: Store, directory: Path) -> None:
    one = entry("req_1")
    journalled(directory, [one])
    store.ledger.add([entry("req_1", attempts=(attempt(pusd=7),))])
    assert verify(store.ledger, directory).findings == [
        "request req_1: the journal and the database disagree about its cost"
    ]


def test_a_counter_that_was_changed_is_named(store: Store, directory: Path) -> None:
    store.ledger.add([entry("req_1")])
    with store.engine.begin() as connection:
        connection.execute(text("UPDATE spending SET pusd = 1 WHERE scope = 'workspace:default'"))
    found = verify(store.ledger, directory)
    assert [line for line in found.lines() if line.startswith("does not balance: spending of workspace:default")]
    assert found.lines()[-1] == "1 findings"


def test_an_entry_that_was_set_aside_is_told(store: Store, directory: Path) -> None:
    bad = entry("req_bad", attempts=(attempt(pusd=-1),))
    made = [entry(id_) for id_ in islice(ids(), 3)]
    journalled(directory, [made[0], bad, *made[1:]])
    journal = Journal(directory)
    payloads, _ = journal.read(journal.start, 2)
    set_aside(directory, payloads[1], "it makes no sense")
    journal.close()
    store.ledger.add(made)
    found = verify(store.ledger, directory)
    assert found.findings == ["1 entries were set aside in the file rejected: the database refuses them"]
    assert found.waiting == 0


def test_damage_and_records_that_hold_no_entry_are_told(store: Store, directory: Path) -> None:
    journalled(directory, [entry("req_1")])
    [(name, path)] = find_segments(directory)
    sound = path.read_bytes()
    path.write_bytes(b"garbage" + sound + frame(b"no entry", name.salt))
    found = verify(store.ledger, directory)
    assert found.journal_records == 2
    assert found.waiting == 1
    assert [line for line in found.findings if "1 records hold no entry" in line]
    assert [line for line in found.findings if "7 bytes from 0 on" in line]


def test_a_damaged_segment_that_was_kept_is_told_until_somebody_deletes_it(store: Store, directory: Path) -> None:
    directory.mkdir()
    kept = directory / "0000000001-00000000.log.damaged"
    kept.write_bytes(b"garbage")
    assert not verify(store.ledger, directory).balanced
    kept.unlink()
    assert verify(store.ledger, directory).balanced


def test_a_record_that_is_just_being_written_is_no_damage(store: Store, directory: Path) -> None:
    journalled(directory, [entry("req_1")])
    [(name, path)] = find_segments(directory)
    with path.open("ab") as file:
        file.write(frame(b"half of it", name.salt)[:15])
    assert verify(store.ledger, directory).balanced
