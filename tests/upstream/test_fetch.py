"""One request for a part of a provider's list: where it goes, what it carries, and every way it can fail."""

from __future__ import annotations

import asyncio
import gzip
import tracemalloc
from typing import Any

import pytest

from headgate.types.deployment import Upstream
from headgate.types.listing import Ask
from headgate.types.script import Ending, Script, Step
from headgate.types.secret import Secret
from headgate.upstream.fetch import FetchFailed, FetchReason, fetch, path_of
from headgate.upstream.pool import Pool
from tests.fakes.ports import refused_port
from tests.fakes.provider import FakeProvider, RawReply, json_reply
from tests.fakes.proxy import FakeProxy
from tests.fakes.sockets import SocketServer, read_head
from tests.upstream.driving import settled, until

SECRET = "sk-very-secret-indeed"
MEBIBYTE = 2**20


def upstream(base_url: str, **named: Any) -> Upstream:
    fields: dict[str, Any] = {"provider": "fake", "dialect": "openai", "auth_header": ("authorization", "Bearer {}")}
    return Upstream(**(fields | {"base_url": base_url} | named))


async def get(pool: Pool, base_url: str, ask: Ask = Ask("/models"), **named: Any) -> bytes:  # noqa: B008 - frozen
    options: dict[str, Any] = {"env": {}, "limit_bytes": MEBIBYTE, "timeout_s": 20.0}
    options |= {name: named.pop(name) for name in list(named) if name in options}
    headers = named.pop("headers_of_list", ())
    secret = named.pop("secret", SECRET)
    return await fetch(
        pool, upstream(base_url, **named), None if secret is None else Secret(secret), ask, headers, **options
    )


async def test_a_list_is_asked_for_with_the_credential_and_all_headers(pool: Pool) -> None:
    async with FakeProvider() as fake:
        fake.always(json_reply({"data": []}))
        named: dict[str, Any] = {
            "headers": (("X-Org", Secret("mine")),),
            "headers_of_list": (("Version", "2023-06-01"), ("x-org", "theirs")),
            "auth_header": ("X-Api-Key", "{}"),
        }
        assert await get(pool, fake.base_url, **named) == b'{"data": []}'
        (request,) = fake.requests
        assert (request.method, request.path, request.body) == ("GET", "/v1/models", b"")
        assert request.header("x-api-key") == SECRET
        assert request.header("x-org") == "mine"
        assert request.header("version") == "2023-06-01"
        assert request.header("authorization") is None
        assert request.header("content-length") is None
        assert request.header("host") == f"127.0.0.1:{fake.port}"


async def test_without_a_credential_none_is_sent(pool: Pool) -> None:
    async with FakeProvider() as fake:
        fake.always(json_reply([]))
        await get(pool, fake.base_url, secret=None)
        assert fake.requests[0].header("authorization") is None


async def test_a_request_with_a_body_is_posted_and_the_connection_serves_again(pool: Pool) -> None:
    async with FakeProvider() as fake:
        fake.always(json_reply({}))
        for _ in range(2):
            assert await get(pool, fake.base_url, Ask("//api/show?x=1", b'{"model":"m"}', "m")) == b"{}"
        request = fake.requests[0]
        assert (request.method, request.path, request.body) == ("POST", "/api/show?x=1", b'{"model":"m"}')
        assert request.header("content-type") == "application/json"
        assert fake.connections == 1


@pytest.mark.parametrize(
    ("path", "sent"),
    [
        ("/models", "/v1/models"),
        ("/models?after=a%2Fb&limit=5", "/v1/models?after=a%2Fb&limit=5"),
        ("//models", "/models"),
        ("/a b\r\nx: y", "/v1/a%20b%0D%0Ax:%20y"),
        ("/ä#x", "/v1/%C3%A4%23x"),
    ],
)
def test_a_path_begins_at_the_base_url_or_at_the_root_and_can_hold_no_header(path: str, sent: str) -> None:
    assert path_of("http://fake/v1/", Ask(path)) == sent


@pytest.mark.parametrize(
    "path", ["", "models", "http://elsewhere/models", "/../x", "/a/..", "/" + "x" * 9000, "/\ud800"]
)
def test_a_path_that_is_none_or_leads_upwards_is_refused(path: str) -> None:
    with pytest.raises(FetchFailed) as caught:
        path_of("http://fake/v1", Ask(path))
    assert caught.value.reason is FetchReason.BAD_ADDRESS


async def failed(pool: Pool, base_url: str, **named: Any) -> FetchFailed:
    with pytest.raises(FetchFailed) as caught:
        await get(pool, base_url, **named)
    assert SECRET not in caught.value.message
    assert caught.value.message.isprintable()
    return caught.value


def body(data: bytes, kind: str = "application/json", ending: Ending = Ending.COMPLETE, **headers: str) -> Script:
    named = tuple((name.replace("_", "-"), text) for name, text in headers.items())
    return Script(headers=(("content-type", kind), *named), steps=(Step(0.0, data),), ending=ending)


