"""A reply means the same however the network cuts it."""

from __future__ import annotations

import asyncio
import gzip
import zlib

import pytest

from headgate.upstream.pool import Pool
from tests.fakes.provider import FakeProvider, RawReply
from tests.upstream.driving import Received, at, fetch

TEXT = b'{"id":"x","choices":[{"message":{"content":"hello"}}]}'
EVENTS = b'data: {"choices":[{"delta":{"content":"a"}}]}\n\ndata: [DONE]\n\n'


def counted(body: bytes, *headers: bytes) -> bytes:
    head = [b"HTTP/1.1 200 OK", *headers, b"content-length: %d" % len(body)]
    return b"\r\n".join(head) + b"\r\n\r\n" + body


def chunked(*pieces: bytes, extension: bytes = b"", trailers: bytes = b"") -> bytes:
    body = b"".join(b"%x%b\r\n%b\r\n" % (len(piece), extension, piece) for piece in pieces)
    return body + b"0\r\n" + trailers + b"\r\n"


def bare_deflate(data: bytes) -> bytes:
    compress = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return compress.compress(data) + compress.flush()


CHUNKED = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
UNTIL_CLOSE = b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n"
INTERIM = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\nlink: </b>\r\n\r\n"
MEMBERS = gzip.compress(TEXT[:20], mtime=0) + gzip.compress(TEXT[20:], mtime=0)

WHOLE: dict[str, tuple[bytes, int, bytes]] = {
    "counted": (counted(TEXT, b"Content-Type: application/json", b"x-a:1", b"X-A:  2 "), 200, TEXT),
    "counted, empty": (counted(b""), 200, b""),
    "chunked": (CHUNKED + chunked(TEXT[:9], TEXT[9:]), 200, TEXT),
    "chunked, extensions and trailers": (
        CHUNKED + chunked(TEXT[:1], TEXT[1:], extension=b';a=b;c="d"', trailers=b"x-t: 1\r\nx-u: 2\r\n"),
        200,
        TEXT,
    ),
    "chunked, empty": (CHUNKED + chunked(), 200, b""),
    "until close": (UNTIL_CLOSE + TEXT, 200, TEXT),
    "until close, HTTP/1.0": (b"HTTP/1.0 200 OK\r\nserver: old\r\n\r\n" + TEXT, 200, TEXT),
    "gzip": (counted(gzip.compress(TEXT, mtime=0), b"content-encoding: gzip"), 200, TEXT),
    "gzip, two members": (counted(MEMBERS, b"content-encoding: x-gzip"), 200, TEXT),
    "gzip, chunked": (
        b"HTTP/1.1 200 OK\r\ncontent-encoding: GZIP\r\ntransfer-encoding: chunked\r\n\r\n"
        + chunked(gzip.compress(TEXT, mtime=0)[:7], gzip.compress(TEXT, mtime=0)[7:]),
        200,
        TEXT,
    ),
    "gzip, until close": (
        b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\n\r\n" + gzip.compress(TEXT, mtime=0),
        200,
        TEXT,
    ),
    "deflate": (counted(zlib.compress(TEXT), b"content-encoding: deflate"), 200, TEXT),
    "deflate, bare": (counted(bare_deflate(TEXT), b"content-encoding: deflate"), 200, TEXT),
    "events": (CHUNKED + chunked(EVENTS[:11], EVENTS[11:40], EVENTS[40:]), 200, EVENTS),
    "no content": (b"HTTP/1.1 204 No Content\r\nx-a: b\r\n\r\n", 204, b""),
    "not modified, with a length": (b"HTTP/1.1 304 Not Modified\r\ncontent-length: 10\r\n\r\n", 304, b""),
    "interim replies first": (INTERIM + counted(TEXT, b"link: </c>"), 200, TEXT),
    "no reason phrase": (b"HTTP/1.1 200\r\ncontent-length: 2\r\n\r\nok", 200, b"ok"),
}


