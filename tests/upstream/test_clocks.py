"""The clocks of an exchange, and the pressure a slow reader puts on a fast upstream."""

from __future__ import annotations

import asyncio

import pytest

from headgate.types.fault import FaultClass
from headgate.upstream.http_exchange import HIGH_WATER
from headgate.upstream.pool import Pool
from tests.fakes.provider import FakeProvider, RawReply
from tests.fakes.sockets import SocketServer, deaf_listener, read_head
from tests.upstream.driving import at, clocks, failing, fetch, read_all, send, settled, until

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
EVENT = b"data: {}\n\n"
LAST = b"0\r\n\r\n"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def drip(data: bytes, pause_s: float = 0.05) -> list[bytes | float]:
    """A byte at a time, with a pause before each."""
    return [part for at in range(len(data)) for part in (pause_s, data[at : at + 1])]


def every(pause_s: float, data: bytes, times: int) -> list[bytes | float]:
    return [pause_s, data] * times


async def test_a_head_that_drips_is_no_first_token(pool: Pool) -> None:
    async with FakeProvider() as fake:
        fake.play(RawReply(drip(HEAD)))
        with failing(FaultClass.NO_FIRST_TOKEN):
            await send(pool, at(fake.port), clocks(first_token_s=0.3))
        await settled(pool)
        await fake.until(lambda fake: fake.aborted == 1)


async def test_a_server_that_says_nothing_gives_no_first_token(pool: Pool) -> None:
    async with FakeProvider() as fake:
        fake.play(RawReply([], "hang"))
        with failing(FaultClass.NO_FIRST_TOKEN) as caught:
            await send(pool, at(fake.port), clocks(first_token_s=0.1))
        assert not caught.value.nothing_received
        await settled(pool)


async def test_interim_replies_do_not_stop_the_clock(pool: Pool) -> None:
    async with FakeProvider() as fake:
        fake.play(RawReply([0.05, b"HTTP/1.1 102 Processing\r\n\r\n"] * 10, "hang"))
        with failing(FaultClass.NO_FIRST_TOKEN):
            await send(pool, at(fake.port), clocks(first_token_s=0.3))


async def test_a_stream_of_comments_is_no_first_token(pool: Pool) -> None:
    """Bytes arrive all the time, but nobody has called any of them content."""
    async with FakeProvider() as fake:
        fake.play(RawReply([HEAD, *every(0.05, chunk(b": wait\n\n"), 100)], "hang"))
        with failing(FaultClass.NO_FIRST_TOKEN):
            await fetch(pool, at(fake.port), clocks(first_token_s=0.4, gap_s=0.2))
        await settled(pool)


async def test_once_content_has_come_a_drip_goes_on_for_as_long_as_it_likes(pool: Pool) -> None:
    async with FakeProvider() as fake:
        fake.play(RawReply([HEAD, *drip(chunk(EVENT) * 2), LAST]))
        exchange = await send(pool, at(fake.port), clocks(first_token_s=0.7, gap_s=0.7))
        exchange.content_started()
        assert (await read_all(exchange)).body == EVENT * 2


async def test_a_gap_between_events_is_a_stall(pool: Pool) -> None:
    async with FakeProvider() as fake:
        fake.play(RawReply([HEAD, chunk(EVENT)], "hang"))
        exchange = await send(pool, at(fake.port), clocks(first_token_s=20.0, gap_s=0.1))
        assert await exchange.read() == EVENT
        exchange.content_started()
        with failing(FaultClass.STALLED):
            await exchange.read()
        await settled(pool)
        await fake.until(lambda fake: fake.aborted == 1)


async def test_a_chunk_whose_size_never_ends_is_a_stall(pool: Pool) -> None:
    async with FakeProvider() as fake:
        fake.play(RawReply([HEAD, chunk(EVENT), b"5;", *drip(b"x" * 100)], "hang"))
        exchange = await send(pool, at(fake.port), clocks(first_token_s=20.0, gap_s=0.3))
        exchange.content_started()
        with failing(FaultClass.STALLED):
            await read_all(exchange)


async def test_a_whole_reply_may_be_long_in_coming_but_not_pause_once_it_comes(pool: Pool) -> None:
    counted = b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n"
    async with FakeProvider() as fake:
        fake.play(RawReply([0.5, counted + b"123456789"]), RawReply([counted + b"1234"], "hang"))
        assert (await fetch(pool, at(fake.port), clocks(gap_s=0.2))).body == b"123456789"
        with failing(FaultClass.STALLED):
            await fetch(pool, at(fake.port), clocks(gap_s=0.2))


async def test_an_error_page_that_pauses_is_a_stall_and_not_a_late_first_token(pool: Pool) -> None:
    async with FakeProvider() as fake:
        fake.play(RawReply([b"HTTP/1.1 500 No\r\ncontent-length: 9\r\n\r\nhalf"], "hang"))
        exchange = await send(pool, at(fake.port), clocks(first_token_s=20.0, gap_s=0.1))
        assert exchange.status == 500
        with failing(FaultClass.STALLED):
            await read_all(exchange)


