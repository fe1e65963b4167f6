"""Tokens, credentials, routes, budgets, workspaces, the ledger and the overview, as their users see them."""

from __future__ import annotations

import time
from typing import Any

import httpx
import pytest

from tests.control.every_route import entry, make_objects
from tests.control.served import Served


def code(reply: httpx.Response) -> tuple[int, str]:
    return reply.status_code, reply.json()["error"]["code"]


def test_me_says_whose_token_it_is(served: Served) -> None:
    with served.client(served.token("admin", models=["fast"], limits={"rpm": 5})) as client:
        me = client.get("/api/me").json()
    assert (me["role"], me["workspace"], me["models"], me["limits"]["rpm"]) == ("admin", "default", ["fast"], 5)


@pytest.mark.parametrize(
    ("maker", "asked", "may"),
    [
        ("admin", "owner", False),
        ("admin", "admin", True),
        ("admin", "developer", True),
        ("owner", "owner", True),
        ("developer", "viewer", False),
    ],
)
def test_nobody_grants_a_role_above_their_own(served: Served, maker: str, asked: str, may: bool) -> None:
    with served.client(served.token(maker)) as client:
        reply = client.post("/api/tokens", json={"name": "new", "role": asked})
    assert reply.status_code == (201 if may else 403)


def test_nobody_grants_a_ceiling_above_their_own(served: Served) -> None:
    held: dict[str, Any] = {"models": ["mybox/*"], "expires_at": "2090-01-01T00:00:00Z"}
    with served.client(served.token("owner", **held)) as client:
        for more in (
            {"models": ["*"]},
            {"expires_at": "2091-01-01T00:00:00Z"},
        ):
            reply = client.post("/api/tokens", json={"name": "new", "role": "viewer", **more})
            assert reply.status_code == 403, more
        made = client.post("/api/tokens", json={"name": "new", "role": "viewer"}).json()["token"]
        assert made["models"] == ["mybox/*"]
        assert made["expires_at"] == "2090-01-01T00:00:00Z"


@pytest.mark.parametrize("limit", ["rpm", "tpm", "concurrent"])
def test_a_token_with_a_limit_makes_no_tokens_because_theirs_would_be_counted_beside_it(
    on_sqlite: Served, limit: str
) -> None:
    with on_sqlite.client(on_sqlite.token("owner", limits={limit: 60})) as client:
        reply = client.post("/api/tokens", json={"name": "new", "role": "viewer", "limits": {limit: 1}})
    assert code(reply) == (403, "above_ceiling")
    assert "a token with limits makes no tokens" in reply.json()["error"]["message"]


def test_a_token_with_a_budget_makes_no_tokens_and_sets_no_budget_of_its_own(served: Served) -> None:
    with served.as_owner() as owner:
        made = owner.post("/api/tokens", json={"name": "a", "role": "owner"}).json()
        other = owner.post("/api/tokens", json={"name": "b", "role": "viewer"}).json()["token"]["id"]
        own = made["token"]["id"]
        budgets = {"budgets": [{"usd": "5", "per": "total"}]}
        with served.client(made["secret"]) as client:
            assert client.put(f"/api/budgets/token:{other}", json=budgets).status_code == 200
            assert code(client.put(f"/api/budgets/token:{own}", json=budgets)) == (403, "forbidden")
            assert owner.put(f"/api/budgets/token:{own}", json=budgets).status_code == 200
            assert code(client.put(f"/api/budgets/token:{own}", json={"budgets": []})) == (403, "forbidden")
            assert code(client.put(f"/api/budgets/token:{other}", json={"budgets": []})) == (403, "forbidden")
            assert code(client.post("/api/tokens", json={"name": "c", "role": "viewer"})) == (403, "above_ceiling")
            assert code(client.put("/api/budgets/workspace:default", json={"budgets": []})) == (403, "forbidden")


def test_an_admin_neither_revokes_nor_limits_an_owner(served: Served) -> None:
    with served.as_owner() as owner:
        id = owner.post("/api/tokens", json={"name": "boss", "role": "owner"}).json()["token"]["id"]
    with served.client(served.token("admin")) as client:
        assert code(client.delete(f"/api/tokens/{id}")) == (403, "forbidden")
        assert code(client.put(f"/api/budgets/token:{id}", json={"budgets": []})) == (403, "forbidden")


