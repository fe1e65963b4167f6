"""From a deployment and an envelope to the bytes of a request."""

from __future__ import annotations

import base64
import gc
import json
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headgate import __version__
from headgate.dialects.openai.request import parse_request
from headgate.types.deployment import Body, Operation, StreamUsage
from headgate.types.fault import FaultClass
from headgate.types.script import Script, Step
from headgate.types.secret import Secret
from headgate.upstream.call import Caller, patched, secrets_of
from headgate.upstream.pool import Pool
from tests.fakes.provider import FakeProvider, Request, json_reply
from tests.upstream.calling import candidate, envelope
from tests.upstream.driving import clocks, failing

ANSWER = json_reply({"choices": []})


@pytest.fixture
async def pool() -> AsyncIterator[Pool]:
    pool = Pool()
    yield pool
    await pool.close()


async def sent(
    pool: Pool, operation: Operation = Operation.CHAT, path: str = "", named: Any = None, **fields: Any
) -> Request:
    """The request a provider gets when this deployment is called for these fields."""
    async with FakeProvider() as fake:
        fake.always(ANSWER)
        who = candidate(fake.base_url + path, **(named or {}))
        exchange = await Caller(pool, {}).open(who, envelope(operation, **fields), clocks(), [])
        while await exchange.read():
            pass
        exchange.release()
        return fake.requests[0]


@pytest.mark.parametrize(
    ("operation", "path"),
    [
        (Operation.CHAT, "/v1/chat/completions"),
        (Operation.COMPLETION, "/v1/completions"),
        (Operation.EMBEDDING, "/v1/embeddings"),
    ],
)
async def test_each_operation_has_its_path_under_the_base_url(operation: Operation, path: str, pool: Pool) -> None:
    request = await sent(pool, operation)
    assert (request.method, request.path) == ("POST", path)
    assert (await sent(pool, operation, path="/deep/er//")).path == path.replace("/v1", "/v1/deep/er")


async def test_what_the_head_of_a_request_says(pool: Pool) -> None:
    request = await sent(pool)
    headers = {name.decode(): value.decode() for name, value in request.headers}
    host = headers.pop("host")
    assert host.startswith("127.0.0.1:")
    assert headers == {
        "user-agent": f"headgate/{__version__}",
        "accept": "application/json",
        "accept-encoding": "identity",
        "content-type": "application/json",
        "authorization": "Bearer sk-very-secret",
        "content-length": str(len(request.body)),
    }
    assert len(request.headers) == len(headers) + 1


async def test_a_stream_is_asked_for_as_one(pool: Pool) -> None:
    assert (await sent(pool, stream=True)).header("accept") == "text/event-stream"


async def test_one_deployment_serves_streams_and_whole_replies_of_every_operation(pool: Pool) -> None:
    async with FakeProvider() as fake:
        fake.always(ANSWER)
        caller, who = Caller(pool, {}), candidate(fake.base_url)
        asked = [envelope(), envelope(stream=True), envelope(Operation.EMBEDDING), envelope(), envelope(stream=True)]
        for one in asked:
            (await caller.open(who, one, clocks(), [])).release()
        seen = [(request.path, request.header("accept")) for request in fake.requests]
    assert seen == [
        ("/v1/chat/completions", "application/json"),
        ("/v1/chat/completions", "text/event-stream"),
        ("/v1/embeddings", "application/json"),
        ("/v1/chat/completions", "application/json"),
        ("/v1/chat/completions", "text/event-stream"),
    ]


async def test_the_credential_goes_where_the_provider_wants_it(pool: Pool) -> None:
    request = await sent(pool, named={"auth_header": ("api-key", "{}")})
    assert (request.header("api-key"), request.header("authorization")) == ("sk-very-secret", None)
    assert (await sent(pool, named={"auth_header": None})).header("authorization") is None
    assert (await sent(pool, named={"secret": None})).header("authorization") is None


