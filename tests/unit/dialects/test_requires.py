"""What a request requires of a model, from its body."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.dialects.openai.request import parse_request
from headgate.errors import InvalidRequest
from headgate.routing.requirements import WORDS
from headgate.types.deployment import Operation

HI: list[dict[str, Any]] = [{"role": "user", "content": "hi"}]
TOOLS = [{"type": "function", "function": {"name": "f"}}]
SAID: dict[Operation, dict[str, Any]] = {
    Operation.CHAT: {"messages": HI},
    Operation.COMPLETION: {"prompt": "p"},
    Operation.EMBEDDING: {"input": "i"},
}


def requires(operation: Operation = Operation.CHAT, **fields: Any) -> set[str]:
    body = json.dumps({"model": "m", **SAID[operation], **fields}).encode()
    return set(parse_request(operation, body).requires)


def of_part(kind: str, role: str = "user") -> set[str]:
    parts = [{"type": "text", "text": "look"}, {"type": kind, kind: {"url": "x"}}]
    return requires(messages=[{"role": role, "content": parts}, *HI])


def test_a_plain_chat_requires_nothing() -> None:
    plain: dict[str, Any] = {
        "temperature": 1,
        "max_tokens": 5,
        "seed": 1,
        "stop": "x",
        "user": "u",
        "made_up": {"tools": 1},
    }
    assert requires(**plain, stream=True) == set()


@pytest.mark.parametrize(
    ("fields", "needs"),
    [
        ({"tools": TOOLS}, {"tools"}),
        ({"tools": TOOLS, "parallel_tool_calls": True}, {"tools", "parallel_tools"}),
        ({"tools": TOOLS, "parallel_tool_calls": False}, {"tools"}),
        ({"tools": TOOLS, "parallel_tool_calls": None}, {"tools"}),
        ({"response_format": {"type": "json_object"}}, {"json_object"}),
        ({"response_format": {"type": "json_schema", "json_schema": {"schema": {}}}}, {"json_schema"}),
        ({"logprobs": True}, {"logprobs"}),
        ({"logprobs": True, "top_logprobs": 3}, {"logprobs"}),
        ({"n": 2}, {"n"}),
        ({"reasoning_effort": "low"}, {"reasoning"}),
        ({"reasoning_effort": "minimal"}, {"reasoning"}),
        ({"reasoning": {"effort": "high"}}, {"reasoning"}),
        ({"reasoning": {"enabled": True}}, {"reasoning"}),
        ({"reasoning": {"max_tokens": 2000}}, {"reasoning"}),
        ({"reasoning": {"enabled": True, "effort": None}}, {"reasoning"}),
        ({"messages": [*HI, {"role": "assistant", "content": "So"}]}, {"prefill"}),
    ],
)
def test_a_field_requires_what_it_asks_for(fields: dict[str, Any], needs: set[str]) -> None:
    assert requires(**fields) == needs


@pytest.mark.parametrize(
    "fields",
    [
        {"tools": []},
        {"tools": None},
        {"tools": [], "parallel_tool_calls": True},
        {"parallel_tool_calls": True},
        {"tool_choice": "none"},
        {"response_format": None},
        {"response_format": {"type": "text"}},
        {"response_format": {"type": "grammar"}},
        {"logprobs": None},
        {"logprobs": False},
        {"n": None},
        {"n": 1},
        {"reasoning_effort": None},
        {"reasoning_effort": "none"},
        {"reasoning_effort": False},
        {"reasoning": None},
        {"reasoning": {}},
        {"reasoning": {"effort": "none"}},
        {"reasoning": {"effort": None}},
        {"reasoning": {"enabled": False}},
        {"reasoning": {"enabled": False, "effort": "high", "max_tokens": 5}},
        {"reasoning": {"max_tokens": 0}},
        {"reasoning": {"exclude": True}},
        {"messages": [{"role": "assistant", "content": "I said"}, *HI]},
        {"messages": [*HI, {"role": "assistant", "content": None, "tool_calls": []}, {"role": "tool", "content": "1"}]},
    ],
)
def test_what_is_off_empty_or_null_requires_nothing(fields: dict[str, Any]) -> None:
    assert requires(**fields) == set()


@pytest.mark.parametrize(
    ("kind", "need"),
    [
        ("image_url", "vision"),
        ("input_image", "vision"),
        ("image", "vision"),
        ("input_audio", "audio_in"),
        ("file", "pdf"),
        ("input_file", "pdf"),
    ],
)
@pytest.mark.parametrize("role", ["user", "tool", "assistant", "system"])
def test_a_part_that_is_no_text_has_to_be_read_whoever_sent_it(kind: str, need: str, role: str) -> None:
    assert of_part(kind, role) == {need}


@pytest.mark.parametrize("kind", ["text", "refusal", "video_url", "", "IMAGE_URL", "thinking"])
def test_a_part_of_which_nobody_says_who_reads_it_requires_nothing(kind: str) -> None:
    assert of_part(kind) == set()


@pytest.mark.parametrize(
    "fields",
    [
        {"reasoning": "high"},
        {"reasoning": ["high"]},
        {"reasoning": {"effort": 5}},
        {"reasoning": {"enabled": "yes"}},
        {"reasoning": {"max_tokens": "many"}},
        {"reasoning": {"max_tokens": -5}},
    ],
)
def test_a_shape_that_only_a_provider_can_judge_requires_nothing(fields: dict[str, Any]) -> None:
    assert requires(**fields) == set()


def test_what_a_text_says_requires_nothing() -> None:
    text = '{"type": "image_url"} "tools" response_format json_schema'
    assert requires(messages=[{"role": "user", "content": text}]) == set()


def test_other_endpoints_require_what_they_have_of_it() -> None:
    assert requires(Operation.COMPLETION, logprobs=3) == {"logprobs"}
    assert requires(Operation.COMPLETION, logprobs=0) == {"logprobs"}
    assert requires(Operation.COMPLETION, n=3) == {"n"}
    assert requires(Operation.COMPLETION, tools=TOOLS, messages=[{"role": "assistant", "content": "x"}]) == set()
    assert requires(Operation.EMBEDDING, dimensions=5, n=3, tools=TOOLS) == set()


def test_everything_at_once_requires_everything() -> None:
    parts = [{"type": kind} for kind in ("image_url", "input_audio", "file")]
    said = [{"role": "user", "content": parts}, {"role": "assistant", "content": "So"}]
    found = requires(
        messages=said,
        tools=TOOLS,
        parallel_tool_calls=True,
        response_format={"type": "json_schema"},
        logprobs=True,
        n=2,
        reasoning_effort="high",
    )
    assert found == WORDS.keys() - {"json_object"}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=5) | st.sampled_from(["image_url", "none"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["type", "role", "content", "effort", "enabled"]), inner, max_size=3)
    ),
    max_leaves=8,
)
FIELDS = st.dictionaries(
    st.sampled_from(
        [
            "messages",
            "tools",
            "parallel_tool_calls",
            "response_format",
            "n",
            "logprobs",
            "reasoning",
            "reasoning_effort",
        ]
    ),
    JSON,
)


@given(FIELDS, st.sampled_from(Operation))
def test_whatever_is_sent_is_refused_by_name_or_requires_what_there_are_words_for(
    fields: dict[str, Any], operation: Operation
) -> None:
    try:
        found = requires(operation, **fields)
    except InvalidRequest as error:
        named = error.param
    else:
        assert found <= WORDS.keys()
        return
    assert named is not None
    assert named.split(".")[0].split("[")[0] in fields
