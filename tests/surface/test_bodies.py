"""What a request body may be, what is said about one that is wrong, and what reaches the provider."""

from __future__ import annotations

import asyncio
import gzip
import json

import pytest

from tests.surface.stage import KEY, LLAMA, Stage, chat, completion
from tests.surface.wire import Wire, ask, chunked, request

pytestmark = pytest.mark.asyncio(loop_scope="module")

MESSAGES = b'"messages":[{"role":"user","content":"hi"}]'
LIMIT = 1024 * 1024


def with_field(field: bytes) -> bytes:
    return b'{"model":"fast-llama",' + MESSAGES + b"," + field + b"}"


@pytest.mark.parametrize(
    ("body", "param", "code"),
    [
        (b"", None, "invalid_json"),
        (b"  \r\n ", None, "invalid_json"),
        (b"hello", None, "invalid_json"),
        (b"{", None, "invalid_json"),
        (b'{"model":"fast-llama"} x', None, "invalid_json"),
        (b"[]", None, "invalid_json"),
        (b'"text"', None, "invalid_json"),
        (b"null", None, "invalid_json"),
        (b"\xef\xbb\xbf{}", None, "invalid_json"),
        ("{}".encode("utf-16"), None, "invalid_json"),
        (b"{'model':'x'}", None, "invalid_json"),
        (b'{"model":"fast-llama","\xff":1}', None, "invalid_json"),
        (b"{}", "model", "missing_required_parameter"),
        (b"{" + MESSAGES + b"}", "model", "missing_required_parameter"),
        (b'{"model":"fast-llama"}', "messages", "missing_required_parameter"),
        (b'{"model":null,' + MESSAGES + b"}", "model", "invalid_type"),
        (b'{"model":"",' + MESSAGES + b"}", "model", "invalid_type"),
        (b'{"model":7,' + MESSAGES + b"}", "model", "invalid_type"),
        (b'{"model":["fast-llama"],' + MESSAGES + b"}", "model", "invalid_type"),
        (b'{"model":"fast\\u0000llama",' + MESSAGES + b"}", "model", "invalid_value"),
        (b'{"model":"fast\\nllama",' + MESSAGES + b"}", "model", "invalid_value"),
        (b'{"model":"fast\\u202ellama",' + MESSAGES + b"}", "model", "invalid_value"),
        (b'{"model":"\xff",' + MESSAGES + b"}", "model", "invalid_json"),
        (b'{"model":"\\ud800",' + MESSAGES + b"}", None, "invalid_json"),
        (b'{"model":"fast-llama","messages":"hi"}', "messages", "invalid_type"),
        (b'{"model":"fast-llama","messages":{}}', "messages", "invalid_type"),
        (b'{"model":"fast-llama","messages":[]}', "messages", "invalid_type"),
        (b'{"model":"fast-llama","messages":["hi"]}', "messages[0]", "invalid_type"),
        (b'{"model":"fast-llama","messages":[{"content":"hi"}]}', "messages[0]", "invalid_type"),
        (b'{"model":"fast-llama","messages":[{"role":1}]}', "messages[0].role", "invalid_type"),
        (b'{"model":"fast-llama","messages":[{"role":"user","content":5}]}', "messages[0].content", "invalid_type"),
        (
            b'{"model":"fast-llama","messages":[{"role":"user","content":"x"},{"role":"user","content":[{"text":"x"}]}]}',
            "messages[1].content[0]",
            "invalid_type",
        ),
        (b'{"model":"fast-llama","messages":[{"role":"user","content":"\xff"}]}', "messages", "invalid_json"),
        (with_field(b'"stream":"yes"'), "stream", "invalid_type"),
        (with_field(b'"stream":1'), "stream", "invalid_type"),
        (with_field(b'"stream_options":{"include_usage":"y"}'), "stream_options.include_usage", "invalid_type"),
        (with_field(b'"max_tokens":0'), "max_tokens", "invalid_type"),
        (with_field(b'"max_tokens":-5'), "max_tokens", "invalid_type"),
        (with_field(b'"max_tokens":"5"'), "max_tokens", "invalid_type"),
        (with_field(b'"max_completion_tokens":1.5'), "max_completion_tokens", "invalid_type"),
        (with_field(b'"n":0'), "n", "invalid_type"),
        (with_field(b'"temperature":"hot"'), "temperature", "invalid_type"),
        (with_field(b'"stop":5'), "stop", "invalid_type"),
        (with_field(b'"stop":["a",5]'), "stop[1]", "invalid_type"),
        (with_field(b'"tools":[{"function":{}}]'), "tools[0]", "invalid_type"),
        (with_field(b'"response_format":"json"'), "response_format", "invalid_type"),
        (with_field(b'"logit_bias":[1]'), "logit_bias", "invalid_type"),
    ],
)
async def test_a_wrong_body_is_400_and_names_the_parameter(
    stage: Stage, body: bytes, param: str | None, code: str
) -> None:
    answer = await ask(stage.port, request(body=body, key=KEY))
    error = answer.error
    assert (answer.status, error["param"], error["code"]) == (400, param, code), error["message"]
    assert error["type"] == "invalid_request_error"
    assert error["message"]
    assert param is None or param in error["message"]
    assert stage.fake.requests == []


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        ("/v1/completions", {"prompt": "x"}, "model"),
        ("/v1/completions", {"model": "acme/text", "prompt": 5}, "prompt"),
        ("/v1/embeddings", {"model": "acme/embed"}, "input"),
        ("/v1/embeddings", {"model": "acme/embed", "input": []}, "input"),
        ("/v1/embeddings", {"model": "acme/embed", "input": "x", "dimensions": 0}, "dimensions"),
    ],
)
async def test_the_other_operations_name_their_parameters_too(
    stage: Stage, path: str, body: dict[str, object], param: str
) -> None:
    answer = await ask(stage.port, request(path=path, body=body, key=KEY))
    assert (answer.status, answer.error["param"]) == (400, param)
    assert stage.fake.requests == []


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
async def test_a_body_nested_without_end_is_400_and_the_next_request_is_served(stage: Stage, opening: bytes) -> None:
    stage.fake.always(completion())
    deep = opening * 100_000
    for body in (with_field(b'"x":' + deep), b'{"model":"fast-llama","messages":' + deep, deep):
        answer = await ask(stage.port, request(body=body, key=KEY))
        assert (answer.status, answer.error["code"]) == (400, "invalid_json")
    assert (await stage.chat()).status == 200


