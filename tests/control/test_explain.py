"""POST /api/explain: who would serve a request, by the facts of the running gateway."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from headgate.control.context import Control
from headgate.types.deployment import Candidate
from headgate.types.fault import FaultClass
from headgate.types.policy import HealthPolicy
from headgate.types.snapshot import Snapshot
from tests.control.served import Served

TINY = "mybox/tiny"


def asked(served: Served, body: dict[str, Any], token: str | None = None, **query: str) -> httpx.Response:
    with served.as_owner() if token is None else served.client(token) as client:
        return client.post("/api/explain", json=body, params=query)


def told(served: Served, body: dict[str, Any], **query: str) -> dict[str, Any]:
    reply = asked(served, body, **query)
    assert reply.status_code == 200, reply.text
    plan: dict[str, Any] = reply.json()
    return plan


def error(reply: httpx.Response, status: int) -> dict[str, Any]:
    assert reply.status_code == status, reply.text
    found: dict[str, Any] = reply.json()["error"]
    return found


def control_of(served: Served) -> Control:
    control: Control = served.app.state.control
    return control


def see(served: Served, snapshot: Snapshot, first_token_s: float, total_s: float, tokens: int) -> None:
    """An answer of the only model that was served a moment ago."""
    control = control_of(served)
    [deployment] = snapshot.pins["mybox"]["tiny"]
    control.observed.of(deployment).answered(first_token_s, total_s, tokens, control.clock())


def test_a_viewer_is_told_candidates_with_cost_and_prices(on_sqlite: Served) -> None:
    reply = asked(on_sqlite, {"model": "fast", "context": 2000, "output": 100}, on_sqlite.token("viewer"))
    plan = reply.json()
    assert plan["policy"] == "cheapest"
    [one] = plan["candidates"]
    assert (one["deployment"], one["provider"], one["upstream_id"]) == (TINY, "mybox", "tiny")
    # 2,000 tokens at 0.1 and 100 at 0.2 dollars a million.
    assert one["expected_cost_pusd"] == 220_000_000
    assert (one["input_usd_per_mtok"], one["output_usd_per_mtok"]) == ("0.1", "0.2")
    assert (one["expected_time_s"], one["health"]) == (None, "unknown")
    assert plan["dropped"] == []
    assert plan["advice"] is None


def test_what_traffic_has_taught_is_in_the_figures(on_sqlite: Served) -> None:
    see(on_sqlite, on_sqlite.snapshot, 0.5, 2.5, 200)
    [one] = told(on_sqlite, {"model": TINY, "output": 100})["candidates"]
    # Half a second, and 10 ms for each of 100 tokens.
    assert (one["expected_time_s"], one["health"]) == (1.5, "healthy")


def test_a_candidate_that_sits_out_says_so_and_why(on_sqlite: Served) -> None:
    control = control_of(on_sqlite)
    [deployment] = on_sqlite.snapshot.pins["mybox"]["tiny"]
    policy = HealthPolicy(failures=1)
    permit = control.health.begin(Candidate(deployment, "tiny"), control.clock(), policy)
    assert permit is not None
    control.health.failed(permit, FaultClass.QUOTA_EXHAUSTED, control.clock(), policy, 0.5)
    [one] = told(on_sqlite, {"model": TINY})["candidates"]
    assert one["health"] == "parked_credential"
    assert "has used up its quota, next try in " in one["health_why"]


def test_the_learned_length_of_a_key_s_answers_counts_for_that_key(on_sqlite: Served) -> None:
    for _ in range(6):
        now = control_of(on_sqlite).clock()
        control_of(on_sqlite).observed.answered("document:written", TINY, "tiny", 0, 0, 40, now)
    [plain] = told(on_sqlite, {"model": TINY, "context": 0})["candidates"]
    [keyed] = told(on_sqlite, {"model": TINY, "context": 0, "key": "written"})["candidates"]
    assert plain["expected_cost_pusd"] == 500 * 200_000
    assert keyed["expected_cost_pusd"] == 40 * 200_000
    by_id = told(on_sqlite, {"model": TINY, "context": 0, "key": "document:written"})
    assert by_id["candidates"] == [keyed]


def test_a_key_that_may_not_use_the_model_is_told_so_for_each_deployment(on_sqlite: Served) -> None:
    with on_sqlite.as_owner() as owner:
        owner.post("/api/keys", json={"name": "narrow", "models": ["fast"]})
    plan = told(on_sqlite, {"model": TINY, "key": "narrow"})
    assert plan["candidates"] == []
    assert plan["dropped"] == [{"deployment": TINY, "reason": f"the key 'narrow' may not use '{TINY}'"}]
    assert plan["advice"] == f"nobody is asked: the key 'narrow' may not use '{TINY}'"
    assert told(on_sqlite, {"model": "fast", "key": "narrow"})["candidates"]


def test_a_key_s_policy_counts_unless_the_question_names_one(on_sqlite: Served) -> None:
    with on_sqlite.as_owner() as owner:
        owner.post("/api/keys", json={"name": "quick", "policy": "fastest"})
    assert told(on_sqlite, {"model": TINY, "key": "quick"})["policy"] == "fastest"
    assert told(on_sqlite, {"model": TINY, "key": "quick", "policy": "ordered"})["policy"] == "ordered"


def test_another_workspace_s_key_is_not_there_and_neither_is_a_disabled_one(on_sqlite: Served) -> None:
    foreign = asked(on_sqlite, {"model": TINY, "key": "other-written"})
    assert error(foreign, 404) == error(asked(on_sqlite, {"model": TINY, "key": "never"}), 404)
    with on_sqlite.as_owner() as owner:
        owner.post("/api/workspaces", json={"name": "other"})
    # There the key is known, and the provider, which the document means for the workspace default, is not.
    there = asked(on_sqlite, {"model": TINY, "key": "other-written"}, workspace="other")
    assert error(there, 404)["code"] == "model_not_found"
    with on_sqlite.as_owner() as owner:
        made = owner.post("/api/keys", json={"name": "gone"}).json()["key"]["id"]
        assert told(on_sqlite, {"model": TINY, "key": made})["candidates"]
        owner.post(f"/api/keys/{made}/disable")
    error(asked(on_sqlite, {"model": TINY, "key": made}), 404)


def test_a_plan_without_candidates_is_an_answer_that_says_what_is_missing(on_sqlite: Served) -> None:
    turns = [{"role": "user", "content": "hello"}]
    plan = told(on_sqlite, {"body": {"model": TINY, "messages": turns, "provider": {"only": ["elsewhere"]}}})
    assert plan["candidates"] == []
    assert plan["dropped"] == [{"deployment": TINY, "reason": "the request wants only elsewhere"}]
    assert plan["advice"].startswith(
        f"nobody who serves {TINY!r} can do this: {TINY}: the request wants only elsewhere"
    )


def test_an_unknown_model_is_404_with_the_nearest(on_sqlite: Served) -> None:
    said = error(asked(on_sqlite, {"model": "mybox/tinny"}), 404)
    assert said["code"] == "model_not_found"
    assert "mybox/tiny" in said["message"]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "model"),
        ({"model": TINY, "schemas": True}, "schemas"),
        ({"model": TINY, "tools": "yes"}, "tools"),
        ({"model": TINY, "n": 0}, "n"),
        ({"model": TINY, "policy": "cheap"}, "policy"),
        ({"model": TINY, "context": -1}, "context"),
        ({"body": {"model": TINY}}, "body.messages"),
        ({"body": {"model": TINY, "messages": [{"role": 1}]}}, "body.messages[0].role"),
    ],
)
def test_a_question_that_makes_no_sense_names_the_field(on_sqlite: Served, body: dict[str, Any], param: str) -> None:
    assert error(asked(on_sqlite, body), 400)["param"] == param


def test_a_whole_body_says_what_it_needs(on_sqlite: Served) -> None:
    turns = [{"role": "user", "content": "x" * 4000}]
    plan = told(
        on_sqlite, {"body": {"model": TINY, "messages": turns, "tools": [{"type": "function"}], "max_tokens": 7}}
    )
    [one] = plan["candidates"]
    assert one["unsure"] == ["tools"]
    assert 1000 < plan["expected_tokens"] < 1060
    longer = told(on_sqlite, {"model": "fast", "context": 5, "body": {"messages": turns, "max_tokens": 7}})
    assert longer["expected_tokens"] == 12


def test_flags_are_the_requirements_they_stand_for(on_sqlite: Served) -> None:
    [one] = told(on_sqlite, {"model": TINY, "schema": True, "n": 3, "prefill": True})["candidates"]
    assert one["unsure"] == ["json_schema", "n", "prefill"]
