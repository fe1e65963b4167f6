"""Our client and httpx read the same replies the same way."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import Callable
from dataclasses import dataclass

import httpx
from hypothesis import given, settings
from hypothesis import strategies as st

from headgate.upstream.pool import Pool
from tests.fakes.provider import FakeProvider, RawReply
from tests.upstream.driving import BODY, Received, at, fetch
from tests.upstream.test_framing import bare_deflate

SPOKEN_FOR = {
    "connection",
    "content-encoding",
    "content-length",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
}
TOKEN = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_!#$%&'*+.^`|~"
NAMES = st.text(TOKEN, min_size=1, max_size=12).filter(lambda name: name.lower() not in SPOKEN_FOR)
VALUES = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f"), max_size=20).map(
    str.strip
)
ENCODINGS: dict[str, Callable[[bytes], bytes]] = {
    "": lambda body: body,
    "identity": lambda body: body,
    "gzip": lambda body: gzip.compress(body, mtime=0),
    "deflate": zlib.compress,
    "Deflate": bare_deflate,
}


@dataclass(frozen=True)
class Sent:
    """A reply as it goes over the wire, and what has to become of it."""

    pieces: list[bytes]
    then: str
    body: bytes


@st.composite
def replies(draw: st.DrawFn) -> Sent:
    status = draw(st.sampled_from([200, 200, 201, 204, 206, 301, 304, 400, 401, 404, 418, 429, 500, 503, 599]))
    headers = draw(st.lists(st.tuples(NAMES, VALUES), max_size=6))
    body = draw(st.one_of(st.binary(max_size=300), st.text(max_size=100).map(str.encode)))
    encoding = draw(st.sampled_from(list(ENCODINGS)))
    framing = draw(st.sampled_from(["counted", "chunked", "until close"]))
    if status in (204, 304):
        encoding, framing, body = "", "none", b""
    coded = ENCODINGS[encoding](body)
    if encoding:
        headers.append(("Content-Encoding", encoding))
    if framing == "counted":
        headers.append(("Content-Length", str(len(coded))))
    elif framing == "chunked":
        headers.append(("Transfer-Encoding", "chunked"))
        coded = draw(in_chunks(coded))
    version = draw(st.sampled_from(["HTTP/1.1", "HTTP/1.1", "HTTP/1.0"])) if framing != "chunked" else "HTTP/1.1"
    interim = draw(st.sampled_from([b"", b"", b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 E\r\nlink: a\r\n\r\n"]))
    space = draw(st.sampled_from([":", ": ", ":  ", ":\t"]))
    lines = [f"{version} {status} {draw(st.sampled_from(['OK', '', 'Some Thing']))}"]
    lines += [f"{name}{space}{value}{draw(st.sampled_from(['', ' ']))}" for name, value in headers]
    wire = interim + ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + coded
    cuts = sorted(draw(st.sets(st.integers(1, len(wire) - 1), max_size=5)))
    pieces = [wire[start:end] for start, end in zip([0, *cuts], [*cuts, len(wire)], strict=True)]
    return Sent(pieces, "close" if framing == "until close" or version == "HTTP/1.0" else "keep", body)


@st.composite
def in_chunks(draw: st.DrawFn, body: bytes) -> bytes:
    wire = b""
    while body:
        size = draw(st.integers(1, len(body)))
        extension = draw(st.sampled_from([b"", b"", b";a", b";a=b", b' ; a="b c"'][:4]))
        wire += draw(st.sampled_from([b"%x", b"%X", b"00%x"])) % size + extension + b"\r\n" + body[:size] + b"\r\n"
        body = body[size:]
    return wire + b"0\r\n" + draw(st.sampled_from([b"", b"x-trailer: 1\r\n"])) + b"\r\n"


async def fetch_by_httpx(client: httpx.AsyncClient, port: int) -> Received:
    async with client.stream("POST", f"http://127.0.0.1:{port}/v1/chat/completions", content=BODY) as response:
        body = await response.aread()
        headers: dict[str, str] = {}
        for raw_name, raw_value in response.headers.raw:
            name, value = raw_name.decode().lower(), raw_value.decode("latin-1")
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
        return Received(response.status_code, headers, body)


def test_our_client_and_httpx_agree_on_every_valid_reply(
    new_loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    with asyncio.Runner(loop_factory=new_loop) as runner:
        seen: list[str] = []

        async def compare(reply: Sent, fake: FakeProvider, pool: Pool, client: httpx.AsyncClient) -> None:
            sent = RawReply(reply.pieces, "close" if reply.then == "close" else "keep")
            fake.play(sent, sent)
            theirs = await fetch_by_httpx(client, fake.port)
            ours = await fetch(pool, at(fake.port))
            assert ours == theirs
            assert ours.body == reply.body
            seen.append(reply.then)

        async def start() -> tuple[FakeProvider, Pool, httpx.AsyncClient]:
            return await FakeProvider().__aenter__(), Pool(), httpx.AsyncClient(trust_env=False)

        fake, pool, client = runner.run(start())

        @settings(max_examples=200, deadline=None, derandomize=True, database=None)
        @given(replies())
        def check(reply: Sent) -> None:
            runner.run(compare(reply, fake, pool, client))

        try:
            check()
        finally:
            runner.run(client.aclose())
            runner.run(pool.close())
            runner.run(fake.__aexit__())
        assert {"keep", "close"} == set(seen)
