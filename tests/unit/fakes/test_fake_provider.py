"""The fake provider sends what it is told, byte by byte, and remembers what it received."""

from __future__ import annotations

import asyncio
import json
import os
import ssl
import sys
from pathlib import Path

import httpx
import pytest

from headgate.types.script import Ending, Script, Step
from tests.fakes.connection import render_head
from tests.fakes.provider import FakeProvider, Framed, RawReply, event_reply, json_reply, sandbox_responder

ROOT = Path(__file__).parents[3]
REQUEST = b"POST /v1/x HTTP/1.1\r\nHost: a\r\nX-Odd:  b \r\nContent-Length: 2\r\n\r\nhi"
GET = b"GET /v1/x HTTP/1.1\r\nhost: a\r\n\r\n"


async def ask(fake: FakeProvider, request: bytes = REQUEST) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", fake.port)
    writer.write(request)
    return reader, writer


async def test_requests_are_recorded_as_they_came() -> None:
    async with FakeProvider() as fake:
        _, first = await ask(fake)
        await fake.until(lambda f: len(f.requests) == 1)
        _, second = await ask(
            fake, b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\nhi\r\n1\r\n!\r\n0\r\n\r\n"
        )
        await fake.until(lambda f: len(f.requests) == 2)
        one, two = fake.requests
        assert (one.method, one.path, one.body, one.connection) == ("POST", "/v1/x", b"hi", 1)
        assert one.headers == [(b"Host", b"a"), (b"X-Odd", b"b"), (b"Content-Length", b"2")]
        assert one.header("x-odd") == "b"
        assert (two.body, two.connection) == (b"hi!", 2)
        first.close()
        second.close()


async def test_queued_replies_come_in_turn_then_the_usual_one() -> None:
    async with FakeProvider() as fake, httpx.AsyncClient() as client:
        fake.play(json_reply(1), json_reply(2, status=429, retry_after="7"))
        fake.always(lambda request: json_reply(request.path))
        replies = [await client.get(f"{fake.base_url}/{name}") for name in "abcd"]
        assert [reply.json() for reply in replies] == [1, 2, "/v1/c", "/v1/d"]
        assert replies[1].status_code == 429
        assert replies[1].headers["retry-after"] == "7"
        assert {request.connection for request in fake.requests} == {1}
        assert fake.answered_requests == 4


async def test_nothing_to_play_is_an_answer_that_says_so() -> None:
    async with FakeProvider() as fake, httpx.AsyncClient() as client:
        reply = await client.get(fake.base_url)
        assert reply.status_code == 599
        assert "nothing to play" in reply.text


@pytest.mark.parametrize("framing", ["chunked", "length", "close"])
async def test_scripts_are_framed_as_asked(framing: str) -> None:
    script = Script(steps=(Step(0, b"ab"), Step(0, b""), Step(0.01, b"cd")))
    async with FakeProvider() as fake, httpx.AsyncClient() as client:
        fake.play(Framed(script, framing), json_reply("next"))  # type: ignore[arg-type]
        reply = await client.get(fake.base_url)
        assert reply.content == b"abcd"
        assert ("transfer-encoding" in reply.headers) == (framing == "chunked")
        assert ("content-length" in reply.headers) == (framing == "length")
        assert (await client.get(fake.base_url)).json() == "next"
        assert fake.connections == (2 if framing == "close" else 1)


async def test_streams_are_chunked_and_whole_replies_counted() -> None:
    async with FakeProvider() as fake, httpx.AsyncClient() as client:
        fake.play(event_reply({"a": 1}, b": comment\n\n"), json_reply({}))
        stream = await client.get(fake.base_url)
        assert stream.text == 'data: {"a": 1}\n\n: comment\n\ndata: [DONE]\n\n'
        assert stream.headers["transfer-encoding"] == "chunked"
        assert (await client.get(fake.base_url)).headers["content-length"] == "2"


