"""`headgate tokens` and `headgate workspaces`, each verb as a process."""

from __future__ import annotations

import re

import pytest

from headgate.store.engine import open_store
from headgate.types.secret import key_hash
from tests.unit.cli.verbs import Verbs

SECRET = re.compile(r"hga-[A-Za-z0-9_-]{43}")


def test_a_new_token_has_everything_that_was_asked_for(verbs: Verbs) -> None:
    verbs.does("workspaces", "create", "blue")
    made = verbs.gives(
        *("tokens", "create", "ci", "--role", "developer", "--workspace", "blue", "--models", "first,fake/*"),
        *("--rpm", "60", "--tpm", "1000", "--concurrent", "5", "--budget", "3/day", "--expires", "2090-01-31"),
    )
    assert SECRET.fullmatch(made["secret"])
    token = made["token"]
    assert (token["name"], token["role"], token["workspace"], token["state"]) == ("ci", "developer", "blue", "active")
    assert token["models"] == ["first", "fake/*"]
    assert token["limits"] == {"rpm": 60, "tpm": 1000, "concurrent": 5}
    assert [(one["usd"], one["per"]) for one in token["budgets"]] == [("3", "day")]
    assert token["expires_at"] == "2090-01-31T00:00:00Z"
    assert verbs.gives("tokens", "list", "--workspace", "blue") == [token]
    assert verbs.gives("tokens", "list", "--workspace", "default") == []
    store = open_store(None, data_dir=verbs.data)
    found = store.tokens.find(key_hash(made["secret"].encode()))
    assert found is not None
    assert found.id == token["id"]
    store.close()


def test_a_token_without_a_workspace_reaches_every_one_and_says_so(verbs: Verbs) -> None:
    made = verbs.does("tokens", "create", "ops", "--role", "owner")
    assert SECRET.fullmatch(made.stdout.strip())
    assert "for every workspace" in made.stderr
    assert "shown this once" in made.stderr
    listed = verbs.does("tokens", "list").stdout
    assert "owner of every workspace  active" in listed
    assert made.stdout.strip() not in listed


def test_a_revoked_token_stays_listed_and_opens_nothing(verbs: Verbs) -> None:
    made = verbs.gives("tokens", "create", "ci", "--role", "viewer")
    assert verbs.gives("tokens", "revoke", "ci")["state"] == "revoked"
    (token,) = verbs.gives("tokens", "list")
    assert (token["id"], token["state"]) == (made["token"]["id"], "revoked")
    assert "there is no admin token 'ci'" in verbs.refuses("tokens", "revoke", "ci")[0]
    assert verbs.gives("tokens", "revoke", token["id"])["state"] == "revoked", "by its id twice is once"


def test_a_name_that_two_tokens_have_revokes_neither(verbs: Verbs) -> None:
    ids = [verbs.gives("tokens", "create", "ci", "--role", "viewer")["token"]["id"] for _ in range(2)]
    (line,) = verbs.refuses("tokens", "revoke", "ci")
    assert all(id in line for id in ids)
    assert {token["state"] for token in verbs.gives("tokens", "list")} == {"active"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ("--role", "admni"),
            "--role: must be one of owner, admin, developer, viewer, not 'admni'; did you mean admin?",
        ),
        ((), "--role"),
        (("--role", "admin", "--rpm", "0"), "--rpm: must be at least 1"),
        (("--role", "admin", "--budget", "1/day", "--until", "2020-01-01"), "--until: lies in the past"),
        (("--role", "admin", "--expires", "2020-01-01"), "--expires: lies in the past"),
        (("--role", "admin", "--workspace", "nowhere"), "there is no workspace 'nowhere'"),
    ],
)
def test_a_token_that_makes_no_sense_is_refused(verbs: Verbs, arguments: tuple[str, ...], words: str) -> None:
    assert words in "\n".join(verbs.refuses("tokens", "create", "ci", *arguments))
    store = open_store(None, data_dir=verbs.data)
    assert store.load().tokens == ()
    store.close()


def test_workspaces_are_made_listed_and_deleted(verbs: Verbs) -> None:
    made = verbs.gives("workspaces", "create", "blue", "--metadata", "team=search")
    assert (made["name"], made["metadata"]) == ("blue", {"team": "search"})
    verbs.does("keys", "create", "app", "--workspace", "blue")
    assert "blue  1 key  made by cli:" in verbs.does("workspaces", "list").stdout
    assert "still owns keys" in verbs.refuses("workspaces", "delete", "blue")[0]
    verbs.does("keys", "delete", "app", "--workspace", "blue")
    assert verbs.gives("workspaces", "delete", "blue") == {"name": "blue", "deleted": True}
    assert [one["name"] for one in verbs.gives("workspaces", "list")] == ["default"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("create", "Blue"), "NAME: must be 1 to 63 lower-case letters"),
        (("create", "default"), "there is a workspace 'default' already"),
        (("create", "blue", "--metadata", "x"), "--metadata: write NAME=TEXT"),
        (("delete", "default"), "is always there"),
        (("delete", "nowhere"), "there is no workspace 'nowhere'"),
    ],
)
def test_a_workspace_that_makes_no_sense_is_refused(verbs: Verbs, arguments: tuple[str, ...], words: str) -> None:
    (line,) = verbs.refuses("workspaces", *arguments)
    assert words in line