def test_a_revoked_token_opens_nothing_from_the_next_request_on(served: Served) -> None:
    with served.client(served.token("owner")) as client:
        id = client.get("/api/me").json()["id"]
        assert client.delete(f"/api/tokens/{id}").status_code == 204
        assert client.get("/api/me").status_code == 401
    with served.as_owner() as owner:
        assert owner.delete(f"/api/tokens/{id}").status_code == 204, "a second time changes nothing"
        assert owner.get(f"/api/tokens/{id}").json()["revoked_at"] is not None


def test_a_token_of_every_workspace_is_made_and_seen_only_by_one_of_them(served: Served) -> None:
    with served.as_owner() as owner:
        made = owner.post("/api/tokens", params={"workspace": "*"}, json={"name": "ops", "role": "admin"}).json()
        assert made["token"]["workspace"] is None
        path = f"/api/tokens/{made['token']['id']}"
        assert owner.get(path).status_code == 404
        assert owner.get(path, params={"workspace": "*"}).status_code == 200
    with served.client(served.token("owner")) as client:
        assert client.get(path).status_code == 404
        assert made["token"]["id"] not in client.get("/api/tokens").text
        assert (
            code(client.post("/api/tokens", params={"workspace": "*"}, json={"name": "x", "role": "viewer"}))[0] == 404
        )


def test_a_credential_goes_to_the_provider_s_own_host_and_only_to_a_known_one(served: Served) -> None:
    with served.as_owner() as owner:
        for provider, host in (("deepinfra", "api.deepinfra.com"), ("mybox", "127.0.0.1:9")):
            reply = owner.post("/api/credentials", json={"provider": provider, "name": "main", "secret": "sk-x"})
            assert (reply.status_code, reply.json()["host"]) == (201, host)
        for provider, words in (
            ("deepinfar", "did you mean deepinfra?"),
            ("sandbox", "runs inside Headgate"),
            ("ollama", "runs on a machine of the operator's"),
            ("nobody-knows", "declares any other server"),
        ):
            reply = owner.post("/api/credentials", json={"provider": provider, "name": "x", "secret": "sk-x"})
            assert code(reply) == (400, "unknown_provider"), provider
            assert words in reply.json()["error"]["message"]
        again = owner.post("/api/credentials", json={"provider": "mybox", "name": "default", "secret": "sk-x"})
        assert code(again) == (409, "duplicate")
        [declared] = [one for one in owner.get("/api/credentials").json()["data"] if one["source"] == "document"]
        assert code(owner.delete(f"/api/credentials/{declared['id']}")) == (409, "declared_in_document")


def test_a_provider_of_the_document_for_one_workspace_takes_no_credential_of_another(served: Served) -> None:
    with served.as_owner() as owner:
        owner.post("/api/workspaces", json={"name": "far"})
        fields = {"provider": "mybox", "name": "main", "secret": "sk-x"}
        assert code(owner.post("/api/credentials", params={"workspace": "far"}, json=fields)) == (
            400,
            "unknown_provider",
        )


def test_a_route_is_the_same_mapping_as_in_the_document(served: Served) -> None:
    definition = {"targets": ["mybox/tiny"], "policy": "ordered", "timeouts": {"gap_s": 5}, "retries": 1}
    with served.as_owner() as owner:
        made = owner.post("/api/routes", json={"name": "r", "definition": definition}).json()
        assert made["definition"] == {**definition, "timeouts": {"gap_s": 5.0}}
        assert "r" in served.snapshot.routes
        after = owner.put(f"/api/routes/{made['id']}", json={"definition": {"targets": ["sandbox/x"]}})
        assert after.json()["definition"] == {"targets": ["sandbox/x"]}
        assert owner.delete(f"/api/routes/{made['id']}").status_code == 204
        assert "r" not in served.snapshot.routes


@pytest.mark.parametrize(
    ("name", "definition", "param", "words"),
    [
        ("r", {"targets": ["nowhere/x"]}, "definition", "nobody offers nowhere/x"),
        ("r", {"targets": []}, "definition.targets", "at least this many items: 1"),
        ("r", {}, "definition.targets", "is missing"),
        ("r", {"targets": ["mybox/tiny"], "polcy": "x"}, "definition.polcy", "did you mean policy?"),
        ("r", {"targets": ["mybox/tiny"], "retries": "2"}, "definition.retries", "must be a whole number"),
        ("r", {"targets": ["mybox/tiny"], "timeouts": {"gap": 1}}, "definition.timeouts.gap", "is unknown"),
        ("r", {"targets": ["mybox/tiny"], "workspaces": ["other"]}, "definition", "belongs to its own workspace"),
        ("r", {"targets": ["mybox/*"]}, "definition", "only has a meaning in a route whose name holds one"),
        ("a*b*", {"targets": ["mybox/*"]}, "name", "more than one *"),
        ("", {"targets": ["mybox/tiny"]}, "name", "is empty"),
    ],
)
def test_a_bad_route_is_refused_with_its_place(
    shared: Served, name: str, definition: dict[str, Any], param: str, words: str
) -> None:
    with shared.as_owner() as owner:
        reply = owner.post("/api/routes", json={"name": name, "definition": definition})
    error = reply.json()["error"]
    assert (reply.status_code, error["param"]) == (400, param), error
    assert words in error["message"]


