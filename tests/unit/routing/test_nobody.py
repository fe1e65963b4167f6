"""What a client is told when nobody can serve its request."""

from __future__ import annotations

import functools
import json
from typing import Any

import pytest

from headgate.dialects.openai.request import parse_request
from headgate.errors import InvalidRequest
from headgate.routing.nobody import nobody_can
from headgate.routing.observed import Observed
from headgate.routing.planner import Planner, extent_of
from headgate.types.deployment import Operation
from headgate.types.principal import Principal
from headgate.types.snapshot import Snapshot
from tests.surface.gateway import snapshot_of
from tests.unit.routing.snapshots import even

DOCUMENT = """
providers:
  plain: {dialect: openai, base_url: "http://127.0.0.1:9/v1", models: [
    {id: talker-1, capabilities: [], context_tokens: 1000, max_output_tokens: 100}]}
  able: {dialect: openai, base_url: "http://127.0.0.1:9/v1", models: [
    {id: talker-1, capabilities: [], context_tokens: 1000, max_output_tokens: 100},
    {id: talker-2, capabilities: [vision, json_schema], context_tokens: 100000},
    {id: talker-22, capabilities: [tools, vision, json_schema, logprobs, n, files, prefill, reasoning]},
    {id: embedder, kind: embedding},
    {id: embeddr, kind: chat},
    {id: unsaid}]}
models:
  secret-talker: {targets: [able/talker-22]}
"""
HI = [{"role": "user", "content": "hi"}]
TOOLS = [{"type": "function", "function": {"name": "f"}}]
IMAGE = {"type": "image_url", "image_url": {"url": "https://example.invalid/a"}}
FILE = {"type": "file", "file": {"file_id": "f"}}
ANYBODY = Principal(key="k")


@functools.cache
def snapshot() -> Snapshot:
    return snapshot_of(DOCUMENT)


def refused(
    model: str = "talker-1",
    operation: Operation = Operation.CHAT,
    principal: Principal = ANYBODY,
    observed: Observed | None = None,
    within: Snapshot | None = None,
    **fields: Any,
) -> InvalidRequest:
    """The error for a request that nobody can serve."""
    said = {"messages": HI} if operation is Operation.CHAT else {}
    envelope = parse_request(operation, json.dumps({"model": model, **said, **fields}).encode())
    extent = extent_of(envelope)
    there = within or snapshot()
    made = Planner(observed or Observed(), even).plan_for(
        there, principal, envelope, extent, order=None, at=0.0, now=0.0
    )
    assert made is not None
    assert not made.candidates
    return nobody_can(there, principal, envelope, extent, made)


def parts(*said: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"role": "user", "content": list(said)}]


@pytest.mark.parametrize(
    ("fields", "param", "words"),
    [
        ({"tools": TOOLS}, "tools", "tools"),
        ({"messages": parts(IMAGE)}, "messages", "images"),
        ({"messages": parts(FILE)}, "messages", "files"),
        ({"messages": [*HI, {"role": "assistant", "content": "So"}]}, "messages", "a beginning of the answer"),
        ({"response_format": {"type": "json_schema"}}, "response_format", "JSON schemas"),
        ({"logprobs": True}, "logprobs", "logprobs"),
        ({"n": 2}, "n", "several answers"),
        ({"reasoning_effort": "high"}, "reasoning_effort", "reasoning effort"),
    ],
)
def test_a_refusal_names_the_field_what_it_needs_who_lacks_it_and_who_has_it(
    fields: dict[str, Any], param: str, words: str
) -> None:
    error = refused(**fields)
    assert (error.status, error.param, error.code) == (400, param, "unsupported_parameter")
    assert "'talker-1'" in error.message
    assert f"The request needs {words}" in error.message
    assert f"plain/talker-1: does not do {words}" in error.message
    nearest = error.message.partition("The nearest model that can serve it: ")[2]
    assert nearest.startswith("talker-2")
    assert "(able)" in nearest


def test_the_nearest_is_one_that_can_do_all_of_it() -> None:
    assert "nearest model that can serve it: talker-2 (able)" in refused(messages=parts(IMAGE)).message
    assert "nearest model that can serve it: talker-22 (able)" in refused(messages=parts(IMAGE), tools=TOOLS).message


def test_a_model_of_which_nobody_says_is_not_suggested() -> None:
    for fields in ({"tools": TOOLS}, {"n": 2}):
        assert "unsaid" not in refused(**fields).message


def test_where_no_name_is_near_the_cheapest_sure_one_is_suggested() -> None:
    market = snapshot_of("""
providers:
  p: {dialect: openai, base_url: "http://127.0.0.1:9/v1", models: [
    {id: talker-1, capabilities: []},
    {id: aaaa, capabilities: [vision], input_usd_per_mtok: "9", output_usd_per_mtok: "9"},
    {id: bbbb, capabilities: [vision]},
    {id: zzzz, capabilities: [vision], input_usd_per_mtok: "1", output_usd_per_mtok: "1"}]}
""")
    assert "can serve it: zzzz (p)" in refused(messages=parts(IMAGE), within=market).message
    capped = refused(messages=parts(IMAGE), within=market, provider={"max_price": {"prompt": 0.5}})
    assert "No model of this key's can serve it." in capped.message


