"""`headgate keys`, each verb as a process."""

from __future__ import annotations

import json
import re
import sqlite3
import subprocess
from datetime import UTC, datetime

import pytest

from headgate.store.engine import open_store
from headgate.types.secret import key_hash
from tests.process.headgate import HEADGATE, TIMEOUT_S
from tests.unit.cli.verbs import DECLARED_KEY, Verbs

SECRET = re.compile(r"hg-[A-Za-z0-9_-]{43}")
EVERY_OPTION = (
    *("--models", "first, fake/one", "--models", "sandbox/*"),
    *("--address", "10.0.0.0/8", "--address", "127.0.0.1"),
    *("--policy", "fastest", "--rpm", "60", "--tpm", "1000", "--concurrent", "5"),
    *("--budget", "25/month", "--budget", "$3.50/day", "--until", "2090-01-31"),
    *("--on-exhausted", "cheaper", "--cheaper-than", "0.1/0.4"),
    *("--expires", "2091-06-01T12:00:00+02:00", "--metadata", "team=search", "--metadata", "note=a=b"),
)


def test_a_new_key_has_everything_that_was_asked_for(verbs: Verbs) -> None:
    made = verbs.gives("keys", "create", "app", *EVERY_OPTION)
    assert SECRET.fullmatch(made["secret"])
    key = made["key"]
    assert key["hint"] == made["secret"][:9]
    assert key["models"] == ["first", "fake/one", "sandbox/*"]
    assert key["addresses"] == ["10.0.0.0/8", "127.0.0.1/32"]
    assert key["policy"] == "fastest"
    assert key["limits"] == {"rpm": 60, "tpm": 1000, "concurrent": 5}
    assert [(one["usd"], one["per"], one["spent_usd"]) for one in key["budgets"]] == [
        ("3.5", "day", "0"),
        ("25", "month", "0"),
    ]
    for budget in key["budgets"]:
        assert budget["until"] == "2090-01-31T00:00:00Z"
        assert budget["on_exhausted"] == "cheaper"
        assert budget["cheaper_than"] == {"input_usd_per_mtok": "0.1", "output_usd_per_mtok": "0.4"}
    assert key["expires_at"] == "2091-06-01T10:00:00Z"
    assert key["metadata"] == {"team": "search", "note": "a=b"}
    assert (key["state"], key["source"], key["workspace"]) == ("active", "store", "default")
    assert verbs.gives("keys", "show", "app") == key
    assert verbs.gives("keys", "show", key["id"]) == key


def test_the_secret_stands_alone_on_standard_output_and_nowhere_else(verbs: Verbs) -> None:
    made = verbs.does("keys", "create", "app")
    secret = made.stdout.strip()
    assert SECRET.fullmatch(secret)
    assert "shown this once" in made.stderr
    assert secret not in made.stderr
    listed = verbs.does("keys", "list")
    assert secret not in listed.stdout + listed.stderr
    assert secret[:9] in listed.stdout
    for file in verbs.data.rglob("*"):
        if file.is_file():
            assert secret.encode() not in file.read_bytes(), file
    with sqlite3.connect(verbs.data / "headgate.db") as database:
        assert database.execute("SELECT hash FROM keys").fetchall() == [(key_hash(secret.encode()),)]


def test_whoever_made_a_key_stands_in_the_audit_log(verbs: Verbs) -> None:
    made = verbs.gives("keys", "create", "app", LOGNAME="somebody-else")["key"]
    assert re.fullmatch(r"cli:.+", made["created_by"])
    assert "somebody-else" not in made["created_by"], "the environment says who acts"
    store = open_store(None, data_dir=verbs.data)
    (row,) = store.audit.list(workspace="default")
    store.close()
    assert (row.actor, row.action, row.object_id) == (made["created_by"], "key.create", made["id"])


