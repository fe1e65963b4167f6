"""TLS to an upstream: whom we trust, what we say when we do not, and that nothing stays open."""

from __future__ import annotations

import asyncio
import datetime
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
import trustme

from headgate.types.fault import FaultClass
from headgate.upstream.dial import system_tls
from headgate.upstream.pool import Pool
from tests.fakes.provider import FakeProvider, RawReply
from tests.fakes.sockets import Handler, SocketServer, read_head
from tests.upstream.driving import at, clocks, failing, fetch, settled, until

REPLY = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nfine"
YESTERDAY = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)


def trusting(*authorities: trustme.CA) -> Callable[[], ssl.SSLContext]:
    context = ssl.create_default_context()
    for authority in authorities:
        authority.configure_trust(context)
    return lambda: context


@asynccontextmanager
async def pool_trusting(*authorities: trustme.CA) -> AsyncIterator[Pool]:
    pool = Pool(tls=trusting(*authorities))
    yield pool
    await pool.close()
    assert pool.open_connections == 0


def serving(certificate: trustme.LeafCert, names: list[str | None] | None = None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    if names is not None:
        context.sni_callback = lambda _, name, __: names.append(name)
    return context


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        await read_head(reader)
        await reader.readexactly(13)
        writer.write(REPLY)


async def refused(server: SocketServer, pool: Pool, saying: str, host: str = "localhost") -> None:
    """The connection fails for this reason, and neither side is left with it."""
    with failing(FaultClass.CONNECT_FAILED, saying=saying) as caught:
        await fetch(pool, at(server.port, scheme="https", host=host))
    assert caught.value.message.startswith("could not connect: ")
    assert pool.open_connections == 0
    await until(lambda: server.open_connections == 0)


async def test_a_server_whose_authority_is_trusted_is_called_and_told_its_name() -> None:
    authority = trustme.CA()
    names: list[str | None] = []
    context = serving(authority.issue_cert("localhost"), names)
    async with SocketServer(answer, tls=context) as server, pool_trusting(authority) as pool:
        for _ in range(3):
            assert (await fetch(pool, at(server.port, scheme="https", host="localhost"))).body == b"fine"
        assert names == ["localhost"]
        assert server.connections == pool.idle_connections == 1


async def test_the_fake_provider_speaks_tls() -> None:
    async with FakeProvider(tls=True) as fake:
        assert fake.ca is not None
        async with pool_trusting(fake.ca) as pool:
            fake.always(RawReply([REPLY[at : at + 1] for at in range(len(REPLY))]))
            assert (await fetch(pool, at(fake.port, scheme="https"))).body == b"fine"


async def test_an_authority_nobody_trusts_is_refused() -> None:
    context = serving(trustme.CA().issue_cert("localhost"))
    async with SocketServer(answer, tls=context) as server, pool_trusting() as pool:
        await refused(server, pool, "its certificate is not trusted: unable to get local issuer certificate")


async def test_the_systems_roots_are_what_is_trusted_unless_said_otherwise(pool: Pool) -> None:
    context = serving(trustme.CA().issue_cert("localhost"))
    async with SocketServer(answer, tls=context) as server:
        await refused(server, pool, "its certificate is not trusted")


async def test_a_certificate_for_another_name_is_refused() -> None:
    authority = trustme.CA()
    context = serving(authority.issue_cert("other.test"))
    async with SocketServer(answer, tls=context) as server, pool_trusting(authority) as pool:
        await refused(server, pool, "its certificate is not trusted: Hostname mismatch")
        await refused(server, pool, "its certificate is not trusted: IP address mismatch", host="127.0.0.1")


async def test_a_certificate_that_has_expired_is_refused() -> None:
    authority = trustme.CA()
    context = serving(authority.issue_cert("localhost", not_after=YESTERDAY))
    async with SocketServer(answer, tls=context) as server, pool_trusting(authority) as pool:
        await refused(server, pool, "certificate has expired")


async def test_a_server_that_speaks_plain_http_is_refused() -> None:
    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()

    async with SocketServer(plain) as server, pool_trusting() as pool:
        await refused(server, pool, "TLS failed: ")


@pytest.mark.parametrize("how", ["at once", "after the hello", "with a reset", "after some bytes"])
async def test_a_server_that_hangs_up_in_the_handshake_is_refused(how: str) -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if how != "at once":
            await reader.read(100_000)
        if how == "after some bytes":
            writer.write(b"\x16\x03\x03\x00\x40\x02")
            await writer.drain()
        if how == "with a reset":
            writer.transport.abort()

    async with SocketServer(hang_up) as server, pool_trusting() as pool:
        await refused(server, pool, "clos")


async def test_a_handshake_without_an_answer_runs_into_the_connect_clock() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(65536):
            pass

    async with SocketServer(silent) as server, pool_trusting() as pool:
        with failing(FaultClass.CONNECT_FAILED, saying="no connection within 0.2 s"):
            await fetch(pool, at(server.port, scheme="https"), clocks(connect_s=0.2))
        assert pool.open_connections == 0
        await until(lambda: server.open_connections == 0)


@pytest.mark.parametrize(
    ("wire", "kind"),
    [
        (b"", FaultClass.RESET),
        (REPLY[:20], FaultClass.RESET),
        (REPLY[:-1], FaultClass.BROKEN_STREAM),
    ],
)
@pytest.mark.parametrize("how", ["closes", "vanishes"])
async def test_a_reply_cut_short_inside_tls_is_never_a_whole_one(wire: bytes, kind: FaultClass, how: str) -> None:
    authority = trustme.CA()

    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_head(reader)
        await reader.readexactly(13)
        writer.write(wire)
        await asyncio.sleep(0.05)
        if how == "vanishes":
            writer.transport.abort()

    handler: Handler = cut
    context = serving(authority.issue_cert("localhost"))
    async with SocketServer(handler, tls=context) as server, pool_trusting(authority) as pool:
        with failing(kind):
            await fetch(pool, at(server.port, scheme="https", host="localhost"))
        await settled(pool)
        await until(lambda: server.open_connections == 0)


async def test_only_http_1_is_offered() -> None:
    authority = trustme.CA()
    chosen: list[str | None] = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        chosen.append(writer.get_extra_info("ssl_object").selected_alpn_protocol())
        await answer(reader, writer)

    context = serving(authority.issue_cert("localhost"))
    context.set_alpn_protocols(["h2", "http/1.1"])
    client = system_tls.__wrapped__()
    authority.configure_trust(client)
    pool = Pool(tls=lambda: client)
    async with SocketServer(handler, tls=context) as server:
        assert (await fetch(pool, at(server.port, scheme="https", host="localhost"))).body == b"fine"
        await pool.close()
    assert chosen == ["http/1.1"]
