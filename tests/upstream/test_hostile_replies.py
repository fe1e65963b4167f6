"""What a broken or hostile server sends becomes a failure of the right class, never an answer and never a hang."""

from __future__ import annotations

import gzip
import zlib

import pytest

from headgate.types.fault import FaultClass
from headgate.upstream.decoding import MAX_DECODED_BYTES
from headgate.upstream.pool import Pool
from tests.fakes.provider import FakeProvider, RawReply
from tests.upstream.driving import at, failing, fetch, send, settled

OK = b"HTTP/1.1 200 OK\r\n"
COUNTED = OK + b"content-length: 2\r\n\r\nok"
CHUNKED = OK + b"transfer-encoding: chunked\r\n\r\n"
GZIPPED = gzip.compress(b"hello " * 20, mtime=0)

NOT_A_REPLY = {
    "bare LF": OK.replace(b"\r\n", b"\n") + b"content-length: 2\n\nok",
    "bare LF after a header": OK + b"content-length: 2\n\r\nok",
    "bare CR in a header": OK + b"a: b\rc\r\ncontent-length: 2\r\n\r\nok",
    "folded header": OK + b"a: b\r\n c\r\ncontent-length: 2\r\n\r\nok",
    "NUL in a header": OK + b"a: b\x00c\r\ncontent-length: 2\r\n\r\nok",
    "NUL in a name": OK + b"a\x00: b\r\ncontent-length: 2\r\n\r\nok",
    "space before the colon": OK + b"a : b\r\ncontent-length: 2\r\n\r\nok",
    "no name": OK + b": b\r\ncontent-length: 2\r\n\r\nok",
    "negative length": OK + b"content-length: -2\r\n\r\nok",
    "signed length": OK + b"content-length: +2\r\n\r\nok",
    "length in words": OK + b"content-length: two\r\n\r\nok",
    "empty length": OK + b"content-length: \r\n\r\nok",
    "length past 64 bits": OK + b"content-length: 99999999999999999999999\r\n\r\nok",
    "the same length twice": OK + b"content-length: 2\r\ncontent-length: 2\r\n\r\nok",
    "two lengths": OK + b"content-length: 2\r\ncontent-length: 3\r\n\r\nok",
    "a list of lengths": OK + b"content-length: 2, 2\r\n\r\nok",
    "length and chunks": OK + b"content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    "chunks and length": OK + b"transfer-encoding: chunked\r\ncontent-length: 2\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    "chunked twice": OK + b"transfer-encoding: chunked, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    "compressed and chunked": OK + b"transfer-encoding: gzip, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    "compressed, not chunked": OK + b"transfer-encoding: gzip\r\n\r\nok",
    "no HTTP": b"SSH-2.0-OpenSSH_9.6\r\n",
    "HTML without a head": b"<html><body>502</body></html>",
    "a request": b"GET / HTTP/1.1\r\nhost: a\r\n\r\n",
    "TLS": b"\x15\x03\x01\x00\x02\x02\x28",
    "no version": b"HTTP 200 OK\r\ncontent-length: 2\r\n\r\nok",
    "status of two digits": b"HTTP/1.1 20 OK\r\ncontent-length: 2\r\n\r\nok",
    "status of four digits": b"HTTP/1.1 2000 OK\r\ncontent-length: 2\r\n\r\nok",
    "upgrade": b"HTTP/1.1 101 Switching Protocols\r\nupgrade: h2c\r\nconnection: upgrade\r\n\r\nraw",
    "upgrade, in silence": b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
    "endless interim replies": b"HTTP/1.1 100 Continue\r\n\r\n" * 100 + COUNTED,
    "one huge header": OK + b"a: " + b"x" * 70_000 + b"\r\ncontent-length: 2\r\n\r\nok",
    "a huge header without an end": OK + b"a: " + b"x" * 200_000,
    "a huge name without an end": OK + b"x" * 200_000,
    "a huge reason": b"HTTP/1.1 200 " + b"x" * 200_000,
    "many headers": OK + b"a: b\r\n" * 300 + b"content-length: 2\r\n\r\nok",
    "many headers, long": OK + (b"a: " + b"x" * 500 + b"\r\n") * 200 + b"content-length: 2\r\n\r\nok",
    "blank lines without an end": b"\r\n" * 100_000,
    "unknown encoding": OK + b"content-encoding: br\r\ncontent-length: 2\r\n\r\nok",
    "encoded twice": OK + b"content-encoding: gzip, gzip\r\ncontent-length: 2\r\n\r\nok",
}

