"""`headgate ledger`: sums, export, verify; with and without a gateway at work."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from itertools import islice
from pathlib import Path

import pytest

from headgate.cli.ledger import ledger_export, ledger_sums, ledger_verify
from headgate.cli.opening import journal_directory, open_store_of
from headgate.config.load import load_document
from headgate.ledger.journal import Journal
from headgate.ledger.ledger import Ledger
from headgate.ledger.segment import find_segments
from headgate.settings import read_settings
from headgate.store.engine import Store
from headgate.store.records import KeyFields
from headgate.types.entry import Entry, Outcome
from tests.unit.ledger.entries import AT_US, DAY_US, attempt, entry, ids


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A document of a gateway whose data directory is empty."""
    path = tmp_path / "headgate.yaml"
    path.write_text("providers: {sandbox: {}}\n")
    monkeypatch.setenv("HEADGATE_DATA_DIR", str(tmp_path / "data"))
    return path


def store_for(config: Path) -> Store:
    """The database that a gateway with this document uses."""
    return open_store_of(load_document(config, os.environ, Path.cwd()).document, read_settings(os.environ))


def kept(config: Path, entries: list[Entry]) -> None:
    """Put entries into the database."""
    store = store_for(config)
    store.ledger.add(entries)
    store.close()


def journalled(entries: list[Entry]) -> Journal:
    """Put entries into the journal; it stays locked, as by a gateway at work, until it is closed."""
    journal = Journal(journal_directory())
    ledger = Ledger(journal)
    for one in entries:
        ledger.record(one)
    return journal


def test_the_database_is_in_the_data_directory_unless_the_document_says_otherwise(config: Path, tmp_path: Path) -> None:
    store_for(config).close()
    assert (tmp_path / "data" / "headgate.db").exists()
    config.write_text(f"providers: {{sandbox: {{}}}}\nstore: sqlite:///{tmp_path}/elsewhere.db\n")
    store_for(config).close()
    assert (tmp_path / "elsewhere.db").exists()


def test_an_export_as_jsonl_is_an_object_a_request(config: Path, capfd: pytest.CaptureFixture[str]) -> None:
    made = [entry(id_, at_us=AT_US + place) for place, id_ in enumerate(islice(ids(), 3))]
    kept(config, made)
    assert ledger_export(config) == 0
    out, err = capfd.readouterr()
    objects = [json.loads(line) for line in out.splitlines()]
    assert [one["request_id"] for one in objects] == [one.id for one in made]
    assert objects[0]["attempts"][0]["cost_pusd"] == made[0].cost_pusd
    assert err == ""