async def test_the_operators_headers_are_sent_and_come_before_ours(pool: Pool) -> None:
    extra = (("X-Title", Secret("mine")), ("User-Agent", Secret("other")))
    request = await sent(pool, named={"headers": extra})
    assert (request.header("x-title"), request.header("user-agent")) == ("mine", "other")
    assert [name.lower() for name, _ in request.headers].count(b"user-agent") == 1


@pytest.mark.parametrize(
    "base_url", ["http://", "ftp://x.test", "http://x.test:99999/v1", "http://a..b/v1", f"http://{'x' * 64}.test/v1"]
)
async def test_a_base_url_that_leads_nowhere_is_a_failure_to_connect(base_url: str, pool: Pool) -> None:
    with failing(FaultClass.CONNECT_FAILED, saying="it cannot be called: its base_url"):
        await Caller(pool, {}).open(candidate(base_url), envelope(), clocks(), [])


async def test_a_script_is_played_without_a_socket(pool: Pool) -> None:
    asked: list[tuple[str, bytes]] = []

    def script(operation: str, body: bytes) -> Script:
        asked.append((operation, body))
        return Script(steps=(Step(0.0, b"played"),))

    exchange = await Caller(pool, {}).open(candidate("sandbox:", script=script), envelope(), clocks(), [])
    assert await exchange.read() == b"played"
    assert [(operation, json.loads(body)["model"]) for operation, body in asked] == [("chat", "m")]
    assert pool.open_connections == 0


async def test_nothing_is_kept_of_a_deployment_that_is_gone(pool: Pool) -> None:
    """Its head holds the credential in the clear."""
    async with FakeProvider() as fake:
        fake.always(ANSWER)
        caller = Caller(pool, {})
        (await caller.open(candidate(fake.base_url), envelope(), clocks(), [])).release()
        gc.collect()
        assert [item for item in gc.get_objects() if type(item).__name__ == "_Address"] == []


def fields_of(body: Body) -> dict[str, bytes]:
    return {name: bytes(raw) for name, raw in body.items()}


