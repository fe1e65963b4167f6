"""A connection serves again only when nothing is left of the exchange before, and a stale one is replaced once."""

from __future__ import annotations

import asyncio

import pytest

from headgate.types.fault import FaultClass
from headgate.upstream.pool import Pool
from tests.fakes.provider import FakeProvider, RawReply, event_reply
from tests.fakes.sockets import SocketServer, read_head
from tests.upstream.driving import BODY, at, clocks, failing, fetch, read_all, send, settled, until

OK = b"HTTP/1.1 200 OK\r\n"


def reply(body: bytes) -> bytes:
    return OK + b"content-length: %d\r\n\r\n%b" % (len(body), body)


CHUNKED = OK + b"transfer-encoding: chunked\r\n\r\n5\r\nfirst\r\n0\r\n\r\n"
STOLEN = reply(b"somebody else's")

REPLIES = {"counted": reply(b"first"), "chunked": CHUNKED}
LEFTOVERS = {
    "a whole second reply": STOLEN,
    "two more replies": STOLEN * 2,
    "half of a second reply": STOLEN[:-4],
    "half of a second head": STOLEN[:20],
    "the first bytes of a second reply": b"HT",
    "an interim reply": b"HTTP/1.1 100 Continue\r\n\r\n",
    "rubbish": b"\0\1\2 rubbish",
    "blank lines": b"\r\n\r\n",
    "more body than was promised": b" and more",
}


async def test_a_connection_is_used_again_after_a_whole_reply(pool: Pool) -> None:
    async with FakeProvider() as fake:
        fake.always(RawReply([reply(b"fine")]))
        for _ in range(5):
            assert (await fetch(pool, at(fake.port))).body == b"fine"
        assert (fake.connections, pool.open_connections, pool.idle_connections) == (1, 1, 1)


async def test_exchanges_at_the_same_time_have_connections_of_their_own(pool: Pool) -> None:
    async with FakeProvider() as fake:
        fake.always(lambda request: RawReply([0.05, reply(request.body)]))
        bodies = [b"%d" % number for number in range(20)]
        received = await asyncio.gather(*(fetch(pool, at(fake.port), body=body) for body in bodies))
        assert [one.body for one in received] == bodies
        assert pool.idle_connections == fake.connections == 20


@pytest.mark.parametrize("released", ["after the reply is read", "before the reply has ended"])
@pytest.mark.parametrize("arrival", ["with the reply", "right behind it"])
@pytest.mark.parametrize("leftover", LEFTOVERS)
@pytest.mark.parametrize("framing", REPLIES)
async def test_what_follows_a_reply_is_never_given_to_the_next_request(
    framing: str, leftover: str, arrival: str, released: str, pool: Pool
) -> None:
    first, rest = REPLIES[framing], LEFTOVERS[leftover]
    head, body = first[: first.index(b"first")], first[first.index(b"first") :]
    tail = [body + rest] if arrival == "with the reply" else [body, rest]
    async with FakeProvider() as fake:
        fake.play(RawReply([head, 0.01, *tail]))
        fake.always(RawReply([reply(b"the right one")]))
        exchange = await send(pool, at(fake.port))
        if released == "before the reply has ended":
            exchange.release()
        else:
            assert (await read_all(exchange)).body == b"first"
        # What is still on its way when the next request is sent, no client of HTTP/1.1 can tell from its reply.
        await until(lambda: pool.open_connections == (0 if arrival == "right behind it" else pool.idle_connections))
        for _ in range(3):
            assert (await fetch(pool, at(fake.port))).body == b"the right one"
        assert len(fake.requests) == 4


@pytest.mark.parametrize("released", ["after the reply is read", "before the reply has ended"])
async def test_a_second_reply_in_two_halves_is_not_taken_for_the_next_one(released: str, pool: Pool) -> None:
    """The first half comes in the packet that ends the reply, the second when the next request is under way."""
    asked_again = asyncio.Event()

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_head(reader)
        if server.connections > 1:
            asked_again.set()
            await asyncio.sleep(0.05)
            writer.write(reply(b"the right one"))
            await reader.read(-1)
        writer.write(OK + b"content-length: 5\r\n\r\n")
        await asyncio.sleep(0.05)
        writer.write(b"first" + STOLEN[:20])
        await asked_again.wait()
        writer.write(STOLEN[20:])
        await reader.read(-1)

    async with SocketServer(handler) as server:
        exchange = await send(pool, at(server.port))
        if released == "before the reply has ended":
            exchange.release()
            await settled(pool, 0)
        else:
            assert (await read_all(exchange)).body == b"first"
        assert (await fetch(pool, at(server.port))).body == b"the right one"


