"""Answers in one piece: what must not be missing, and what may."""

from __future__ import annotations

from typing import Any

import pytest

from headgate.dialects.openai.finish import CUT_OFF, FAILED
from tests.unit.dialects.test_reply import CHAT, EMBED, TEXT, flaw_of, replied

HALF = '{"city": "Z'
WHOLE = '{"city": "Zürich"}'
PARTS: dict[str, Any] = {
    "words": {"content": "hi"},
    "parts": {"content": [{"type": "text", "text": "hi"}]},
    "thoughts": {"content": None, "reasoning_content": "hm"},
    "thoughts by another name": {"content": "", "reasoning": "hm"},
    "sealed thoughts": {"content": "", "reasoning_details": [{"type": "reasoning.encrypted", "data": "x"}]},
    "a refusal": {"content": None, "refusal": "no"},
    "a call": {"content": None, "tool_calls": [{"function": {"name": "f", "arguments": "{}"}}]},
    "a call of old": {"content": None, "function_call": {"name": "f", "arguments": "{}"}},
    "sound": {"content": None, "audio": {"id": "a", "data": "AA"}},
    "an image": {"content": "", "images": [{"type": "image_url", "image_url": {"url": "data:,"}}]},
}
NOTHING: list[Any] = [
    {},
    {"role": "assistant"},
    {"content": None},
    {"content": ""},
    {"content": []},
    {"content": "", "tool_calls": [], "function_call": None, "refusal": None, "reasoning": "", "audio": {}},
]


def said(message: Any, reason: Any = "stop") -> dict[str, Any]:
    return {"choices": [{"index": 0, "message": message, "finish_reason": reason}]}


def called(arguments: Any, reason: str = "tool_calls") -> dict[str, Any]:
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": arguments}}
    return said({"content": None, "tool_calls": [call]}, reason)


def written(*texts: Any, reason: Any = "stop") -> dict[str, Any]:
    return {"choices": [{"index": at, "text": text, "finish_reason": reason} for at, text in enumerate(texts)]}


def placed(*indexes: Any) -> dict[str, Any]:
    """Embeddings with these indexes, None for one without."""
    return {"data": [{"embedding": [0.5]} | ({} if at is None else {"index": at}) for at in indexes]}


# Finish reasons


@pytest.mark.parametrize("reason", sorted(FAILED))
def test_an_answer_that_the_provider_broke_off_is_none(reason: str) -> None:
    assert flaw_of(said({"content": "half of"}, reason)) == "broke off with an error"
    assert flaw_of(written("half of", reason=reason), TEXT) == "broke off with an error"


def test_an_answer_without_a_finish_reason_is_not_finished() -> None:
    for body, operation in (
        (said({"content": "half of"}, None), CHAT),
        ({"choices": [{"message": {"content": "half of"}}]}, CHAT),
        ({"choices": [*said({"content": "one"})["choices"], *said({"content": "half of"}, None)["choices"]]}, CHAT),
        (written("half of", reason=None), TEXT),
    ):
        assert flaw_of(body, operation) == "holds an answer without a finish reason"


@pytest.mark.parametrize("reason", ["", "stop", "eos", "length", "content_filter", "a reason of its own"])
def test_any_other_reason_ends_an_answer_an_empty_one_too(reason: str) -> None:
    assert flaw_of(said({"content": "hi"}, reason)) is None
    assert flaw_of(written("hi", reason=reason), TEXT) is None


# What is said


def test_a_choice_has_a_message_or_a_text() -> None:
    for choice in ({}, {"finish_reason": "stop"}, {"finish_reason": "stop", "message": None}):
        assert flaw_of({"choices": [choice]}) == "holds a choice without a message"
    for choice in ({}, {"finish_reason": "stop"}, {"finish_reason": "stop", "text": None}):
        assert flaw_of({"choices": [choice]}, TEXT) == "holds a choice without a text"


@pytest.mark.parametrize("message", NOTHING)
@pytest.mark.parametrize("reason", ["stop", "tool_calls", ""])
def test_an_answer_that_says_nothing_and_is_called_complete_is_none(message: Any, reason: str) -> None:
    assert flaw_of(said(message, reason)) == "is an empty answer"


@pytest.mark.parametrize("reason", [*sorted(CUT_OFF), "content_filter: PROHIBITED_CONTENT"])
def test_nothing_is_honest_where_the_reason_says_why(reason: str) -> None:
    for message in NOTHING:
        assert flaw_of(said(message, reason)) is None


@pytest.mark.parametrize("name", PARTS)
def test_whatever_is_said_is_an_answer(name: str) -> None:
    reply = replied(said(PARTS[name]))
    assert reply.failure is None
    assert reply.says is (name not in ("sound", "an image"))


def test_one_of_several_choices_may_say_nothing() -> None:
    assert flaw_of({"choices": [*said({"content": ""})["choices"], *said({"content": "hi"})["choices"]]}) is None


