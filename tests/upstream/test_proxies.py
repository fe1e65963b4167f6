"""Through a proxy: tunnels, whole URLs, which proxy is taken, and what is said when it refuses."""

from __future__ import annotations

import asyncio
import base64
import ssl

import pytest
import trustme

from headgate.types.fault import FaultClass
from headgate.types.secret import Secret
from headgate.upstream.call import Caller
from headgate.upstream.dial import MAX_TUNNEL_REPLY
from headgate.upstream.origin import Origin, parse_proxy
from headgate.upstream.pool import Pool
from tests.fakes.ports import refused_port
from tests.fakes.provider import FakeProvider, json_reply
from tests.fakes.proxy import FakeProxy
from tests.fakes.sockets import SocketServer, read_head
from tests.upstream.calling import candidate, envelope
from tests.upstream.driving import clocks, failing, fetch, read_all, settled, until

ANSWER = json_reply({"choices": [{"message": {"content": "hi"}}]})


async def ask(caller: Caller, base_url: str, proxy: str | None = None) -> int:
    """Call a deployment at this address; the status of the reply."""
    who = candidate(base_url, proxy=None if proxy is None else Secret(proxy))
    return (await read_all(await caller.open(who, envelope(), clocks(), []))).status  # type: ignore[arg-type]


def trusting(fake: FakeProvider) -> Pool:
    assert fake.ca is not None
    context = ssl.create_default_context()
    fake.ca.configure_trust(context)
    return Pool(tls=lambda: context)


async def test_a_plain_request_goes_through_the_proxy_as_a_whole_url(pool: Pool) -> None:
    async with FakeProvider() as fake, FakeProxy() as proxy:
        fake.always(ANSWER)
        base_url = f"http://made-up.invalid:{fake.port}/v1"
        caller = Caller(pool, {"HTTP_PROXY": proxy.url})
        for _ in range(2):
            assert await ask(caller, base_url) == 200
        assert proxy.heads[0].startswith(f"POST {base_url}/chat/completions HTTP/1.1\r\n".encode())
        assert fake.requests[0].path == "/v1/chat/completions"
        assert fake.requests[0].header("host") == f"made-up.invalid:{fake.port}"


