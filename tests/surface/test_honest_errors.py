"""What a client is told when the provider fails: the status class and the words, and nothing that is a secret."""

from __future__ import annotations

import json
import socket
from typing import Any

import pytest

from headgate.types.script import Ending, Script, Step
from tests.fakes.provider import Framed, RawReply, Reply, event_reply, json_reply
from tests.surface.gateway import running
from tests.surface.stage import CREDENTIAL, KEY, LLAMA, Stage, chat, chunk, completion, document, event, stream
from tests.surface.wire import Answer, Closed, Wire, ask, events, request

pytestmark = pytest.mark.asyncio(loop_scope="module")

CANARY = "canary-header-51c2"
LEAKY: dict[str, Any] = {
    "x_internal": CANARY,
    "set_cookie": f"session={CANARY}",
    "x_request_id": CANARY,
    "authorization": f"Bearer {CREDENTIAL}",
    "openai_organization": CANARY,
    "x_headgate_cost_usd": CANARY,
    "server": CANARY,
    "x_ratelimit_limit_requests": CANARY,
}


def refusal(status: int, message: str, **more: Any) -> Script:
    """An error as most providers write it, with secrets where they have been seen."""
    error = {"message": f"{message} (your key was {CREDENTIAL})", "type": "t", "code": None, "param": None} | more
    return json_reply({"error": error, "debug": {"authorization": f"Bearer {CREDENTIAL}"}}, status=status, **LEAKY)


def plain(status: int, body: bytes, content_type: str = "text/html") -> Script:
    headers = tuple((name.replace("_", "-"), value) for name, value in LEAKY.items())
    return Script(status=status, headers=(("content-type", content_type), *headers), steps=(Step(0.0, body),))


def assert_no_secret(answer: Answer) -> None:
    said = answer.head + answer.body
    assert CREDENTIAL.encode() not in said
    assert CANARY.encode() not in said
    assert KEY.encode() not in said


@pytest.mark.parametrize("asks", [{}, {"stream": True}])
@pytest.mark.parametrize(
    ("reply", "status", "code", "words"),
    [
        (refusal(400, "out of range", code="bad_value", param="temperature"), 400, "bad_value", "out of range"),
        (refusal(422, "no such field"), 400, "bad_request", "no such field"),
        (refusal(404, "the model is gone"), 404, "model_not_found", "the model is gone"),
        (refusal(413, "too much"), 400, "bad_request", "too much"),
        (refusal(429, "slow down"), 429, "rate_limit_exceeded", "slow down"),
        (refusal(429, "pay first", code="insufficient_quota"), 429, "insufficient_quota", "pay first"),
        (refusal(402, "pay first"), 429, "insufficient_quota", "pay first"),
        (refusal(401, "bad key"), 502, "upstream_credential_refused", "refused the gateway's credential"),
        (refusal(403, "not you"), 502, "upstream_credential_refused", "refused the gateway's credential"),
        (refusal(500, "it broke"), 502, "upstream_error", "it broke"),
        (refusal(503, "too busy"), 503, "overloaded", "too busy"),
        (refusal(529, "too busy"), 503, "overloaded", "too busy"),
        (refusal(400, "maximum context length is 8192"), 400, "context_length_exceeded", "8192"),
        (refusal(400, "flagged", code="content_filter"), 400, "content_filter", "flagged"),
        (refusal(200, "an error in disguise"), 502, "upstream_error", "disguise"),
        (plain(500, b"<html><h1>nginx</h1></html>"), 502, "upstream_error", "status 500"),
        (plain(502, b""), 502, "upstream_error", "status 502"),
        (plain(503, b""), 503, "overloaded", "status 503"),
        (plain(404, b"<html>nothing</html>"), 502, "upstream_error", "status 404"),
        (plain(400, b"\xff\xfe\x00 not text", "application/json"), 400, "bad_request", "status 400"),
        (plain(302, b""), 502, "upstream_error", "redirect"),
        (plain(204, b""), 502, "upstream_error", "204"),
        (plain(200, b"<html>login</html>"), 502, "upstream_error", "answer"),
        (plain(200, b"", "application/json"), 502, "upstream_error", ""),
        (plain(200, b'{"choices":[]}', "application/json"), 502, "upstream_error", ""),
        (plain(200, b"[1,2]", "application/json"), 502, "upstream_error", ""),
    ],
)  # fmt: skip
async def test_an_upstream_refusal_keeps_its_class_and_words_and_no_secret(
    stage: Stage, reply: Reply, status: int, code: str, words: str, asks: dict[str, Any]
) -> None:
    stage.fake.always(reply)
    # By its pin: one that is rate limited would be passed over for another that serves the same.
    answer = await stage.chat(f"fake/{LLAMA}", **asks)
    assert (answer.status, answer.error["code"]) == (status, code), answer.error["message"]
    assert words in answer.error["message"]
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-headgate-provider"] == "fake"
    assert answer.headers["x-headgate-attempts"] == "1"
    assert answer.error["request_id"] == answer.headers["x-request-id"]
    assert_no_secret(answer)
    stage.fake.always(completion())
    assert (await stage.chat()).status == 200


