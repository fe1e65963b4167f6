"""How large a request may turn out."""

from __future__ import annotations

import base64
import json
import random
import time
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
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


ESCAPED_IMAGE = rb'{"type":"image\u005furl","image\u005Furl":{"url":"https://a.example/cat.png"}}'
HIDDEN = {
    "an image": (ESCAPED_IMAGE, IMAGE_TOKENS),
    "a type": (rb'{"\u0074ype":"image_url","image_url":{"url":"https://a.example/cat.png"}}', IMAGE_TOKENS),
    "two images under a type of the server's own": (
        b'{"type":"input_image","image_url":"a"},{"type":"input_image","image_url":"b"}',
        2 * IMAGE_TOKENS,
    ),
    "a tab": (b'{"type":"video_url","video_url"\t:{"url":"a"}}', ATTACHMENT_TOKENS),
    "two spaces": (b'{"type":"video_url","video_url"  :{"url":"a"}}', ATTACHMENT_TOKENS),
    "a line break": (b'{"type":"video_url","video_url"\r\n:{"url":"a"}}', ATTACHMENT_TOKENS),
    "a video": (rb'{"type":"video_url","vide\u006f_url":{"url":"a"}}', ATTACHMENT_TOKENS),
    "a file": (rb'{"type":"file","file":{"file\u005fid":"a"}}', ATTACHMENT_TOKENS),
    "a file beside what no number is": (rb'{"type":"file","x":1e999,"file":{"file\u005fid":"a"}}', ATTACHMENT_TOKENS),
    "behind a backslash": (rb'{"type":"x\\"},' + ESCAPED_IMAGE, IMAGE_TOKENS),
}


@pytest.mark.parametrize("name", HIDDEN)
def test_no_spelling_hides_what_is_not_text(name: str) -> None:
    part, tokens = HIDDEN[name]
    body = b'{"model":"m","messages":[{"role":"user","content":[' + part + b"]}]}"
    assert input_bound(parse_request(Operation.CHAT, body)) >= tokens + len(body)


def test_slashes_and_letters_that_are_escaped_make_no_image_a_text() -> None:
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": [image(PNG + "/" * 9_000)]}]})
    plain = input_bound(parse_request(Operation.CHAT, body.encode()))
    escaped = parse_request(Operation.CHAT, body.replace("/", r"\/").encode())
    assert plain <= input_bound(escaped) <= plain + 9_100


def test_a_text_that_looks_like_an_image_stays_text_however_it_is_spelled() -> None:
    for quote in (r"\u0022", r"\"", r"\u005c\u0022", r"\u005c\""):
        text = f"\\u005f{quote}url{quote}:{quote}{PNG}{quote}"
        body = f'{{"model":"m","messages":[{{"role":"user","content":[{{"type":"text","text":"{text}"}}]}}]}}'
        assert input_bound(parse_request(Operation.CHAT, body.encode())) >= len(PNG)


def respelled(value: Any, chance: random.Random) -> str:
    """The same JSON with spaces between its parts and escapes in its strings, as chance has it."""

    def gap() -> str:
        return "".join(chance.choices(" \t\r\n", k=chance.choice((0, 0, 1, 9))))

    def quoted(text: str) -> str:
        often = chance.choice((0.0, 0.1, 1.0))
        return '"' + "".join(map(lambda one: letter(one, often), text)) + '"'

    def letter(one: str, often: float) -> str:
        if one == "/" and chance.random() < often:
            return r"\/"
        units = one.encode("utf-16-be")
        if chance.random() >= often:
            return json.dumps(one, ensure_ascii=False)[1:-1]
        code = units.hex().upper() if chance.random() < 0.5 else units.hex()
        return "".join(rf"\u{code[at : at + 4]}" for at in range(0, len(code), 4))

    if isinstance(value, dict):
        items = [f"{gap()}{quoted(name)}{gap()}:{gap()}{respelled(one, chance)}{gap()}" for name, one in value.items()]
        return "{" + ",".join(items) + "}"
    if isinstance(value, list):
        return "[" + ",".join(gap() + respelled(one, chance) + gap() for one in value) + "]"
    return quoted(value) if isinstance(value, str) else json.dumps(value)


TEXTS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=30),
    st.sampled_from(
        [
            '"image_url":',
            '"url":"data:image/png;base64,AAAA"',
            'data:image/png;base64,AA"A/+é☕',
            "https://a.example/é",
            "a\\",
        ]
    ),
)
PARTS = st.one_of(
    TEXTS.map(lambda text: {"type": "text", "text": text}),
    TEXTS.map(lambda url: {"type": "image_url", "image_url": {"url": url}}),
    TEXTS.map(lambda url: {"type": "image_url", "image_url": url}),
    TEXTS.map(lambda url: {"type": "input_image", "image_url": url}),
    TEXTS.map(lambda data: {"type": "input_audio", "input_audio": {"data": data, "format": "wav"}}),
    TEXTS.map(lambda data: {"type": "input_audio", "input_audio": {"format": "wav", "data": data}}),
    TEXTS.map(lambda url: {"type": "video_url", "video_url": {"url": url}}),
    TEXTS.map(lambda file_id: {"type": "file", "file": {"file_id": file_id}}),
    st.dictionaries(st.sampled_from(["type", "url", "data", "file_id", "image_url", "video_url"]), TEXTS).map(
        lambda part: {"type": "x"} | part
    ),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(PARTS, min_size=1, max_size=4), st.integers(0, 2**32))
def test_no_spelling_of_the_same_messages_has_a_lower_bound(parts: list[Any], seed: int) -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": parts}]}
    shortest = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    other = respelled(body, random.Random(seed))
    assert json.loads(other) == body
    bound = input_bound(parse_request(Operation.CHAT, shortest.encode()))
    assert input_bound(parse_request(Operation.CHAT, other.encode())) >= bound


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
        ({"max_completion_tokens": 1, "max_tokens": 10**6}, None, 10**6),
        ({"max_completion_tokens": 1, "best_of": 1000}, None, 1000),
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


def test_a_count_with_a_decimal_point_is_that_count() -> None:
    envelope = msgspec.structs.replace(chat("hi", max_tokens=1), fields={"best_of": msgspec.Raw(b"1000.0")})
    assert output_bound(envelope, offer()) == 1000


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
