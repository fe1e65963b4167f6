"""The sandbox calls the tools a request brings."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.unit.providers.sandbox_calls import AFTER_TOOL, TIME, WEATHER, events, reply, streamed_calls


def test_first_tool_is_called_with_arguments_of_its_schema() -> None:
    got = reply(tools=[WEATHER, TIME])["choices"][0]
    assert got["finish_reason"] == "tool_calls"
    assert got["message"]["content"] is None
    [call] = got["message"]["tool_calls"]
    assert call["type"] == "function"
    assert call["function"]["name"] == "weather"
    assert json.loads(call["function"]["arguments"]) == {"city": "Lisbon", "unit": "C"}


def test_streamed_tool_call_is_a_header_and_fragments() -> None:
    chunks = events(tools=[WEATHER])
    [call] = streamed_calls(chunks)
    [whole] = reply(tools=[WEATHER])["choices"][0]["message"]["tool_calls"]
    assert (call["name"], call["arguments"]) == ("weather", whole["function"]["arguments"])
    fragments = [chunk for chunk in chunks if chunk["choices"][0]["delta"].get("tool_calls")]
    assert len(fragments) > 2
    assert fragments[0]["choices"][0]["delta"]["tool_calls"][0]["function"]["arguments"] == ""
    assert chunks[-1]["choices"][0]["finish_reason"] == "tool_calls"


@pytest.mark.parametrize(
    "choice",
    [
        {"type": "function", "function": {"name": "time"}},
        {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [TIME]}},
    ],
)
def test_named_tool_is_called_even_after_a_result(choice: Any) -> None:
    got = reply(tools=[WEATHER, TIME], tool_choice=choice, messages=AFTER_TOOL)["choices"][0]["message"]
    assert [call["function"] for call in got["tool_calls"]] == [{"name": "time", "arguments": "{}"}]


def test_tool_result_is_answered_in_text() -> None:
    message = reply(tools=[WEATHER], messages=AFTER_TOOL)["choices"][0]["message"]
    assert "tool_calls" not in message
    assert "21 degrees" in message["content"]
    forced = reply(tools=[WEATHER], tool_choice="required", messages=AFTER_TOOL)["choices"][0]
    assert forced["finish_reason"] == "tool_calls"


def test_tool_choice_none_is_answered_in_text() -> None:
    assert "tool_calls" not in reply(tools=[WEATHER], tool_choice="none")["choices"][0]["message"]


def test_parallel_model_calls_every_tool_unless_told_not_to() -> None:
    calls = streamed_calls(events(model="parallel-tools", tools=[WEATHER, TIME]))
    assert [call["name"] for call in calls] == ["weather", "time"]
    assert len({call["id"] for call in calls}) == 2
    alone = reply(model="parallel-tools", tools=[WEATHER])["choices"][0]["message"]["tool_calls"]
    assert len(alone) == 2
    one = reply(model="parallel-tools", tools=[WEATHER, TIME], parallel_tool_calls=False)
    assert len(one["choices"][0]["message"]["tool_calls"]) == 1


def test_custom_tool_is_called_with_plain_input() -> None:
    [call] = reply(tools=[{"type": "custom", "custom": {"name": "shell"}}])["choices"][0]["message"]["tool_calls"]
    assert call["type"] == "custom"
    assert call["custom"]["name"] == "shell"
    assert isinstance(call["custom"]["input"], str)


def test_token_cap_cuts_the_arguments_of_a_call() -> None:
    [choice] = reply(tools=[WEATHER], max_tokens=1)["choices"]
    assert choice["finish_reason"] == "length"
    with pytest.raises(json.JSONDecodeError):
        json.loads(choice["message"]["tool_calls"][0]["function"]["arguments"])