@pytest.mark.parametrize(("status", "words"), [(401, "bad key"), (402, "pay first"), (429, "slow down")])
async def test_a_credential_that_is_spent_or_refused_is_named_and_no_other(
    stage: Stage, status: int, words: str
) -> None:
    stage.fake.always(refusal(status, words))
    providers = f"{{two: {{dialect: openai, base_url: '{stage.fake.base_url}', models: [{{id: m}}], credentials: ["
    providers += f"{{name: main, api_key: {CREDENTIAL}}}]}}}}"
    async with running(f"keys: [{{name: all, secret: {KEY}}}]\nretries: 0\nproviders: {providers}\n") as gateway:
        for streamed in (False, True):
            gateway.health.clear()
            answer = await ask(gateway.port, request(body=chat("two/m", stream=streamed), key=KEY))
            message = answer.error["message"]
            assert words in message
            assert message.startswith("two: " if status == 429 else "two (credential 'main'): ")
            assert_no_secret(answer)


async def test_retry_after_is_passed_on_with_429_and_503_and_with_nothing_else(stage: Stage) -> None:
    for status, expected in ((429, "7"), (503, "7"), (500, None), (400, None)):
        stage.gateway.health.clear()
        stage.fake.always(json_reply({"error": {"message": "no"}}, status=status, retry_after="7"))
        assert (await stage.chat()).headers.get("retry-after") == expected


async def test_an_answer_that_goes_well_carries_no_header_of_the_provider_either(stage: Stage) -> None:
    for reply, streamed in (
        (json_reply(json.loads(completion().steps[0].data), **LEAKY), False),
        (Script(headers=(*stream("a").headers, ("x-internal", CANARY)), steps=stream("a").steps), True),
    ):
        stage.fake.always(reply)
        answer = await stage.chat(stream=streamed)
        assert answer.status == 200
        assert_no_secret(answer)


async def test_a_provider_that_is_not_there_is_502(stage: Stage) -> None:
    for streamed in (False, True):
        answer = await stage.chat("gone", stream=streamed)
        assert (answer.status, answer.error["code"]) == (502, "upstream_unreachable")
        assert answer.headers["x-headgate-provider"] == "nowhere"


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
WHOLE = completion().steps[0].data


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (Script(ending=Ending.RESET), "upstream_reset"),
        (RawReply([], "close"), "upstream_reset"),
        (RawReply([b"hello"], "close"), "upstream_error"),
        (RawReply([b"HTTP/1.1 200 OK\r\nContent-Le"], "close"), "upstream_reset"),
        (RawReply([HEAD + b"Content-Length: %d\r\n\r\n" % (len(WHOLE) + 1), WHOLE], "close"), "broken_stream"),
        (RawReply([HEAD + CHUNKED, b"%x\r\n%b\r\n" % (len(WHOLE), WHOLE)], "close"), "broken_stream"),
        (RawReply([HEAD + b"Content-Length: 20\r\n\r\n", WHOLE[:20]]), "upstream_error"),
        (RawReply([HEAD + b"Connection: close\r\n\r\n", WHOLE[:-20]], "close"), "upstream_error"),
        (RawReply([HEAD + b"Content-Length: 5\r\n" + CHUNKED + b"0\r\n\r\n"], "close"), "upstream_error"),
        (RawReply([HEAD + b"X: " + b"a" * 100_000 + b"\r\n\r\n"], "close"), "upstream_error"),
    ],
)  # fmt: skip
async def test_a_json_answer_that_is_not_whole_is_never_a_success(stage: Stage, reply: Reply, code: str) -> None:
    stage.fake.always(reply)
    answer = await stage.chat()
    assert (answer.status, answer.error["code"]) == (502, code), answer.error["message"]


