"""What comes back when all goes well: bytes, headers, usage and cost."""

from __future__ import annotations

import json
from typing import Any

import pytest

from headgate.types.script import Script, Step
from tests.fakes.provider import Framed, event_reply, json_reply
from tests.surface.stage import KEY, LLAMA, Stage, chat, chunk, completion, event, stream
from tests.surface.wire import ask, events, request

pytestmark = pytest.mark.asyncio(loop_scope="module")

USAGE: dict[str, Any] = {
    "prompt_tokens": 1001,
    "completion_tokens": 333,
    "total_tokens": 1334,
    "prompt_tokens_details": {"cached_tokens": 7},
}
# 994 × 0.1234567 + 7 × 0.0123457 + 333 × 0.7654321 USD per million tokens.
COST = "0.000377691269"
ASKING: dict[str, Any] = {"stream": True, "stream_options": {"include_usage": True}}
STREAMING: dict[str, Any] = {"stream": True}


async def test_a_json_answer_is_the_providers_bytes_with_our_headers(stage: Stage) -> None:
    body = (
        b'{ "choices":[ {"message" : {"content":"h\\u0069"},"finish_reason" : "stop","x":1e400} ],\n"usage":'
        + json.dumps(USAGE).encode()
        + b"}"
    )
    stage.fake.always(Script(headers=(("content-type", "application/json"),), steps=(Step(0.0, body),)))
    answer = await stage.chat()
    assert (answer.status, answer.body) == (200, body)
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-request-id"].startswith("req_")
    assert answer.headers["x-headgate-provider"] == "fake"
    assert answer.headers["x-headgate-model"] == LLAMA
    assert answer.headers["x-headgate-attempts"] == "1"
    assert answer.headers["x-headgate-cost-usd"] == COST
    assert "x-headgate-dropped" not in answer.headers
    assert "server" not in answer.headers


async def test_every_request_has_an_id_of_its_own(stage: Stage) -> None:
    stage.fake.always(completion())
    ids = {(await stage.chat()).headers["x-request-id"] for _ in range(20)}
    assert len(ids) == 20


@pytest.mark.parametrize(
    ("model", "usage", "cost"),
    [
        (LLAMA, {"prompt_tokens": 1, "completion_tokens": 1}, "0.000000888889"),
        (LLAMA, {"prompt_tokens": 10**9, "completion_tokens": 10**9}, "888.8888"),
        (f"dear/{LLAMA}", {"prompt_tokens": 1_000_000, "completion_tokens": 1_000_000}, "18"),
        (LLAMA, {"prompt_tokens": 8, "completion_tokens": 2, "completion_tokens_details": {"reasoning_tokens": 9}},
         "0.000009407407"),
        (LLAMA, None, None),
        ("acme/only:this", {"prompt_tokens": 5, "completion_tokens": 5}, None),
    ],
)  # fmt: skip
async def test_the_cost_is_exact_and_an_unknown_one_is_left_out(
    stage: Stage, model: str, usage: dict[str, Any] | None, cost: str | None
) -> None:
    stage.fake.always(completion(**(usage or {})))
    answer = await stage.chat(model)
    assert answer.status == 200
    assert answer.headers.get("x-headgate-cost-usd") == cost


async def test_embeddings_cost_their_input_alone(stage: Stage) -> None:
    vectors = [{"embedding": [0.1]}, {"embedding": [0.2]}]
    used = {"prompt_tokens": 50, "total_tokens": 50}
    stage.fake.always(json_reply({"object": "list", "data": vectors, "usage": used}))
    body = {"model": "acme/embed", "input": ["a", "b"]}
    answer = await ask(stage.port, request(path="/v1/embeddings", body=body, key=KEY))
    assert answer.headers["x-headgate-cost-usd"] == "0.000001"
    assert stage.fake.requests[0].path == "/v1/embeddings"


