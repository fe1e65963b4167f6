"""Names, addresses and refusals on the way to an upstream."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from headgate.types.fault import FaultClass
from headgate.upstream.pool import Pool
from tests.fakes.ports import free_port, refused_port
from tests.fakes.provider import FakeProvider, RawReply
from tests.fakes.sockets import SocketServer, deaf_listener
from tests.upstream.driving import at, clocks, failing, fetch, settled

FINE = RawReply([b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nfine"])


async def test_a_refused_connection_says_so(pool: Pool) -> None:
    port = refused_port()
    with failing(FaultClass.CONNECT_FAILED, saying="onnection refused") as caught:
        await fetch(pool, at(port))
    assert caught.value.nothing_received
    assert caught.value.message == "could not connect: Connection refused"
    assert pool.open_connections == 0


async def test_a_server_that_does_not_accept_runs_into_the_connect_clock(pool: Pool) -> None:
    with deaf_listener() as port, failing(FaultClass.CONNECT_FAILED, saying="no connection within 0.2 s"):
        await fetch(pool, at(port), clocks(connect_s=0.2))
    assert pool.open_connections == 0


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_name_that_nobody_knows_says_so(scheme: str, pool: Pool) -> None:
    with failing(FaultClass.CONNECT_FAILED, saying="could not connect: its name does not resolve"):
        await fetch(pool, at(80, scheme=scheme, host="nonexistent.invalid"))


@pytest.mark.parametrize("host", ["a..b", "x" * 70 + ".invalid"])
async def test_a_name_that_cannot_be_one_is_a_failure_to_connect(host: str, pool: Pool) -> None:
    with failing(FaultClass.CONNECT_FAILED, saying="its name"):
        await fetch(pool, at(80, host=host))


async def test_ipv6_addresses_are_called(pool: Pool) -> None:
    async with FakeProvider(host="::1") as fake:
        fake.always(FINE)
        assert (await fetch(pool, at(fake.port, host="::1"))).body == b"fine"


async def test_a_server_that_hangs_up_at_once_is_a_reset(pool: Pool) -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    async with SocketServer(hang_up) as server:
        for _ in range(50):
            # Depending on who is first the hang-up comes before, during or after the request is written.
            with failing(FaultClass.RESET, FaultClass.CONNECT_FAILED):
                await fetch(pool, at(server.port))
        await settled(pool)


class BothFamilies(asyncio.SelectorEventLoop):
    """Resolves `both.test` to the loopback address of IPv6, then to that of IPv4."""

    async def getaddrinfo(self, host: Any, port: Any, **named: Any) -> Any:
        if host != "both.test":
            return await super().getaddrinfo(host, port, **named)
        found = []
        for address in ("::1", "127.0.0.1"):
            found += await super().getaddrinfo(address, port, **named)
        return found


@pytest.mark.parametrize("ipv6", ["refuses", "says nothing"])
def test_an_address_that_fails_does_not_keep_the_next_one_from_being_tried(ipv6: str) -> None:
    async def check() -> None:
        pool = Pool()
        async with FakeProvider() as fake:
            fake.always(FINE)
            assert (await fetch(pool, at(fake.port, host="both.test"))).body == b"fine"
        await pool.close()

    async def check_deaf() -> None:
        port = free_port()
        pool = Pool()
        with deaf_listener("::1", port):
            async with FakeProvider(port=port) as fake:
                fake.always(FINE)
                assert (await fetch(pool, at(port, host="both.test"))).body == b"fine"
        await pool.close()

    with asyncio.Runner(loop_factory=BothFamilies) as runner:
        runner.run(check() if ipv6 == "refuses" else check_deaf())


def test_when_every_address_fails_the_message_still_says_why() -> None:
    async def check() -> None:
        pool = Pool()
        with failing(FaultClass.CONNECT_FAILED, saying="onnection refused"):
            await fetch(pool, at(refused_port(), host="both.test"))
        await pool.close()

    with asyncio.Runner(loop_factory=BothFamilies) as runner:
        runner.run(check())