NOT_A_BODY = {
    "chunk size in words": CHUNKED + b"two\r\nok\r\n0\r\n\r\n",
    "negative chunk size": CHUNKED + b"-2\r\nok\r\n0\r\n\r\n",
    "chunk size with 0x": CHUNKED + b"0x2\r\nok\r\n0\r\n\r\n",
    "chunk size past 64 bits": CHUNKED + b"fffffffffffffffff\r\nok\r\n0\r\n\r\n",
    "empty chunk size": CHUNKED + b"\r\nok\r\n0\r\n\r\n",
    "chunk shorter than it says": CHUNKED + b"5\r\nok\r\n0\r\n\r\n",
    "chunk longer than it says": CHUNKED + b"1\r\nok\r\n0\r\n\r\n",
    "bare LF in chunks": CHUNKED + b"2\nok\n0\n\n",
    "an endless chunk extension": CHUNKED + b"2;" + b"x" * 200_000,
    "an endless trailer": CHUNKED + b"2\r\nok\r\n0\r\nx: " + b"x" * 200_000,
    "huge trailers": CHUNKED + b"2\r\nok\r\n0\r\n" + b"x: y\r\n" * 1000 + b"\r\n",
    "gzip that is none": OK + b"content-encoding: gzip\r\ncontent-length: 2\r\n\r\nok",
    "gzip with a wrong sum": OK
    + b"content-encoding: gzip\r\ntransfer-encoding: chunked\r\n\r\n%x\r\n" % len(GZIPPED)
    + GZIPPED[:-8]
    + b"\0" * 8
    + b"\r\n0\r\n\r\n",
    "gzip cut short": OK + b"content-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % (len(GZIPPED) - 9) + GZIPPED[:-9],
    "gzip with rubbish behind": OK
    + b"content-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % (len(GZIPPED) + 3)
    + GZIPPED
    + b"abc",
    "deflate with rubbish behind": OK
    + b"content-encoding: deflate\r\ncontent-length: %d\r\n\r\n" % (len(zlib.compress(b"a")) + 3)
    + zlib.compress(b"a")
    + b"abc",
    "deflate of one byte": OK + b"content-encoding: deflate\r\ncontent-length: 1\r\n\r\nx",
}

CUT_SHORT = {
    "after the head": (OK + b"content-length: 5\r\n\r\n", FaultClass.BROKEN_STREAM),
    "in a counted body": (OK + b"content-length: 5\r\n\r\nok", FaultClass.BROKEN_STREAM),
    "before the first chunk": (CHUNKED, FaultClass.BROKEN_STREAM),
    "in a chunk's size": (CHUNKED + b"1", FaultClass.BROKEN_STREAM),
    "in a chunk": (CHUNKED + b"5\r\nok", FaultClass.BROKEN_STREAM),
    "after a chunk": (CHUNKED + b"2\r\nok\r\n", FaultClass.BROKEN_STREAM),
    "in the last chunk": (CHUNKED + b"2\r\nok\r\n0\r\n", FaultClass.BROKEN_STREAM),
    "in the trailers": (CHUNKED + b"2\r\nok\r\n0\r\nx: y\r\n", FaultClass.BROKEN_STREAM),
    "in the status line": (b"HTTP/1.1 20", FaultClass.RESET),
    "in the headers": (OK + b"content-le", FaultClass.RESET),
    "before the blank line": (OK + b"content-length: 2\r\n", FaultClass.RESET),
    "after an interim reply": (b"HTTP/1.1 100 Continue\r\n\r\n", FaultClass.RESET),
    "before any byte": (b"", FaultClass.RESET),
    "in compressed data that closing ends": (
        OK + b"content-encoding: gzip\r\n\r\n" + GZIPPED[:-4],
        FaultClass.BROKEN_STREAM,
    ),
}