async def test_a_compressed_body_is_refused_in_words(stage: Stage) -> None:
    body = gzip.compress(json.dumps(chat()).encode())
    answer = await ask(stage.port, request(body=body, key=KEY, headers=b"Content-Encoding: gzip\r\n"))
    assert (answer.status, answer.error["param"]) == (400, "content-encoding")
    plain = await ask(
        stage.port, request(body=chat("sandbox/fast"), key=KEY, headers=b"Content-Encoding: Identity\r\n")
    )
    assert plain.status == 200


def body_of(size: int) -> bytes:
    start, end = b'{"model":"fast-llama","messages":[{"role":"user","content":"', b'"}]}'
    return start + b"x" * (size - len(start) - len(end)) + end


@pytest.mark.parametrize("counted", [True, False])
async def test_a_body_of_just_the_limit_is_served_and_a_byte_more_is_413(stage: Stage, counted: bool) -> None:
    stage.fake.always(completion())
    for size, status in ((LIMIT, 200), (LIMIT + 1, 413)):
        body = body_of(size)
        data = (
            request(body=body, key=KEY)
            if counted
            else request(key=KEY, headers=b"Transfer-Encoding: chunked\r\n") + chunked(body[:1000], body[1000:])
        )
        answer = await ask(stage.port, data)
        assert answer.status == status
    assert answer.error["code"] == "request_too_large"
    assert str(LIMIT) in answer.error["message"]
    assert len(stage.fake.requests) == 1
    assert json.loads(stage.fake.requests[0].body)["messages"] == json.loads(body_of(LIMIT))["messages"]


