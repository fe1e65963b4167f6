"""The last good copies on disk, and the history of what changed."""

from __future__ import annotations

import json
import logging
import stat
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from headgate.catalog import copies
from headgate.catalog.changes import Change
from headgate.catalog.copies import DIRECTORY, HISTORY, OLDER_HISTORY, Copy, Shelf, file_name
from headgate.types.listing import ListedModel, ListedTier
from headgate.types.secret import Secret
from tests.unit.catalog.listed import copy, listed, usd

URL = "https://api.acme.test/v1"
SECRET = Secret("sk-a-secret-that-is-nobodys-business")


def path_of(data_dir: Path) -> Path:
    return data_dir / DIRECTORY / file_name("acme", URL, SECRET)


def lines(data_dir: Path, name: str = HISTORY) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (data_dir / DIRECTORY / name).read_text().splitlines()]


FULL = listed(
    "lab/m",
    kind="chat",
    prices=usd(input="0.1", output="0.25", cached_input="0.0000001"),
    tiers=(ListedTier(200_000, usd(input="0.2")),),
    context_tokens=1000,
    capabilities=frozenset({"tools"}),
    aliases=("m",),
    retires_on="2027-01-01",
)


def test_a_copy_is_there_again_in_another_process_figure_by_figure(tmp_path: Path) -> None:
    kept = copy(FULL, older={"lab/m": "provider's list, earlier"})
    Shelf(tmp_path).keep(kept, URL, SECRET)
    again = Shelf(tmp_path)("acme", URL, (SECRET,))
    assert again == kept
    assert again is not None
    assert again.source == "provider's list at api.acme.test, 2026-11-26"
    assert again.source_of_prices("lab/m") == "provider's list, earlier"


def test_the_files_tell_prices_as_text_and_no_secret_and_are_their_owners_alone(tmp_path: Path) -> None:
    Shelf(tmp_path).keep(copy(FULL), URL, SECRET)
    stored = json.loads(path_of(tmp_path).read_text())
    assert ["output_usd_per_mtok", "0.25"] in stored["models"][0]["prices"]
    assert stored["fetched_at"] == "2026-11-26T08:00:00Z"
    for path in (tmp_path / DIRECTORY).iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert SECRET.reveal() not in path.read_text() + path.name
    assert stat.S_IMODE((tmp_path / DIRECTORY).stat().st_mode) == 0o700