async def test_parameters_a_provider_cannot_honour_are_named_and_not_sent(stage: Stage) -> None:
    asked: dict[str, Any] = {"user": "u1", "logit_bias": {"1": 2}, "temperature": 0.5}
    stage.fake.always(completion())
    answer = await stage.chat("strict-1", **asked)
    assert sorted(answer.headers["x-headgate-dropped"].split(", ")) == ["logit_bias", "user"]
    assert set(stage.fake.requests[0].json()) == {"model", "messages", "temperature"}
    stage.fake.always(stream("a"))
    answer = await stage.chat("strict-1", **asked, **ASKING)
    assert sorted(answer.headers["x-headgate-dropped"].split(", ")) == ["logit_bias", "user"]
    assert sorted(json.loads(events(answer.body)[-2])["headgate"]["dropped"]) == ["logit_bias", "user"]


async def test_a_stream_is_the_providers_bytes_in_order_comments_included(stage: Stage) -> None:
    pieces = [
        b": waiting\n\n",
        event(chunk("")),
        b"event: message\nid: 7\ndata: " + json.dumps(chunk("one")).encode() + b"\n\n",
        b": keep-alive\n\n",
        b'data:{"choices":[ {"index":0,"delta":{"content":"tw\\u006f"},"finish_reason":null} ], "x":1.10}\n\n',
        event(chunk(None, "stop")),
    ]
    stage.fake.always(event_reply(*pieces))
    answer = await stage.chat(stream=True)
    assert answer.body == b"".join(pieces) + b"data: [DONE]\n\n"
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.headers["x-headgate-provider"] == "fake"
    assert answer.headers["x-headgate-model"] == LLAMA
    assert answer.headers["x-headgate-attempts"] == "1"
    assert answer.headers["x-request-id"].startswith("req_")
    assert "x-headgate-cost-usd" not in answer.headers


@pytest.mark.parametrize("size", [1, 7, 64])
@pytest.mark.parametrize("ends", [b"\n", b"\r\n", b"\r"])
async def test_a_stream_cut_anywhere_on_its_way_comes_out_the_same(stage: Stage, size: int, ends: bytes) -> None:
    whole = b"".join([event(chunk("Hé ☕")), event(chunk("two")), event(chunk(None, "stop"))]).replace(b"\n", ends)
    wire = whole + b"data: [DONE]" + ends * 2
    steps = tuple(Step(0.0, wire[at : at + size]) for at in range(0, len(wire), size))
    stage.fake.always(Script(headers=(("content-type", "text/event-stream"),), steps=steps))
    answer = await stage.chat(stream=True)
    assert answer.body == whole + b"data: [DONE]\n\n"