@pytest.mark.parametrize("framing", ["chunked", "length"])
async def test_cut_closes_before_the_body_is_whole(framing: str) -> None:
    async with FakeProvider() as fake, httpx.AsyncClient() as client:
        fake.play(Framed(Script(steps=(Step(0, b"ab"),), ending=Ending.CUT), framing))  # type: ignore[arg-type]
        with pytest.raises(httpx.RemoteProtocolError):
            await client.get(fake.base_url)
        await fake.until(lambda f: f.open_connections == 0)
        assert fake.aborted == 0


async def test_reset_closes_before_any_byte() -> None:
    async with FakeProvider() as fake:
        fake.play(Script(ending=Ending.RESET))
        reader, writer = await ask(fake)
        with pytest.raises(ConnectionResetError):
            await asyncio.wait_for(reader.read(), 10)
        writer.close()


async def test_client_that_leaves_a_hanging_reply_is_noticed() -> None:
    async with FakeProvider() as fake:
        fake.play(Script(steps=(Step(0, b"ab"),), ending=Ending.HANG))
        reader, writer = await ask(fake)
        assert await reader.readuntil(b"ab\r\n")
        assert (fake.open_connections, fake.aborted) == (1, 0)
        writer.close()
        await fake.until(lambda f: f.open_connections == 0)
        assert (fake.aborted, fake.answered_requests) == (1, 0)


async def test_client_that_leaves_an_idle_connection_did_not_abort() -> None:
    async with FakeProvider() as fake:
        fake.play(json_reply(1))
        _, writer = await ask(fake)
        await fake.until(lambda f: f.answered_requests == 1)
        writer.close()
        await fake.until(lambda f: f.open_connections == 0)
        assert fake.aborted == 0


async def test_client_that_reads_nothing_of_a_huge_reply_holds_it_back() -> None:
    async with FakeProvider() as fake:
        fake.play(Script(steps=tuple(Step(0, b"x" * 2**20) for _ in range(64))))
        reader, writer = await ask(fake)
        await fake.until(lambda f: len(f.requests) == 1)
        await asyncio.sleep(0.2)
        assert fake.answered_requests == 0
        while fake.answered_requests == 0:
            await asyncio.wait_for(reader.read(2**20), 10)
        writer.close()


async def test_raw_pieces_arrive_one_at_a_time() -> None:
    pieces = [b"H", b"TTP/1.1 200 OK\r\ncontent-le", b"ngth: 2\r\n\r\n", b"o", b"k"]
    async with FakeProvider() as fake:
        fake.play(RawReply(pieces), RawReply([b"HTTP/1.1 204 No Content\r\n\r\n"], then="close"))
        reader, writer = await ask(fake)
        assert [await reader.read(1000) for _ in pieces] == pieces
        writer.write(GET)
        assert await reader.read() == b"HTTP/1.1 204 No Content\r\n\r\n"
        writer.close()


@pytest.mark.parametrize("then", ["close", "reset", "hang"])
async def test_raw_reply_leaves_the_connection_as_told(then: str) -> None:
    async with FakeProvider() as fake:
        fake.play(RawReply([b"half", 0.05], then=then))  # type: ignore[arg-type]
        reader, writer = await ask(fake)
        assert await reader.readexactly(4) == b"half"
        if then == "close":
            assert await reader.read() == b""
        elif then == "reset":
            with pytest.raises(ConnectionResetError):
                await reader.read()
        else:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(reader.read(), 0.2)
            assert fake.open_connections == 1
        writer.close()
        await fake.until(lambda f: f.open_connections == 0)


@pytest.mark.parametrize("nonsense", [b"\r\n\r\n", b"x\r\n\r\n", b"GET / HTTP/1.1\r\ncontent-length: x\r\n\r\n"])
async def test_nonsense_closes_the_connection_and_nothing_else(nonsense: bytes) -> None:
    async with FakeProvider() as fake:
        reader, writer = await ask(fake, nonsense)
        assert await asyncio.wait_for(reader.read(), 10) == b""
        writer.close()
        fake.play(json_reply(1))
        reader, writer = await ask(fake)
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        writer.close()
        assert len(fake.requests) == 1


