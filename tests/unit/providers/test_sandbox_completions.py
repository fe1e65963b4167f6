"""The sandbox serves text completions."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.providers.sandbox_calls import events, refusal, reply


@pytest.mark.parametrize("prompt", ["Once upon a time", ["Once upon a time"], [11, 12], [[11, 12]]])
def test_text_completion_has_the_shape_of_openai(prompt: Any) -> None:
    got = reply("completion", prompt=prompt)
    assert got["object"] == "text_completion"
    assert got["id"].startswith("cmpl-")
    [choice] = got["choices"]
    assert set(choice) == {"index", "text", "logprobs", "finish_reason"}
    assert ("11 12" if isinstance(prompt[0], int | list) else "Once upon a time") in choice["text"]
    assert got["usage"]["total_tokens"] > 0


def test_text_completion_streams_what_it_says_and_usage_when_asked() -> None:
    *chunks, last = events("completion", prompt="Hi", stream_options={"include_usage": True})
    assert (
        "".join(chunk["choices"][0]["text"] for chunk in chunks)
        == reply("completion", prompt="Hi")["choices"][0]["text"]
    )
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"
    assert last["choices"] == []
    assert last["usage"]["completion_tokens"] > 0


def test_text_completion_echoes_the_prompt_and_numbers_prompts_and_choices() -> None:
    choices = reply("completion", prompt=["One.", "Two."], n=2, echo=True, logprobs=2)["choices"]
    assert [choice["index"] for choice in choices] == [0, 1, 2, 3]
    assert [choice["text"][:4] for choice in choices] == ["One.", "One.", "Two.", "Two."]
    logprobs = choices[0]["logprobs"]
    assert "".join(logprobs["tokens"]) == choices[0]["text"]
    assert len(logprobs["tokens"]) == len(logprobs["token_logprobs"]) == len(logprobs["text_offset"])
    assert logprobs["text_offset"][1] == len(logprobs["tokens"][0])


@pytest.mark.parametrize(("prompt", "param"), [([], "prompt"), (5, "prompt"), (["a"] * 17, "n"), ([1, "a"], "prompt")])
def test_malformed_completion_is_refused(prompt: Any, param: str) -> None:
    assert refusal("completion", prompt=prompt)["param"] == param
