"""Every change leaves a row that says who changed what, and how it was before and after."""

from __future__ import annotations

from typing import Any

import pytest

from tests.control.every_route import Called, Objects, Route, calls, make_objects, mounted, nothing, send
from tests.control.served import Served

# Changing route → the action it leaves, and whether there is a before and an after.
LEAVES: dict[Route, tuple[str, bool, bool]] = {
    ("POST", "/api/workspaces"): ("workspace.create", False, True),
    ("DELETE", "/api/workspaces/{name}"): ("workspace.delete", True, False),
    ("POST", "/api/keys"): ("key.create", False, True),
    ("PATCH", "/api/keys/{id}"): ("key.update", True, True),
    ("POST", "/api/keys/{id}/rotate"): ("key.rotate", True, True),
    ("POST", "/api/keys/{id}/disable"): ("key.disable", True, True),
    ("POST", "/api/keys/{id}/enable"): ("key.enable", True, True),
    ("DELETE", "/api/keys/{id}"): ("key.delete", True, False),
    ("POST", "/api/tokens"): ("token.create", False, True),
    ("DELETE", "/api/tokens/{id}"): ("token.revoke", True, True),
    ("POST", "/api/credentials"): ("credential.create", False, True),
    ("PUT", "/api/credentials/{id}/secret"): ("credential.replace", True, True),
    ("POST", "/api/credentials/{id}/disable"): ("credential.disable", True, True),
    ("POST", "/api/credentials/{id}/enable"): ("credential.enable", True, True),
    ("DELETE", "/api/credentials/{id}"): ("credential.delete", True, False),
    ("POST", "/api/routes"): ("route.create", False, True),
    ("PUT", "/api/routes/{id}"): ("route.update", True, True),
    ("DELETE", "/api/routes/{id}"): ("route.delete", True, False),
    ("PUT", "/api/budgets/{scope}"): ("budgets.replace", True, True),
}
ONLY_ASKS: set[Route] = {("POST", "/api/explain")}
"""A question that is too long for a query changes nothing."""


def test_every_changing_route_has_its_row_in_the_table(on_sqlite: Served) -> None:
    changing = {route for route in mounted(on_sqlite) if route[0] != "GET"} - ONLY_ASKS
    assert changing == LEAVES.keys()


def test_every_change_leaves_a_row_with_its_maker_and_both_states(served: Served) -> None:
    on = make_objects(served, "default", "own")
    with served.as_owner() as owner:
        made = owner.post("/api/tokens", params={"workspace": "*"}, json={"name": "Ann", "role": "owner"}).json()
    with served.client(made["secret"]) as client:
        for route in [*(one for one in LEAVES if one[0] != "DELETE"), *(one for one in LEAVES if one[0] == "DELETE")]:
            action, before, after = LEAVES[route]
            newest = client.get("/api/audit", params={"workspace": "*", "limit": 1}).json()["data"][0]
            called = _ready(on, route)
            if action in ("key.enable", "credential.enable"):
                send(client, (route[0], route[1].replace("enable", "disable")), called)
            reply = send(client, route, called)
            assert reply.is_success, (route, reply.text)
            rows = client.get("/api/audit", params={"workspace": "*", "limit": 20}).json()["data"]
            fresh = rows[: rows.index(newest)]
            [row] = [row for row in fresh if row["action"] == action]
            assert row["actor"] == f"Ann ({made['token']['id']})"
            assert (row["before"] is not None, row["after"] is not None) == (before, after), row
            assert row["before"] != row["after"] or action in ("credential.replace",), row
            assert row["object_type"] == action.partition(".")[0]


def _ready(on: Objects, route: Route) -> Called:
    if route == ("DELETE", "/api/workspaces/{name}"):
        return Called({"name": "a-new-one"})
    return calls(on)[route][0]


def test_what_is_refused_leaves_no_row(served: Served) -> None:
    before = served.store.audit.list(workspace=None, limit=999)
    with served.as_owner() as owner:
        for route in LEAVES:
            if "{" in route[1]:
                assert send(owner, route, calls(nothing())[route][0]).status_code == 404
        assert owner.post("/api/keys", json={"name": ""}).status_code == 400
    assert served.store.audit.list(workspace=None, limit=999) == before


@pytest.mark.parametrize("limit", [1, 2, 7])
def test_the_pages_of_the_audit_log_are_the_whole_of_it(served: Served, limit: int) -> None:
    with served.as_owner() as owner:
        for number in range(7):
            assert owner.post("/api/keys", json={"name": f"k{number}"}).status_code == 201
        whole = owner.get("/api/audit", params={"limit": 100}).json()
        assert whole["next"] is None
        found: list[dict[str, Any]] = []
        after: dict[str, str] = {}
        while True:
            page = owner.get("/api/audit", params={"limit": limit, **after}).json()
            found += page["data"]
            if page["next"] is None:
                break
            assert len(page["data"]) == limit
            after = {"after": page["next"]}
    assert found == whole["data"]
    assert [row["after"]["name"] for row in found] == [f"k{number}" for number in reversed(range(7))]


def test_what_is_changed_of_a_token_of_every_workspace_is_not_told_to_the_admin_of_one(served: Served) -> None:
    with served.as_owner() as owner:
        token = owner.post("/api/tokens", params={"workspace": "*"}, json={"name": "ops", "role": "admin"}).json()
        scope = f"token:{token['token']['id']}"
        budgets = {"budgets": [{"usd": "5", "per": "day"}]}
        assert owner.put(f"/api/budgets/{scope}", params={"workspace": "*"}, json=budgets).status_code == 200
        [row] = [
            row
            for row in owner.get("/api/audit", params={"workspace": "*"}).json()["data"]
            if row["action"] == "budgets.replace"
        ]
        assert (row["object_id"], row["workspace"]) == (scope, None)
    with served.client(served.token("admin")) as client:
        assert scope not in client.get("/api/audit").text
