"""Opening a journal after a crash, and looking at one that is in use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headgate.ledger.journal import Journal
from headgate.ledger.recovery import Findings, survey
from headgate.ledger.segment import HEADER, frame, scan
from tests.unit.ledger.journals import SALT, drain, payload_lists, places, segments


def test_a_torn_last_record_is_cut_off_and_told(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    journal.append(b"whole")
    journal.close()
    [path] = segments(tmp_path / "journal")
    with path.open("ab") as file:
        file.write(frame(b"never finished", SALT)[:-3])
    again = Journal(tmp_path / "journal")
    assert drain(again) == [b"whole"]
    assert again.findings.torn == [(path.name, HEADER.size + 11)]
    assert "cut off" in again.findings.lines()[0]
    assert path.stat().st_size == HEADER.size + 5
    assert not list((tmp_path / "journal").glob("*.damaged"))


def test_garbage_in_the_middle_is_passed_over_told_and_kept(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    journal = Journal(tmp_path / "journal")
    for payload in (b"first", b"second", b"third"):
        journal.append(payload)
    journal.close()
    [path] = segments(tmp_path / "journal")
    data = bytearray(path.read_bytes())
    place = data.index(b"second")
    data[place : place + 3] = b"\xff\xff\xff"
    path.write_bytes(data)
    again = Journal(tmp_path / "journal")
    assert drain(again) == [b"first", b"third"]
    start = HEADER.size + 5
    [damage] = again.findings.damaged
    assert (damage.start, damage.end) == (start, start + HEADER.size + 6)
    assert f"{HEADER.size + 6} bytes from {start} on" in caplog.text
    kept = path.with_name(path.name + ".damaged")
    assert kept.read_bytes() == bytes(data)
    assert kept.stat().st_mode & 0o777 == 0o600
    again.retire(again.end)
    assert not path.exists()
    assert kept.exists()


def test_a_file_that_is_damaged_while_it_is_in_use_is_told_and_kept_too(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    journal = Journal(tmp_path / "journal")
    for payload in (b"first", b"second", b"third"):
        journal.append(payload)
    [path] = segments(tmp_path / "journal")
    with path.open("r+b") as file:
        file.seek(HEADER.size + 5 + 1)
        file.write(b"\0\0\0")
    assert drain(journal) == [b"first", b"third"]
    assert "is damaged" in caplog.text
    assert path.with_name(path.name + ".damaged").exists()


def test_a_file_that_somebody_shortened_costs_only_what_is_gone(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    for payload in (b"first", b"second"):
        journal.append(payload)
    [path] = segments(tmp_path / "journal")
    os.truncate(path, HEADER.size + 5)
    assert drain(journal) == [b"first"]
    journal.append(b"third")
    assert journal.findings.damaged


def test_a_record_placed_inside_a_payload_is_not_taken_for_one_when_its_surroundings_are_damaged(
    tmp_path: Path,
) -> None:
    journal = Journal(tmp_path / "journal")
    forged = frame(b"forged", 0) + frame(b"forged", SALT)
    journal.append(b"before " + forged + b" after")
    journal.append(b"last")
    journal.close()
    [path] = segments(tmp_path / "journal")
    with path.open("r+b") as file:
        file.write(b"XXXX")
    assert drain(Journal(tmp_path / "journal")) == [b"last"]


def test_looking_at_a_journal_in_use_changes_nothing(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal", segment_bytes=40)
    for payload in (b"first", b"second", b"third"):
        journal.append(payload)
    found = Findings()
    assert [payload for part in survey(tmp_path / "journal", found) for payload in part] == [
        b"first",
        b"second",
        b"third",
    ]
    assert found == Findings(records=3)
    assert list(survey(tmp_path / "nowhere", found)) == []


@settings(max_examples=60, deadline=None)
@given(
    payloads=payload_lists,
    garbage=st.binary(max_size=30),
    bite=st.integers(1, 5),
    data=st.data(),
)
def test_garbage_put_anywhere_between_records_loses_none(
    payloads: list[bytes], garbage: bytes, bite: int, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    directory = tmp_path_factory.mktemp("garbage") / "journal"
    journal = Journal(directory, segment_bytes=80)
    for payload in payloads:
        journal.append(payload)
    journal.close()
    path = data.draw(st.sampled_from(segments(directory)))
    content = path.read_bytes()
    edges = [0, *(end for _, end in places(scan(content, int(path.stem[-8:], 16)).payloads))]
    edge = data.draw(st.sampled_from(edges))
    path.write_bytes(content[:edge] + garbage + content[edge:])
    again = Journal(directory)
    assert drain(again, bite) == payloads
    again.close()