async def test_a_tls_request_goes_through_a_tunnel_of_which_the_proxy_sees_only_the_name() -> None:
    async with FakeProvider(tls=True) as fake, FakeProxy() as proxy:
        fake.always(ANSWER)
        pool = trusting(fake)
        caller = Caller(pool, {"https_proxy": proxy.url})
        for _ in range(3):
            assert await ask(caller, f"https://localhost:{fake.port}/v1") == 200
        authority = f"localhost:{fake.port}"
        assert proxy.heads == [f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n".encode()]
        assert fake.requests[0].header("authorization") == "Bearer sk-very-secret"
        assert fake.connections == 1
        await pool.close()
        await until(lambda: proxy.open_connections == 0)


@pytest.mark.parametrize("tls", [False, True])
async def test_the_credentials_of_the_proxy_go_to_the_proxy_and_nowhere_else(tls: bool) -> None:
    async with FakeProvider(tls=tls) as fake, FakeProxy() as proxy:
        fake.always(ANSWER)
        pool = trusting(fake) if tls else Pool()
        url = proxy.url.replace("http://", "http://us%40er:pa%3Ass@")
        assert await ask(Caller(pool, {}), fake.base_url, url) == 200
        await pool.close()
        pair = base64.b64encode(b"us@er:pa:ss").decode()
        assert f"proxy-authorization: Basic {pair}\r\n".lower() in proxy.heads[0].decode().lower()
        assert fake.requests[0].header("authorization") == "Bearer sk-very-secret"
        if tls:
            assert fake.requests[0].header("proxy-authorization") is None


PRECEDENCE = {
    "upper case": ({"HTTP_PROXY": "{proxy}"}, True),
    "lower case": ({"http_proxy": "{proxy}"}, True),
    "lower case before upper": ({"http_proxy": "{proxy}", "HTTP_PROXY": "{dead}"}, True),
    "for all": ({"ALL_PROXY": "{proxy}"}, True),
    "its own before that for all": ({"HTTP_PROXY": "{proxy}", "all_proxy": "{dead}"}, True),
    "of the other scheme": ({"HTTPS_PROXY": "{dead}"}, False),
    "empty": ({"HTTP_PROXY": ""}, False),
    "empty, but one for all": ({"HTTP_PROXY": "", "ALL_PROXY": "{proxy}"}, True),
    "without a scheme": ({"HTTP_PROXY": "{bare}"}, True),
    "exempt": ({"HTTP_PROXY": "{dead}", "NO_PROXY": "other.test,127.0.0.0/8"}, False),
    "exempt, lower case": ({"HTTP_PROXY": "{dead}", "no_proxy": "127.0.0.1"}, False),
    "not exempt": ({"HTTP_PROXY": "{proxy}", "NO_PROXY": "127.0.0.2"}, True),
    "not exempt by lower case before upper": (
        {"HTTP_PROXY": "{proxy}", "no_proxy": "other.test", "NO_PROXY": "*"},
        True,
    ),
    "none": ({}, False),
}


@pytest.mark.parametrize("name", PRECEDENCE)
async def test_which_proxy_the_environment_means(name: str, pool: Pool) -> None:
    variables, proxied = PRECEDENCE[name]
    async with FakeProvider() as fake, FakeProxy() as proxy:
        fake.always(ANSWER)
        words = {"proxy": proxy.url, "bare": f"127.0.0.1:{proxy.port}", "dead": f"http://127.0.0.1:{refused_port()}"}
        env = {variable: value.format(**words) for variable, value in variables.items()}
        assert await ask(Caller(pool, env), fake.base_url) == 200
        assert bool(proxy.heads) is proxied


async def test_the_operators_proxy_comes_before_the_environments_and_no_proxy(pool: Pool) -> None:
    async with FakeProvider() as fake, FakeProxy() as proxy:
        fake.always(ANSWER)
        env = {"HTTP_PROXY": f"http://127.0.0.1:{refused_port()}", "NO_PROXY": "*"}
        assert await ask(Caller(pool, env), fake.base_url, proxy.url) == 200
        assert len(proxy.heads) == 1


REFUSALS = {
    "credentials wanted": (b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n", "with 407"),
    "forbidden, with a page": (b"HTTP/1.0 403 No\r\ncontent-length: 5\r\n\r\npage!", "with 403"),
    "bad gateway": (b"HTTP/1.1 502 Bad Gateway\r\n\r\n", "with 502"),
    "a redirect": (b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1/\r\n\r\n", "with 302"),
    "no HTTP": (b"SSH-2.0-OpenSSH\r\n\r\n", "nothing readable"),
    "no status": (b"HTTP/1.1\r\n\r\n", "nothing readable"),
    "a status in words": (b"HTTP/1.1 \xff\x00 2\r\n\r\n", "nothing readable"),
    "blank lines": (b"\r\n\r\n", "nothing readable"),
    "nothing": (b"", "closed"),
    "half a head": (b"HTTP/1.1 200 OK\r\n", "closed"),
    "a head without an end": (b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 10_000, "did not answer in HTTP"),
    "rubbish without an end": (b"x" * (MAX_TUNNEL_REPLY * 2), "did not answer in HTTP"),
    "a tunnel to nowhere": (b"HTTP/1.1 200 OK\r\n\r\n", "it closed the connection"),
    "a tunnel to something else": (b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 400 No\r\n\r\n", ""),
}


@pytest.mark.parametrize("name", REFUSALS)
async def test_a_tunnel_that_is_refused_is_a_failure_to_connect(name: str, pool: Pool) -> None:
    answer, saying = REFUSALS[name]
    async with FakeProxy(answer=answer) as proxy:
        with failing(FaultClass.CONNECT_FAILED, saying=saying) as caught:
            await ask(Caller(pool, {}), "https://made-up.invalid/v1", proxy.url.replace("//", "//user:hunter22@"))
        assert caught.value.message.startswith("could not connect through the proxy: ")
        assert caught.value.message.isprintable()
        assert "hunter22" not in caught.value.message
        assert pool.open_connections == 0
        await until(lambda: proxy.open_connections == 0)


async def test_a_proxy_that_is_not_there_is_a_failure_to_connect(pool: Pool) -> None:
    for scheme in ("http", "https"):
        with failing(FaultClass.CONNECT_FAILED, saying="through the proxy: Connection refused") as caught:
            await ask(Caller(pool, {}), f"{scheme}://made-up.invalid/v1", f"http://127.0.0.1:{refused_port()}")
        assert "127.0.0.1" not in caught.value.message


async def test_a_proxy_that_never_answers_runs_into_the_connect_clock(pool: Pool) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(-1)

    async with SocketServer(silent) as proxy:
        origin = Origin("https", "made-up.invalid", 443, parse_proxy(f"http://127.0.0.1:{proxy.port}"))
        with failing(FaultClass.CONNECT_FAILED, saying="no connection within 0.2 s"):
            await fetch(pool, origin, clocks(connect_s=0.2))
        await settled(pool)
        await until(lambda: proxy.open_connections == 0)


async def test_a_proxy_cannot_pass_itself_off_as_the_upstream() -> None:
    """Behind the tunnel the certificate has to be the upstream's."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("proxy.test").configure_cert(context)

    async def in_the_middle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        await writer.drain()
        await writer.start_tls(context)

    trust = ssl.create_default_context()
    authority.configure_trust(trust)
    pool = Pool(tls=lambda: trust)
    async with SocketServer(in_the_middle) as proxy:
        with failing(FaultClass.CONNECT_FAILED, saying="its certificate is not trusted: Hostname mismatch"):
            await ask(Caller(pool, {}), "https://upstream.test/v1", f"http://127.0.0.1:{proxy.port}")
        await until(lambda: proxy.open_connections == 0)
    await pool.close()


@pytest.mark.parametrize(
    "url",
    [
        "socks5://127.0.0.1:1080",
        "https://127.0.0.1:8080",
        "http://user:hunter22/5@127.0.0.1:1",
        "http://user:hunter22/x@127.0.0.1:1",
        "http://127.0.0.1:99999",
    ],
)
async def test_a_proxy_that_cannot_be_used_says_so_without_its_password(url: str, pool: Pool) -> None:
    with failing(FaultClass.CONNECT_FAILED, saying="it cannot be called: a proxy") as caught:
        await ask(Caller(pool, {"HTTP_PROXY": url}), "http://made-up.invalid/v1")
    assert "hunter22" not in caught.value.message
