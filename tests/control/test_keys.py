"""Virtual keys through the API: their life, and that none reaches further than who made it."""

from __future__ import annotations

import hashlib
from typing import Any

import httpx
import pytest

from tests.control.served import Served


def made(client: httpx.Client, **fields: Any) -> dict[str, Any]:
    reply = client.post("/api/keys", json=fields)
    assert reply.status_code == 201, reply.text
    key: dict[str, Any] = reply.json()
    return key


def code(reply: httpx.Response) -> tuple[int, str]:
    return reply.status_code, reply.json()["error"]["code"]


def test_a_key_holds_what_it_was_made_with(served: Served) -> None:
    fields = {
        "name": "schlüssel 1",
        "models": ["fast", "mybox/*"],
        "addresses": ["10.0.0.0/8", "2001:db8::1"],
        "policy": "fastest",
        "limits": {"rpm": 60, "concurrent": 5},
        "budgets": [
            {"usd": "0.000000000001", "per": "day"},
            {
                "usd": "25",
                "per": "month",
                "until": "2099-01-31T01:00:00+01:00",
                "on_exhausted": "cheaper",
                "cheaper_than": {"input_usd_per_mtok": "0.1", "output_usd_per_mtok": "0.25"},
            },
        ],
        "metadata": {"team": "blau"},
        "expires_at": "2098-12-31T23:59:59.5Z",
    }
    with served.as_owner() as owner:
        key = made(owner, **fields)["key"]
        assert owner.get(f"/api/keys/{key['id']}").json() == key
    assert (key["name"], key["models"], key["policy"]) == ("schlüssel 1", ["fast", "mybox/*"], "fastest")
    assert key["addresses"] == ["10.0.0.0/8", "2001:db8::1/128"]
    assert key["limits"] == {"rpm": 60, "tpm": None, "concurrent": 5}
    assert [budget["usd"] for budget in key["budgets"]] == ["0.000000000001", "25"]
    assert key["budgets"][1]["until"] == "2099-01-31T00:00:00Z"
    assert key["budgets"][1]["cheaper_than"] == {"input_usd_per_mtok": "0.1", "output_usd_per_mtok": "0.25"}
    assert (key["expires_at"], key["metadata"], key["source"]) == ("2098-12-31T23:59:59Z", {"team": "blau"}, "store")


def test_the_secret_that_is_shown_is_the_one_that_works(served: Served) -> None:
    with served.as_owner() as owner:
        first = made(owner, name="a")
        digest = hashlib.sha256(first["secret"].encode()).digest()
        assert served.snapshot.keys[digest].key_id == first["key"]["id"]
        second = owner.post(f"/api/keys/{first['key']['id']}/rotate", json={"grace_s": 3600}).json()
        assert second["key"]["previous_until"] is not None
        assert {digest, hashlib.sha256(second["secret"].encode()).digest()} <= served.snapshot.keys.keys()
        third = owner.post(f"/api/keys/{first['key']['id']}/rotate").json()
        working = served.snapshot.keys
        assert hashlib.sha256(third["secret"].encode()).digest() in working
        assert digest not in working
        assert hashlib.sha256(second["secret"].encode()).digest() not in working
        too_long = owner.post(f"/api/keys/{first['key']['id']}/rotate", json={"grace_s": 30 * 86_400 + 1})
        assert too_long.status_code == 400


def test_a_patch_changes_what_it_names_and_nothing_else(served: Served) -> None:
    with served.as_owner() as owner:
        before = made(
            owner, name="a", limits={"rpm": 5, "tpm": 7}, policy="ordered", budgets=[{"usd": "1", "per": "day"}]
        )["key"]
        path = f"/api/keys/{before['id']}"
        assert owner.patch(path, json={}).json() == before
        after = owner.patch(path, json={"limits": {"tpm": None}, "name": "b"}).json()
        assert after == {**before, "name": "b", "limits": {"rpm": 5, "tpm": None, "concurrent": None}}
        after = owner.patch(path, json={"limits": None, "policy": None, "budgets": []}).json()
        assert after == {
            **before,
            "name": "b",
            "policy": None,
            "budgets": [],
            "limits": dict.fromkeys(before["limits"]),
        }
        for body in ({"name": None}, {"models": None}, {"created_by": "me"}, {"workspace": "other"}, {"creator": "x"}):
            assert owner.patch(path, json=body).status_code == 400, body
        assert owner.get(path).json() == after


