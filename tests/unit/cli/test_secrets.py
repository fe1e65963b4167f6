"""`headgate secrets` and `headgate credentials`, each verb as a process."""

from __future__ import annotations

import base64
import os
import pty
import secrets
import subprocess
from pathlib import Path

import pytest

from headgate.store.engine import open_store
from tests.process.headgate import HEADGATE, TIMEOUT_S
from tests.unit.cli.verbs import Verbs

SECRET = "sk-canary-that-must-not-be-seen"


def opened(verbs: Verbs, **env: str) -> list[str]:
    """The secrets in the database, opened with the master key of this environment."""
    store = open_store(None, data_dir=verbs.data, env=env)
    found = [store.credentials.open(one).reveal() for one in store.load().credentials]
    store.close()
    return found


def test_a_credential_goes_in_through_standard_input_and_never_comes_out(verbs: Verbs) -> None:
    made = verbs.does("credentials", "add", "fake", "--name", "second", "--weight", "2.5", stdin=f"{SECRET}\n")
    listed = verbs.does("credentials", "list")
    as_json = verbs.does("credentials", "list", "--json")
    for ended in (made, listed, as_json):
        assert SECRET not in ended.stdout + ended.stderr
    for file in verbs.data.rglob("*"):
        if file.is_file():
            assert SECRET.encode() not in file.read_bytes(), file
    declared, stored = verbs.gives("credentials", "list")
    assert (declared["source"], declared["name"], declared["host"]) == ("document", "default", "127.0.0.1:9")
    assert (stored["source"], stored["name"], stored["weight"], stored["state"]) == ("store", "second", 2.5, "active")
    assert stored["host"] == "127.0.0.1:9"
    assert stored["created_by"].startswith("cli:")
    assert opened(verbs) == [SECRET]
    assert "fake/default" in listed.stdout
    assert "document, read-only" in listed.stdout


def test_a_credential_for_a_provider_the_document_does_not_mention_is_bound_to_where_we_know_it(verbs: Verbs) -> None:
    made = verbs.gives("credentials", "add", "deepinfra", stdin=SECRET)
    assert (made["name"], made["host"]) == ("default", "api.deepinfra.com")


def test_a_terminal_is_asked_and_shows_nothing_of_what_is_typed(verbs: Verbs) -> None:
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [HEADGATE, "credentials", "add", "deepinfra"],
        cwd=verbs.home.directory,
        env=verbs.home.env,
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        assert process.stderr is not None
        prompt = b"not shown"
        said = b""
        while prompt not in said:
            piece = os.read(process.stderr.fileno(), 4096)
            assert piece, said
            said += piece
        os.write(ours, f"{SECRET}\n".encode())
        rest = process.communicate(timeout=TIMEOUT_S)
        assert process.returncode == 0, rest
    # The terminal gives back what it showed: the end of the line at most.
    os.set_blocking(ours, False)
    try:
        shown = os.read(ours, 4096)
    except OSError:
        shown = b""
    os.close(ours)
    os.close(theirs)
    assert SECRET.encode() not in shown + said + rest[0] + rest[1]
    assert opened(verbs) == [SECRET]


def test_a_credential_is_disabled_enabled_and_deleted_by_name_or_id(verbs: Verbs) -> None:
    id = verbs.gives("credentials", "add", "deepinfra", "--name", "main", stdin=SECRET)["id"]
    assert verbs.gives("credentials", "disable", "main")["state"] == "disabled"
    assert verbs.gives("credentials", "enable", "deepinfra/main")["state"] == "active"
    verbs.does("credentials", "add", "fake", "--name", "main", stdin=SECRET)
    assert "several credentials are called 'main'" in verbs.refuses("credentials", "delete", "main")[0]
    assert verbs.gives("credentials", "delete", id)["deleted"] is True
    assert [one["provider"] for one in verbs.gives("credentials", "list")] == ["fake", "fake"]
    assert "there is no credential" in verbs.refuses("credentials", "disable", id)[0]


@pytest.mark.parametrize("verb", ["disable", "enable", "delete"])
def test_a_credential_of_the_document_is_left_alone_and_the_file_is_named(verbs: Verbs, verb: str) -> None:
    (line,) = verbs.refuses("credentials", verb, "fake/default")
    assert line == "the credential default for fake is declared in headgate.yaml and is changed there"


