"""What a client is told of one failed attempt: who failed, why, and no secret; and streams that go by another name."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from headgate.dialects.openai.request import parse_request
from headgate.errors import UpstreamFailed
from headgate.gateway.gateway import Gateway
from headgate.routing.observed import Observed
from headgate.types.deployment import Operation
from headgate.types.fault import FaultClass
from headgate.types.principal import Principal
from headgate.types.request import Request
from headgate.types.script import Ending, Script, Step
from headgate.upstream.call import Caller
from headgate.upstream.pool import Pool
from tests.fakes.ports import refused_port
from tests.fakes.provider import FakeProvider, Reply, event_reply, json_reply
from tests.fakes.proxy import FakeProxy
from tests.surface.gateway import books, snapshot_of
from tests.unit.gateway.test_gateway import Taken

CREDENTIAL = "canary-credential-1"
HEADER = "canary-header-value-2"
USER, PASSWORD = "canary-user-3", "canary-password-4"
SECRETS = (CREDENTIAL, HEADER, USER, PASSWORD)

# The name is the beginning of sentences of ours, which must not pass for naming the provider.
DOCUMENT = """
providers:
  the:
    dialect: openai
    base_url: {base_url}
    api_key: {credential}
    headers: {{x-tenant: {header}}}
    timeouts: {{first_token_s: 20, gap_s: 20, total_s: 40}}
    {more}
