"""Who may call what: every route, every role."""

from __future__ import annotations

import pytest
from fastapi import FastAPI

from headgate.control.mount import Unpermitted, check_permissions
from headgate.control.permissions import REQUIREMENTS, Permission
from tests.control.every_route import Route, calls, mounted, nothing, send
from tests.control.served import Served

ROLES = ("viewer", "developer", "admin", "owner")

# Written by hand, so that a slip in the table of permissions shows.
LEAST: dict[Route, str] = {
    ("GET", "/api/me"): "viewer",
    ("GET", "/api/workspaces"): "viewer",
    ("POST", "/api/workspaces"): "owner of every workspace",
    ("GET", "/api/workspaces/{name}"): "viewer",
    ("DELETE", "/api/workspaces/{name}"): "owner of every workspace",
    ("GET", "/api/keys"): "viewer",
    ("POST", "/api/keys"): "developer",
    ("GET", "/api/keys/{id}"): "viewer",
    ("PATCH", "/api/keys/{id}"): "developer",
    ("POST", "/api/keys/{id}/rotate"): "developer",
    ("POST", "/api/keys/{id}/disable"): "developer",
    ("POST", "/api/keys/{id}/enable"): "developer",
    ("DELETE", "/api/keys/{id}"): "developer",
    ("GET", "/api/tokens"): "admin",
    ("POST", "/api/tokens"): "admin",
    ("GET", "/api/tokens/{id}"): "admin",
    ("DELETE", "/api/tokens/{id}"): "admin",
    ("GET", "/api/credentials"): "viewer",
    ("POST", "/api/credentials"): "admin",
    ("GET", "/api/credentials/{id}"): "viewer",
    ("PUT", "/api/credentials/{id}/secret"): "admin",
    ("POST", "/api/credentials/{id}/disable"): "admin",
    ("POST", "/api/credentials/{id}/enable"): "admin",
    ("DELETE", "/api/credentials/{id}"): "admin",
    ("GET", "/api/routes"): "viewer",
    ("POST", "/api/routes"): "admin",
    ("GET", "/api/routes/{id}"): "viewer",
    ("PUT", "/api/routes/{id}"): "admin",
    ("DELETE", "/api/routes/{id}"): "admin",
    ("GET", "/api/budgets"): "viewer",
    ("GET", "/api/budgets/{scope}"): "viewer",
    ("PUT", "/api/budgets/{scope}"): "admin",
    ("GET", "/api/ledger/requests"): "viewer",
    ("GET", "/api/ledger/requests/{id}"): "viewer",
    ("GET", "/api/ledger/sums"): "viewer",
    ("GET", "/api/audit"): "admin",
    ("GET", "/api/events"): "viewer",
    ("GET", "/api/health"): "viewer",
    ("GET", "/api/config"): "viewer",
    ("POST", "/api/explain"): "viewer",
}
PUBLIC = {("GET", "/api/openapi.json")}


def test_every_route_is_in_the_matrix_and_none_is_public_but_the_description(on_sqlite: Served) -> None:
    assert set(mounted(on_sqlite)) == LEAST.keys() | PUBLIC


@pytest.mark.parametrize("everywhere", [False, True], ids=["bound", "of every workspace"])
def test_each_role_may_do_what_it_may_and_nothing_else(on_sqlite: Served, everywhere: bool) -> None:
    workspace = "*" if everywhere else "default"
    tokens = {role: on_sqlite.token(role, workspace) for role in ROLES}
    wrong = []
    for route, least in LEAST.items():
        role, _, rest = least.partition(" ")
        for rank, held in enumerate(ROLES):
            may = rank >= ROLES.index(role) and (everywhere or not rest)
            with on_sqlite.client(tokens[held]) as client:
                reply = send(client, route, calls(nothing())[route][0])
            refused = reply.status_code == 403 and reply.json()["error"]["code"] == "forbidden"
            if reply.status_code == 401 or refused == may:
                wrong.append((route, held, reply.status_code, reply.text))
    assert wrong == []


def test_without_a_good_token_every_route_but_the_description_says_401(on_sqlite: Served) -> None:
    revoked = on_sqlite.token("owner")
    with on_sqlite.as_owner() as owner:
        [token] = owner.get("/api/tokens").json()["data"]
        assert owner.delete(f"/api/tokens/{token['id']}").status_code == 204
        key = owner.post("/api/keys", json={"name": "a"}).json()["secret"]
    for shown in (None, "hga-" + "x" * 43, revoked, key, "' OR 1=1 --"):
        with on_sqlite.client(shown) as client:
            replies = {route: send(client, route, called[0]) for route, called in calls(nothing()).items()}
        open_to_all = {route for route, reply in replies.items() if reply.status_code != 401}
        assert open_to_all == PUBLIC
        assert {reply.headers["www-authenticate"] for route, reply in replies.items() if route not in PUBLIC} == {
            "Bearer"
        }


def test_an_expired_token_opens_nothing(on_sqlite: Served) -> None:
    from headgate.store.records import TokenFields

    fields = TokenFields(name="late", role="owner", expires_at=1_700_000_000)
    _, secret = on_sqlite.store.tokens.create(fields, actor="test")
    with on_sqlite.client(secret.reveal()) as client:
        assert client.get("/api/me").status_code == 401


@pytest.mark.parametrize(
    "headers",
    [
        [("x-api-key", "{}")],
        [("authorization", "Basic {}")],
        [("authorization", "{}")],
        [("authorization", "Bearer {}"), ("authorization", "Bearer {}")],
        [("cookie", "token={}")],
    ],
)
def test_a_token_counts_only_as_one_bearer(on_sqlite: Served, headers: list[tuple[str, str]]) -> None:
    token = on_sqlite.token("owner")
    with on_sqlite.client() as client:
        reply = client.get("/api/me", headers=[(name, value.format(token)) for name, value in headers])
    assert reply.status_code == 401


def test_a_path_without_a_permission_stops_the_api_from_being_built(on_sqlite: Served) -> None:
    app: FastAPI = on_sqlite.app
    app.get("/api/backdoor")(lambda: "open")
    with pytest.raises(Unpermitted, match="/api/backdoor"):
        check_permissions(app)


def test_every_permission_says_what_it_needs_and_is_used(on_sqlite: Served) -> None:
    used = {getattr(route, "permission", None) for route in on_sqlite.app.routes}
    assert set(Permission) == REQUIREMENTS.keys() == used


def test_the_host_a_client_writes_changes_nothing(on_sqlite: Served) -> None:
    with on_sqlite.client() as client:
        for host in ("localhost/api/openapi.json?", "x/api/openapi.json#", "openapi.json"):
            assert client.get("/api/me", headers={"host": host}).status_code in (400, 401)
