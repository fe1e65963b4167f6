"""The writer between journal and database: shipping, outages, entries nobody can keep, retention."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import pytest

from headgate.ledger.journal import Journal
from headgate.ledger.ledger import Ledger
from headgate.ledger.recovery import Findings, survey
from headgate.ledger.rejected import rejected
from headgate.ledger.segment import find_segments, fresh_name
from headgate.ledger.writer import LONGEST_PAUSE_S, Pauses, Writer, decode_entry
from headgate.store.engine import Store, open_store
from headgate.types.entry import Entry
from tests.fakes.postgres import Postgres
from tests.unit.ledger.entries import AT_US, COST_PUSD, DAY_US, attempt, entry, ids

PATIENCE_S = 60.0


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    made = Journal(tmp_path / "journal", segment_bytes=20_000)
    yield made
    made.close()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = open_store(None, data_dir=tmp_path, env={})
    yield made
    made.close()


def started(journal: Journal, store: Store, keep_days: int | None = None) -> Writer:
    writer = Writer(journal, store.ledger, keep_days=keep_days, first_pause_s=0.05)
    writer.start()
    return writer


def test_entries_reach_the_database_and_shipped_segments_go(journal: Journal, store: Store, tmp_path: Path) -> None:
    ledger = Ledger(journal)
    writer = started(journal, store)
    made = [entry(id_) for id_ in islice(ids(), 700)]
    for one in made:
        ledger.record(one)
    assert writer.flushed(PATIENCE_S)
    assert {one.id for one in store.ledger.export(None)} == {one.id for one in made}
    assert writer.stop(PATIENCE_S)
    assert len(find_segments(tmp_path / "journal")) == 1


def test_stopping_ships_what_is_left(journal: Journal, store: Store) -> None:
    ledger = Ledger(journal)
    for id_ in islice(ids(), 1_000):
        ledger.record(entry(id_))
    writer = started(journal, store)
    assert writer.stop(PATIENCE_S)
    assert store.ledger.check().requests == 1_000


def test_what_a_process_left_behind_is_shipped_once_by_the_next(tmp_path: Path, store: Store) -> None:
    first = Journal(tmp_path / "left")
    ledger = Ledger(first)
    made = [entry(id_) for id_ in islice(ids(), 30)]
    for one in made:
        ledger.record(one)
    # The process died after its database had taken some.
    store.ledger.add(made[:20])
    first.close()
    second = Journal(tmp_path / "left")
    assert started(second, store).stop(PATIENCE_S)
    second.close()
    assert store.ledger.spending(AT_US // DAY_US)["key:k_dev"][3] == 30 * COST_PUSD
    assert store.ledger.check().findings == []


def test_an_empty_segment_left_by_a_crash_holds_up_nothing(tmp_path: Path, store: Store) -> None:
    first = Journal(tmp_path / "left")
    Ledger(first).record(entry(next(ids())))
    first.close()
    (tmp_path / "left" / fresh_name(2).text).touch()
    second = Journal(tmp_path / "left")
    assert started(second, store).stop(PATIENCE_S)
    second.close()
    assert find_segments(tmp_path / "left") == []


def test_an_entry_that_no_database_can_keep_is_set_aside_and_holds_up_nobody(
    journal: Journal, store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    number = ids()
    good = [entry(next(number)) for _ in range(40)]
    bad = [entry(next(number), attempts=(attempt(pusd=-5),)), entry(next(number), at_us=2**63)]
    ledger = Ledger(journal)
    for one in [*good[:11], bad[0], *good[11:30], bad[1], *good[30:]]:
        ledger.record(one)
    journal.append(b"\x93\x01\x02\x03")
    writer = started(journal, store)
    assert writer.flushed(PATIENCE_S)
    assert {one.id for one in store.ledger.export(None)} == {one.id for one in good}
    assert [decode_entry(payload) for payload in rejected(tmp_path / "journal")[:2]] == bad
    assert rejected(tmp_path / "journal")[2:] == [b"\x93\x01\x02\x03"]
    assert caplog.text.count("is set aside") == 3
    assert (tmp_path / "journal" / "rejected").stat().st_mode & 0o777 == 0o600
    writer.stop(PATIENCE_S)


def test_minutes_without_postgres_lose_and_double_nothing(
    journal: Journal, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Postgres() as server:
        store = open_store(server.make_database(), data_dir=tmp_path, env={})
        ledger = Ledger(journal)
        writer = started(journal, store)
        made = [entry(id_) for id_ in islice(ids(), 900)]
        for one in made[:300]:
            ledger.record(one)
        assert writer.flushed(PATIENCE_S)
        server.kill()
        for one in made[300:600]:
            ledger.record(one)
        assert not writer.flushed(1.0)
        assert writer.down_since is not None
        assert ledger.alarm is None
        server.start()
        for one in made[600:]:
            ledger.record(one)
        assert writer.flushed(PATIENCE_S)
        assert {one.id for one in store.ledger.export(None)} == {one.id for one in made}
        assert store.ledger.check().findings == []
        assert writer.stop(PATIENCE_S)
        store.close()
    assert caplog.text.count("do not reach the database") == 1
    assert caplog.text.count("reach the database again") == 1
    assert "canary" not in caplog.text


def test_stopping_without_a_database_leaves_the_entries_in_the_journal(
    journal: Journal, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Postgres() as server:
        store = open_store(server.make_database(), data_dir=tmp_path, env={})
        server.stop()
        ledger = Ledger(journal)
        ledger.record(entry(next(ids())))
        writer = started(journal, store)
        assert not writer.stop(PATIENCE_S)
        store.close()
    assert "not in the database yet" in caplog.text
    assert sum(len(part) for part in survey(tmp_path / "journal", Findings())) == 1


def test_old_requests_go_while_new_ones_are_shipped(journal: Journal, store: Store) -> None:
    now_us = int(time.time() * 1_000_000)
    number = ids()
    old = [entry(next(number), at_us=now_us - 31 * DAY_US) for _ in range(450)]
    young = [entry(next(number), at_us=now_us - 29 * DAY_US) for _ in range(50)]
    store.ledger.add(old + young)
    ledger = Ledger(journal)
    ledger.record(entry(next(number), at_us=now_us))
    writer = started(journal, store, keep_days=30)
    deadline = time.monotonic() + PATIENCE_S
    while store.ledger.check().requests > 51 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert store.ledger.check().requests == 51
    assert store.ledger.check().findings == []
    assert writer.stop(PATIENCE_S)


def test_requests_are_not_kept_for_less_than_a_day(journal: Journal, store: Store) -> None:
    with pytest.raises(ValueError, match="a day at least"):
        Writer(journal, store.ledger, keep_days=0)


class Defective:
    """Rows of a store with a defect, until it is mended."""

    def __init__(self) -> None:
        self.mended = False
        self.taken: list[str] = []

    def add(self, entries: Sequence[Entry]) -> int:
        if not self.mended:
            raise ZeroDivisionError("a defect")
        self.taken += [one.id for one in entries]
        return len(entries)

    def expire(self, before_us: int, batch: int) -> int:
        return 0


def test_a_defect_is_told_with_its_traceback_and_does_not_end_the_thread(
    journal: Journal, caplog: pytest.LogCaptureFixture
) -> None:
    rows = Defective()
    ledger = Ledger(journal)
    one = entry(next(ids()))
    ledger.record(one)
    writer = Writer(journal, rows, first_pause_s=0.01)
    writer.start()
    assert not writer.flushed(0.5)
    rows.mended = True
    assert writer.flushed(PATIENCE_S)
    assert rows.taken == [one.id]
    assert caplog.text.count("Traceback") == 1
    writer.stop(PATIENCE_S)


def test_pauses_grow_up_to_their_longest_and_begin_anew(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    pauses = Pauses(1.0)
    waited = [pauses.next("it is away", 0) for _ in range(12)]
    assert all(one <= LONGEST_PAUSE_S for one in waited)
    assert all(0.5 * 2**place <= one <= 2**place for place, one in enumerate(waited[:3]))
    assert all(one >= LONGEST_PAUSE_S / 2 for one in waited[6:])
    pauses.over()
    assert pauses.next("it is away", 0) <= 1.0
    assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING", "ERROR"]