@pytest.mark.parametrize("counted", [True, False])
async def test_a_client_that_sends_far_too_much_gets_to_read_the_413_and_is_cut(stage: Stage, counted: bool) -> None:
    size = 8 * LIMIT
    async with await Wire.open(stage.port) as wire:
        if counted:
            await wire.send(request(key=KEY, headers=b"Content-Length: %d\r\n" % size))
            await wire.send(b"x" * size)
        else:
            await wire.send(request(key=KEY, headers=b"Transfer-Encoding: chunked\r\n"))
            await wire.send(chunked(*[b"x" * 65536] * (size // 65536)))
        answer = await wire.answer()
        assert (answer.status, answer.headers["connection"]) == (413, "close")
        assert await wire.rest() == b""


async def test_a_client_that_waits_for_100_continue_is_told_to_go_on_or_refused_before_it_sends(stage: Stage) -> None:
    stage.fake.always(completion())
    body = json.dumps(chat()).encode()
    expect = b"Expect: 100-continue\r\nContent-Length: %d\r\n"
    async with await Wire.open(stage.port) as wire:
        await wire.send(request(key=KEY, headers=expect % len(body)))
        assert (await wire.head()).status == 100
        await wire.send(body)
        assert (await wire.answer()).status == 200
    async with await Wire.open(stage.port) as wire:
        await wire.send(request(key=KEY, headers=expect % (LIMIT + 1)))
        assert (await wire.answer()).status == 413
        assert await wire.rest() == b""
    async with await Wire.open(stage.port) as wire:
        await wire.send(request(key="wrong", headers=expect % len(body)))
        assert (await wire.answer()).status == 401


async def test_a_body_in_many_small_pieces_is_one_body(stage: Stage) -> None:
    stage.fake.always(completion())
    data = request(body=chat(), key=KEY)
    async with await Wire.open(stage.port) as wire:
        for at in range(len(data)):
            await wire.send(data[at : at + 1])
            await asyncio.sleep(0)
        assert (await wire.answer()).status == 200
    assert stage.fake.requests[0].json()["messages"] == chat()["messages"]


MESSAGES_TO_KEEP = [
    b'[{"role":"user","content":"hi"}]',
    b'[ {\t"content" :\n"h\\u0069 \\/ \\ud83d\\ude00 \xf0\x9f\x98\x80" , "role":"user" } ]',
    b'[{"role":"user","content":[{"type":"text","text":"x","cache_control":{"type":"ephemeral"}}],"x":1e400}]',
    b'[{"role":"tool","tool_call_id":"c","content":"{\\"a\\": 1.10}","n":123456789012345678901234567890.0100}]',
    b'[{"role":"user","content":"first","content":"second"},{"role":"system","content":null}]',
]


@pytest.mark.parametrize("messages", MESSAGES_TO_KEEP)
async def test_the_bytes_of_messages_and_of_unknown_fields_arrive_as_they_were_sent(
    stage: Stage, messages: bytes
) -> None:
    stage.fake.always(completion())
    unknown = b'"x_new" : {"b":1,\n"a":[1.0,1E5,-0, 3.14159265358979323846], "b":2}'
    body = b'{"x_first":"\\u00e9",  "model":"fast-llama","messages":' + messages + b', "seed": 7 ,' + unknown + b"}"
    assert (await ask(stage.port, request(body=body, key=KEY))).status == 200
    sent = stage.fake.requests[0].body
    assert b'"messages":' + messages in sent
    for value in (b'"\\u00e9"', b"7", unknown.partition(b" : ")[2]):
        assert value in sent
    assert list(json.loads(sent)) == ["x_first", "model", "messages", "seed", "x_new"], "the order changed"
    assert json.loads(sent)["model"] == LLAMA


async def test_of_a_field_that_is_sent_twice_the_last_counts_for_us_and_for_the_provider(stage: Stage) -> None:
    stage.fake.always(completion())
    body = b'{"model":"no-such-model","x":1,"model":"fast-llama","x":2,"stream":true,"stream":false,' + MESSAGES + b"}"
    answer = await ask(stage.port, request(body=body, key=KEY))
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    sent = stage.fake.requests[0].body
    assert json.loads(sent) == {
        "model": LLAMA,
        "x": 2,
        "stream": False,
        "messages": [{"role": "user", "content": "hi"}],
    }
    assert sent.count(b'"x"') == sent.count(b'"model"') == 1


async def test_what_a_client_sends_in_headers_is_not_passed_on(stage: Stage) -> None:
    stage.fake.always(completion())
    headers = (
        b"X-Secret: canary-of-client\r\nCookie: canary-of-client\r\nX-Forwarded-For: 1.2.3.4\r\nOrigin: http://a\r\n"
    )
    assert (await stage.chat(headers=headers)).status == 200
    seen = stage.fake.requests[0]
    received = b"\n".join(name.lower() + b":" + value for name, value in seen.headers)
    assert b"canary-of-client" not in received
    assert KEY.encode() not in received + seen.body
    assert {name.lower() for name, _ in seen.headers} == {
        b"host",
        b"user-agent",
        b"accept",
        b"accept-encoding",
        b"content-type",
        b"authorization",
        b"content-length",
    }