async def test_expectation_of_a_body_is_answered() -> None:
    async with FakeProvider() as fake:
        fake.play(json_reply(1))
        reader, writer = await ask(fake, b"POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"hi")
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        assert fake.requests[0].body == b"hi"
        writer.close()


async def test_dropped_connections_are_closed_from_this_side() -> None:
    async with FakeProvider() as fake:
        fake.play(json_reply(1))
        reader, writer = await ask(fake)
        await fake.until(lambda f: f.answered_requests == 1)
        fake.drop_connections()
        assert (await asyncio.wait_for(reader.read(), 10)).endswith(b"1")
        writer.close()


async def test_leaving_the_server_ends_replies_that_hang() -> None:
    async with FakeProvider() as fake:
        fake.play(Script(ending=Ending.HANG))
        reader, writer = await ask(fake)
        await reader.readline()
    assert fake.open_connections == 0
    writer.close()


async def test_until_gives_up_in_time() -> None:
    async with FakeProvider() as fake:
        with pytest.raises(TimeoutError):
            await fake.until(lambda f: f.requests, timeout=0.05)


async def test_tls_server_proves_itself_with_its_own_authority() -> None:
    async with FakeProvider(tls=True) as fake:
        fake.always(json_reply("secret"))
        context = ssl.create_default_context(cadata=fake.ca_pem.decode())
        async with httpx.AsyncClient(verify=context) as client:
            assert (await client.get(fake.base_url)).json() == "secret"
            assert (await client.get(f"https://localhost:{fake.port}/")).json() == "secret"
        async with httpx.AsyncClient() as client:
            with pytest.raises(httpx.ConnectError):
                await client.get(fake.base_url)


def test_head_of_an_unknown_status_is_rendered() -> None:
    assert render_head(Script(status=529), "chunked").startswith(b"HTTP/1.1 529 Unknown\r\n")
    assert b"content-length" not in render_head(Script(status=204), "length")


async def test_sandbox_answers_over_the_socket() -> None:
    hello = {"model": "fast", "messages": [{"role": "user", "content": "hello"}]}
    async with FakeProvider() as fake, httpx.AsyncClient(base_url=fake.base_url) as client:
        fake.always(sandbox_responder())
        assert "hello" in (await client.post("chat/completions", json=hello)).json()["choices"][0]["message"]["content"]
        stream = await client.post("chat/completions", json={**hello, "stream": True})
        assert stream.text.endswith("data: [DONE]\n\n")
        limited = await client.post("chat/completions", json={**hello, "model": "429"})
        assert (limited.status_code, limited.headers["retry-after"]) == (429, "2")
        assert (await client.post("embeddings", json={"model": "fast", "input": "a"})).json()["data"]
        assert (await client.post("completions", json={"model": "fast", "prompt": "a"})).json()["choices"]
        assert "429" in [model["id"] for model in (await client.get("models")).json()["data"]]
        assert (await client.get("nowhere")).status_code == 404
        moved = await client.post("chat/completions", json={**hello, "model": "redirect"})
        assert (moved.status_code, fake.connections) == (302, 1)


async def test_process_of_its_own_serves_the_sandbox_and_tells_what_it_saw() -> None:
    process = await asyncio.create_subprocess_exec(
        *[sys.executable, "-m", "tests.fakes.provider", "--port", "0", "--script", "sandbox", "--first-token-s", "0"],
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
        env=dict(os.environ),
    )
    try:
        assert process.stdout is not None
        base_url = json.loads(await asyncio.wait_for(process.stdout.readline(), 30))["base_url"]
        hello = {"model": "hello", "messages": [{"role": "user", "content": "hi"}]}
        async with httpx.AsyncClient() as client:
            assert (await client.post(f"{base_url}/chat/completions", json=hello)).status_code == 200
            seen = (await client.get(base_url.removesuffix("/v1") + "/__seen")).json()
        assert [(request["method"], request["path"]) for request in seen["requests"]] == [
            ("POST", "/v1/chat/completions")
        ]
        assert json.loads(seen["requests"][0]["body"]) == hello
        assert (seen["answered"], seen["aborted"], seen["open_connections"]) == (1, 0, 1)
    finally:
        process.terminate()
        assert await asyncio.wait_for(process.wait(), 30) == 0