def reply_of(pieces: list[bytes], whole: bytes) -> RawReply:
    until_close = b"content-length" not in whole and b"chunked" not in whole and b" 204 " not in whole
    return RawReply(pieces, "close" if until_close else "keep")


async def test_the_fake_provider_sends_pieces_that_arrive_apart() -> None:
    pieces = [b"HTTP/1.1 200 OK\r\n", b"content-", b"length: 0\r\n", b"\r", b"\n"]
    async with FakeProvider() as fake:
        fake.always(RawReply(pieces, "close"))
        reader, writer = await asyncio.open_connection("127.0.0.1", fake.port)
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        arrived = []
        while data := await reader.read(1000):
            arrived.append(data)
        writer.close()
    assert arrived == pieces


@pytest.mark.parametrize("name", WHOLE)
async def test_a_reply_that_comes_at_once_is_read_whole(name: str, pool: Pool) -> None:
    wire, status, body = WHOLE[name]
    async with FakeProvider() as fake:
        fake.always(reply_of([wire], wire))
        received = await fetch(pool, at(fake.port))
    assert (received.status, received.body) == (status, body)


@pytest.mark.parametrize("name", WHOLE)
async def test_a_reply_cut_in_two_at_any_byte_is_the_same_reply(name: str, pool: Pool) -> None:
    wire, _, _ = WHOLE[name]
    async with FakeProvider() as fake:
        fake.play(reply_of([wire], wire))
        whole = await fetch(pool, at(fake.port))
        for cut in range(1, len(wire)):
            fake.play(reply_of([wire[:cut], wire[cut:]], wire))
            assert await fetch(pool, at(fake.port)) == whole, f"cut after {wire[:cut]!r}"
        if reply_of([wire], wire).then == "keep":
            assert fake.connections == 1, "a good reply left its connection unused"


@pytest.mark.parametrize("name", WHOLE)
async def test_a_reply_that_comes_byte_by_byte_is_the_same_reply(name: str, pool: Pool) -> None:
    wire, _, _ = WHOLE[name]
    async with FakeProvider() as fake:
        fake.play(reply_of([wire], wire), reply_of([wire[at : at + 1] for at in range(len(wire))], wire))
        whole = await fetch(pool, at(fake.port))
        assert await fetch(pool, at(fake.port)) == whole


async def test_repeated_headers_are_joined_and_names_are_lower_case(pool: Pool) -> None:
    wire = WHOLE["counted"][0]
    async with FakeProvider() as fake:
        fake.always(RawReply([wire]))
        received = await fetch(pool, at(fake.port))
    assert received == Received(
        200, {"content-type": "application/json", "x-a": "1, 2", "content-length": str(len(TEXT))}, TEXT
    )


async def test_interim_replies_leave_no_header_behind(pool: Pool) -> None:
    async with FakeProvider() as fake:
        fake.always(RawReply([WHOLE["interim replies first"][0]]))
        received = await fetch(pool, at(fake.port))
    assert received.headers["link"] == "</c>"


async def test_trailers_are_not_taken_for_headers(pool: Pool) -> None:
    async with FakeProvider() as fake:
        fake.always(RawReply([WHOLE["chunked, extensions and trailers"][0]]))
        received = await fetch(pool, at(fake.port))
    assert "x-t" not in received.headers


async def test_a_head_that_fits_is_taken_however_it_is_cut(pool: Pool) -> None:
    """What is counted against the limit must not depend on how many pieces the head came in."""
    filler = b"".join(b"x-%d: %b\r\n" % (number, b"v" * 1000) for number in range(50))
    wire = b"HTTP/1.1 200 OK\r\n" + filler + b"content-length: 2\r\n\r\nok"
    async with FakeProvider() as fake:
        for size in (len(wire), len(wire) // 2, 5000, 700):
            fake.play(RawReply([wire[start : start + size] for start in range(0, len(wire), size)]))
            received = await fetch(pool, at(fake.port))
            assert received.body == b"ok", f"in pieces of {size}"