PLACES: dict[str, list[Any]] = {
    "an event of its own": [event({"id": "c1", "choices": [], "usage": USAGE})],
    "the last chunk": [event(chunk(None, "stop", usage=USAGE))],
    "every chunk": [],
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("asked", [True, False])
@pytest.mark.parametrize("model", ["fast-llama", "mistral/mistral-small-latest"])
async def test_usage_is_given_once_at_the_end_when_asked_for_wherever_the_provider_puts_it(
    stage: Stage, place: str, asked: bool, model: str
) -> None:
    usual: dict[str, Any] = {"usage": USAGE} if place == "every chunk" else {}
    stage.fake.always(
        event_reply(chunk("a", **usual), chunk("b", **usual), chunk(None, "stop", **usual), *PLACES[place])
    )
    answer = await stage.chat(model, **(ASKING if asked else STREAMING))
    *chunks, done = events(answer.body)
    assert done == b"[DONE]"
    with_usage = [json.loads(one) for one in chunks if json.loads(one).get("usage")]
    assert len(with_usage) == asked
    if asked:
        last = with_usage[0]
        assert json.loads(chunks[-1]) == last
        assert (last["choices"], last["usage"]) == ([], USAGE)
        assert last["headgate"]["attempts"] == 1
    texts = [json.loads(one)["choices"] for one in chunks]
    assert "".join(c[0]["delta"].get("content", "") for c in texts if c) == "ab"
    sent = stage.fake.requests[0].json()
    # A provider that always reports is not asked, others are asked even when the client does not want to know.
    assert sent.get("stream_options") == (None if model.startswith("mistral") else {"include_usage": True})


@pytest.mark.parametrize("asked", [True, False])
async def test_usage_a_provider_puts_into_an_object_of_its_own_is_moved_to_where_clients_look(
    stage: Stage, asked: bool
) -> None:
    aside = {"x_groq": {"id": "r1", "usage": USAGE}}
    stage.fake.always(event_reply(chunk("a"), chunk(None, "stop", **aside)))
    answer = await stage.chat("groq/llama-3.1-8b-instant", **(ASKING if asked else STREAMING))
    chunks = [json.loads(one) for one in events(answer.body)[:-1]]
    assert all("usage" not in (one.get("x_groq") or {}) for one in chunks)
    assert [one["usage"] for one in chunks if "usage" in one] == ([USAGE] if asked else [])


async def test_the_usage_event_says_who_answered_and_the_exact_cost(stage: Stage) -> None:
    stage.fake.always(stream("a", tail=[{"choices": [], "usage": USAGE}]))
    answer = await stage.chat(**ASKING)
    note = events(answer.body)[-2]
    assert f'"cost_usd":{COST}'.encode() in note, "a float would have lost digits"
    assert json.loads(note)["headgate"] | {"cost_usd": 0} == {
        "provider": "fake",
        "model": LLAMA,
        "attempts": 1,
        "cost_usd": 0,
    }


async def test_a_stream_without_usage_gets_an_estimate_that_says_so(stage: Stage) -> None:
    stage.fake.always(stream("a", "b", "c"))
    last = json.loads(events((await stage.chat(**ASKING)).body)[-2])
    assert last["headgate"]["usage_estimated"] is True
    assert last["usage"]["completion_tokens"] >= 3
    assert last["usage"]["total_tokens"] == last["usage"]["prompt_tokens"] + last["usage"]["completion_tokens"]


async def test_an_unknown_price_is_null_in_the_usage_event(stage: Stage) -> None:
    stage.fake.always(stream("a", tail=[{"choices": [], "usage": USAGE}]))
    last = json.loads(events((await stage.chat("acme/only:this", **ASKING)).body)[-2])
    assert last["headgate"]["cost_usd"] is None


async def test_usage_with_every_chunk_stays_there_for_a_client_that_asked_for_it(stage: Stage) -> None:
    stage.fake.always(event_reply(chunk("a", usage=USAGE), chunk(None, "stop", usage=USAGE)))
    options = {"include_usage": True, "continuous_usage_stats": True}
    answer = await stage.chat(stream=True, stream_options=options)
    *chunks, _ = events(answer.body)
    assert [json.loads(one)["usage"] for one in chunks] == [USAGE] * 3
    assert stage.fake.requests[0].json()["stream_options"] == options


@pytest.mark.parametrize("framing", ["chunked", "length", "close"])
async def test_answers_are_the_same_however_the_provider_frames_them(stage: Stage, framing: Any) -> None:
    stage.fake.always(Framed(completion("x"), framing))
    assert (await stage.chat()).json()["choices"][0]["message"]["content"] == "x"
    stage.fake.always(Framed(stream("x"), framing))
    assert events((await stage.chat(stream=True)).body)[-1] == b"[DONE]"


async def test_the_end_of_a_stream_needs_no_done_from_the_provider(stage: Stage) -> None:
    stage.fake.always(event_reply(chunk("a"), chunk(None, "stop"), done=False))
    answer = await stage.chat(stream=True)
    assert answer.body.endswith(b"data: [DONE]\n\n")


async def test_the_connection_is_kept_for_the_next_request_after_json_and_after_a_stream(stage: Stage) -> None:
    async with await stage.wire() as wire:
        for _ in range(3):
            stage.fake.always(completion())
            await wire.send(request(body=chat(), key=KEY))
            assert (await wire.answer()).status == 200
            stage.fake.always(stream("a"))
            await wire.send(request(body=chat(stream=True), key=KEY))
            assert (await wire.answer()).body.endswith(b"[DONE]\n\n")
    assert len({seen.connection for seen in stage.fake.requests}) == 1, "the upstream connection was not reused"