def in_pieces(wire: bytes) -> list[list[bytes]]:
    """The same bytes at once, in halves, and (when that is quick) one by one."""
    cuts = [[wire], [wire[: len(wire) // 2], wire[len(wire) // 2 :]]]
    if len(wire) < 300:
        cuts.append([wire[at : at + 1] for at in range(len(wire))])
    return cuts


@pytest.mark.parametrize("name", NOT_A_REPLY)
async def test_what_is_no_reply_is_the_servers_error(name: str, pool: Pool) -> None:
    async with FakeProvider() as fake:
        for pieces in in_pieces(NOT_A_REPLY[name]):
            fake.play(RawReply(pieces, "hang"))
            with failing(FaultClass.SERVER_ERROR):
                await send(pool, at(fake.port))
            await settled(pool)
        await fake.until(lambda fake: fake.open_connections == 0)
        assert fake.connections == len(fake.requests)


@pytest.mark.parametrize("name", NOT_A_BODY)
async def test_what_is_no_body_breaks_the_reply_off(name: str, pool: Pool) -> None:
    async with FakeProvider() as fake:
        for pieces in in_pieces(NOT_A_BODY[name]):
            fake.play(RawReply(pieces, "hang"))
            with failing(FaultClass.BROKEN_STREAM):
                await fetch(pool, at(fake.port))
            await settled(pool)
        await fake.until(lambda fake: fake.open_connections == 0)


@pytest.mark.parametrize("ending", ["close", "reset"])
@pytest.mark.parametrize("name", CUT_SHORT)
async def test_a_reply_that_is_cut_short_is_never_a_whole_one(name: str, ending: str, pool: Pool) -> None:
    wire, kind = CUT_SHORT[name]
    # A reset may overtake what was sent before it.
    kinds = {kind, FaultClass.RESET} if ending == "reset" else {kind}
    async with FakeProvider() as fake:
        for pieces in in_pieces(wire):
            fake.play(RawReply(pieces, "close" if ending == "close" else "reset"))
            with failing(*kinds):
                await fetch(pool, at(fake.port))
            await settled(pool)


async def test_a_body_that_only_closing_ends_is_broken_off_by_a_reset(pool: Pool) -> None:
    async with FakeProvider() as fake:
        fake.play(RawReply([OK + b"\r\nhalf of an", 0.05], "reset"))
        with failing(FaultClass.BROKEN_STREAM, FaultClass.RESET):
            await fetch(pool, at(fake.port))


async def test_a_reset_before_the_reply_says_that_nothing_was_received(pool: Pool) -> None:
    async with FakeProvider() as fake:
        fake.play(RawReply([], "reset"))
        with failing(FaultClass.RESET) as caught:
            await fetch(pool, at(fake.port))
        assert caught.value.nothing_received
        fake.play(RawReply([b"H", 0.05], "reset"))
        with failing(FaultClass.RESET) as caught:
            await fetch(pool, at(fake.port))
        assert not caught.value.nothing_received


@pytest.mark.parametrize("name", NOT_A_REPLY)
async def test_what_a_server_sends_is_not_quoted_in_the_failure(name: str, pool: Pool) -> None:
    """A failure's message goes to a client; a header of the provider must not."""
    secret = b"x-session: very-secret-value\r\n"
    wire = NOT_A_REPLY[name].replace(b"\r\n", b"\r\n" + secret, 1)
    async with FakeProvider() as fake:
        fake.play(RawReply([wire], "close"))
        with failing(FaultClass.SERVER_ERROR, FaultClass.RESET) as caught:
            await fetch(pool, at(fake.port))
    assert "secret" not in caught.value.message
    assert len(caught.value.message) < 200
    assert caught.value.message.isprintable()


async def test_odd_bytes_in_a_header_value_come_through_as_latin_1(pool: Pool) -> None:
    async with FakeProvider() as fake:
        fake.play(RawReply([OK + b"x-a: caf\xe9 \xff\tz\r\ncontent-length: 2\r\n\r\nok"]))
        received = await fetch(pool, at(fake.port))
    assert received.headers["x-a"] == "café ÿ\tz"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_a_reply_and_is_never_followed(status: int, pool: Pool) -> None:
    async with FakeProvider() as other, FakeProvider() as fake:
        head = b"HTTP/1.1 %d Moved\r\nlocation: http://127.0.0.1:%d/v1\r\ncontent-length: 0\r\n\r\n"
        fake.play(RawReply([head % (status, other.port)]))
        received = await fetch(pool, at(fake.port))
    assert received.status == status
    assert len(fake.requests) == 1
    assert other.connections == 0


@pytest.mark.parametrize("framing", ["one chunk", "many chunks"])
async def test_a_decompression_bomb_is_refused_and_not_unpacked(framing: str, pool: Pool) -> None:
    compress = zlib.compressobj(9, wbits=31)
    packed = compress.compress(bytes(MAX_DECODED_BYTES)) + compress.compress(bytes(1024 * 1024)) + compress.flush()
    assert len(packed) < 100_000
    size = len(packed) if framing == "one chunk" else 1000
    pieces = [packed[start : start + size] for start in range(0, len(packed), size)]
    wire = OK + b"content-encoding: gzip\r\ntransfer-encoding: chunked\r\n\r\n"
    wire += b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
    async with FakeProvider() as fake:
        fake.play(RawReply([wire], "hang"))
        with failing(FaultClass.BROKEN_STREAM, saying="too large"):
            exchange = await send(pool, at(fake.port))
            unpacked = 0
            while data := await exchange.read():
                unpacked += len(data)
        assert unpacked <= MAX_DECODED_BYTES
        await settled(pool)
