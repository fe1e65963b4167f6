"""`headgate drill`: outages of each target, by the gateway that serves clients, without a provider."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from headgate.cli.drill_clock import LeapingLoop
from tests.unit.cli.verbs import Verbs

DOCUMENT = """\
providers:
  near: {dialect: openai, base_url: "http://127.0.0.1:9/v1", api_key: a-secret-of-near, models: [
    {id: a, model: llama, input_usd_per_mtok: "1", output_usd_per_mtok: "2"}]}
  far: {dialect: openai, base_url: "http://127.0.0.1:9/v1", models: [
    {id: b, model: llama, input_usd_per_mtok: "3", output_usd_per_mtok: "8"},
    {id: vectors, kind: embedding}]}
models:
  pair: {targets: [near/a], fallback: [far/b]}
  alone: {targets: [near/a]}
  quick: {targets: [near/a], fallback: [far/b], timeouts: {first_token_s: 3}}
  stubborn: {targets: [near/a], fallback: [far/b], retries: 0}
  vectors: {targets: [far/vectors]}
"""


@pytest.fixture
def documented(verbs: Verbs) -> Verbs:
    verbs.write(DOCUMENT)
    return verbs


def cases(drill: dict[str, Any], fails: str, fault: str) -> dict[str, dict[str, Any]]:
    """What was seen of one outage, as JSON and as a stream."""
    return {
        "stream" if one["stream"] else "json": one["seen"]
        for one in drill["cases"]
        if (one["fails"], one["fault"]) == (fails, fault)
    }


def test_a_fallback_survives_every_outage_of_one_target(documented: Verbs) -> None:
    told = documented.gives("drill", "pair")
    [drill] = told["drills"]
    assert told["survived"] is True
    assert drill["targets"] == ["near/a", "far/b"]
    assert len(drill["cases"]) == 2 * 8 * 2 + 2
    assert {one["seen"]["answered_by"] for one in drill["cases"] if one["fails"] == "far/b"} == {"near/a"}
    quota = cases(drill, "near/a", "quota")["json"]
    assert (quota["status"], quota["answered_by"], quota["asked"]) == (200, "far/b", ["near/a", "far/b"])
    cut = cases(drill, "near/a", "cut")
    assert (cut["json"]["recovered"], cut["stream"]["recovered"]) == (None, "restart")


def test_when_all_fail_the_error_is_told_and_does_not_count(documented: Verbs) -> None:
    [drill] = documented.gives("drill", "pair")["drills"]
    seen = cases(drill, "every target", "500")
    assert {(one["status"], one["error"], one["attempts"]) for one in seen.values()} == {(502, "upstream_error", 4)}
    assert {one["answered_by"] for one in seen.values()} == {None}


def test_without_another_target_the_outage_reaches_the_client_and_the_way_out_is_said(documented: Verbs) -> None:
    ended = documented.run("drill", "alone")
    assert ended.returncode == 1
    assert "add a second target or a `fallback`" in ended.stdout
    assert "429 rate_limit_exceeded" in ended.stdout
    assert "200, then broken_stream" in ended.stdout


def test_the_clocks_and_retries_are_the_route_s_own(documented: Verbs) -> None:
    [pair] = documented.gives("drill", "pair")["drills"]
    [quick] = documented.gives("drill", "quick")["drills"]
    slow, soon = (cases(one, "near/a", "hang")["stream"]["time_s"] for one in (pair, quick))
    assert slow - soon == pytest.approx(12.0)
    [stubborn] = documented.gives("drill", "stubborn")["drills"]
    assert cases(pair, "near/a", "500")["json"]["attempts"] == 3
    assert cases(stubborn, "near/a", "500")["json"]["attempts"] == 2


def test_without_a_name_every_route_is_rehearsed_and_each_as_what_it_serves(documented: Verbs) -> None:
    ended = documented.run("drill")
    assert ended.returncode == 1
    for name in ("pair: near/a, far/b", "alone: near/a", "vectors: far/vectors"):
        assert name in ended.stdout.splitlines()
    assert "32 of 32 survived" in ended.stdout
    assert "a-secret-of-near" not in ended.stdout


def test_a_model_that_is_no_route_is_rehearsed_too(documented: Verbs) -> None:
    [drill] = documented.gives("drill", "llama")["drills"]
    assert drill["targets"] == ["near/a", "far/b"]


def test_an_unknown_name_names_the_nearest(documented: Verbs) -> None:
    [line] = documented.refuses("drill", "pari")
    assert "pair" in line


def test_a_document_that_is_broken_or_without_routes_is_told(documented: Verbs) -> None:
    documented.write("models: {fast: {targets: [nobody/x]}}")
    assert any("nobody" in line for line in documented.refuses("drill"))
    documented.write("providers: {sandbox: {}}")
    [line] = documented.refuses("drill")
    assert "name a model" in line


def test_a_loop_that_leaps_keeps_the_order_of_what_is_due_and_waits_for_nothing_for_ever() -> None:
    heard: list[str] = []

    async def say(word: str, after_s: float) -> None:
        await asyncio.sleep(after_s)
        heard.append(word)

    async def talk() -> float:
        loop = asyncio.get_running_loop()
        began = loop.time()
        await asyncio.gather(say("late", 3600.0), say("soon", 60.0))
        return loop.time() - began

    with asyncio.Runner(loop_factory=LeapingLoop) as runner:
        assert runner.run(talk()) == pytest.approx(3600.0)
    assert heard == ["soon", "late"]


WORKSPACES = """\
providers:
  near: {dialect: openai, base_url: "http://127.0.0.1:9/v1", models: [{id: a}]}
  far: {dialect: openai, base_url: "http://127.0.0.1:9/v1", models: [{id: b}], workspaces: [team2]}
models:
  ours: {targets: [near/a]}
  theirs: {targets: [far/b], workspaces: [team2]}
"""


def told(verbs: Verbs, *arguments: str) -> Any:
    ended = verbs.run(*arguments, "--json")
    assert ended.returncode == 1, ended.stderr
    return json.loads(ended.stdout)["drills"]


def test_the_routes_of_every_workspace_are_rehearsed(verbs: Verbs) -> None:
    verbs.write(WORKSPACES)
    drills = told(verbs, "drill")
    assert [(one["workspace"], one["model"]) for one in drills] == [("default", "ours"), ("team2", "theirs")]
    [drill] = told(verbs, "drill", "theirs")
    assert (drill["workspace"], drill["targets"]) == ("team2", ["far/b"])
    assert "theirs of the workspace team2: far/b" in verbs.run("drill", "theirs").stdout