@pytest.mark.parametrize("unasked", [STOLEN, b"H", b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\n\r\n"])
async def test_an_idle_connection_that_speaks_is_closed(unasked: bytes, pool: Pool) -> None:
    async with FakeProvider() as fake:
        fake.play(RawReply([reply(b"first"), 0.05, unasked], "hang"))
        fake.always(RawReply([reply(b"second")]))
        assert (await fetch(pool, at(fake.port))).body == b"first"
        assert pool.idle_connections == 1
        await settled(pool, 0)
        assert pool.idle_connections == 0
        assert (await fetch(pool, at(fake.port))).body == b"second"


async def test_connections_the_server_closed_while_idle_are_not_used(pool: Pool) -> None:
    async with FakeProvider() as fake:
        fake.always(lambda request: RawReply([0.05, reply(b"fine")]))
        await asyncio.gather(*(fetch(pool, at(fake.port)) for _ in range(5)))
        assert pool.idle_connections == 5
        fake.drop_connections()
        await settled(pool, 0)
        assert pool.idle_connections == 0
        assert (await fetch(pool, at(fake.port))).body == b"fine"
        assert len(fake.requests) == 6


@pytest.mark.parametrize("how", ["close", "reset"])
async def test_a_stale_connection_is_replaced_once_when_not_a_byte_came(how: str, pool: Pool) -> None:
    async with FakeProvider() as fake:
        fake.play(RawReply([reply(b"first")]), RawReply([], "close" if how == "close" else "reset"))
        fake.always(RawReply([reply(b"second")]))
        await fetch(pool, at(fake.port))
        assert (await fetch(pool, at(fake.port))).body == b"second"
        assert [request.connection for request in fake.requests] == [1, 1, 2]
        assert [request.body for request in fake.requests] == [BODY] * 3


async def test_a_request_is_sent_again_only_once(pool: Pool) -> None:
    async with FakeProvider() as fake:
        fake.always(lambda request: RawReply([0.05, reply(b"fine")]))
        await asyncio.gather(*(fetch(pool, at(fake.port)) for _ in range(3)))
        fake.always(RawReply([], "close"))
        with failing(FaultClass.RESET):
            await fetch(pool, at(fake.port))
        assert len(fake.requests) == 5


@pytest.mark.parametrize("some", [b"H", b"HTTP/1.1 100 Continue\r\n\r\n", OK, b"\r\n"])
async def test_a_reused_connection_that_gave_some_bytes_is_not_replaced(some: bytes, pool: Pool) -> None:
    async with FakeProvider() as fake:
        fake.play(RawReply([reply(b"first")]), RawReply([some], "close"))
        await fetch(pool, at(fake.port))
        with failing(FaultClass.RESET) as caught:
            await fetch(pool, at(fake.port))
        assert not caught.value.nothing_received
        assert len(fake.requests) == 2


async def test_a_fresh_connection_that_closes_is_not_replaced(pool: Pool) -> None:
    async with FakeProvider() as fake:
        fake.always(RawReply([], "close"))
        with failing(FaultClass.RESET) as caught:
            await fetch(pool, at(fake.port))
        assert caught.value.nothing_received
        assert len(fake.requests) == fake.connections == 1


async def test_a_clock_that_runs_out_on_a_reused_connection_is_not_a_stale_connection(pool: Pool) -> None:
    async with FakeProvider() as fake:
        fake.play(RawReply([reply(b"first")]), RawReply([], "hang"))
        await fetch(pool, at(fake.port))
        with failing(FaultClass.NO_FIRST_TOKEN):
            await fetch(pool, at(fake.port), clocks(first_token_s=0.1))
        assert len(fake.requests) == 2


ENDS_THE_CONNECTION = {
    "connection: close": OK + b"connection: close\r\ncontent-length: 5\r\n\r\nfirst",
    "Connection: Close, in a list": OK + b"Connection: x, Close\r\ncontent-length: 5\r\n\r\nfirst",
    "HTTP/1.0": b"HTTP/1.0 200 OK\r\ncontent-length: 5\r\n\r\nfirst",
    "HTTP/1.0 in chunks": b"HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nfirst\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("name", ENDS_THE_CONNECTION)
async def test_a_reply_that_ends_its_connection_leaves_none(name: str, pool: Pool) -> None:
    """The server keeps it open, so that only the client's own respect for the reply closes it."""
    async with FakeProvider() as fake:
        fake.always(RawReply([ENDS_THE_CONNECTION[name]]))
        for _ in range(2):
            assert (await fetch(pool, at(fake.port))).body == b"first"
            assert pool.idle_connections == 0
        await settled(pool, 0)
        assert fake.connections == 2


async def test_keep_alive_is_honoured_in_http_1_0(pool: Pool) -> None:
    async with FakeProvider() as fake:
        fake.always(RawReply([b"HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 5\r\n\r\nfirst"]))
        for _ in range(2):
            assert (await fetch(pool, at(fake.port))).body == b"first"
        assert fake.connections == 1


@pytest.mark.parametrize("then", ["hangs", "closes"])
async def test_a_reply_before_the_whole_request_was_sent_ends_the_connection(then: str, pool: Pool) -> None:
    body = bytes(16 * 1024 * 1024)

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_head(reader)
        writer.write(b"HTTP/1.1 413 Content Too Large\r\ncontent-length: 7\r\n\r\ntoo big")
        await writer.drain()
        # Half-closed: a full close would reset the connection while the client still sends.
        writer.write_eof() if then == "closes" else None
        reader._transport.pause_reading()  # type: ignore[attr-defined]
        await asyncio.sleep(60)

    async with SocketServer(handler) as server:
        for number in (1, 2):
            received = await fetch(pool, at(server.port), body=body)
            assert (received.status, received.body) == (413, b"too big")
            assert pool.idle_connections == 0
            await settled(pool, 0)
            assert server.connections == number


async def test_a_stream_released_at_its_last_event_keeps_its_connection(pool: Pool) -> None:
    """The relay stops reading at `[DONE]`; the chunk that ends the body comes a packet later."""
    async with FakeProvider() as fake:
        fake.always(event_reply({"choices": []}))
        for _ in range(3):
            exchange = await send(pool, at(fake.port))
            seen = b""
            while b"[DONE]" not in seen:
                seen += await exchange.read()
            exchange.release()
            await until(lambda: pool.idle_connections == 1)
        assert fake.connections == 1


async def test_a_released_reply_that_goes_on_and_on_loses_its_connection(pool: Pool) -> None:
    async with FakeProvider() as fake:
        chunk = b"8000\r\n" + bytes(0x8000) + b"\r\n"
        fake.play(RawReply([OK + b"transfer-encoding: chunked\r\n\r\n", *[chunk] * 1000], "hang"))
        exchange = await send(pool, at(fake.port))
        exchange.release()
        await settled(pool, 0)
        await fake.until(lambda fake: fake.open_connections == 0)


async def test_a_released_reply_that_never_ends_loses_its_connection(pool: Pool) -> None:
    async with FakeProvider() as fake:
        fake.play(RawReply([OK + b"transfer-encoding: chunked\r\n\r\n2\r\nok\r\n"], "hang"))
        exchange = await send(pool, at(fake.port))
        exchange.release()
        await settled(pool, 0)
        await fake.until(lambda fake: fake.open_connections == 0)


async def test_an_exchange_that_is_over_cannot_disturb_the_next_one_on_its_connection(pool: Pool) -> None:
    async with FakeProvider() as fake:
        fake.always(lambda request: RawReply([reply(request.body)]))
        over = await send(pool, at(fake.port))
        await read_all(over)
        current = await send(pool, at(fake.port), body=b"the next")
        over.cancel()
        over.release()
        assert pool.idle_connections == 0
        third = await fetch(pool, at(fake.port), body=b"a third")
        assert (await read_all(current)).body == b"the next"
        assert third.body == b"a third"
        assert (pool.idle_connections, pool.open_connections, fake.connections) == (2, 2, 2)


async def test_idle_connections_age_out_and_their_timer_with_them() -> None:
    pool = Pool(idle_s=0.1)
    async with FakeProvider() as fake:
        fake.always(RawReply([reply(b"fine")]))
        await fetch(pool, at(fake.port))
        assert pool.idle_connections == 1
        await settled(pool, 0)
        await fake.until(lambda fake: fake.open_connections == 0)
        assert (await fetch(pool, at(fake.port))).body == b"fine"
        assert fake.connections == 2
    await pool.close()


async def test_no_more_idle_connections_are_kept_than_the_limit() -> None:
    pool = Pool(max_idle=2)
    async with FakeProvider() as fake:
        fake.always(lambda request: RawReply([0.05, reply(b"fine")]))
        await asyncio.gather(*(fetch(pool, at(fake.port)) for _ in range(6)))
        await settled(pool, 2)
        assert pool.idle_connections == 2
        await fake.until(lambda fake: fake.open_connections == 2)
    await pool.close()


async def test_a_closed_pool_has_closed_what_was_in_use_too() -> None:
    pool = Pool()
    async with FakeProvider() as fake:
        fake.play(RawReply([reply(b"idle")]), RawReply([OK + b"content-length: 9\r\n\r\nhalf"], "hang"))
        fake.play(RawReply([OK + b"content-length: 9\r\n\r\nhalf"], "hang"))
        await fetch(pool, at(fake.port))
        exchanges = [await send(pool, at(fake.port)) for _ in range(2)]
        assert pool.open_connections == 2
        await pool.close()
        assert pool.open_connections == pool.idle_connections == 0
        for exchange in exchanges:
            with failing(FaultClass.BROKEN_STREAM):
                while await exchange.read():
                    pass
        await fake.until(lambda fake: fake.open_connections == 0)
