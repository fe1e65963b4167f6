"""Nothing of another workspace can be read, listed, changed or guessed, through any route of the API."""

from __future__ import annotations

from base64 import urlsafe_b64encode

import httpx
import msgspec

from headgate.control.permissions import REQUIREMENTS
from tests.control.every_route import Called, Objects, Route, calls, make_objects, mounted, nothing, send
from tests.control.served import Served

FOREIGN = "zebra"


def seen(reply: httpx.Response) -> tuple[object, ...]:
    """All a caller gets, but for the clock."""
    return reply.status_code, reply.content, sorted(item for item in reply.headers.items() if item[0] != "date")


def prepared(served: Served) -> tuple[Objects, Objects, str]:
    """A workspace of the caller's, one of somebody else, and an owner's token for the first."""
    own = make_objects(served, "ours", "own")
    foreign = make_objects(served, FOREIGN, "theirs")
    return own, foreign, served.token("owner", "ours")


def needs_everything(served: Served, route: Route) -> bool:
    [mounted_at] = [one for one in served.app.routes if (one.path, one.methods) == (route[1], {route[0]})]  # type: ignore[attr-defined]
    return REQUIREMENTS[mounted_at.permission].everywhere  # type: ignore[attr-defined]


def test_every_route_of_the_application_is_walked(on_sqlite: Served) -> None:
    assert set(mounted(on_sqlite)) == calls(nothing()).keys()


def test_another_workspace_s_ids_look_like_ids_that_nothing_has(served: Served) -> None:
    _, foreign, token = prepared(served)
    there, nowhere = calls(foreign), calls(nothing())
    with served.client(token) as client:
        for route, called in there.items():
            for one, none in zip(called, nowhere[route], strict=True):
                if not one.path:
                    continue
                theirs, nobodys = send(client, route, one), send(client, route, none)
                assert seen(theirs) == seen(nobodys), route
                assert theirs.status_code == (403 if needs_everything(served, route) else 404), (route, theirs.text)


def test_another_workspace_s_name_looks_like_a_name_that_nothing_has(served: Served) -> None:
    own, foreign, token = prepared(served)
    with served.client(token) as client:
        for on in (own, foreign):
            for route, called in calls(on).items():
                for one in called:
                    theirs = send(client, route, one, workspace=FOREIGN)
                    nobodys = send(client, route, one, workspace="nowhere")
                    assert seen(theirs) == seen(nobodys), route
                    assert theirs.status_code in (400, 403, 404), (route, theirs.text)


def test_all_workspaces_together_are_not_there_for_a_bound_token(served: Served) -> None:
    own, _, token = prepared(served)
    with served.client(token) as client:
        for route, called in calls(own).items():
            reply = send(client, route, called[0], workspace="*")
            assert reply.status_code in (400, 403, 404), (route, reply.text)
            assert seen(reply) == seen(send(client, route, called[0], workspace="nowhere")), route


def test_no_list_sum_or_filter_tells_of_another_workspace(served: Served) -> None:
    own, foreign, token = prepared(served)
    words = [foreign.word, *foreign[2:], FOREIGN]
    there, nowhere = calls(foreign), calls(nothing())
    with served.client(token) as client:
        for route in mounted(served):
            if route[0] != "GET":
                continue
            for one, none in zip(there[route], nowhere[route], strict=True):
                if one.path:
                    continue
                reply = send(client, route, one)
                assert reply.status_code == 200, (route, reply.text)
                assert [word for word in words if word in reply.text] == [], route
                assert seen(reply) == seen(send(client, route, none)), route
            if any(called.path for called in calls(own)[route]) or "{" in route[1]:
                continue
            mine = send(client, route, calls(own)[route][0])
            assert [word for word in words if word in mine.text] == [], route


def test_a_cursor_into_another_workspace_leads_nowhere(served: Served) -> None:
    _, foreign, token = prepared(served)
    lists = [route for route in mounted(served) if route[0] == "GET" and "{" not in route[1]]
    paged = 0
    with served.client(token) as client:
        for route in lists:
            for place in (f"s{foreign.key}", f"s{foreign.token}", foreign.request, "1", "d1", f"s{FOREIGN}"):
                cursor = urlsafe_b64encode(place.encode()).decode().rstrip("=")
                reply = send(client, route, Called(query={"by": "key"} if "sums" in route[1] else {}), after=cursor)
                assert foreign.word not in reply.text
                assert FOREIGN not in reply.text
                paged += reply.status_code == 200
    assert paged > 0


def test_the_walk_leaves_the_other_workspace_as_it_was(served: Served) -> None:
    own, foreign, token = prepared(served)

    def theirs() -> list[object]:
        everything = served.store.load()
        kinds = (everything.tokens, everything.budgets, everything.routes)
        found: list[object] = [one for kind in kinds for one in kind if one.workspace == FOREIGN]
        found += [one for one in everything.keys if one.key.workspace == FOREIGN]
        found += [one for one in everything.credentials if one.credential.workspace == FOREIGN]
        return [msgspec.to_builtins(one) for one in found]

    before = theirs()
    assert len(before) == 7
    with served.client(token) as client:
        for on, query in ((foreign, {}), (foreign, {"workspace": FOREIGN}), (own, {"workspace": FOREIGN})):
            for route, called in calls(on).items():
                for one in called:
                    send(client, route, one, **query)
    assert theirs() == before


def test_the_caller_s_own_workspace_is_all_there(served: Served) -> None:
    """Without this, an API that answers 404 to everything would pass the tests above."""
    own, _, token = prepared(served)
    with served.client(token) as client:
        for route, called in calls(own).items():
            if route[0] == "GET":
                for one in called:
                    assert send(client, route, one).status_code == 200, route
        assert own.word in client.get("/api/keys").text
        assert own.word in client.get("/api/ledger/requests").text
        [sum_] = client.get("/api/ledger/sums", params={"by": "workspace"}).json()["data"]
        assert (sum_["id"], sum_["cost_usd"]) == ("ours", "0.0002")


def test_what_the_document_means_for_one_workspace_is_not_shown_to_another(served: Served) -> None:
    _, _, token = prepared(served)
    with served.client(token) as client:
        for path in ("keys", "routes", "credentials", "config", "health", "budgets"):
            text = client.get(f"/api/{path}").text
            assert [word for word in ("written", "fast", "mybox") if word in text] == []
        made = client.post("/api/keys", json={"name": "written", "models": ["*"]})
        assert made.status_code == 201, "a name the document uses elsewhere must not be told by a refusal"


def test_a_token_of_every_workspace_chooses_one_or_all(served: Served) -> None:
    own, foreign, _ = prepared(served)
    with served.as_owner() as owner:
        assert owner.get(f"/api/keys/{own.key}").status_code == 404
        assert owner.get(f"/api/keys/{own.key}", params={"workspace": "ours"}).status_code == 200
        every = owner.get("/api/keys", params={"workspace": "*"}).json()["data"]
        assert {own.key, foreign.key} <= {key["id"] for key in every}
        sums = owner.get("/api/ledger/sums", params={"workspace": "*", "by": "workspace"}).json()["data"]
        assert {one["id"] for one in sums} == {"ours", FOREIGN}