@pytest.mark.parametrize(
    ("arguments", "stdin", "words"),
    [
        (("deepinfar",), SECRET, "did you mean deepinfra?"),
        (("sandbox",), SECRET, "runs inside Headgate and takes no credential"),
        (("ollama",), SECRET, "declares it in the document first"),
        (("fake",), SECRET, "headgate.yaml declares a credential default for fake already"),
        (("deepinfra", "--name", "a b"), SECRET, "--name: a name has up to 64 letters"),
        (("deepinfra", "--weight", "0"), SECRET, "--weight: must be a number from 0.001"),
        (("deepinfra", "--weight", "nan"), SECRET, "--weight: must be a number from 0.001"),
        (("deepinfra", "--workspace", "nowhere"), SECRET, "there is no workspace 'nowhere'"),
        (("deepinfra",), "", "the secret: is empty"),
        (("deepinfra",), "two words", "the secret: holds a space"),
        (("deepinfra",), "ключ", "the secret: holds a space, a line break or a character beyond ASCII"),
        (("deepinfra",), "x" * 20_000, "the secret: is longer than 8192 characters"),
        (("deepinfra", SECRET), "", "unexpected extra argument"),
    ],
)
def test_a_credential_that_makes_no_sense_is_refused(
    verbs: Verbs, arguments: tuple[str, ...], stdin: str, words: str
) -> None:
    (line,) = verbs.refuses("credentials", "add", *arguments, stdin=stdin)
    assert words in line
    store = open_store(None, data_dir=verbs.data)
    assert store.load().credentials == ()
    store.close()


def test_a_rotation_seals_everything_anew_and_says_with_which_key(verbs: Verbs) -> None:
    assert "none was made yet" in verbs.refuses("secrets", "rotate")[0]
    for name in ("one", "two"):
        verbs.does("credentials", "add", "fake", "--name", name, stdin=f"{SECRET}-{name}")
    before = verbs.gives("secrets", "status")
    assert (before["credentials"], before["opens"], before["does_not_open"]) == (2, 2, {})
    rotated = verbs.gives("secrets", "rotate")
    assert rotated["resealed"] == 2
    assert rotated["old"] == before["master_keys"][0]["id"]
    after = verbs.gives("secrets", "status")
    assert [key["id"] for key in after["master_keys"]] == [rotated["new"]]
    assert opened(verbs) == [f"{SECRET}-one", f"{SECRET}-two"]
    said = verbs.does("secrets", "rotate").stderr
    assert "2 credentials are sealed with a new master key" in said
    assert f"old master key {rotated['new']}" in said


def test_a_rotation_between_variables_says_what_to_do_with_them(verbs: Verbs) -> None:
    old, new = (base64.b64encode(secrets.token_bytes(32)).decode() for _ in range(2))
    verbs.does("credentials", "add", "deepinfra", stdin=SECRET, HEADGATE_SECRET_KEY=old)
    assert "HEADGATE_NEW_SECRET_KEY" in verbs.refuses("secrets", "rotate", HEADGATE_SECRET_KEY=old)[0]
    said = verbs.does("secrets", "rotate", HEADGATE_SECRET_KEY=old, HEADGATE_NEW_SECRET_KEY=new).stderr
    assert "start every gateway with HEADGATE_SECRET_KEY set to the new key" in said
    assert old not in said
    assert new not in said
    assert opened(verbs, HEADGATE_SECRET_KEY=new) == [SECRET]


def test_the_status_names_what_the_master_key_does_not_open(verbs: Verbs) -> None:
    assert "no master key yet" in verbs.does("secrets", "status").stdout
    verbs.does("credentials", "add", "deepinfra", stdin=SECRET)
    other = base64.b64encode(secrets.token_bytes(32)).decode()
    ended = verbs.run("secrets", "status", HEADGATE_SECRET_KEY=other)
    assert ended.returncode == 2
    assert "from HEADGATE_SECRET_KEY (base64)" in ended.stdout
    assert "credentials: 1, of which it opens 0 and does not open 1" in ended.stdout
    assert "was sealed with the master key" in ended.stderr
    assert other not in ended.stdout + ended.stderr
    refused = verbs.refuses("credentials", "add", "fake", "--name", "x", stdin=SECRET, HEADGATE_SECRET_KEY=other)
    assert "was sealed with the master key" in refused[0]


def test_a_master_key_that_others_may_read_is_refused(verbs: Verbs) -> None:
    verbs.does("credentials", "add", "deepinfra", stdin=SECRET)
    Path(verbs.data / "secret.key").chmod(0o644)
    assert "others may read the master key" in verbs.refuses("secrets", "status")[0]