def test_an_export_as_csv_goes_to_a_file(config: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    kept(config, [entry("req_1", model='a,"b"')])
    assert ledger_export(config, format="csv", output=tmp_path / "out.csv") == 0
    with (tmp_path / "out.csv").open(newline="") as file:
        [row] = csv.DictReader(file)
    assert (row["request_id"], row["model"]) == ("req_1", 'a,"b"')
    assert capfd.readouterr() == ("", "")


def test_an_export_holds_what_its_options_ask_for(config: Path, capfd: pytest.CaptureFixture[str]) -> None:
    kept(
        config,
        [
            entry("req_1", key="a", model="m1"),
            entry("req_2", key="b", model="m2", at_us=AT_US + DAY_US),
            entry("req_3", key="b", model="m1", at_us=AT_US + 2 * DAY_US, workspace="other"),
        ],
    )

    def exported(**options: str) -> list[str]:
        assert ledger_export(config, **options) == 0  # type: ignore[arg-type]
        return [json.loads(line)["request_id"] for line in capfd.readouterr().out.splitlines()]

    assert exported(since="2024-10-05") == ["req_2", "req_3"]
    assert exported(until="2024-10-05") == ["req_1"]
    assert exported(since="2024-10-04T01:00:00Z", until="2024-10-04T02:00:00+01:00") == []
    assert exported(since="2024-10-04T02:00:00+01:00", until="2024-10-04T01:00:00.000001") == ["req_1"]
    assert exported(key="b") == ["req_2", "req_3"]
    assert exported(model="m1", key="b") == ["req_3"]
    assert exported(workspace="default") == ["req_1", "req_2"]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"format": "xml"}, "--format: 'xml' is none of csv, jsonl"),
        ({"since": "yesterday"}, "--since: 'yesterday' is no date"),
        ({"until": "2026-13-01"}, "--until: '2026-13-01' is no date"),
        ({"since": "2026-12-01", "until": "2026-11-01"}, "--since: 2026-12-01 is after --until 2026-11-01"),
        ({"workspace": "defualt"}, "--workspace: there is no workspace 'defualt'; did you mean default?"),
        ({"workspace": "nope"}, "--workspace: there is no workspace 'nope'; there is default"),
        ({"key": "nosuchkey"}, "--key: there is no key 'nosuchkey', and no request was made with one"),
    ],
)
def test_an_option_that_makes_no_sense_is_one_line(
    config: Path, options: dict[str, str], says: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert ledger_export(config, **options) == 2  # type: ignore[arg-type]
    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith(f"headgate: {says}")
    assert err.count("\n") == 1


def test_a_filter_names_what_is_there_or_was_there(config: Path, capfd: pytest.CaptureFixture[str]) -> None:
    config.write_text(
        "keys: [{name: written, secret: hg-written-in-the-document, workspace: team}]\n"
        "providers: {sandbox: {workspaces: [docws]}}\n"
    )
    kept(config, [entry("req_1", key="gone", workspace="old")])
    store = store_for(config)
    made, _ = store.keys.create("default", KeyFields(name="app"), actor="test")
    store.close()
    for workspace in ("old", "docws", "team", "default"):
        assert ledger_export(config, workspace=workspace) == 0, workspace
        assert ledger_sums(config, workspace=workspace) == 0, workspace
    for key in ("gone", "k_gone", "app", made.id, "written", "document:written"):
        assert ledger_export(config, key=key) == 0, key
    assert capfd.readouterr().err == ""
    for key, meant in (("ap", "app"), ("gnoe", "gone"), ("writen", "written")):
        assert ledger_export(config, key=key) == 2
        assert f"did you mean {meant}?" in capfd.readouterr().err
    assert ledger_sums(config, workspace="docw") == 2
    assert "did you mean docws?" in capfd.readouterr().err
    assert ledger_sums(config, since="2026-12-01", until="2026-11-01") == 2


def test_sums_as_json_have_the_exact_amounts(config: Path, capfd: pytest.CaptureFixture[str]) -> None:
    kept(config, [entry("req_1", key="a"), entry("req_2", key="a", at_us=AT_US + DAY_US)])
    assert ledger_sums(config, as_json=True) == 0
    [one] = json.loads(capfd.readouterr().out)
    assert (one["id"], one["name"], one["requests"], one["failed"]) == ("k_a", "a", 2, 0)
    assert (one["cost_usd"], one["cost_pusd"], one["usage"]["prompt_tokens"]) == ("0.0000618", 61_800_000, 2400)
    assert ledger_sums(config, by="day", as_json=True) == 0
    assert [one["id"] for one in json.loads(capfd.readouterr().out)] == ["2024-10-04", "2024-10-05"]


def test_verify_as_json_says_what_was_found(config: Path, capfd: pytest.CaptureFixture[str]) -> None:
    kept(config, [entry("req_1")])
    assert ledger_verify(config, as_json=True) == 0
    found = json.loads(capfd.readouterr().out)
    assert (found["balanced"], found["requests"], found["findings"]) == (True, 1, [])
    store = store_for(config)
    with store.engine.begin() as connection:
        connection.exec_driver_sql("INSERT INTO spending (scope, day, pusd) VALUES ('key:x', 1, 5)")
    store.close()
    assert ledger_verify(config, as_json=True) == 1
    found = json.loads(capfd.readouterr().out)
    assert found["balanced"] is False
    assert "key:x" in found["findings"][0]


def test_a_file_that_cannot_be_written_is_one_line(
    config: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert ledger_export(config, output=tmp_path / "nowhere" / "out") == 2
    assert capfd.readouterr().err == f"headgate: {tmp_path}/nowhere/out: No such file or directory\n"


def test_without_a_gateway_an_export_ships_the_journal_first(config: Path, capfd: pytest.CaptureFixture[str]) -> None:
    journalled([entry("req_1")]).close()
    assert ledger_export(config) == 0
    out, err = capfd.readouterr()
    assert json.loads(out)["request_id"] == "req_1"
    assert err == ""
    assert find_segments(journal_directory()) == []


def test_what_a_running_gateway_has_not_shipped_in_time_is_told(
    config: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    journal = journalled([entry("req_1"), entry("req_2")])
    assert ledger_export(config) == 0
    out, err = capfd.readouterr()
    assert out == ""
    assert err == "note: 2 requests are still in the journal and are not counted here\n"
    journal.close()


def test_an_export_into_a_pipe_that_closes_early_ends_quietly(config: Path) -> None:
    kept(config, [entry(id_) for id_ in islice(ids(), 3_000)])
    line = (
        "import sys; from pathlib import Path; from headgate.cli.ledger import ledger_export; "
        f"sys.exit(ledger_export(Path({str(config)!r})))"
    )
    with subprocess.Popen([sys.executable, "-c", line], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline().startswith(b"{")
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(60) == 0


def test_sums_are_a_table_with_a_total(config: Path, capfd: pytest.CaptureFixture[str]) -> None:
    kept(
        config,
        [
            entry("req_1", key="a"),
            entry("req_2", key="a", at_us=AT_US + DAY_US),
            entry("req_3", key="b", outcome=Outcome.FAILED, attempts=(attempt(pusd=None, result="stalled"),)),
        ],
    )
    assert ledger_sums(config) == 0
    header, *rows = [line.split() for line in capfd.readouterr().out.splitlines()]
    assert " ".join(header) == "key requests failed prompt tokens completion tokens cost USD unknown cost"
    assert rows == [
        ["a", "(k_a)", "2", "0", "2400", "460", "0.0000618", "0"],
        ["b", "(k_b)", "1", "1", "1200", "230", "0", "1"],
        ["total", "3", "1", "3600", "690", "0.0000618", "1"],
    ]
    assert ledger_sums(config, by="day") == 0
    rows = [line.split() for line in capfd.readouterr().out.splitlines()]
    assert [row[:3] for row in rows[1:3]] == [["2024-10-04", "2", "1"], ["2024-10-05", "1", "0"]]
    assert ledger_sums(config, by="provider", since="2024-10-05") == 0
    rows = [line.split() for line in capfd.readouterr().out.splitlines()]
    assert [row[:2] for row in rows] == [["provider", "attempts"], ["one", "1"], ["total", "1"]]


def test_sums_by_something_else_are_refused(config: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert ledger_sums(config, by="colour") == 2
    assert "--by: 'colour' is none of key, model, provider, day" in capfd.readouterr().err


def test_a_model_name_that_a_client_made_up_does_not_steer_the_terminal(
    config: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    kept(config, [entry("req_1", model="\x1b[2J\u202egone")])
    assert ledger_sums(config, by="model") == 0
    out = capfd.readouterr().out
    assert "\x1b" not in out
    assert "\u202e" not in out
    assert "gone" in out


def test_verify_ends_with_0_when_everything_balances_and_with_1_when_not(
    config: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    journal = journalled([entry("req_1")])
    assert ledger_verify(config) == 0
    assert "1 entries, 1 of them not yet in the database" in capfd.readouterr().out
    journal.close()
    store = store_for(config)
    with store.engine.begin() as connection:
        connection.exec_driver_sql("INSERT INTO spending (scope, day, pusd) VALUES ('key:x', 1, 5)")
    store.close()
    assert ledger_verify(config) == 1
    assert "does not balance: spending of key:x on day 1: the counter says 5" in capfd.readouterr().out


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ("nonsense: [", "headgate.yaml"),
        ("providers: {sandbox: {}}\nstore: sqlite:///nowhere/at/all/x.db\n", "cannot be made"),
        ("providers: {sandbox: {}}\nstore: postgresql://u:hidden-word@127.0.0.1:1/x\n", "not available"),
    ],
)
def test_what_cannot_be_opened_is_exit_code_2_without_any_secret(
    config: Path, document: str, says: str, capfd: pytest.CaptureFixture[str]
) -> None:
    config.write_text(document)
    assert ledger_verify(config) == ledger_sums(config) == ledger_export(config) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert says in err
    assert "hidden-word" not in err
    assert "Traceback" not in err