def test_who_sets_stop_words_may_be_answered_with_nothing() -> None:
    assert flaw_of(said({"content": ""}), stop=["\n"]) is None
    unset: list[Any] = [None, [], ""]
    for none in unset:
        assert flaw_of(said({"content": ""}), stop=none) == "is an empty answer"


def test_a_text_of_nothing_is_a_completion() -> None:
    reply = replied(written(""), TEXT, suffix="}")
    assert (reply.failure, reply.says) == (None, False)
    assert replied(written("", "x"), TEXT).says


# Tools


@pytest.mark.parametrize("reason", ["tool_calls", "stop", ""])
def test_half_the_arguments_of_a_call_are_no_answer(reason: str) -> None:
    flaw = "holds a tool call whose arguments are not whole"
    assert flaw_of(called(HALF, reason)) == flaw
    assert flaw_of(said({"function_call": {"name": "f", "arguments": HALF}}, reason)) == flaw
    both = [{"function": {"name": "f", "arguments": arguments}} for arguments in (WHOLE, HALF)]
    assert flaw_of(said({"content": "Let me look.", "tool_calls": both}, reason)) == flaw


@pytest.mark.parametrize("reason", sorted(CUT_OFF))
def test_half_the_arguments_are_honest_where_the_reason_says_that_they_were_cut(reason: str) -> None:
    assert flaw_of(called(HALF, reason)) is None


@pytest.mark.parametrize("arguments", [WHOLE, "{}", "", "  ", "null", None, {"city": "Zürich"}, [], 5])
def test_whole_arguments_are_any_json_nothing_or_a_value_instead_of_text(arguments: Any) -> None:
    assert flaw_of(called(arguments)) is None


@pytest.mark.parametrize(
    "calls",
    [
        [{"type": "custom", "custom": {"name": "sh", "input": "{ls"}}],
        [{"function": None}],
        [{"function": {"name": "f"}}],
        {"function": {"arguments": HALF}},
        [HALF],
    ],
)
def test_calls_of_another_make_are_not_judged(calls: Any) -> None:
    assert flaw_of(said({"tool_calls": calls}, "tool_calls")) is None


# How many


def test_fewer_choices_than_n_are_an_answer() -> None:
    assert flaw_of(said({"content": "hi"}), n=3) is None
    assert flaw_of(written("hi"), TEXT, n=3) is None


@pytest.mark.parametrize(
    ("prompt", "fewest"),
    [("hi", 1), (["hi"], 1), (["hi", "ho", "hey"], 3), ([[1, 2], [3]], 2), ([1, 2, 3], 1), ([], 1), (None, 1)],
)
def test_every_prompt_is_answered(prompt: Any, fewest: int) -> None:
    assert flaw_of(written(*["x"] * fewest), TEXT, prompt=prompt) is None
    assert flaw_of(written(*["x"] * (2 * fewest)), TEXT, prompt=prompt, n=2) is None
    if fewest > 1:
        few = written(*["x"] * (fewest - 1))
        assert flaw_of(few, TEXT, prompt=prompt) == "holds fewer answers than there were prompts"


@pytest.mark.parametrize(("asked", "fewest"), [("hi", 1), (["hi", "ho", "hey"], 3), ([[1, 2], [3]], 2), ([1, 2, 3], 1)])
def test_every_input_has_its_embedding(asked: Any, fewest: int) -> None:
    assert flaw_of(placed(*range(fewest)), EMBED, input=asked) is None
    if fewest > 1:
        few = placed(*range(fewest - 1))
        assert flaw_of(few, EMBED, input=asked) == "holds fewer embeddings than there were inputs"


@pytest.mark.parametrize("item", [{}, {"index": 0}, {"embedding": None}, {"embedding": []}, {"embedding": ""}])
def test_an_item_without_an_embedding_is_no_answer(item: Any) -> None:
    assert flaw_of({"data": [item]}, EMBED) == "holds an item without an embedding"
    assert flaw_of({"data": [{"embedding": "AAAA"}, item]}, EMBED)
    assert flaw_of({"data": [{"embedding": [0.5]}, None]}, EMBED) == "is not a whole JSON answer"


@pytest.mark.parametrize("indexes", [(0, 0), (1, 1), (1, 2), (None, 0), (0, -1)])
def test_two_embeddings_of_one_input_leave_another_without(indexes: Any) -> None:
    flaw = flaw_of(placed(*indexes), EMBED, input=["hi", "ho"])
    assert flaw == "holds several embeddings for one input, and none for another"


@pytest.mark.parametrize("indexes", [(0, 1), (1, 0), (None, None), (None, 1), (0.0, 1.0), (0, 1, 2)])
def test_embeddings_come_in_any_order_and_without_an_index_in_that_of_the_inputs(indexes: Any) -> None:
    assert flaw_of(placed(*indexes), EMBED, input=["hi", "ho"]) is None


def test_the_index_of_the_only_embedding_says_nothing() -> None:
    assert flaw_of(placed(3), EMBED) is None