async def test_no_first_token_in_time_is_504_and_the_upstream_is_let_go(stage: Stage) -> None:
    before = stage.fake.aborted
    for silent in (
        Script(head_delay_s=60, steps=()),
        event_reply(b": thinking\n\n", chunk(""), done=False),
    ):
        if silent.head_delay_s == 0:
            silent = Script(headers=silent.headers, steps=silent.steps, ending=Ending.HANG)
        stage.fake.always(silent)
        answer = await stage.chat("hasty", stream=True)
        assert (answer.status, answer.error["code"]) == (504, "upstream_timeout")
    await stage.fake.until(lambda fake: fake.aborted == before + 2)


@pytest.mark.parametrize(
    ("reply", "status"),
    [
        (Script(headers=stream().headers, steps=(Step(0, event(chunk(""))),), ending=Ending.CUT), 502),
        (Script(headers=stream().headers, steps=(Step(0, b'data: {"choi'),), ending=Ending.CUT), 502),
        (Script(headers=stream().headers, steps=()), 502),
        (event_reply(b": nothing\n\n"), 502),
        (event_reply(b"data: {not json}\n\n"), 502),
        (event_reply({"error": {"message": "no luck", "code": 503}}), 503),
        (event_reply({"error": {"message": "slow down", "code": 429}}), 429),
        (event_reply(b'event: error\ndata: {"message":"no luck"}\n\n'), 502),
    ],
)
async def test_a_stream_that_breaks_before_its_first_content_is_a_clean_http_error(
    stage: Stage, reply: Reply, status: int
) -> None:
    stage.fake.always(reply)
    answer = await stage.chat(stream=True)
    assert answer.status == status
    assert answer.headers["content-type"] == "application/json"
    assert set(answer.error) >= {"message", "type", "code"}


BROKEN: dict[str, Reply] = {
    "cut between events": Script(headers=stream().headers, steps=(Step(0, event(chunk("one"))),), ending=Ending.CUT),
    "cut inside an event": Script(
        headers=stream().headers, steps=(Step(0, event(chunk("one")) + b'data: {"choices":[{"del'),), ending=Ending.CUT
    ),
    "no finish reason": event_reply(chunk("one"), done=False),
    "an error event": event_reply(chunk("one"), {"error": {"message": f"no luck {CREDENTIAL}", "code": 500}}),
    "an event that is no JSON": event_reply(chunk("one"), b"data: <html>\n\n"),
    "a stall": Script(headers=stream().headers, steps=(Step(0, event(chunk("one"))),), ending=Ending.HANG),
    "a bad chunk": RawReply(
        [
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"%x\r\n%b\r\n" % (len(event(chunk("one"))), event(chunk("one"))),
            b"zz\r\n",
        ]
    ),
    "closed without a length": Framed(event_reply(chunk("one"), done=False), "close"),
}


@pytest.mark.parametrize("how", BROKEN)
async def test_a_stream_that_breaks_after_content_ends_with_an_error_event_and_without_done(
    stage: Stage, how: str
) -> None:
    stage.fake.always(BROKEN[how])
    async with await stage.wire() as wire:
        await wire.send(request(body=chat("hasty", stream=True, stream_options={"include_usage": True}), key=KEY))
        answer = await wire.answer()
        assert answer.status == 200
        first, *more = events(answer.body)
        assert json.loads(first)["choices"][0]["delta"]["content"] == "one"
        assert b"[DONE]" not in answer.body
        assert len(more) == 1, "something beside the error event went out"
        error = json.loads(more[0])["error"]
        assert error["code"] in ("broken_stream", "upstream_error", "upstream_stalled")
        assert error["request_id"] == answer.headers["x-request-id"]
        assert_no_secret(answer)
        # The framing of the broken answer is whole, so the connection serves the next request.
        stage.fake.always(completion())
        await wire.send(request(body=chat(), key=KEY))
        assert (await wire.answer()).status == 200


async def test_json_where_a_stream_was_asked_for_is_an_error_in_words(stage: Stage) -> None:
    stage.fake.always(completion())
    answer = await stage.chat(stream=True)
    assert (answer.status, answer.error["code"]) == (502, "upstream_error")
    assert "stream" in answer.error["message"]
    stage.fake.always(json_reply({"error": {"message": "slow down", "code": 429}}))
    assert (await stage.chat(stream=True)).status == 429