@pytest.mark.parametrize(
    "definition",
    [
        {"targets": ["sandbox/dear"]},
        {"targets": ["mybox/tiny", "sandbox/dear"]},
        {"targets": ["mybox/tiny"], "fallback": ["sandbox/dear"]},
        {"targets": ["tiny"]},
    ],
)
def test_a_route_leads_nowhere_its_maker_s_ceiling_does_not_reach(
    on_sqlite: Served, definition: dict[str, Any]
) -> None:
    with on_sqlite.client(on_sqlite.token("admin", models=["mybox/*"])) as client:
        made = client.post("/api/routes", json={"name": "mybox/r", "definition": {"targets": ["mybox/tiny"]}})
        assert made.status_code == 201, made.text
        refused = client.post("/api/routes", json={"name": "mybox/s", "definition": definition})
        changed = client.put(f"/api/routes/{made.json()['id']}", json={"definition": definition})
        after = client.get(f"/api/routes/{made.json()['id']}").json()
    assert code(refused) == code(changed) == (403, "above_ceiling")
    assert after["definition"] == {"targets": ["mybox/tiny"]}


def test_a_route_with_a_star_stays_within_its_maker_s_ceiling_too(on_sqlite: Served) -> None:
    with on_sqlite.client(on_sqlite.token("admin", models=["mybox/t*"])) as client:
        wide = client.post("/api/routes", json={"name": "w-*", "definition": {"targets": ["mybox/*"]}})
        narrow = client.post("/api/routes", json={"name": "n-*", "definition": {"targets": ["mybox/t*"]}})
    assert (code(wide), narrow.status_code) == ((403, "above_ceiling"), 201)


def test_a_route_of_the_document_keeps_its_name_and_its_shape(served: Served) -> None:
    with served.as_owner() as owner:
        [route] = owner.get("/api/routes").json()["data"]
        assert (route["name"], route["source"], route["definition"]) == (
            "fast",
            "document",
            {"targets": ["mybox/tiny"]},
        )
        assert owner.get(f"/api/routes/{route['id']}").json() == route
        definition = {"definition": {"targets": ["sandbox/x"]}}
        assert code(owner.put(f"/api/routes/{route['id']}", json=definition)) == (409, "declared_in_document")
        assert code(owner.delete(f"/api/routes/{route['id']}")) == (409, "declared_in_document")
        assert code(owner.post("/api/routes", json={"name": "fast", **definition})) == (409, "duplicate")


