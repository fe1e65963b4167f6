"""How to call each route of the admin API, and objects in a workspace to call them on.

A route that is mounted but not described here fails the tests that walk over all of them.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import httpx
import msgspec
from fastapi.routing import APIRoute

from headgate.control.mount import GuardedRoute
from headgate.types.entry import AttemptRow, Entry, Outcome
from headgate.types.money import Cost, CostSource, Price
from headgate.types.usage import Usage
from tests.control.served import Served

Route = tuple[str, str]
"""A method and a path as it is mounted."""


class Objects(NamedTuple):
    """The ids of one thing of each kind in a workspace. `word` is in every name there."""

    workspace: str
    word: str
    key: str
    token: str
    credential: str
    route: str
    request: str


def nothing(workspace: str = "nowhere") -> Objects:
    """Ids that look like ids and that nothing has."""
    return Objects(
        workspace=workspace,
        word="never-written",
        key="key_00000000000000000000000",
        token="tok_00000000000000000000000",
        credential="crd_00000000000000000000000",
        route="rte_00000000000000000000000",
        request="req_000000000000000000000000",
    )


def make_objects(served: Served, workspace: str, word: str) -> Objects:
    """One thing of each kind in a workspace, which is made when it is not there."""
    with served.as_owner() as owner:
        if workspace != "default":
            made = owner.post("/api/workspaces", json={"name": workspace})
            assert made.status_code in (201, 409), made.text
        here = {"workspace": workspace}
        key = _made(owner, "/api/keys", here, {"name": f"{word}-key", "metadata": {"team": word}})["key"]["id"]
        token = _made(owner, "/api/tokens", here, {"name": f"{word}-token", "role": "viewer"})["token"]["id"]
        fields = {"provider": "deepinfra", "name": f"{word}-credential", "secret": f"{word}-secret-of-a-provider"}
        credential = _made(owner, "/api/credentials", here, fields)["id"]
        made_route = served.store.routes.create(workspace, f"{word}-route", '{"targets":["deepinfra/x"]}', actor="test")
        for scope in (f"key:{key}", f"token:{token}", f"workspace:{workspace}"):
            budgets = {"budgets": [{"usd": "4.2", "per": "month"}]}
            assert owner.put(f"/api/budgets/{scope}", params=here, json=budgets).status_code == 200
    served.store.events.append(workspace=workspace, kind="budget_warning", subject=f"key:{key}", message=f"{word}!")
    request = f"req_{word}"
    served.store.ledger.add([entry(request, workspace, key, word)])
    return Objects(workspace, word, key, token, credential, made_route.id, request)


def _made(owner: httpx.Client, path: str, here: dict[str, str], fields: dict[str, Any]) -> dict[str, Any]:
    reply = owner.post(path, params=here, json=fields)
    assert reply.status_code == 201, reply.text
    made: dict[str, Any] = reply.json()
    return made


def entry(id: str, workspace: str, key: str, word: str) -> Entry:
    """A request that cost something."""
    price = Price(input_pusd_per_mtok=10**11, output_pusd_per_mtok=2 * 10**11)
    usage = Usage(input=1000, output=500)
    cost = Cost(pusd=200_000_000, source=CostSource.COMPUTED, computed_pusd=200_000_000, price=price, price_source="x")
    attempt = AttemptRow(f"{word}/m", f"{word}-provider", "m", "default", "success", 200, 5, 9, 20, 90, usage, cost)
    return Entry(
        id,
        1_790_000_000_000_000,
        workspace,
        key,
        f"{word}-key",
        "chat",
        f"{word}-model",
        False,
        200,
        Outcome.ANSWERED,
        None,
        f"{word}-provider",
        "m",
        usage,
        200_000_000,
        200_000_000,
        100,
        (f"key:{key}", f"workspace:{workspace}"),
        (attempt,),
    )


class Called(msgspec.Struct):
    """What to send: path parameters, query, and body."""

    path: dict[str, str] = {}
    query: dict[str, str] = {}
    body: Any = None


BUDGETS = {"budgets": [{"usd": "3", "per": "day"}]}
DEFINITION = {"targets": ["mybox/tiny"], "policy": "ordered"}


def calls(on: Objects) -> dict[Route, list[Called]]:
    """Every route, and how to call it on these objects with something that makes sense there."""
    key, token, credential, route = ({"id": id} for id in (on.key, on.token, on.credential, on.route))
    scopes = [{"scope": s} for s in (f"key:{on.key}", f"token:{on.token}", f"workspace:{on.workspace}")]
    secret = {"secret": "sk-another-secret"}
    return {
        ("GET", "/api/openapi.json"): [Called()],
        ("GET", "/api/me"): [Called()],
        ("GET", "/api/workspaces"): [Called()],
        ("POST", "/api/workspaces"): [Called(body={"name": "a-new-one"})],
        ("GET", "/api/workspaces/{name}"): [Called({"name": on.workspace})],
        ("DELETE", "/api/workspaces/{name}"): [Called({"name": on.workspace})],
        ("GET", "/api/keys"): [Called(), Called(query={"creator": on.token}), Called(query={"name": f"{on.word}-key"})],
        ("POST", "/api/keys"): [Called(body={"name": "a-new-one", "limits": {"rpm": 5}})],
        ("GET", "/api/keys/{id}"): [Called(key)],
        ("PATCH", "/api/keys/{id}"): [Called(key, body={"metadata": {"a": "b"}, **BUDGETS})],
        ("POST", "/api/keys/{id}/rotate"): [Called(key, body={"grace_s": 60})],
        ("POST", "/api/keys/{id}/disable"): [Called(key)],
        ("POST", "/api/keys/{id}/enable"): [Called(key)],
        ("DELETE", "/api/keys/{id}"): [Called(key)],
        ("GET", "/api/tokens"): [Called()],
        ("POST", "/api/tokens"): [Called(body={"name": "a-new-one", "role": "viewer"})],
        ("GET", "/api/tokens/{id}"): [Called(token)],
        ("DELETE", "/api/tokens/{id}"): [Called(token)],
        ("GET", "/api/credentials"): [Called()],
        ("POST", "/api/credentials"): [Called(body={"provider": "groq", "name": "a-new-one", **secret})],
        ("GET", "/api/credentials/{id}"): [Called(credential)],
        ("PUT", "/api/credentials/{id}/secret"): [Called(credential, body=secret)],
        ("POST", "/api/credentials/{id}/disable"): [Called(credential)],
        ("POST", "/api/credentials/{id}/enable"): [Called(credential)],
        ("DELETE", "/api/credentials/{id}"): [Called(credential)],
        ("GET", "/api/routes"): [Called()],
        ("POST", "/api/routes"): [Called(body={"name": "a-new-one", "definition": DEFINITION})],
        ("GET", "/api/routes/{id}"): [Called(route)],
        ("PUT", "/api/routes/{id}"): [Called(route, body={"definition": DEFINITION})],
        ("DELETE", "/api/routes/{id}"): [Called(route)],
        ("GET", "/api/budgets"): [Called()],
        ("GET", "/api/budgets/{scope}"): [Called(scope) for scope in scopes],
        ("PUT", "/api/budgets/{scope}"): [Called(scope, body=BUDGETS) for scope in scopes],
        ("GET", "/api/ledger/requests"): [
            Called(),
            Called(query={"key": on.key}),
            Called(query={"model": f"{on.word}-model"}),
            Called(query={"provider": f"{on.word}-provider"}),
        ],
        ("GET", "/api/ledger/requests/{id}"): [Called({"id": on.request})],
        ("GET", "/api/ledger/sums"): [
            *(Called(query={"by": by}) for by in ("key", "model", "provider", "day", "workspace", "credential")),
            Called(query={"by": "day", "key": on.key}),
        ],
        ("GET", "/api/audit"): [Called()],
        ("GET", "/api/events"): [Called()],
        ("GET", "/api/health"): [Called()],
        ("GET", "/api/config"): [Called()],
        ("POST", "/api/explain"): [Called(body={"model": "mybox/tiny"}), Called(body={"model": "x", "key": on.key})],
    }


def mounted(served: Served) -> list[Route]:
    """Every route of the application."""
    routes = [route for route in served.app.routes if isinstance(route, APIRoute)]
    assert len(routes) == len(served.app.routes)
    assert all(isinstance(route, GuardedRoute) for route in routes)
    return [(method, route.path) for route in routes for method in sorted(route.methods or ())]


def send(client: httpx.Client, route: Route, called: Called, **query: str) -> httpx.Response:
    method, path = route
    for name, value in called.path.items():
        path = path.replace(f"{{{name}}}", value)
    return client.request(method, path, params={**called.query, **query}, json=called.body)