def test_the_list_shows_what_is_spent_and_marks_the_keys_of_the_document(verbs: Verbs) -> None:
    key = verbs.gives("keys", "create", "app", "--budget", "25/month", "--rpm", "60")["key"]
    today = int(datetime.now(UTC).timestamp() // 86_400)
    with sqlite3.connect(verbs.data / "headgate.db") as database:
        for scope, pusd in ((f"key:{key['id']}", 3_250_000_000_000), ("key:document:dev", 10**9)):
            database.execute("INSERT INTO spending (scope, day, pusd) VALUES (?, ?, ?)", (scope, today, pusd))
    declared, stored = verbs.gives("keys", "list")
    assert (declared["name"], declared["id"], declared["source"]) == ("dev", "document:dev", "document")
    assert declared["budgets"][0]["spent_usd"] == "0.001"
    assert stored["budgets"][0]["spent_usd"] == "3.25"
    printed = verbs.does("keys", "list").stdout
    assert "dev  document:dev  active  (document, read-only)" in printed
    assert "budget $3.25 spent of $25 per month" in printed
    assert "limits 60 requests a minute" in printed
    assert DECLARED_KEY not in printed


def test_the_key_of_the_first_start_is_listed_while_the_document_declares_none(verbs: Verbs) -> None:
    verbs.write("providers: {sandbox: {}}")
    assert verbs.gives("keys", "list") == []
    verbs.data.mkdir(exist_ok=True)
    (verbs.data / "first-key.json").write_text(json.dumps({"name": "first-run", "sha256": "00" * 32}))
    (only,) = verbs.gives("keys", "list")
    assert (only["name"], only["source"]) == ("first-run", "first run")
    (line,) = verbs.refuses("keys", "disable", "first-run")
    assert "headgate up --new-key" in line


def test_the_list_of_a_workspace_holds_its_keys_alone(verbs: Verbs) -> None:
    verbs.does("workspaces", "create", "blue")
    verbs.does("keys", "create", "app", "--workspace", "blue")
    verbs.does("keys", "create", "app")
    assert [key["workspace"] for key in verbs.gives("keys", "list", "--workspace", "blue")] == ["blue"]
    (line,) = verbs.refuses("keys", "list", "--workspace", "bleu")
    assert "did you mean blue?" in line
    (line,) = verbs.refuses("keys", "disable", "app")
    assert "several keys are called 'app'" in line
    assert verbs.gives("keys", "disable", "app", "--workspace", "blue")["state"] == "disabled"
    assert {key["workspace"]: key["state"] for key in verbs.gives("keys", "list") if key["source"] == "store"} == {
        "blue": "disabled",
        "default": "active",
    }


def test_a_rotation_gives_another_secret_and_keeps_the_old_one_for_the_grace(verbs: Verbs) -> None:
    made = verbs.gives("keys", "create", "app")
    rotated = verbs.gives("keys", "rotate", "app", "--grace", "2h")
    assert rotated["secret"] != made["secret"]
    assert rotated["key"]["id"] == made["key"]["id"]
    left = datetime.fromisoformat(rotated["key"]["previous_until"]) - datetime.now(UTC)
    assert 3600 < left.total_seconds() <= 7200
    left = datetime.fromisoformat(verbs.gives("keys", "rotate", "app")["key"]["previous_until"]) - datetime.now(UTC)
    assert 20 * 3600 < left.total_seconds() <= 86_400, "a day is what nobody has to ask for"
    assert verbs.gives("keys", "rotate", "app", "--grace", "0")["key"]["previous_until"] is None
    assert "at most 30 days" in verbs.refuses("keys", "rotate", "app", "--grace", "31d")[0]
    assert "must be a duration" in verbs.refuses("keys", "rotate", "app", "--grace", "24")[0]


def test_a_key_is_disabled_enabled_and_deleted(verbs: Verbs) -> None:
    id = verbs.gives("keys", "create", "app")["key"]["id"]
    assert verbs.gives("keys", "disable", "app")["state"] == "disabled"
    assert verbs.gives("keys", "disable", "app")["state"] == "disabled", "twice is once"
    assert verbs.gives("keys", "enable", id)["state"] == "active"
    assert verbs.gives("keys", "delete", "app") == {"id": id, "name": "app", "workspace": "default", "deleted": True}
    assert [key["name"] for key in verbs.gives("keys", "list")] == ["dev"]
    (line,) = verbs.refuses("keys", "show", "app")
    assert "there is no key 'app'" in line


def test_an_update_changes_what_is_given_and_nothing_else(verbs: Verbs) -> None:
    before = verbs.gives("keys", "create", "app", *EVERY_OPTION)["key"]
    after = verbs.gives("keys", "update", "app", "--rpm", "7", "--name", "other")
    assert after == before | {"name": "other", "limits": before["limits"] | {"rpm": 7}}
    gone = ("--rpm", "--tpm", "--policy", "--expires", "--budget", "--address", "--metadata")
    bare = verbs.gives("keys", "update", "other", *(word for option in gone for word in (option, "none")))
    assert bare == after | {
        "limits": {"rpm": None, "tpm": None, "concurrent": 5},
        "policy": None,
        "expires_at": None,
        "budgets": [],
        "addresses": [],
        "metadata": {},
    }
    again = verbs.gives("keys", "update", "other", "--budget", "1/week", "--models", "first")
    assert [(one["usd"], one["per"]) for one in again["budgets"]] == [("1", "week")]
    assert again["models"] == ["first"]
    assert verbs.refuses("keys", "update", "other") == ["nothing to change; say what with options such as --rpm"]


@pytest.mark.parametrize(
    "verb", [("rotate",), ("disable",), ("enable",), ("delete",), ("update", "--rpm", "3")], ids=lambda verb: verb[0]
)
def test_a_key_of_the_document_is_left_alone_and_the_file_is_named(verbs: Verbs, verb: tuple[str, ...]) -> None:
    before = (verbs.home.directory / "headgate.yaml").read_text()
    (line,) = verbs.refuses("keys", verb[0], "dev", *verb[1:])
    assert line == "the key 'dev' is declared in headgate.yaml and is changed there"
    assert (verbs.home.directory / "headgate.yaml").read_text() == before


def test_a_name_is_used_once(verbs: Verbs) -> None:
    verbs.does("keys", "create", "app")
    verbs.does("keys", "create", "other")
    assert "has a key 'app' already" in verbs.refuses("keys", "create", "app")[0]
    assert "headgate.yaml declares a key 'dev' already" in verbs.refuses("keys", "create", "dev")[0]
    assert "headgate.yaml declares a key 'dev' already" in verbs.refuses("keys", "update", "app", "--name", "dev")[0]
    assert "has a key 'app' already" in verbs.refuses("keys", "update", "other", "--name", "app")[0]


def test_every_mistake_is_told_at_once_with_the_name_of_its_option(verbs: Verbs) -> None:
    lines = verbs.refuses("keys", "create", "app", "--rpm", "-5", "--policy", "cheap", "--budget", "1/mont")
    assert [line.partition(":")[0] for line in lines] == ["--policy", "--rpm", "--budget"]
    assert "there is no workspace 'nowhere'" in verbs.refuses("keys", "create", "app", "--workspace", "nowhere")[0]
    assert verbs.refuses("keys", "create", "app", "--metadata", b"x=\xff") == [
        "--metadata: holds bytes that are not text"
    ]


def test_a_refused_key_is_not_there(verbs: Verbs) -> None:
    verbs.refuses("keys", "create", "app", "--budget", "1/day", "--until", "2020-01-01")
    verbs.refuses("keys", "create", "app\nhg-x")
    assert [key["name"] for key in verbs.gives("keys", "list")] == ["dev"]


def test_a_pattern_that_fits_nothing_is_made_with_a_warning(verbs: Verbs) -> None:
    made = verbs.does("keys", "create", "app", "--models", "firts,first,sandbox/anything")
    (warning,) = [line for line in made.stderr.splitlines() if line.startswith("warning: ")]
    assert warning == "warning: --models: 'firts' fits no model that is configured; did you mean first?"


def test_a_stored_route_and_a_provider_with_a_stored_credential_count_as_configured(verbs: Verbs) -> None:
    assert "fits no model" in verbs.does("keys", "create", "a", "--models", "deepinfra/*,second").stderr
    verbs.does("credentials", "add", "deepinfra", stdin="made-up")
    store = open_store(None, data_dir=verbs.data)
    store.routes.create("default", name="second", definition='{"targets": ["fake/one"]}', actor="test")
    store.close()
    assert "warning" not in verbs.does("keys", "create", "b", "--models", "deepinfra/*,second").stderr


def test_a_document_that_cannot_be_read_is_told_without_a_traceback(verbs: Verbs) -> None:
    verbs.write("keys: [{nam: x}]")
    assert any("did you mean name?" in line for line in verbs.refuses("keys", "list"))
    (line,) = verbs.refuses("keys", "list", "--config", "nowhere.yaml")
    assert "nowhere.yaml" in line


def test_a_reader_that_has_seen_enough_ends_the_list_without_a_traceback(verbs: Verbs) -> None:
    with subprocess.Popen(
        [HEADGATE, "keys", "list"],
        cwd=verbs.home.directory,
        env=verbs.home.env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == ""
        assert process.wait(TIMEOUT_S) == 141


def test_a_workspace_that_only_the_document_names_is_there(verbs: Verbs) -> None:
    verbs.write(
        "keys: [{name: k, secret: hg-written-in-the-document, workspace: of-a-key}]\n"
        "providers: {sandbox: {workspaces: [of-a-provider, default]}}\n"
        "models: {r: {targets: [sandbox/x], workspaces: of-a-route}}\n"
    )
    for workspace in ("of-a-key", "of-a-provider", "of-a-route"):
        made = verbs.gives("keys", "create", "app", "--workspace", workspace)
        assert made["key"]["workspace"] == workspace
    names = {one["name"]: one["created_by"] for one in verbs.gives("workspaces", "list")}
    assert names.keys() == {"default", "of-a-key", "of-a-provider", "of-a-route"}
    assert names["of-a-key"].startswith("cli:")
    assert verbs.refuses("workspaces", "delete", "of-a-route") == [
        "headgate.yaml names the workspace 'of-a-route'; take it out there first"
    ]


def test_a_deleted_workspace_that_the_document_names_again_is_one_line(verbs: Verbs) -> None:
    verbs.does("workspaces", "create", "gone")
    verbs.does("workspaces", "delete", "gone")
    verbs.write("providers: {sandbox: {workspaces: [gone, default]}}\n")
    [line] = verbs.refuses("keys", "list")
    assert line.startswith("'gone' was a workspace and is not used again")