REPLIES: dict[str, tuple[Any, FetchReason]] = {
    "nothing": (body(b""), FetchReason.NO_BODY),
    "blanks": (body(b" \r\n"), FetchReason.NO_BODY),
    "no content": (Script(status=204), FetchReason.STATUS),
    "HTML": (body(b"<html>log in</html>", "Text/HTML; charset=utf-8"), FetchReason.NOT_JSON),
    "a refused credential": (json_reply({"error": SECRET}, 401), FetchReason.REFUSED_CREDENTIAL),
    "a forbidden one": (json_reply({}, 403), FetchReason.REFUSED_CREDENTIAL),
    "no such path": (json_reply({}, 404), FetchReason.STATUS),
    "too many requests": (json_reply({}, 429), FetchReason.STATUS),
    "a failure": (json_reply({}, 500), FetchReason.STATUS),
    "a cut": (body(b'{"data": [', ending=Ending.CUT), FetchReason.CUT),
    "a reset": (Script(ending=Ending.RESET), FetchReason.CUT),
    "an unknown encoding": (body(b"{}", content_encoding="br"), FetchReason.BROKEN),
    "a wrong encoding": (body(b"{}", content_encoding="gzip"), FetchReason.CUT),
    "no HTTP": (RawReply((b"SSH-2.0-OpenSSH\r\n\r\n",), "close"), FetchReason.BROKEN),
    "more than there may be": (body(b" " * (MEBIBYTE + 1)), FetchReason.TOO_LARGE),
    "more than could ever be": (body(b"x", content_length="9" * 400), FetchReason.BROKEN),
    "more than it seems": (body(gzip.compress(b" " * (8 * MEBIBYTE)), content_encoding="gzip"), FetchReason.TOO_LARGE),
}


@pytest.mark.parametrize("name", REPLIES)
async def test_an_answer_that_is_no_list_fails_with_a_reason_and_without_the_secret(name: str, pool: Pool) -> None:
    reply, reason = REPLIES[name]
    async with FakeProvider() as fake:
        fake.always(reply)
        assert (await failed(pool, fake.base_url)).reason is reason
        fake.always(json_reply({"data": []}))
        assert await get(pool, fake.base_url) == b'{"data": []}'


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed_and_the_credential_goes_nowhere_else(status: int, pool: Pool) -> None:
    async with FakeProvider() as fake, FakeProvider() as elsewhere:
        elsewhere.always(json_reply({"data": []}))
        fake.always(json_reply({}, status, location=f"{elsewhere.base_url}/models"))
        assert (await failed(pool, fake.base_url)).reason is FetchReason.REDIRECT
        assert len(fake.requests) == 1
        assert elsewhere.connections == 0


@pytest.mark.parametrize("framing", [b"transfer-encoding: chunked", b"content-type: application/json"])
async def test_an_answer_without_an_end_is_left_at_once_and_never_held(framing: bytes, pool: Pool) -> None:
    chunk = b"10000\r\n%b\r\n" % (b" " * 65536)
    sent = 0

    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await read_head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\n%b\r\n\r\n" % framing)
        while sent < 500 * MEBIBYTE:
            writer.write(chunk)
            await writer.drain()
            sent += len(chunk)

    async with SocketServer(endless) as server:
        tracemalloc.start()
        try:
            failure = await failed(pool, f"http://127.0.0.1:{server.port}/v1", limit_bytes=4 * MEBIBYTE)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert failure.reason is FetchReason.TOO_LARGE
        assert peak < 32 * MEBIBYTE
        await settled(pool)
        await until(lambda: server.open_connections == 0)
        assert sent < 100 * MEBIBYTE


async def test_a_length_beyond_the_limit_is_enough_to_leave(pool: Pool) -> None:
    async with FakeProvider() as fake:
        fake.always(RawReply((b"HTTP/1.1 200 OK\r\ncontent-length: 524288000\r\n\r\n",), "hang"))
        assert (await failed(pool, fake.base_url)).reason is FetchReason.TOO_LARGE


@pytest.mark.parametrize("reply", [b"", b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{"])
async def test_an_answer_that_does_not_come_runs_into_the_clock(reply: bytes, pool: Pool) -> None:
    async with FakeProvider() as fake:
        fake.always(RawReply((reply,) if reply else (), "hang"))
        assert (await failed(pool, fake.base_url, timeout_s=0.3)).reason is FetchReason.TOO_SLOW
        await settled(pool)


async def test_a_server_that_is_not_there_is_a_failure_to_connect(pool: Pool) -> None:
    failure = await failed(pool, f"http://127.0.0.1:{refused_port()}/v1")
    assert failure.reason is FetchReason.NO_CONNECTION


@pytest.mark.parametrize(
    "named", [{"proxy": Secret("http://user:pa@ss@127.0.0.1:99999")}, {"secret": f"{SECRET}\r\nx: y"}, {"secret": "…"}]
)
async def test_what_cannot_be_sent_is_not_sent(named: dict[str, Any], pool: Pool) -> None:
    async with FakeProvider() as fake:
        assert (await failed(pool, fake.base_url, **named)).reason is FetchReason.BAD_ADDRESS
        assert fake.connections == 0


async def test_a_list_is_fetched_through_the_proxy(pool: Pool) -> None:
    async with FakeProvider() as fake, FakeProxy() as proxy:
        fake.always(json_reply([]))
        base_url = f"http://made-up.invalid:{fake.port}/v1"
        assert await get(pool, base_url, env={"HTTP_PROXY": proxy.url}) == b"[]"
        assert await get(pool, base_url, proxy=Secret(proxy.url)) == b"[]"
        assert proxy.heads[0].startswith(f"GET {base_url}/models HTTP/1.1\r\n".encode())


async def test_whoever_stops_waiting_leaves_no_connection_behind(pool: Pool) -> None:
    async with FakeProvider() as fake:
        fake.always(RawReply((b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{",), "hang"))
        task = asyncio.ensure_future(get(pool, fake.base_url))
        await fake.until(lambda fake: fake.requests)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await settled(pool)