def test_a_budget_shows_what_is_left_of_it(served: Served) -> None:
    with served.as_owner() as owner:
        id = owner.post("/api/keys", json={"name": "a"}).json()["key"]["id"]
        path = f"/api/budgets/key:{id}"
        budgets = {"budgets": [{"usd": "2.5", "per": "day"}]}
        assert owner.put(path, json=budgets).json()["budgets"][0]["usd"] == "2.5"
        served.budgets.book([f"key:{id}"], int(time.time() // 86_400), 10**12)
        day, *_, total = owner.get(path).json()["periods"]
        assert (day["spent_usd"], day["limit_usd"], day["left_usd"]) == ("1", "2.5", "1.5")
        assert (total["per"], total["spent_usd"], total["left_usd"], total["resets_at"]) == ("total", "1", None, None)
        assert owner.get("/api/budgets").json()["data"][-1]["scope"] == f"key:{id}"
        assert owner.put(path, json={"budgets": []}).json()["budgets"] == []
        for scope in ("key:nothing", "token:nothing", "workspace:nothing", "team:x", "key", ":", "key:", "key:%00"):
            assert owner.get(f"/api/budgets/{scope}").status_code == 404, scope


def test_workspaces_come_and_go_by_tokens_of_every_workspace(served: Served) -> None:
    with served.as_owner() as owner:
        made = owner.post("/api/workspaces", json={"name": "team-1", "metadata": {"a": "b"}})
        assert (made.status_code, made.json()["metadata"]) == (201, {"a": "b"})
        assert code(owner.post("/api/workspaces", json={"name": "team-1"})) == (409, "duplicate")
        for name in ("", "*", "Team", "a/b", "x" * 64, "-a"):
            assert owner.post("/api/workspaces", json={"name": name}).status_code == 400, name
        key = owner.post("/api/keys", params={"workspace": "team-1"}, json={"name": "a"}).json()["key"]["id"]
        assert code(owner.delete("/api/workspaces/team-1")) == (409, "refused")
        assert owner.delete(f"/api/keys/{key}", params={"workspace": "team-1"}).status_code == 204
        assert owner.delete("/api/workspaces/team-1").status_code == 204
        assert owner.get("/api/workspaces/team-1").status_code == 404
        assert code(owner.delete("/api/workspaces/default")) == (409, "refused")


def test_a_workspace_that_the_document_names_is_not_deleted(on_sqlite: Served) -> None:
    on_sqlite.store.workspaces.ensure(["other"], actor="headgate.yaml")
    with on_sqlite.as_owner() as owner:
        assert code(owner.delete("/api/workspaces/other")) == (409, "declared_in_document")
        assert owner.get("/api/keys", params={"workspace": "other"}).status_code == 200


def test_the_ledger_is_paged_filtered_and_summed(served: Served) -> None:
    entries = [entry(f"req_{number:03}", "default", f"key_{number % 2}", f"w{number % 2}") for number in range(9)]
    served.store.ledger.add(entries)
    with served.as_owner() as owner:
        whole = owner.get("/api/ledger/requests").json()["data"]
        assert len(whole) == 9
        found: list[Any] = []
        query: dict[str, Any] = {"limit": 2}
        while True:
            page = owner.get("/api/ledger/requests", params=query).json()
            found += page["data"]
            if page["next"] is None:
                break
            query["after"] = page["next"]
        assert found == whole
        assert len(owner.get("/api/ledger/requests", params={"key": "key_1"}).json()["data"]) == 4
        assert owner.get("/api/ledger/requests", params={"outcome": "failed"}).json()["data"] == []
        assert owner.get("/api/ledger/requests", params={"since": "2030-01-01T00:00:00Z"}).json()["data"] == []
        assert len(owner.get("/api/ledger/requests", params={"until": "2030-01-01T00:00:00Z"}).json()["data"]) == 9
        detail = owner.get("/api/ledger/requests/req_003").json()
        sums = {one["id"]: one for one in owner.get("/api/ledger/sums", params={"by": "key"}).json()["data"]}
        [day] = owner.get("/api/ledger/sums", params={"by": "day"}).json()["data"]
        backwards = {"since": "2030-01-01T00:00:00Z", "until": "2029-01-01T00:00:00Z"}
        assert owner.get("/api/ledger/requests", params=backwards).status_code == 400
    assert (detail["cost_usd"], detail["usage"]["prompt_tokens"]) == ("0.0002", 1000)
    [attempt] = detail["attempts"]
    assert attempt["price"] == {"input_usd_per_mtok": "0.1", "output_usd_per_mtok": "0.2"}
    assert (attempt["cost_source"], attempt["first_token_ms"]) == ("computed", 0.02)
    assert (sums["key_0"]["requests"], sums["key_1"]["cost_usd"]) == (5, "0.0008")
    assert (day["id"], day["cost_pusd"]) == ("2026-09-21", 9 * 200_000_000)


def test_health_tells_of_an_alarm_and_its_reason_only_to_operators(served: Served) -> None:
    served.ledger.trouble = "journal: disk full at a secret place"
    with served.as_owner() as owner:
        health = owner.get("/api/health").json()
    assert (health["status"], health["ledger"]["refuses"]) == ("degraded", True)
    assert "secret place" in health["ledger"]["alarm"]
    assert health["providers"] == ["sandbox", "mybox"]
    with served.client(served.token("viewer")) as client:
        health = client.get("/api/health").json()
    assert (health["status"], health["ledger"]["alarm"], health["store"]["revision"]) == ("degraded", None, None)


def test_the_configuration_in_use_names_the_source_of_every_part(served: Served) -> None:
    on = make_objects(served, "default", "own")
    with served.as_owner() as owner:
        config = owner.get("/api/config").json()
    found = {kind: {one["name"]: one["source"] for one in config[kind]} for kind in ("providers", "keys", "routes")}
    assert found["providers"] == {"sandbox": "document", "mybox": "document", "deepinfra": "store"}
    assert found["keys"] == {"written": "document", "own-key": "store"}
    assert found["routes"] == {"fast": "document", "own-route": "store"}
    assert {one["id"]: one["source"] for one in config["credentials"]}[on.credential] == "store"
