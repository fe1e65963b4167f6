"""What is booked of an answer in one piece: the provider's word, unless it cannot be true."""

from __future__ import annotations

import json
from typing import Any

import pytest

from headgate.catalog.estimate import input_estimate
from headgate.dialects.openai.reply import read_reply
from headgate.gateway.counted import counted
from headgate.types.deployment import Operation
from headgate.types.usage import Usage
from tests.unit.dialects.test_reply import CHAT, EMBED, TEXT, asked

WORDS = "many words " * 100
CHOICES: dict[str, Any] = {"choices": [{"message": {"content": WORDS}, "text": WORDS, "finish_reason": "stop"}]}
VECTORS: dict[str, Any] = {"data": [{"embedding": [0.1] * 500}]}


def usage_of(body: dict[str, Any], operation: Operation = CHAT, **told: int) -> Usage:
    envelope, whole = asked(operation), json.dumps(body | ({"usage": told} if told else {})).encode()
    reply = read_reply(envelope, whole)
    assert reply.failure is None
    return counted(envelope, whole, reply)


def test_what_a_provider_reports_is_not_touched_where_it_can_be_true() -> None:
    assert usage_of(CHOICES, prompt_tokens=1, completion_tokens=1) == Usage(input=1, output=1)
    assert usage_of(CHOICES, TEXT, prompt_tokens=0, completion_tokens=1) == Usage(output=1)
    assert usage_of(VECTORS, EMBED, prompt_tokens=1, completion_tokens=0, total_tokens=1) == Usage(input=1)


@pytest.mark.parametrize("operation", [CHAT, TEXT])
@pytest.mark.parametrize("told", [{}, {"prompt_tokens": 9}, {"prompt_tokens": 9, "completion_tokens": 0}])
def test_words_that_nobody_counted_are_counted_by_size(operation: Operation, told: dict[str, int]) -> None:
    usage = usage_of(CHOICES, operation, **told)
    assert usage.estimated
    assert 200 <= usage.output <= 700
    assert usage.input == (told.get("prompt_tokens") or input_estimate(asked(operation)))


def test_a_usage_of_zeros_is_a_guess_as_a_whole() -> None:
    zeros = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
    for operation in (CHAT, TEXT):
        usage = usage_of(CHOICES, operation, **zeros)
        assert (usage.estimated, usage.input, usage.output > 200) == (True, input_estimate(asked(operation)), True)
    assert usage_of(VECTORS, EMBED, **zeros) == Usage(input=input_estimate(asked(EMBED)), estimated=True)


def test_a_chat_of_which_nothing_was_read_is_counted_by_size() -> None:
    usage = usage_of(CHOICES, prompt_tokens=0, completion_tokens=3)
    assert usage == Usage(input=input_estimate(asked()), output=3, estimated=True)


def test_where_nothing_is_said_nothing_need_have_been_written() -> None:
    silent = {"choices": [{"message": {"content": ""}, "text": "", "finish_reason": "length"}]}
    seen = {"choices": [{"message": {"images": [{"url": "x" * 5000}]}, "finish_reason": "stop"}]}
    assert usage_of(silent, prompt_tokens=9, completion_tokens=0) == Usage(input=9)
    assert usage_of(silent, TEXT, prompt_tokens=9, completion_tokens=0) == Usage(input=9)
    assert usage_of(seen, prompt_tokens=9, completion_tokens=0) == Usage(input=9)
