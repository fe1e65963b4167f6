"""What the API makes of requests that no endpoint should see: one shape of error for all of them."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from headgate.store.engine import open_store
from headgate.store.errors import StoreError, StoreUnavailable
from tests.control.every_route import calls, mounted, nothing, send
from tests.control.served import Served, serving
from tests.fakes.postgres import Postgres


def error_of(reply: httpx.Response) -> dict[str, object]:
    """The error of a reply, which must have the one shape there is."""
    assert reply.headers["content-type"] == "application/json"
    body = reply.json()
    assert list(body) == ["error"]
    assert set(body["error"]) == {"message", "type", "param", "code"}
    detail: dict[str, object] = body["error"]
    return detail


JSON = {"content-type": "application/json"}
BAD_BODIES = [
    (b"{", JSON, 400, "malformed"),
    (b"[" * 200_000, JSON, 400, "malformed"),
    (b'{"name": ' + b"[" * 900 + b"]" * 900 + b"}", JSON, 400, "invalid_value"),
    (b'{"name": "\xff"}', JSON, 400, "malformed"),
    (b'{"name": "a", "limits": {"rpm": NaN}}', JSON, 400, "malformed"),
    (b'{"name": "\\ud800"}', JSON, 400, None),
    (b"", JSON, 400, "missing_field"),
    (b"null", JSON, 400, None),
    (b"[]", JSON, 400, "invalid_value"),
    (b'"text"', JSON, 400, "invalid_value"),
    (b'{"name": "a"}', {}, 415, "unsupported_media_type"),
    (b'{"name": "a"}', {"content-type": "text/plain"}, 415, "unsupported_media_type"),
    (b"name=a", {"content-type": "application/x-www-form-urlencoded"}, 415, "unsupported_media_type"),
    (b" " * (2**20 + 1), JSON, 413, "request_too_large"),
]


@pytest.mark.parametrize(("body", "headers", "status", "code"), BAD_BODIES)
def test_a_bad_body_is_refused_in_the_one_shape(
    shared: Served, body: bytes, headers: dict[str, str], status: int, code: str | None
) -> None:
    with shared.as_owner() as owner:
        reply = owner.post("/api/keys", content=body, headers=headers)
        assert reply.status_code == status, reply.text
        assert error_of(reply)["code"] == code or code is None
        assert owner.get("/api/keys", params={"source": "store"}).json()["data"] == []


def test_a_body_that_never_ends_is_cut_at_its_limit(shared: Served) -> None:
    with shared.as_owner() as owner:
        pieces = (b" " * 65536 for _ in range(64))
        reply = owner.post("/api/keys", content=pieces, headers=JSON)
    assert reply.status_code == 413


@pytest.mark.parametrize(
    ("body", "param", "words"),
    [
        ({"nmae": "a"}, "nmae", "did you mean name?"),
        ({"name": "a", "limits": {"rpn": 1}}, "limits.rpn", "did you mean rpm?"),
        ({"name": "a", "limits": {"rpm": 0}}, "limits.rpm", "must be at least 1"),
        ({"name": "a", "limits": {"rpm": -5}}, "limits.rpm", "must be at least 1"),
        ({"name": "a", "limits": {"tpm": 10**12 + 1}}, "limits.tpm", "must be at most 1000000000000"),
        ({"name": "a", "limits": {"rpm": 10**12 + 1}}, "limits.rpm", "must be at most 1000000000000"),
        ({"name": "a", "limits": {"concurrent": 10**9 + 1}}, "limits.concurrent", "must be at most 1000000000"),
        ({"name": "a", "budgets": [{"usd": "1e3", "per": "day"}]}, "budgets[0].usd", 'must be US dollars such as "25"'),
        ({"name": "a", "limits": {"rpm": True}}, "limits.rpm", "must be a whole number"),
        ({"name": "a", "limits": {"rpm": "5"}}, "limits.rpm", "must be a whole number"),
        ({"name": "a", "limits": {"rpm": 1.5}}, "limits.rpm", "must be a whole number"),
        ({"name": ""}, "name", "is empty"),
        ({"name": "a\nb"}, "name", "line break"),
        ({"name": " a"}, "name", "spaces around it"),
        ({"name": "a" * 101}, "name", "at most this many characters: 100"),
        ({"name": "a", "addresses": ["10.0.0.1/8"]}, "addresses[0]", "did you mean 10.0.0.0/8?"),
        ({"name": "a", "addresses": ["here"]}, "addresses[0]", "must be an address such as"),
        ({"name": "a", "expires_at": "2020-01-01T00:00:00Z"}, "expires_at", "is in the past"),
        ({"name": "a", "expires_at": "tomorrow"}, "expires_at", "must be a time such as"),
        ({"name": "a", "expires_at": "2030-01-01T00:00:00"}, "expires_at", "must be a time such as"),
        ({"name": "a", "expires_at": "2030-02-30T00:00:00Z"}, "expires_at", "does not exist"),
        ({"name": "a", "expires_at": 1900000000}, "expires_at", "must be a time such as"),
        ({"name": "a", "policy": "dearest"}, "policy", "must be one of cheapest"),
        ({"name": "a", "metadata": {"a": 5}}, "metadata.a", "must be text"),
        ({"name": "a", "metadata": {"a": "x" * 5000}}, "metadata", "larger than 4096 bytes"),
        ({"name": "a", "models": []}, "models", "at least this many items: 1"),
        ({"name": "a", "models": ["a b"]}, "models[0]", "holds a space"),
        ({"name": "a", "models": ["fsat"]}, "models[0]", "did you mean fast?"),
        ({"name": "a", "models": ["fast", "zzz*"]}, "models[1]", "nothing that is configured fits zzz*"),
        ({"name": "a", "budgets": [{"usd": 5, "per": "day"}]}, "budgets[0].usd", "must be text"),
        ({"name": "a", "budgets": [{"usd": "-5", "per": "day"}]}, "budgets[0].usd", "must be US dollars"),
        ({"name": "a", "budgets": [{"usd": "1000001", "per": "day"}]}, "budgets[0].usd", "at most 1000000"),
        ({"name": "a", "budgets": [{"usd": "5", "per": "hour"}]}, "budgets[0].per", "must be one of day"),
        ({"name": "a", "budgets": [{"usd": "5", "per": "day"}] * 2}, "budgets", "two budgets per day"),
        (
            {"name": "a", "budgets": [{"usd": "5", "per": "day", "until": "2001-01-01T00:00:00Z"}]},
            "budgets[0].until",
            "is in the past",
        ),
        ({"name": "a", "budgets": [{"usd": "5", "per": "day", "on_exhausted": "cheaper"}]}, "budgets[0]", "cheaper"),
    ],
)
def test_a_bad_key_is_refused_with_its_place_and_the_way_out(
    shared: Served, body: dict[str, object], param: str, words: str
) -> None:
    with shared.as_owner() as owner:
        reply = owner.post("/api/keys", json=body)
        error = error_of(reply)
        assert (reply.status_code, error["param"]) == (400, param), reply.text
        assert words in str(error["message"])
        assert owner.get("/api/keys", params={"source": "store"}).json()["data"] == []


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ({"limit": "0"}, "limit"),
        ({"limit": "501"}, "limit"),
        ({"limit": "many"}, "limit"),
        ({"after": "???"}, "after"),
        ({"limt": "5"}, "limt"),
        ({"state": "gone"}, "state"),
        ([("limit", "1"), ("limit", "2")], "limit"),
    ],
)
def test_a_bad_parameter_is_refused_by_name(shared: Served, query: httpx._types.QueryParamTypes, param: str) -> None:
    with shared.as_owner() as owner:
        reply = owner.get("/api/keys", params=query)
    assert (reply.status_code, error_of(reply)["param"]) == (400, param)


def test_what_is_not_there_and_what_is_not_allowed_have_the_same_shape(shared: Served) -> None:
    with shared.as_owner() as owner:
        for path in (
            "/api",
            "/api/",
            "/api/keys/",
            "/api/nothing",
            "/api/docs",
            "/api/redoc",
            "/docs",
            "/openapi.json",
        ):
            reply = owner.get(path)
            assert (reply.status_code, error_of(reply)["code"]) == (404, "not_found"), path
        for method in ("PUT", "OPTIONS", "TRACE", "HEAD"):
            reply = owner.request(method, "/api/keys/x")
            assert reply.status_code == 405
            assert reply.headers["allow"] == "DELETE, GET, PATCH"


def test_no_reply_may_be_kept_or_read_by_another_site(on_sqlite: Served) -> None:
    with on_sqlite.as_owner() as owner:
        replies = [
            send(owner, route, calls(nothing())[route][0], **({} if route[1] != "/api/keys" else {"x": "y"}))
            for route in mounted(on_sqlite)
        ]
        replies.append(owner.get("/api/keys", headers={"origin": "https://evil.example"}))
    for reply in replies:
        assert reply.headers["cache-control"] == "no-store"
        assert "set-cookie" not in reply.headers
        assert not [name for name in reply.headers if name.startswith("access-control-")]


def test_the_description_is_public_and_offers_no_page_of_another_site(shared: Served) -> None:
    with shared.client() as client:
        reply = client.get("/api/openapi.json")
    described = reply.json()
    assert reply.status_code == 200
    assert "//cdn" not in reply.text
    operations = [operation for path in described["paths"].values() for operation in path.values()]
    assert len(operations) == len(mounted(shared)) - 1
    for operation in operations:
        assert {"400", "401", "403", "404", "413", "500", "503"} <= operation["responses"].keys()
        assert "422" not in operation["responses"]


def test_a_defect_is_told_to_the_log_and_not_to_the_caller(on_sqlite: Served, caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> None:
        raise RuntimeError("password=canary-of-the-inside")

    on_sqlite.ledger.broken = broken
    with on_sqlite.as_owner() as owner:
        reply = owner.get("/api/health")
    assert (reply.status_code, error_of(reply)["code"]) == (500, "internal_error")
    assert "canary" not in reply.text
    assert "defect in GET /api/health" in caplog.text


def test_a_change_counts_although_publishing_it_fails(on_sqlite: Served, caplog: pytest.LogCaptureFixture) -> None:
    on_sqlite.publishing = OSError("no room")
    with on_sqlite.as_owner() as owner:
        reply = owner.post("/api/keys", json={"name": "a"})
    assert reply.status_code == 201
    assert reply.json()["secret"].startswith("hg-")
    assert "stored but not in use yet" in caplog.text


def test_a_changed_key_is_published_before_the_reply(on_sqlite: Served) -> None:
    with on_sqlite.as_owner() as owner:
        made = owner.post("/api/keys", json={"name": "a"}).json()
        assert {principal.key for principal in on_sqlite.snapshot.keys.values()} >= {"a"}
        owner.post(f"/api/keys/{made['key']['id']}/disable")
        assert "a" not in {principal.key for principal in on_sqlite.snapshot.keys.values()}


@pytest.mark.parametrize("fails", [StoreUnavailable("gone: secret-host"), StoreError("broken: secret-host")])
def test_a_database_that_is_away_says_so_and_no_more(fails: StoreError) -> None:
    from headgate.control.failures import render
    from headgate.control.store_failures import as_answer

    reply = render(as_answer(fails))
    assert reply.status_code == (503 if isinstance(fails, StoreUnavailable) else 500)
    assert b"secret-host" not in reply.body
    assert (reply.headers.get("retry-after") == "1") == (reply.status_code == 503)


def test_an_outage_of_the_database_is_a_503_and_over_when_it_is_back(tmp_path: Path) -> None:
    with Postgres() as server:
        store = open_store(server.make_database(), data_dir=tmp_path / "data", env={})
        with serving(store, tmp_path) as served, served.as_owner() as owner:
            assert owner.get("/api/keys").status_code == 200
            server.stop()
            away = owner.get("/api/keys")
            assert (away.status_code, error_of(away)["code"]) == (503, "store_unavailable")
            assert away.headers["retry-after"] == "1"
            server.start()
            assert owner.get("/api/keys").status_code == 200
        store.close()


def test_limits_may_be_as_large_as_in_the_document(on_sqlite: Served) -> None:
    limits = {"rpm": 10**12, "tpm": 10**12, "concurrent": 10**9}
    with on_sqlite.as_owner() as owner:
        reply = owner.post("/api/keys", json={"name": "a", "limits": limits})
    assert (reply.status_code, reply.json()["key"]["limits"]) == (201, limits)


@pytest.mark.parametrize(
    ("body", "named"),
    [
        (b'{"name": "a", "name": "b"}', "name"),
        (b'{"name": "a", "limits": {"rpm": 1, "tpm": 2, "rpm": 3}}', "rpm"),
        (b'{"name": "a", "budgets": [{"usd": "1", "per": "day", "usd": "2"}]}', "usd"),
    ],
)
def test_a_body_that_names_a_field_twice_is_refused(on_sqlite: Served, body: bytes, named: str) -> None:
    with on_sqlite.as_owner() as owner:
        reply = owner.post("/api/keys", content=body, headers={"content-type": "application/json"})
        keys = owner.get("/api/keys", params={"source": "store"}).json()["data"]
    assert (reply.status_code, error_of(reply)["param"], keys) == (400, named, [])
    assert "twice" in str(error_of(reply)["message"])