def test_every_provider_address_and_credential_has_a_copy_of_its_own(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    shelf.keep(copy(listed("mine")), URL, SECRET)
    other = Secret("another")
    assert shelf("acme", URL, (other,)) is None
    assert shelf("acme", URL, ()) is None
    assert shelf("acme", "https://elsewhere.test/v1", (SECRET,)) is None
    assert shelf("other", URL, (SECRET,)) is None
    found = shelf("acme", URL, (other, SECRET))
    assert found is not None
    assert found.models[0].id == "mine"
    shelf.keep(copy(listed("open")), URL, None)
    assert shelf("acme", URL, ()) == copy(listed("open"))


def test_every_change_of_a_figure_is_a_dated_line_and_lines_are_only_added(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    first = shelf.keep(copy(FULL, listed("gone")), URL, SECRET)
    assert first == (Change("", "list", None, "2 models"),)
    before = (tmp_path / DIRECTORY / HISTORY).read_text()
    changed = msgspec.structs.replace(
        FULL, prices=usd(input="0.1", output="0.5"), tiers=(), context_tokens=2000, capabilities=frozenset()
    )
    found = shelf.keep(copy(changed, listed("new"), hour=9), URL, SECRET)
    assert set(found) == {
        Change("gone", "model", "listed", None),
        Change("new", "model", None, "listed"),
        Change("lab/m", "cached_input_usd_per_mtok", "0.0000001", None),
        Change("lab/m", "output_usd_per_mtok", "0.25", "0.5"),
        Change("lab/m", "tiers.200000.input_usd_per_mtok", "0.2", None),
        Change("lab/m", "context_tokens", "1000", "2000"),
        Change("lab/m", "capabilities", "tools", None),
    }
    assert (tmp_path / DIRECTORY / HISTORY).read_text().startswith(before)
    written = lines(tmp_path)
    assert len(written) == 1 + len(found)
    assert written[-1].keys() == {"at", "provider", "id", "figure", "before", "after", "source"}
    assert {line["at"] for line in written[1:]} == {"2026-11-26T09:00:00Z"}


def test_a_copy_without_a_change_adds_no_line_and_is_the_newer_one(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    shelf.keep(copy(FULL), URL, SECRET)
    mark = shelf.history_mark()
    assert shelf.keep(copy(FULL, hour=9), URL, SECRET) == ()
    assert shelf.history_mark() == mark
    found = shelf.copy("acme", URL, SECRET)
    assert found is not None
    assert found.fetched_at.hour == 9
    assert shelf.keep(copy(listed("n"), hour=10), URL, SECRET)
    assert shelf.history_mark() != mark


def test_a_copy_that_was_overtaken_does_not_bring_back_what_was(tmp_path: Path) -> None:
    Shelf(tmp_path).keep(copy(listed("new"), hour=9), URL, SECRET)
    assert Shelf(tmp_path).keep(copy(listed("old"), hour=8), URL, SECRET) == ()
    found = Shelf(tmp_path).copy("acme", URL, SECRET)
    assert found is not None
    assert found.models[0].id == "new"


DAMAGED: dict[str, bytes] = {
    "empty": b"",
    "cut": b'{"provider":"acme","host":"h","fetched_at":"2026-11-26T08:00:00Z","models":[{"id"',
    "not JSON": b"\xff\xfe<html>",
    "something else": b"[]",
    "of another version": msgspec.json.encode(copy(FULL, format=2)),
    "of another provider": msgspec.json.encode(copy(FULL, provider="other")),
    "without a zone": msgspec.json.encode(copy(FULL)).replace(b"00Z", b"00"),
    "with a price that is none": msgspec.json.encode(copy(listed(input="NaN"))),
    "with a negative price": msgspec.json.encode(copy(listed(input="-1"))),
    "with an id that is none": msgspec.json.encode(copy(listed("*"))),
    "with a date that is none": msgspec.json.encode(copy(listed(retires_on="2026-13-01"))),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_file_that_is_damaged_or_foreign_is_not_used_and_told_once(
    name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shelf = Shelf(tmp_path)
    shelf.keep(copy(FULL), URL, SECRET)
    path_of(tmp_path).write_bytes(DAMAGED[name])
    with caplog.at_level(logging.WARNING, "headgate"):
        assert shelf("acme", URL, (SECRET,)) is None
        assert shelf("acme", URL, (SECRET,)) is None
    (record,) = caplog.records
    assert "is not used" in record.message
    shelf.keep(copy(FULL), URL, SECRET)
    assert shelf("acme", URL, (SECRET,)) == copy(FULL)


def test_a_directory_in_the_place_of_a_copy_is_no_copy(tmp_path: Path) -> None:
    path_of(tmp_path).mkdir(parents=True)
    assert Shelf(tmp_path)("acme", URL, (SECRET,)) is None


def test_a_file_too_large_to_be_a_copy_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    Shelf(tmp_path).keep(copy(FULL), URL, SECRET)
    monkeypatch.setattr(copies, "MAX_FILE_BYTES", 10)
    assert Shelf(tmp_path)("acme", URL, (SECRET,)) is None
    assert "too large" in caplog.text


def test_the_history_is_bounded_and_the_part_before_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copies, "HISTORY_BYTES", 300)
    shelf = Shelf(tmp_path)
    kept = copy(listed("m0"))
    for number in range(1, 8):
        shelf.keep(kept, URL, SECRET)
        kept = msgspec.structs.replace(
            kept, models=(ListedModel(id=f"m{number}"),), fetched_at=kept.fetched_at + timedelta(hours=1)
        )
    assert len(lines(tmp_path)) <= 5
    assert lines(tmp_path, OLDER_HISTORY)
    assert lines(tmp_path, OLDER_HISTORY)[-1]["at"] < lines(tmp_path)[0]["at"]


def test_a_directory_that_cannot_be_written_is_an_error_and_leaves_nothing_half_done(tmp_path: Path) -> None:
    (tmp_path / DIRECTORY).write_text("in the way")
    with pytest.raises(OSError):  # noqa: PT011 - which one it is depends on the system
        Shelf(tmp_path).keep(copy(FULL), URL, SECRET)
    assert Shelf(tmp_path)("acme", URL, (SECRET,)) is None
    assert Shelf(tmp_path).history_mark() == (0, 0)


WRITER = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from headgate.catalog.copies import Copy, Shelf
from headgate.types.listing import ListedModel
shelf = Shelf(Path(sys.argv[1]))
for number in range(40):
    models = tuple(ListedModel(id=f"{sys.argv[2]}-{number}-{n}") for n in range(50))
    shelf.keep(Copy(provider="acme", host="h", fetched_at=datetime.now(UTC), models=models), "u", None)
"""


def test_processes_that_write_at_once_leave_whole_files_and_whole_lines(tmp_path: Path) -> None:
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path), name]) for name in ("one", "two")]
    reader = Shelf(tmp_path)
    seen: set[int] = set()
    while any(writer.poll() is None for writer in writers):
        found: Copy | None = reader.copy("acme", "u", None)
        seen.add(0 if found is None else len(found.models))
    assert [writer.returncode for writer in writers] == [0, 0]
    assert seen <= {0, 50}
    listed_now: set[str] = set()
    for line in lines(tmp_path)[1:]:
        (listed_now.add if line["after"] else listed_now.discard)(line["id"])
    last = Shelf(tmp_path).copy("acme", "u", None)
    assert last is not None
    # What stands in the history after the first copy adds up to what is listed now.
    assert {model.id for model in last.models} == listed_now
    assert [path.name for path in (tmp_path / DIRECTORY).iterdir() if path.suffix == ".tmp"] == []