@pytest.mark.parametrize("content", [True, False])
async def test_the_deadline_ends_even_a_lively_stream(content: bool, pool: Pool) -> None:
    async with FakeProvider() as fake:
        fake.play(RawReply([HEAD, *every(0.02, chunk(EVENT), 1000)], "hang"))
        exchange = await send(pool, at(fake.port), clocks(first_token_s=20.0, total_s=0.5))
        if content:
            exchange.content_started()
        with failing(FaultClass.TOTAL_TIMEOUT):
            await read_all(exchange)
        await settled(pool)


async def test_the_deadline_ends_a_wait_for_the_head(pool: Pool) -> None:
    async with FakeProvider() as fake:
        fake.play(RawReply([], "hang"))
        with failing(FaultClass.TOTAL_TIMEOUT):
            await send(pool, at(fake.port), clocks(total_s=0.1))
        await settled(pool)


async def test_the_deadline_ends_dialling_too(pool: Pool) -> None:
    with deaf_listener() as port, failing(FaultClass.TOTAL_TIMEOUT):
        await send(pool, at(port), clocks(connect_s=20.0, total_s=0.2))
    assert pool.open_connections == 0


async def test_a_deadline_that_has_passed_sends_nothing(pool: Pool) -> None:
    async with FakeProvider() as fake:
        with failing(FaultClass.TOTAL_TIMEOUT):
            await send(pool, at(fake.port), clocks(total_s=-1.0))
        assert fake.requests == []
    await settled(pool)


class Flood(SocketServer):
    """Sends chunks for as long as the client takes them, up to `limit` bytes of body, then does nothing."""

    def __init__(self, limit: int, *, end: bool) -> None:
        super().__init__(self._flood)
        self._limit = limit
        self._end = end
        self.sent = 0

    async def _flood(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_head(reader)
        writer.write(HEAD)
        piece = bytes(64 * 1024)
        while self.sent < self._limit:
            writer.write(chunk(piece))
            await writer.drain()
            self.sent += len(piece)
        if self._end:
            writer.write(LAST)
        await reader.read(-1)

    async def blocked(self) -> None:
        """Wait until no more is taken."""
        before = -1
        while before != self.sent or self.sent == 0:
            before = self.sent
            await asyncio.sleep(0.2)


LARGE = 96 * 1024 * 1024
READ_BYTES = 256 * 1024
"""The most an event loop hands over at once."""


async def test_a_reader_that_does_not_read_holds_the_upstream_back(pool: Pool) -> None:
    async with Flood(LARGE, end=True) as flood:
        exchange = await send(pool, at(flood.port), clocks(gap_s=5.0))
        await flood.blocked()
        assert flood.sent < LARGE, "the upstream could send everything though nobody read"
        first = await exchange.read()
        assert 0 < len(first) <= HIGH_WATER + READ_BYTES
        size = len(first)
        while data := await exchange.read():
            assert len(data) <= HIGH_WATER + READ_BYTES
            size += len(data)
        assert size == LARGE
        exchange.release()
        assert pool.idle_connections == 1


@pytest.mark.parametrize("first_token_s", [None, 0.3])
async def test_the_time_the_reader_takes_is_not_the_upstreams(first_token_s: float | None, pool: Pool) -> None:
    async with Flood(LARGE // 2, end=True) as flood:
        exchange = await send(pool, at(flood.port), clocks(first_token_s=first_token_s, gap_s=0.3))
        exchange.content_started()
        await flood.blocked()
        await asyncio.sleep(0.5)
        size = 0
        while data := await exchange.read():
            size += len(data)
            if size < 1024 * 1024:
                # Again and again: the clock starts anew whenever reading goes on.
                await asyncio.sleep(0.2)
        assert size == LARGE // 2


async def test_a_stall_after_a_pause_is_still_a_stall(pool: Pool) -> None:
    async with Flood(LARGE // 2, end=False) as flood:
        exchange = await send(pool, at(flood.port), clocks(gap_s=0.4))
        await flood.blocked()
        with failing(FaultClass.STALLED):
            await read_all(exchange)
        assert flood.sent == LARGE // 2
        await settled(pool)


async def test_no_first_token_after_a_pause_is_still_no_first_token(pool: Pool) -> None:
    async with Flood(LARGE // 2, end=False) as flood:
        exchange = await send(pool, at(flood.port), clocks(first_token_s=0.3))
        await flood.blocked()
        await asyncio.sleep(0.3)
        with failing(FaultClass.NO_FIRST_TOKEN):
            await read_all(exchange)
        await settled(pool)


async def test_the_deadline_ends_an_exchange_that_nobody_reads(pool: Pool) -> None:
    async with Flood(LARGE, end=True) as flood:
        exchange = await send(pool, at(flood.port), clocks(total_s=1.0))
        await settled(pool)
        await until(lambda: flood.open_connections == 0)
        with failing(FaultClass.TOTAL_TIMEOUT):
            await read_all(exchange)