def test_a_window_nobody_knows_is_no_longer_one() -> None:
    assert "unsaid" not in refused(messages=[{"role": "user", "content": "word " * 500_000}]).message
    short = snapshot_of("""
providers:
  p: {dialect: openai, base_url: "http://127.0.0.1:9/v1", models: [
    {id: talker-1, context_tokens: 1000}, {id: talker-2}]}
""")
    error = refused(messages=[{"role": "user", "content": "word " * 3_000}], within=short)
    assert error.code == "context_length_exceeded"
    assert "No model of this key's can serve it." in error.message


def test_a_price_that_is_too_high_at_this_length_is_blamed_on_the_provider_field() -> None:
    tiered = snapshot_of("""
providers:
  p: {dialect: openai, base_url: "http://127.0.0.1:9/v1", models: [
    {id: talker-1, input_usd_per_mtok: "1", output_usd_per_mtok: "1",
     tiers: [{above_tokens: 2000, input_usd_per_mtok: "9"}]}]}
""")
    error = refused(
        messages=[{"role": "user", "content": "word " * 3_000}],
        within=tiered,
        provider={"max_price": {"prompt": 5}},
    )
    assert (error.param, error.code) == ("provider", "invalid_value")
    assert "its input price is above" in error.message


def test_no_model_is_suggested_that_the_key_may_not_use() -> None:
    narrow = Principal(key="k", models=("talker-1", "talker-2"))
    error = refused(principal=narrow, tools=TOOLS)
    assert "No model of this key's can serve it." in error.message
    assert "talker-22" not in error.message
    assert "secret" not in error.message
    creator = Principal(key="k", ceiling=("talker-1", "secret-*"))
    assert "can serve it: secret-talker (able)" in refused(principal=creator, tools=TOOLS).message


def test_a_prompt_that_is_too_long_is_told_from_an_answer_that_would_be() -> None:
    error = refused(messages=[{"role": "user", "content": "word " * 10_000}])
    assert (error.param, error.code) == ("messages", "context_length_exceeded")
    assert "holds 1000 tokens" in error.message
    assert "needs a longer context window" in error.message
    assert "talker-2 (able)" in error.message
    asked: list[dict[str, Any]] = [{"max_tokens": 101}, {"max_completion_tokens": 101}]
    for fields in asked:
        error, (field,) = refused(**fields), fields
        assert (error.param, error.code) == (field, "max_tokens_too_large")
        assert "writes at most 100 tokens" in error.message
        assert "answers of up to 101 tokens" in error.message


def test_a_prompt_that_is_too_long_by_what_was_learned_is_told_so_too() -> None:
    observed = Observed()
    for _ in range(6):
        observed.answered("k", "m", "talker-1", 1_000, 1_000, 5, 0.0)
    error = refused(observed=observed, messages=[{"role": "user", "content": "x" * 2_500}])
    assert (error.param, error.code) == ("messages", "context_length_exceeded")
    assert "talker-1 (" not in error.message.partition("nearest")[2]


def test_a_completion_that_is_too_long_names_its_own_field() -> None:
    error = refused(operation=Operation.COMPLETION, prompt="word " * 10_000)
    assert (error.param, error.code) == ("prompt", "context_length_exceeded")


def test_a_model_of_another_kind_is_no_fault_of_a_field() -> None:
    error = refused("embedder")
    assert (error.param, error.code) == ("model", "unsupported_model")
    assert "a model of kind embedding cannot serve chat" in error.message
    error = refused("embeddr", Operation.EMBEDDING, input="x")
    assert (error.param, error.code) == ("model", "unsupported_model")
    assert "The nearest model that can serve it: embedder (able)" in error.message


@pytest.mark.parametrize(
    "provider",
    [
        {"only": ["nobody"]},
        {"ignore": ["plain", "able"]},
        {"order": ["nobody"], "allow_fallbacks": False},
        {"quantizations": ["int4"]},
        {"max_price": {"prompt": 1}},
    ],
)
def test_who_is_left_out_by_the_request_itself_is_blamed_on_its_provider_field(provider: dict[str, Any]) -> None:
    error = refused(provider=provider)
    assert (error.param, error.code) == ("provider", "invalid_value")
    assert "able/talker-1: " in error.message
    assert "No model of this key's can serve it." in error.message


def test_the_nearest_is_one_that_the_request_wants() -> None:
    only = {"only": ["plain"]}
    assert "No model of this key's can serve it." in refused(tools=TOOLS, provider=only).message
    assert "talker-22 (able)" in refused(tools=TOOLS, provider={"ignore": ["plain"]}).message


def test_the_models_of_a_list_count_too() -> None:
    error = refused("embedder", models=["talker-1"], tools=TOOLS)
    assert error.param == "tools"
    assert "able/embedder" in error.message
    assert "plain/talker-1" in error.message


def test_a_message_stays_short_whatever_the_client_sends() -> None:
    error = refused("plain/talker-1", n=10**300, max_tokens=10**300, provider={"only": ["x" * 200] * 100})
    assert len(error.message) < 3_000