def test_pages_hold_every_key_once_the_document_s_first(served: Served) -> None:
    with served.as_owner() as owner:
        for number in range(6):
            made(owner, name=f"k{number}")
        for limit in (1, 2, 3, 7, 8):
            names: list[str] = []
            query: dict[str, Any] = {"limit": limit}
            while True:
                page = owner.get("/api/keys", params=query).json()
                assert len(page["data"]) <= limit
                names += [key["name"] for key in page["data"]]
                if page["next"] is None:
                    break
                query["after"] = page["next"]
            assert names == ["written", *(f"k{number}" for number in range(6))]


def test_filters_keep_what_they_name(served: Served) -> None:
    with served.as_owner() as owner:
        ids = {name: made(owner, name=name)["key"]["id"] for name in ("a", "b")}
        owner.post(f"/api/keys/{ids['b']}/disable")
        for query, names in (
            ({"name": "a"}, ["a"]),
            ({"state": "disabled"}, ["b"]),
            ({"state": "enabled"}, ["written", "a"]),
            ({"source": "document"}, ["written"]),
            ({"source": "store", "limit": 1}, ["a"]),
            ({"creator": "tok_nobody"}, []),
        ):
            reply = owner.get("/api/keys", params=query).json()  # type: ignore[arg-type]
            assert [key["name"] for key in reply["data"]] == names, query


def test_a_name_is_used_once_in_a_workspace_and_never_one_of_the_document(served: Served) -> None:
    with served.as_owner() as owner:
        key = made(owner, name="a")["key"]
        assert code(owner.post("/api/keys", json={"name": "a"})) == (409, "duplicate")
        refused = owner.post("/api/keys", json={"name": "written"})
        assert code(refused) == (409, "duplicate")
        assert "headgate.yaml" in refused.json()["error"]["message"]
        assert code(owner.patch(f"/api/keys/{key['id']}", json={"name": "written"})) == (409, "duplicate")
        assert owner.delete(f"/api/keys/{key['id']}").status_code == 204
        assert owner.delete(f"/api/keys/{key['id']}").status_code == 404
        assert made(owner, name="a")["key"]["id"] != key["id"]


def test_a_key_of_the_document_is_read_and_not_changed(served: Served) -> None:
    with served.as_owner() as owner:
        [key] = owner.get("/api/keys", params={"source": "document"}).json()["data"]
        path = f"/api/keys/{key['id']}"
        assert owner.get(path).json() == key
        assert key["budgets"][0]["usd"] == "25"
        replies = [
            owner.patch(path, json={"limits": {"rpm": 1}}),
            owner.delete(path),
            *(owner.post(f"{path}/{verb}") for verb in ("rotate", "disable", "enable")),
            owner.put(f"/api/budgets/key:{key['id']}", json={"budgets": []}),
        ]
    for reply in replies:
        assert code(reply) == (409, "declared_in_document")
        assert "headgate.yaml" in reply.json()["error"]["message"]


def test_an_unknown_model_is_taken_when_it_is_asked_for(served: Served) -> None:
    with served.as_owner() as owner:
        assert code(owner.post("/api/keys", json={"name": "a", "models": ["new-*"]})) == (400, "matches_nothing")
        made(owner, name="a", models=["new-*"], allow_unknown_models=True)
        for number, pattern in enumerate(("*", "fast", "f*t", "sandbox/anything", "sandbox/*", "mybox/t*")):
            made(owner, name=f"k{number}", models=[pattern])


CEILING: dict[str, Any] = {"models": ["mybox/*"], "limits": {"rpm": 60}}


@pytest.mark.parametrize("role", ["developer", "admin", "owner"])
def test_a_key_never_exceeds_the_token_that_makes_it(served: Served, role: str) -> None:
    with served.client(served.token(role, **CEILING)) as client:
        for fields in (
            {"models": ["*"]},
            {"models": ["mybox/tiny", "fast"]},
            {"models": ["m*"]},
            {"limits": {"rpm": 61}},
        ):
            reply = client.post("/api/keys", json={"name": "a", **fields})
            assert code(reply) == (403, "above_ceiling"), fields
        key = made(client, name="a")["key"]
        assert key["models"] == ["mybox/*"]
        path = f"/api/keys/{key['id']}"
        assert code(client.patch(path, json={"models": ["*"]})) == (403, "above_ceiling")
        assert code(client.patch(path, json={"limits": {"rpm": 61}})) == (403, "above_ceiling")
        assert client.patch(path, json={"models": ["mybox/tiny"], "limits": {"rpm": 60}}).status_code == 200
    principal = next(one for one in served.snapshot.keys.values() if one.key == "a")
    assert principal.ceiling == ("mybox/*",)
    assert [allowance.limits.rpm for allowance in principal.allowances][:2] == [60, 60]


