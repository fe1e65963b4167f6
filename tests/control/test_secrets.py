"""What goes in as a secret never comes out: not in a reply, an error, the audit log, the log, or the database."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable
from pathlib import Path

import httpx
import pytest
from sqlalchemy import select

from headgate.store.schema import metadata
from tests.control.every_route import calls, make_objects, mounted, nothing, send
from tests.control.served import DOCUMENT_CREDENTIAL, DOCUMENT_SECRET, OWNER, Served

CANARY = "sk-9f3kQz7Lw2XvB8nRt5YpHc1Md6Js4Ga0"
SECOND = "sk-0aG4sJ6dM1cHpY5tRn8BvX2wL7zQk3f9"
PART = 8


def parts(*secrets: str) -> set[str]:
    """Every run of eight characters: a part of a secret is a leak as well."""
    return {secret[at : at + PART] for secret in secrets for at in range(3, len(secret) - PART + 1)}


def leaks(texts: Iterable[str], wanted: set[str]) -> list[str]:
    return [text[:300] for text in texts if any(part in text for part in wanted)]


def every_reply(served: Served, client: httpx.Client) -> list[str]:
    """What every reading route says, for the one workspace and for all of them."""
    texts = []
    for route in mounted(served):
        if route[0] == "GET":
            for called in calls(nothing("default"))[route]:
                for query in ({}, {"workspace": "*"}):
                    reply = send(client, route, called, **query)
                    texts.append(reply.text + str(reply.headers))
    return texts


def test_a_credential_appears_nowhere_once_it_is_stored(
    served: Served, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    make_objects(served, "default", "plain")
    fields = {"provider": "deepinfra", "name": "main", "secret": CANARY}
    with served.as_owner() as owner:
        made = owner.post("/api/credentials", json=fields)
        assert made.status_code == 201
        id = made.json()["id"]
        replies = [
            made,
            owner.post("/api/credentials", json=fields),
            owner.put(f"/api/credentials/{id}/secret", json={"secret": SECOND}),
            owner.put("/api/credentials/nothing/secret", json={"secret": SECOND}),
            owner.post(f"/api/credentials/{id}/disable"),
            owner.post(f"/api/credentials/{id}/enable"),
            owner.get(f"/api/credentials/{id}"),
            *_in_the_wrong_place(owner),
        ]
        texts = [reply.text + str(reply.headers) for reply in replies] + every_reply(served, owner)
    audit = [f"{row.before} {row.after} {row.object_id}" for row in served.store.audit.list(workspace=None, limit=999)]
    assert len(audit) > 10
    assert leaks(texts, parts(CANARY, SECOND)) == []
    assert leaks(audit, parts(CANARY, SECOND)) == []
    assert leaks([record.getMessage() + str(record.__dict__) for record in caplog.records], parts(CANARY, SECOND)) == []
    assert leaks(_kept(served, tmp_path), parts(CANARY, SECOND)) == []
    sealed = {one.credential.id: one for one in served.store.load().credentials}[id]
    assert served.store.credentials.open(sealed).reveal() == SECOND, "the secret must be there, or nothing was tested"


def _in_the_wrong_place(owner: httpx.Client) -> list[httpx.Response]:
    """Requests that fail with the secret in them: it must not come back in the error."""
    credential = {"provider": "deepinfra", "name": "x", "secret": CANARY}
    bodies: list[object] = [
        {**credential, "name": CANARY + "!"},
        {**credential, "provider": CANARY},
        {**credential, "secret": [CANARY]},
        {**credential, "secret": f"{CANARY} {CANARY}"},
        {**credential, "secret": CANARY * 1000},
        {**credential, "weight": CANARY},
        {"provider": "deepinfra", "name": "x", "api_key": CANARY},
        CANARY,
        [CANARY],
    ]
    replies = [owner.post("/api/credentials", json=body) for body in bodies]
    replies.append(
        owner.post("/api/credentials", content=f'{{"secret": "{CANARY}"', headers={"content-type": "application/json"})
    )
    assert {reply.status_code for reply in replies} == {400}
    return replies


def test_the_secrets_of_keys_and_tokens_are_shown_once_and_kept_as_hashes(
    served: Served, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with served.as_owner() as owner:
        key = owner.post("/api/keys", json={"name": "a"}).json()
        rotated = owner.post(f"/api/keys/{key['key']['id']}/rotate", json={"grace_s": 60}).json()
        token = owner.post("/api/tokens", json={"name": "t", "role": "viewer"}).json()
        # The first characters are the hint that tells keys apart.
        shown = [made["secret"][len("hg-") + 6 :] for made in (key, rotated)] + [token["secret"]]
        texts = every_reply(served, owner)
    with served.client(token["secret"]) as client:
        texts += every_reply(served, client)
    logged = [record.getMessage() + str(record.__dict__) for record in caplog.records]
    assert leaks([*texts, *logged, *_kept(served, tmp_path)], parts(*shown)) == []


def test_the_document_s_secrets_and_the_environment_s_token_are_never_shown(
    on_sqlite: Served, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with on_sqlite.as_owner() as owner:
        texts = every_reply(on_sqlite, owner)
        config = owner.get("/api/config").json()
    wanted = {DOCUMENT_SECRET, DOCUMENT_CREDENTIAL, "header-canary", OWNER, "hg-another-document-key-secret"}
    assert leaks([*texts, *[record.getMessage() for record in caplog.records]], wanted) == []
    [mybox] = [one for one in config["providers"] if one["name"] == "mybox"]
    assert mybox["settings"]["api_key"] == "(secret)"


def test_a_refused_name_is_not_taken_for_a_place_to_send_a_secret_to(on_sqlite: Served) -> None:
    with on_sqlite.as_owner() as owner:
        for more in ("host", "base_url", "proxy"):
            fields = {"provider": "deepinfra", "name": "x", "secret": CANARY, more: "http://evil.example"}
            reply = owner.post("/api/credentials", json=fields)
            assert (reply.status_code, reply.json()["error"]["code"]) == (400, "unknown_field")
        made = owner.post("/api/credentials", json={"provider": "deepinfra", "name": "x", "secret": CANARY})
    assert json.loads(made.text)["host"] == "api.deepinfra.com"


def _kept(served: Served, directory: Path) -> list[str]:
    """Every row of the database, and the bytes of all files here but for the document the test wrote."""
    texts = []
    with served.store.engine.connect() as connection:
        for table in metadata.sorted_tables:
            texts += [str(tuple(row)) for row in connection.execute(select(table))]
    assert len(texts) > 5
    paths = [path for path in directory.rglob("*") if path.is_file() and path.name != "headgate.yaml"]
    return texts + [path.read_bytes().decode("latin-1") for path in paths]
