"""How large a request may turn out."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.catalog.estimate import (
    ATTACHMENT_TOKENS,
    DEFAULT_OUTPUT_TOKENS,
    IMAGE_TOKENS,
    TEMPLATE_TOKENS,
    TOOLS_TOKENS,
    asked_tier,
    input_bound,
    input_estimate,
    output_bound,
)
from headgate.dialects.openai.request import parse_request
from headgate.types.deployment import Offer, Operation
from headgate.types.request import Envelope

PNG = "data:image/png;base64," + base64.b64encode(b"\x89PNG" * 30_000).decode()
WAV = base64.b64encode(b"RIFF" * 16_000).decode()


def chat(*content: Any, **fields: Any) -> Envelope:
    body = {"model": "m", "messages": [{"role": "user", "content": one} for one in content]} | fields
    return parse_request(Operation.CHAT, json.dumps(body).encode())


def completion(prompt: Any, **fields: Any) -> Envelope:
    return parse_request(Operation.COMPLETION, json.dumps({"model": "m", "prompt": prompt} | fields).encode())


def offer(longest: int | None = None) -> Offer:
    return Offer(provider="p", upstream_id="m", model="m", max_output_tokens=longest)


def image(url: str, **more: Any) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url}} | more


@given(st.lists(st.text(max_size=200), min_size=1, max_size=5))
def test_no_text_has_more_tokens_than_bytes(texts: list[str]) -> None:
    envelope = chat(*texts)
    assert input_bound(envelope) >= sum(len(text.encode()) for text in texts) + TEMPLATE_TOKENS
    assert input_bound(envelope) == envelope.size + TEMPLATE_TOKENS
    assert input_estimate(envelope) == envelope.size // 4


def test_tools_bring_words_of_the_provider_with_them() -> None:
    with_tools = chat("hi", tools=[{"type": "function", "function": {"name": "f"}}])
    assert input_bound(with_tools) == with_tools.size + TEMPLATE_TOKENS + TOOLS_TOKENS


def test_an_image_by_its_address_costs_what_an_image_costs() -> None:
    picture = image("https://a.example/cat.png")
    envelope = chat([{"type": "text", "text": "what is it?"}, picture, picture])
    assert input_bound(envelope) == envelope.size + TEMPLATE_TOKENS + 2 * IMAGE_TOKENS
    assert input_estimate(envelope) == envelope.size // 4 + 2 * IMAGE_TOKENS


@pytest.mark.parametrize("picture", [image(PNG), {"type": "image_url", "image_url": PNG}])
def test_an_image_inside_the_request_is_no_text(picture: dict[str, Any]) -> None:
    envelope = chat([picture])
    assert envelope.size > 100_000
    assert IMAGE_TOKENS < input_bound(envelope) < IMAGE_TOKENS + TEMPLATE_TOKENS + 200


def test_a_text_that_looks_like_an_image_stays_text() -> None:
    disguised = '"url":"' + PNG + '"'
    for content in (disguised, PNG, [{"type": "text", "text": disguised}], [{"type": "text", "text": PNG}]):
        assert input_bound(chat(content)) >= len(PNG)


def test_a_recording_is_counted_by_its_length_in_time() -> None:
    for audio in ({"data": WAV, "format": "wav"}, {"format": "wav", "data": WAV}):
        envelope = chat([{"type": "input_audio", "input_audio": audio}])
        assert len(WAV) // 32 <= input_bound(envelope) < len(WAV) // 32 + TEMPLATE_TOKENS + 200


def test_recordings_that_are_none_never_make_a_request_smaller_than_its_text() -> None:
    empty: list[dict[str, Any]] = [{"type": "input_audio", "input_audio": {}} for _ in range(50)]
    envelope = chat([*empty, {"type": "input_audio", "input_audio": {"data": "AAAA"}}, {"type": "text", "data": WAV}])
    assert input_bound(envelope) >= len(WAV)


def test_what_only_an_id_or_an_address_is_sent_of_is_taken_as_long() -> None:
    for part in (
        {"type": "file", "file": {"file_id": "f-1"}},
        {"type": "video_url", "video_url": {"url": "https://a.example/film.mp4"}},
    ):
        assert input_bound(chat([part])) >= ATTACHMENT_TOKENS


def test_an_embedding_is_bound_by_its_bytes_and_writes_nothing() -> None:
    envelope = parse_request(Operation.EMBEDDING, b'{"model": "m", "input": ["a", "b"]}')
    assert input_bound(envelope) == envelope.size
    assert output_bound(envelope, offer(100)) == 0


@pytest.mark.parametrize(
    ("fields", "longest", "bound"),
    [
        ({}, None, DEFAULT_OUTPUT_TOKENS),
        ({}, 100, 100),
        ({"n": 3}, 100, 300),
        ({"n": 3}, None, 3 * DEFAULT_OUTPUT_TOKENS),
        ({"max_tokens": 50}, None, 50),
        ({"max_tokens": 50}, 100, 50),
        ({"max_tokens": 500}, 100, 100),
        ({"max_tokens": 50, "n": 3}, 100, 150),
        ({"max_completion_tokens": 500, "n": 3}, 100, 300),
        ({"max_tokens": 10**6}, None, 10**6),
        ({"n": None}, 100, 100),
    ],
)
def test_the_answers_are_as_many_and_as_long_as_asked_for(fields: Any, longest: int | None, bound: int) -> None:
    assert output_bound(chat("hi", **fields), offer(longest)) == bound


@pytest.mark.parametrize(
    ("prompt", "fields", "bound"),
    [
        ("a", {"max_tokens": 10}, 10),
        ("a", {"max_tokens": 10, "best_of": 5}, 50),
        ("a", {"max_tokens": 10, "best_of": 5, "n": 2}, 50),
        ("a", {"max_tokens": 10, "best_of": 1, "n": 2}, 20),
        (["a", "b", "c"], {"max_tokens": 10, "n": 2}, 60),
        ([[1, 2], [3]], {"max_tokens": 10}, 20),
        ([1, 2, 3], {"max_tokens": 10}, 10),
        ([], {"max_tokens": 10}, 10),
    ],
)
def test_a_completion_is_written_for_each_prompt_and_as_often_as_the_best_is_chosen_from(
    prompt: Any, fields: Any, bound: int
) -> None:
    assert output_bound(completion(prompt, **fields), offer(1000)) == bound


@pytest.mark.parametrize(
    ("tier", "asked"), [("priority", "priority"), ("auto", None), ("default", None), (5, None), (None, None)]
)
def test_the_tier_asked_for_is_named_unless_it_is_the_usual_one(tier: Any, asked: str | None) -> None:
    assert asked_tier(chat("hi", service_tier=tier)) == asked
    assert asked_tier(chat("hi")) is None


def test_a_request_made_to_be_slow_is_not() -> None:
    hostile = [{"type": "input_audio", "input_audio": {}}, image("data:image/")] * 20_000
    started = time.monotonic()
    input_bound(chat(hostile))
    assert time.monotonic() - started < 20
