"""Giving up, at whatever moment, closes the connection and leaves nothing behind."""

from __future__ import annotations

import asyncio
import gc
import os
from collections.abc import Coroutine
from typing import Any

import pytest

from headgate.upstream.exchange import ExchangeFailed
from headgate.upstream.origin import Origin, parse_proxy
from headgate.upstream.pool import Pool
from tests.fakes.ports import refused_port
from tests.fakes.provider import FakeProvider, RawReply, Reply, event_reply, json_reply
from tests.fakes.sockets import SocketServer, deaf_listener
from tests.upstream.driving import at, clocks, fetch, send, settled, until

STREAM = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
CHUNK = b"9\r\ndata: {}\n\r\n"


async def give_up(work: Coroutine[Any, Any, Any], after_s: float = 0.05) -> None:
    task = asyncio.ensure_future(work)
    await asyncio.sleep(after_s)
    assert not task.done()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while await reader.read(65536):
        pass


async def test_giving_up_while_dialling(pool: Pool) -> None:
    with deaf_listener() as port:
        await give_up(fetch(pool, at(port)))
    assert pool.open_connections == 0


async def test_giving_up_in_the_tls_handshake(pool: Pool) -> None:
    async with SocketServer(silent) as server:
        await give_up(fetch(pool, at(server.port, scheme="https")))
        await until(lambda: server.open_connections == 0)
        assert (server.connections, pool.open_connections) == (1, 0)


async def test_giving_up_while_the_proxy_opens_its_tunnel(pool: Pool) -> None:
    async with SocketServer(silent) as server:
        proxy = parse_proxy(f"http://127.0.0.1:{server.port}")
        await give_up(fetch(pool, Origin("https", "made-up.invalid", 443, proxy)))
        await until(lambda: server.open_connections == 0)
        assert (server.connections, pool.open_connections) == (1, 0)


@pytest.mark.parametrize("size", [13, 16 * 1024 * 1024])
async def test_giving_up_while_the_request_is_sent_or_its_reply_awaited(size: int, pool: Pool) -> None:
    async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(10)
        await asyncio.sleep(0.5)
        await silent(reader, writer)

    async with SocketServer(deaf) as server:
        await give_up(fetch(pool, at(server.port), body=bytes(size)))
        await settled(pool)
        await until(lambda: server.open_connections == 0)


@pytest.mark.parametrize("reused", [False, True])
@pytest.mark.parametrize(
    "pieces",
    [[], [b"HTTP/1.1 2"], [b"HTTP/1.1 100 Continue\r\n\r\n"], [STREAM], [STREAM, CHUNK], [STREAM, CHUNK, b"5"]],
)
async def test_giving_up_at_any_stage_of_a_reply(pieces: list[bytes], reused: bool, pool: Pool) -> None:
    async with FakeProvider() as fake:
        if reused:
            fake.play(json_reply({}))
            await fetch(pool, at(fake.port))
        fake.play(RawReply(pieces, "hang"))
        await give_up(fetch(pool, at(fake.port)))
        await settled(pool)
        await fake.until(lambda fake: fake.aborted == 1 and fake.open_connections == 0)
        assert fake.connections == 1


async def test_giving_up_an_exchange_that_was_read_whole_keeps_its_connection(pool: Pool) -> None:
    async with FakeProvider() as fake:
        fake.always(json_reply({}))
        exchange = await send(pool, at(fake.port))
        while await exchange.read():
            pass
        exchange.cancel()
        exchange.cancel()
        assert pool.idle_connections == pool.open_connections == 1
        await fetch(pool, at(fake.port))
        assert fake.connections == 1


async def test_giving_up_an_exchange_nobody_waits_for(pool: Pool) -> None:
    async with FakeProvider() as fake:
        fake.play(RawReply([STREAM, CHUNK], "hang"))
        exchange = await send(pool, at(fake.port))
        assert await exchange.read() == b"data: {}\n"
        exchange.cancel()
        exchange.release()
        await settled(pool)
        await fake.until(lambda fake: fake.aborted == 1)
        with pytest.raises(ExchangeFailed):
            await exchange.read()


async def test_giving_up_wakes_whoever_is_reading(pool: Pool) -> None:
    async with FakeProvider() as fake:
        fake.play(RawReply([STREAM], "hang"))
        exchange = await send(pool, at(fake.port))
        reading = asyncio.ensure_future(exchange.read())
        await asyncio.sleep(0.01)
        exchange.cancel()
        with pytest.raises(ExchangeFailed):
            await reading


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


async def one_of_many(number: int, pool: Pool, port: int, dead: int) -> None:
    """One exchange of a mixture: read whole, given up at some stage, failed, released early."""
    kind = number % 8
    try:
        async with asyncio.timeout(0.01 * (number % 5) if kind in (0, 1) else 20):
            limits = clocks(first_token_s=0.05 if kind == 2 else None, gap_s=0.2, total_s=0.4)
            exchange = await send(pool, at(dead if kind == 3 else port), limits)
            if kind == 4:
                exchange.cancel()
            elif kind == 5:
                await exchange.read()
                exchange.release()
            else:
                try:
                    while await exchange.read():
                        pass
                except BaseException:
                    exchange.cancel()
                    raise
                exchange.release()
    except (TimeoutError, ExchangeFailed):
        pass


async def test_hundreds_of_mixed_exchanges_leave_no_task_timer_or_socket() -> None:
    replies: list[Reply] = [
        json_reply({"a": 1}),
        event_reply({"a": 1}, {"a": 2}, delay_s=0.01),
        RawReply([], "hang"),
        RawReply([], "reset"),
        RawReply([STREAM, CHUNK], "close"),
        RawReply([STREAM, CHUNK, b"0\r\n\r\n", b"HTTP/1.1 200 OK\r\n"]),
        RawReply([0.02, b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nuntil close"], "close"),
    ]
    loop = asyncio.get_running_loop()
    pool, dead = Pool(idle_s=0.3), refused_port()
    async with FakeProvider() as fake:
        # The first exchange makes what stays with the loop: a thread that resolves names, the fake's own reserves.
        fake.play(json_reply({}))
        await fetch(pool, at(fake.port))
        await settled(pool)
        await fake.until(lambda fake: fake.open_connections == 0)
        gc.collect()
        files, tasks = open_files(), len(asyncio.all_tasks())
        count = iter(range(10_000))
        fake.always(lambda request: replies[next(count) % len(replies)])
        for batch in range(5):
            work = [one_of_many(batch * 50 + number, pool, fake.port, dead) for number in range(50)]
            await asyncio.gather(*work)
        # Without anybody's help: the last ones age out.
        await settled(pool)
        assert pool.idle_connections == 0
        await fake.until(lambda fake: fake.open_connections == 0)
        # uvloop does not show its timers; asyncio does, the ones of `settled` and `until` apart.
        timers = [timer for timer in getattr(loop, "_scheduled", []) if not timer.cancelled()]
        assert timers == []
        await until(lambda: len(asyncio.all_tasks()) <= tasks)
        await until(lambda: open_files() <= files)
    await pool.close()