def test_a_body_is_changed_only_in_the_models_name() -> None:
    pieces = {
        "messages": b'[ {"role" :"user","content":"h\\u00e9 \xc3\xa9 \\ud83d\\ude00","x":1.0e-7} ]',
        "temperature": b"0.10",
        "odd": b'{"b" : 1.10, "a":[ 1e5, -0 ]}',
        "seed": b"123456789012345678901234567890",
    }
    body = (
        b'{ "model":"asked", ' + b", ".join(b'"%s" : %s' % (name.encode(), raw) for name, raw in pieces.items()) + b"}"
    )
    asked = parse_request(Operation.CHAT, body)
    dropped: list[str] = []
    changed = patched(candidate("http://x.test", upstream_id='a/"b"'), asked, dropped)
    assert fields_of(changed) == pieces | {"model": b'"a/\\"b\\""'}
    assert list(changed) == ["model", *pieces]
    assert bytes(asked.fields["model"]) == b'"asked"', "the client's own fields were changed"
    encoded = msgspec.json.encode(changed)
    assert all(raw in encoded for raw in pieces.values())
    assert dropped == []


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    st.dictionaries(
        st.text(min_size=1, max_size=8).filter(lambda name: name.encode("utf-8", "replace").decode() == name),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
            max_leaves=6,
        ),
        max_size=4,
    ),
    st.sampled_from([None, 1, "\t"]),
    st.booleans(),
)
def test_fields_nobody_knows_arrive_as_the_bytes_that_came(
    fields: dict[str, Any], indent: Any, ascii_only: bool
) -> None:
    raw = {
        f"x-{name}": json.dumps(value, indent=indent, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
        for name, value in fields.items()
    }
    body = b'{"model":"m","messages":[{"role":"user","content":"x"}]'
    body += b"".join(b',\n"%b":%b ' % (json.dumps(name)[1:-1].encode(), value) for name, value in raw.items()) + b"}"
    changed = fields_of(patched(candidate("http://x.test"), parse_request(Operation.CHAT, body), []))
    assert {name: changed[name] for name in raw} == raw


ASKED = b'{"include_usage":true}'


@pytest.mark.parametrize(
    ("how", "fields", "options"),
    [
        (StreamUsage.ASK, {"stream": True}, ASKED),
        (StreamUsage.ASK, {"stream": True, "stream_options": None}, ASKED),
        (StreamUsage.ASK, {"stream": True, "stream_options": {}}, ASKED),
        (StreamUsage.ASK, {"stream": True, "stream_options": {"include_usage": False}}, ASKED),
        (
            StreamUsage.ASK,
            {"stream": True, "stream_options": {"include_obfuscation": False}},
            b'{"include_obfuscation":false,"include_usage":true}',
        ),
        (StreamUsage.ASK, {"stream": False}, None),
        (StreamUsage.ASK, {}, None),
        (StreamUsage.ALWAYS, {"stream": True}, None),
        (StreamUsage.ALWAYS, {"stream": True, "stream_options": {"include_usage": True}}, None),
    ],
)
def test_usage_is_asked_for_in_every_stream_whose_provider_has_to_be_asked(
    how: StreamUsage, fields: dict[str, Any], options: bytes | None
) -> None:
    changed = patched(candidate("http://x.test", stream_usage=how), envelope(**fields), [])
    assert fields_of(changed).get("stream_options") == options


def test_quirks_are_applied_in_their_order_and_say_what_they_dropped() -> None:
    def rename(body: Body, dropped: list[str]) -> None:
        body["max_tokens"] = body.pop("max_completion_tokens")

    def refuse(body: Body, dropped: list[str]) -> None:
        if body.pop("seed", None) is not None:
            dropped.append("seed")
        assert "max_tokens" in body

    dropped: list[str] = []
    asked = envelope(max_completion_tokens=5, seed=1)
    changed = fields_of(patched(candidate("http://x.test", quirks=(rename, refuse)), asked, dropped))
    assert (changed["max_tokens"], "seed" in changed, dropped) == (b"5", False, ["seed"])
    assert set(asked.fields) == {"model", "messages", "max_completion_tokens", "seed"}


@pytest.mark.parametrize("secret", ["sk-caf\u00e9-\u2026", "sk-line\r\nx-injected: 1", "sk-nul\0"])
async def test_a_credential_that_no_header_can_hold_is_refused_and_not_sent(secret: str, pool: Pool) -> None:
    async with FakeProvider() as fake:
        with failing(FaultClass.BAD_CREDENTIAL) as caught:
            await Caller(pool, {}).open(candidate(fake.base_url, secret=secret), envelope(), clocks(), [])
        assert fake.connections == 0
    assert secret[:6] not in caught.value.message


async def test_a_path_is_sent_as_a_url_can_hold_it(pool: Pool) -> None:
    request = await sent(pool, path="/a b/é/%20/@cf")
    assert request.path == "/v1/a%20b/%C3%A9/%20/@cf/chat/completions"


def told(env: dict[str, str] | None = None, base_url: str = "http://x.test", **named: Any) -> set[str]:
    """What a caller would take out of anything this upstream says."""
    deployment = candidate(base_url, **named).deployment
    return {secret.reveal() for secret in secrets_of(deployment, env or {})}


def test_the_secrets_of_an_upstream_are_its_credential_its_headers_and_its_proxys_userinfo() -> None:
    headers = (("x-tenant", Secret("tenant-4711")), ("x-pass", Secret("Token hidden-token")))
    assert told(headers=headers, secret=None) == {"tenant-4711", "Token hidden-token", "hidden-token"}
    assert told() == {"sk-very-secret"}
    pair = base64.b64encode(b"someone:hunter22").decode()
    proxy = {"someone:hunter22", "someone", "hunter22", pair}
    assert told(proxy=Secret("http://someone:hunter22@127.0.0.1:1"), secret=None) == proxy
    assert told({"HTTP_PROXY": "http://someone:hunter22@127.0.0.1:1"}, secret=None) == proxy
    assert told({"HTTP_PROXY": "socks5://someone:hunter22@127.0.0.1:1"}, secret=None) == set()


def test_a_script_has_secrets_too() -> None:
    assert told(base_url="sandbox:", secret="sk-something") == {"sk-something"}
