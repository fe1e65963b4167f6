"""Models of the sandbox that misbehave do so in the way their name says, streamed or not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from headgate.providers.sandbox import FAULTS
from headgate.types.script import Ending, Script
from headgate.wire import sse
from tests.unit.providers.sandbox_calls import body_of, events, play, refusal, reply, streamed_text

STATUSES = {
    "429": 429,
    "quota": 429,
    "400": 400,
    "401": 401,
    "402": 402,
    "403": 403,
    "404": 404,
    "413": 413,
    "500": 500,
    "502": 502,
    "503": 503,
    "overloaded": 529,
    "context": 400,
}


def whole(model: str, **fields: Any) -> Any:
    """The JSON of a 200 reply that is not streamed."""
    return reply(model=model, **fields)


def payloads(script: Script) -> list[bytes]:
    """The data of every event of a stream, comments left out."""
    splitter = sse.Splitter()
    run = splitter.feed(body_of(script))
    return [data for data in map(sse.data_of, sse.split(run)) if data]


def test_every_fault_is_described_in_one_line() -> None:
    assert all(text and "\n" not in text for text in FAULTS.values())
    assert len(FAULTS) == 35


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("operation", ["chat", "completion", "embedding"])
@pytest.mark.parametrize("model", FAULTS)
def test_every_fault_plays_for_every_operation(model: str, operation: str, stream: bool) -> None:
    fields = {"chat": {}, "completion": {"prompt": "x"}, "embedding": {"input": "x"}}[operation]
    script = play(operation, model=model, stream=stream, **fields)
    prefixed = play(operation, model=f"sandbox/{model}", stream=stream, **fields)
    assert script == play(operation, model=model, stream=stream, **fields)
    assert (script.status, script.ending, script.headers) == (prefixed.status, prefixed.ending, prefixed.headers)
    assert len(script.steps) == len(prefixed.steps)


@pytest.mark.parametrize(("model", "status"), STATUSES.items())
def test_refusing_models_answer_with_their_status_also_to_streams(model: str, status: int) -> None:
    assert refusal(model=model, status=status) == refusal(model=model, status=status, stream=True)


def test_rate_limit_says_when_to_come_back_and_quota_does_not() -> None:
    assert ("retry-after", "2") in play(model="429").headers
    assert refusal(model="429", status=429)["code"] == "rate_limit_exceeded"
    assert not any(name == "retry-after" for name, _ in play(model="quota").headers)
    assert refusal(model="quota", status=429)["code"] == "insufficient_quota"
    assert refusal(model="context")["code"] == "context_length_exceeded"


def test_html_and_redirect_are_not_json() -> None:
    html = play(model="html")
    assert (html.status, html.headers[0]) == (502, ("content-type", "text/html"))
    assert body_of(html).startswith(b"<html>")
    redirect = play(model="redirect")
    assert redirect.status == 302
    assert "location" in dict(redirect.headers)


def test_slow_models_take_their_time() -> None:
    steps = play(model="slow", stream=True).steps
    assert (steps[0].delay_s, steps[2].delay_s) == (5, 0.25)
    assert play(model="slow").head_delay_s == 5
    role, first, *_ = play(model="slow-first-token", stream=True).steps
    assert (role.delay_s, first.delay_s) == (0, 20)
    assert b'"role"' in role.data
    assert play(model="slow-first-token").head_delay_s == 20


def test_hang_keeps_its_head_back_and_reset_closes_at_once() -> None:
    assert play(model="hang").head_delay_s >= 3600
    assert play(model="reset").ending is Ending.RESET


@pytest.mark.parametrize(("model", "ending"), [("stall", Ending.HANG), ("cut", Ending.CUT)])
def test_stalled_and_cut_answers_break_off_in_the_middle(model: str, ending: Ending) -> None:
    script = play(model=model, stream=True)
    assert script.ending is ending
    chunks = [json.loads(data) for data in payloads(script)]
    said = streamed_text(chunks)
    full = streamed_text(events())
    assert said
    assert full.startswith(said)
    assert len(said) < len(full)
    assert chunks[-1]["choices"][0]["finish_reason"] is None
    body = play(model=model)
    assert body.ending is ending
    with pytest.raises(json.JSONDecodeError):
        json.loads(body_of(body))


def test_empty_has_no_choices() -> None:
    assert whole("empty")["choices"] == []
    assert [chunk["choices"] for chunk in events(model="empty")] == [[]]
    assert reply("embedding", model="empty", input="x")["data"] == []


def test_soft_error_is_a_200_with_an_error() -> None:
    assert set(whole("soft-error")) == {"error"}
    script = play(model="soft-error", stream=True)
    assert script.status == 200
    [payload] = payloads(script)
    assert set(json.loads(payload)) == {"error"}


def test_error_event_comes_after_content() -> None:
    *chunks, error = events(model="error-event")
    assert streamed_text(chunks)
    assert error["error"]["type"] == "server_error"
    body = whole("error-event")
    assert body["error"]
    assert body["choices"][0]["finish_reason"] == "error"


def test_no_done_finishes_without_the_terminator() -> None:
    *_, last = payloads(play(model="no-done", stream=True))
    assert json.loads(last)["choices"][0]["finish_reason"] == "stop"
    assert whole("no-done")["choices"][0]["finish_reason"] == "stop"


def test_no_finish_ends_properly_without_a_finish_reason() -> None:
    script = play(model="no-finish", stream=True)
    assert script.ending is Ending.COMPLETE
    chunks = [json.loads(data) for data in payloads(script)]
    assert streamed_text(chunks) == streamed_text(events())
    assert not any(choice["finish_reason"] for chunk in chunks for choice in chunk["choices"])
    assert whole("no-finish")["choices"][0]["finish_reason"] is None


def test_malformed_breaks_one_event_and_goes_on() -> None:
    *chunks, done = payloads(play(model="malformed", stream=True))
    assert done == b"[DONE]"
    good = [json.loads(data) for data in chunks if is_json(data)]
    assert len(good) == len(chunks) - 1
    assert is_json(chunks[0])
    assert is_json(chunks[-1])
    assert streamed_text(good) == streamed_text(events())
    assert not is_json(body_of(play(model="malformed")))


def is_json(data: bytes) -> bool:
    try:
        json.loads(data)
    except json.JSONDecodeError:
        return False
    return True


def test_truncated_json_ends_properly_in_the_middle_of_a_value() -> None:
    script = play(model="truncated-json", stream=True)
    assert script.ending is Ending.COMPLETE
    assert not body_of(script).endswith(b"\n")
    body = play(model="truncated-json")
    assert body.ending is Ending.COMPLETE
    assert not is_json(body_of(body))


def test_usage_models_report_it_where_they_are_named_after() -> None:
    assert events(model="usage-always")[-1]["usage"]["total_tokens"] > 0
    *chunks, finish = events(model="usage-in-finish", stream_options={"include_usage": True})
    assert finish["choices"][0]["finish_reason"] == "stop"
    assert finish["usage"]["total_tokens"] > 0
    assert not any(chunk["usage"] for chunk in chunks)
    assert events(model="usage-in-finish")[-1]["usage"] == finish["usage"]
    assert not any("usage" in chunk for chunk in events(model="no-usage", stream_options={"include_usage": True}))
    assert "usage" not in whole("no-usage")


def test_crlf_uses_what_the_event_format_allows_and_says_the_same() -> None:
    script = play(model="crlf", stream=True, stream_options={"include_usage": True})
    body = body_of(script)
    assert b"\n" not in body.replace(b"\r\n", b"")
    assert b"\r\n: " in body
    assert b"data: {\r\ndata:" in body
    *chunks, done = payloads(script)
    assert done == b"[DONE]"
    assert streamed_text([json.loads(data) for data in chunks]) == streamed_text(events())
    assert json.loads(body_of(play(model="crlf")))["choices"]


def test_big_and_many_are_what_they_say() -> None:
    chunks = events(model="big", n=2)
    assert [len(streamed_text([chunk])) for chunk in chunks] == [0, 5 * 1024 * 1024, 0]
    assert len(whole("big")["choices"][0]["message"]["content"]) == 5 * 1024 * 1024
    script = play(model="many", stream=True, stream_options={"include_usage": True})
    assert [step.delay_s for step in script.steps[1:]] == [0] * (10_000 + 3)
    assert b'"completion_tokens":10000' in script.steps[-2].data


def test_filter_ends_with_content_filter() -> None:
    assert whole("filter")["choices"][0]["finish_reason"] == "content_filter"
    chunks = events(model="filter")
    assert streamed_text(chunks)
    assert chunks[-1]["choices"][0]["finish_reason"] == "content_filter"


def test_malformed_request_to_a_breaking_model_is_refused() -> None:
    assert refusal(model="cut", messages=[])["param"] == "messages"