"""


async def serve(base_url: str, *, env: dict[str, str] | None = None, more: str = "", **fields: Any) -> Taken:
    text = DOCUMENT.format(base_url=base_url, credential=CREDENTIAL, header=HEADER, more=more)
    body = {"model": "the/m", "messages": [{"role": "user", "content": "Hi."}], **fields}
    request = Request(
        id="req_1",
        snapshot=snapshot_of(text),
        principal=Principal(key="k", models=("*",)),
        envelope=parse_request(Operation.CHAT, json.dumps(body).encode()),
    )
    pool, taken = Pool(), Taken()
    try:
        await Gateway(Caller(pool, env or {}), asyncio.get_running_loop().time, books(), Observed()).serve(
            request, taken
        )
    finally:
        await pool.close()
    return taken


async def refused(base_url: str, **named: Any) -> UpstreamFailed:
    with pytest.raises(UpstreamFailed) as caught:
        await serve(base_url, **named)
    assert caught.value.message.startswith(("the: ", "the (credential 'default'): "))
    assert not caught.value.message.startswith("the: the:")
    assert not any(secret in f"{caught.value.message}{caught.value.param}{caught.value.code}" for secret in SECRETS)
    return caught.value


async def refused_by(reply: Reply, **named: Any) -> UpstreamFailed:
    async with FakeProvider() as fake:
        fake.always(reply)
        return await refused(fake.base_url, **named)


def text(body: bytes, content_type: str = "application/json", status: int = 200) -> Script:
    return Script(status=status, headers=(("content-type", content_type),), steps=(Step(0, body),))


def chunk(content: str, finish: str | None = None) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": {"content": content}, "finish_reason": finish}]}


LEAK = f"{CREDENTIAL} {HEADER}"
ERROR = {"message": f"no: {LEAK}", "type": "invalid_request_error", "param": f"p {LEAK}", "code": f"c {LEAK}"}
WHOLE = {"choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello."}, "finish_reason": "stop"}]}
FAILURES: dict[str, tuple[Reply, dict[str, Any]]] = {
    "a refusal": (json_reply({"error": ERROR}, status=400), {}),
    "a refused credential": (json_reply({"error": ERROR}, status=401), {}),
    "plain text": (text(LEAK.encode(), "text/plain", 400), {}),
    "a redirect": (text(b"", "text/html", 302), {}),
    "an error with status 200": (json_reply({"error": ERROR}), {}),
    "an error with status 200 for a stream": (json_reply({"error": ERROR}), {"stream": True}),
    "an error event": (event_reply({"error": ERROR}), {"stream": True}),
    "an error event after content": (event_reply(chunk("one"), {"error": ERROR}), {"stream": True}),
    "no JSON": (text(b"{nonsense"), {}),
    "no answer": (json_reply({"choices": []}), {}),
    "no stream": (json_reply(WHOLE), {"stream": True}),
    "a page": (text(b"<html>", "text/html"), {"stream": True}),
    "an empty stream": (event_reply(done=False), {"stream": True}),
    "an unreadable event": (event_reply(b"data: {nonsense\n\n"), {"stream": True}),
    "half a stream": (event_reply(chunk("one"), done=False), {"stream": True}),
    "nothing": (Script(ending=Ending.RESET), {}),
}


@pytest.mark.parametrize("name", FAILURES)
async def test_every_message_begins_with_the_providers_name_and_holds_no_secret(name: str) -> None:
    reply, fields = FAILURES[name]
    failure = await refused_by(reply, **fields)
    assert ("credential 'default'" in failure.message) == (name == "a refused credential")


async def test_a_proxy_that_refuses_cannot_make_us_repeat_its_password() -> None:
    url = f"http://{USER}:{PASSWORD}@127.0.0.1"
    async with FakeProvider() as fake, FakeProxy() as proxy:
        fake.always(json_reply({"error": {"message": f"no: {' '.join(SECRETS)}"}}, status=400))
        for named in (
            {"env": {"HTTP_PROXY": f"{url}:{proxy.port}"}},
            {"more": f"proxy: {url}:{proxy.port}"},
        ):
            failure = await refused(fake.base_url, **named)
            assert failure.message == "the: no: [redacted] [redacted] [redacted] [redacted]"
        assert len(proxy.heads) == 2


async def test_a_connection_that_is_refused_names_no_address() -> None:
    for named in ({}, {"env": {"HTTP_PROXY": f"http://{USER}:{PASSWORD}@127.0.0.1:{refused_port()}"}}):
        failure = await refused(f"http://127.0.0.1:{refused_port()}/v1", **named)
        assert failure.fault.kind is FaultClass.CONNECT_FAILED
        assert failure.message.endswith("Connection refused")
        assert "127.0.0.1" not in failure.message


async def test_a_proxy_variable_that_cannot_be_used_is_not_repeated() -> None:
    env = {"HTTP_PROXY": f"http://{USER}:{PASSWORD}/x@127.0.0.1:1"}
    assert "proxy" in (await refused("http://127.0.0.1:1/v1", env=env)).message


MALFORMED = [
    b'{"error":{"details":5}}',
    b'{"error":{"details":[{"violations":5}]}}',
    b'{"detail":[{"loc":5}]}',
    b'{"error":{"code":' + b"9" * 5000 + b"}}",
    b'{"error":{"code":"' + b"9" * 5000 + b'"}}',
    b'{"error":{"code":"\xd9\xa4\xd9\xa2\xd9\xa9"}}',
    b'{"error":{"details":[{"retryDelay":"Mon, 01 Jan 99999999999 00:00:00 GMT"}]}}',
    b'{"error":' + b"[" * 5000 + b"]" * 5000 + b"}",
]


@pytest.mark.parametrize("status", [200, 400, 429, 500])
@pytest.mark.parametrize("body", MALFORMED)
async def test_an_error_body_that_makes_no_sense_is_still_the_providers_failure(body: bytes, status: int) -> None:
    await refused_by(text(body, status=status))
    await refused_by(text(body, status=status), stream=True)


STREAM = b"".join(b"data: %b\n\n" % json.dumps(one).encode() for one in (chunk("Hel"), chunk("lo.", "stop")))


@pytest.mark.parametrize(
    "steps",
    [
        [STREAM],
        [b"event: message\n" + STREAM],
        [b": hello\n\n" + STREAM],
        [b"id: 1\n" + STREAM],
        [b"\xef\xbb\xbf" + STREAM],
        [b"\n", b"d", STREAM[1:]],
        [bytes([byte]) for byte in STREAM],
    ],
)
async def test_a_stream_that_is_called_json_is_read_as_the_stream_it_is(steps: list[bytes]) -> None:
    script = Script(
        headers=(("content-type", "application/json"),),
        steps=tuple(Step(0.005, step) for step in [*steps, b"data: [DONE]\n\n"]),
    )
    async with FakeProvider() as fake:
        fake.always(script)
        taken = await serve(fake.base_url, stream=True)
    assert taken.ended
    events = [line for line in b"".join(taken.pieces).split(b"\n") if b"data:" in line]
    assert [json.loads(one.split(b":", 1)[1])["choices"][0]["delta"]["content"] for one in events[:-1]] == [
        "Hel",
        "lo.",
    ]
    assert events[-1] == b"data: [DONE]"


@pytest.mark.parametrize("body", [b"", b"  \n", b"null", b"[1]", b'"data: x"', json.dumps(WHOLE).encode()])
async def test_json_is_not_taken_for_a_stream(body: bytes) -> None:
    assert "where a stream was asked for" in (await refused_by(text(body), stream=True)).message


async def test_json_that_breaks_off_is_a_broken_reply() -> None:
    broken = Script(headers=(("content-type", "application/json"),), steps=(Step(0, b' {"cho'),), ending=Ending.CUT)
    assert (await refused_by(broken, stream=True)).fault.kind is FaultClass.BROKEN_STREAM