def test_nobody_lifts_a_key_above_the_token_that_made_it(served: Served) -> None:
    with served.client(served.token("developer", **CEILING)) as client:
        path = f"/api/keys/{made(client, name='a')['key']['id']}"
    with served.as_owner() as owner:
        assert code(owner.patch(path, json={"models": ["*"]})) == (403, "above_ceiling")
        assert code(owner.patch(path, json={"limits": {"rpm": 100}})) == (403, "above_ceiling")


def test_a_token_with_a_ceiling_gets_no_further_through_the_keys_of_others(served: Served) -> None:
    with served.as_owner() as owner:
        path = f"/api/keys/{made(owner, name='wide')['key']['id']}"
    with served.client(served.token("admin", **CEILING)) as client:
        assert code(client.post(f"{path}/rotate")) == (403, "forbidden")
        assert code(client.patch(path, json={"metadata": {}})) == (403, "forbidden")
        assert code(client.put(f"/api/budgets{path[9:].replace('/', '/key:')}", json={"budgets": []})) == (
            403,
            "forbidden",
        )
        assert client.post(f"{path}/disable").status_code == 200
        assert code(client.post(f"{path}/enable")) == (403, "forbidden")


def test_a_developer_manages_the_keys_its_own_token_made(served: Served) -> None:
    with served.as_owner() as owner:
        others = f"/api/keys/{made(owner, name='theirs')['key']['id']}"
    with served.client(served.token("developer")) as client:
        assert client.get(others).status_code == 200
        own = f"/api/keys/{made(client, name='mine')['key']['id']}"
        for path, may in ((others, False), (own, True)):
            replies = [
                client.patch(path, json={"metadata": {"a": "b"}}),
                *(client.post(f"{path}/{verb}") for verb in ("rotate", "disable", "enable")),
                client.delete(path),
            ]
            assert {reply.is_success for reply in replies} == {may}
            assert may or {code(reply) for reply in replies} == {(403, "forbidden")}


def test_a_key_ends_no_later_than_the_token_that_makes_it(served: Served) -> None:
    token, sooner, later = "2090-01-01T00:00:00Z", "2089-01-01T00:00:00Z", "2091-01-01T00:00:00Z"
    with served.client(served.token("developer", expires_at=token)) as client:
        refused = client.post("/api/keys", json={"name": "late", "expires_at": later})
        assert code(refused) == (403, "above_ceiling")
        assert refused.json()["error"]["param"] == "expires_at"
        assert made(client, name="open")["key"]["expires_at"] == token
        key = made(client, name="short", expires_at=sooner)["key"]
        path = f"/api/keys/{key['id']}"
        assert key["expires_at"] == sooner
        assert code(client.patch(path, json={"expires_at": later})) == (403, "above_ceiling")
        assert client.patch(path, json={"metadata": {}}).json()["expires_at"] == sooner
        assert client.patch(path, json={"expires_at": None}).json()["expires_at"] == token
    with served.as_owner() as owner:
        assert code(owner.patch(path, json={"expires_at": later})) == (403, "above_ceiling")
        assert owner.patch(path, json={"expires_at": None}).json()["expires_at"] == token
        assert made(owner, name="for ever")["key"]["expires_at"] is None


def test_a_token_that_ends_gives_the_keys_of_others_no_more_time_than_it_has(served: Served) -> None:
    with served.as_owner() as owner:
        path = f"/api/keys/{made(owner, name='theirs', expires_at='2089-01-01T00:00:00Z')['key']['id']}"
    with served.client(served.token("admin", expires_at="2090-01-01T00:00:00Z")) as client:
        assert code(client.patch(path, json={"expires_at": "2091-01-01T00:00:00Z"})) == (403, "above_ceiling")
        assert client.patch(path, json={"expires_at": None}).json()["expires_at"] == "2090-01-01T00:00:00Z"


def test_an_ipv4_address_in_ipv6_clothes_is_kept_as_the_one_that_calls(on_sqlite: Served) -> None:
    with on_sqlite.as_owner() as owner:
        key = made(owner, name="a", addresses=["::ffff:127.0.0.1", "::ffff:10.0.0.0/104", "2001:DB8::/32"])["key"]
    assert key["addresses"] == ["127.0.0.1/32", "10.0.0.0/8", "2001:db8::/32"]