async def test_a_client_can_set_a_deadline_for_the_whole_request(stage: Stage) -> None:
    before = stage.fake.aborted
    headers = b"X-Headgate-Timeout-S: 0.3\r\n"
    stage.fake.always(Script(head_delay_s=60))
    answer = await stage.chat(headers=headers)
    assert (answer.status, answer.error["code"]) == (504, "deadline_exceeded")
    stage.fake.always(
        Script(headers=stream().headers, steps=(Step(0, event(chunk("one"))), Step(60, b"")), ending=Ending.HANG)
    )
    answer = await stage.chat(stream=True, headers=headers)
    assert json.loads(events(answer.body)[-1])["error"]["code"] == "deadline_exceeded"
    # The first request had two attempts, as a second was asked when half of the time had passed.
    await stage.fake.until(lambda fake: fake.aborted == before + 3)
    stage.fake.always(completion())
    assert (await stage.chat(headers=b"X-Headgate-Timeout-S: 20\r\n")).status == 200


async def test_the_deadline_covers_connecting_too(stage: Stage) -> None:
    with socket.socket() as full, socket.socket() as first, socket.socket() as second:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        for sock in (first, second):
            # The queue of connections that wait to be accepted is full now: a further one gets no answer.
            sock.setblocking(False)
            sock.connect_ex(("127.0.0.1", port))
        async with running(document(stage.fake, nowhere=f"http://127.0.0.1:{port}/v1")) as gateway:
            answer = await ask(
                gateway.port, request(body=chat("gone"), key=KEY, headers=b"X-Headgate-Timeout-S: 0.3\r\n")
            )
        assert (answer.status, answer.error["code"]) == (504, "deadline_exceeded")


@pytest.mark.parametrize("value", [b"", b"0", b"-1", b"nan", b"inf", b"soon", b"1e9", b"86401", b"\xff", b"5,5"])
async def test_a_deadline_that_makes_no_sense_is_400(stage: Stage, value: bytes) -> None:
    answer = await stage.chat(headers=b"X-Headgate-Timeout-S: " + value + b"\r\n")
    assert (answer.status, answer.error["param"]) == (400, "x-headgate-timeout-s")
    assert stage.fake.requests == []


async def test_the_policy_header_is_an_order_we_know_or_400(stage: Stage) -> None:
    stage.fake.always(completion())
    for value in (b"cheapest", b" Ordered ", b"FASTEST", b"balanced", b"weighted"):
        assert (await stage.chat(headers=b"X-Headgate-Policy: " + value + b"\r\n")).status == 200
    for value in (b"", b"cheap", b"cheapest,fastest", b"\xff"):
        answer = await stage.chat(headers=b"X-Headgate-Policy: " + value + b"\r\n")
        assert (answer.status, answer.error["param"]) == (400, "x-headgate-policy")
        assert "cheapest" in answer.error["message"]


async def test_a_provider_that_answers_before_the_request_is_sent_is_heard(stage: Stage) -> None:
    """A refusal of a large body comes while the body is still on its way."""
    stage.fake.always(refusal(413, "too large for us"))
    answer = await stage.chat(messages=[{"role": "user", "content": "x" * 900_000}])
    assert (answer.status, "too large for us" in answer.error["message"]) == (400, True)


async def test_interim_replies_of_the_provider_are_not_passed_on(stage: Stage) -> None:
    interim = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nX-Internal: " + CANARY.encode() + b"\r\n\r\n"
    stage.fake.always(RawReply([interim + HEAD + b"Content-Length: %d\r\n\r\n" % len(WHOLE) + WHOLE]))
    async with await Wire.open(stage.port) as wire:
        await wire.send(request(body=chat(), key=KEY))
        answer = await wire.answer()
    assert answer.status == 200
    assert_no_secret(answer)


async def test_a_client_never_sees_a_half_written_head(stage: Stage) -> None:
    """An answer begins with its status line, whatever the provider did."""
    for reply in BROKEN.values():
        stage.fake.always(reply)
        try:
            answer = await stage.chat("hasty", stream=True)
        except Closed as closed:
            pytest.fail(f"closed in the middle: {closed}")
        assert answer.head.startswith(b"HTTP/1.1 ")
