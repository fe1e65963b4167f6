"""Clients that are too slow, or never come to an end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from headgate.endpoints.server import ClientConnection
from headgate.types.script import Script
from tests.fakes.provider import FakeProvider
from tests.surface.gateway import running
from tests.surface.raw import BODY, CHUNKED, LENGTH, raw
from tests.surface.stage import KEY, Stage, chat, completion, document, stream
from tests.surface.wire import Wire, request

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Hasty(ClientConnection):
    """Gives up after moments where the real one waits for many seconds."""

    head_timeout_s = 0.4
    write_stall_s = 0.4
    linger_s = 0.4

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.timeout_keep_alive = 1


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def hasty_gateway() -> AsyncIterator[Stage]:
    async with FakeProvider() as fake, running(document(fake), connection=Hasty) as gateway:
        yield Stage(gateway, fake)


@pytest_asyncio.fixture(loop_scope="module")
async def hasty(hasty_gateway: Stage) -> AsyncIterator[Stage]:
    hasty_gateway.fake.requests.clear()
    yield hasty_gateway
    await hasty_gateway.gateway.until_idle()


async def test_a_connection_that_never_says_anything_is_closed(hasty: Stage) -> None:
    async with await hasty.wire() as wire:
        assert await wire.rest() == b""


@pytest.mark.parametrize(
    "begun",
    [
        b"P",
        b"POST /v1/chat",
        raw(LENGTH)[:60],
        raw(LENGTH, b"")[:-2],
        raw(LENGTH, b""),
        raw(CHUNKED, b""),
        raw(CHUNKED, b"5\r\n"),
        raw(LENGTH + b"Connection: Upgrade\r\nUpgrade: h2c\r\n", b""),
    ],
)
async def test_a_head_or_the_beginning_of_a_body_that_does_not_come_is_408(hasty: Stage, begun: bytes) -> None:
    async with await hasty.wire() as wire:
        await wire.send(begun)
        answer = await wire.answer()
        assert (answer.status, answer.headers["connection"]) == (408, "close")
        assert answer.error["code"] == "request_timeout"
        assert await wire.rest() == b""


@pytest.mark.parametrize("begun", [raw(LENGTH, BODY[:5]), raw(CHUNKED, b"5\r\nhello\r\n"), raw(CHUNKED, b"5\r\nhe")])
async def test_a_body_that_does_not_come_to_its_end_is_408(hasty: Stage, begun: bytes) -> None:
    async with await hasty.wire() as wire:
        await wire.send(begun)
        answer = await wire.answer()
        assert (answer.status, answer.headers["connection"]) == (408, "close")
        assert answer.error["code"] == "request_timeout"
        assert await wire.rest() == b""


async def test_a_head_that_drips_is_cut_however_regularly_it_does(hasty: Stage) -> None:
    async with await hasty.wire() as wire:
        await wire.send(b"POST /v1/chat/completions HTTP/1.1\r\n")
        with pytest.raises(ConnectionError):
            await drip(wire, b"X-A: b\r\n", 190)


async def drip(wire: Wire, data: bytes, times: int) -> None:
    for _ in range(times):
        await wire.send(data)
        await asyncio.sleep(0.05)


@pytest.mark.parametrize(
    "begun",
    [
        request("GET", "/healthz", headers=b"Content-Length: 100000\r\n"),
        request("PUT", "/healthz", headers=b"Content-Length: 100000\r\n"),
        request(headers=b"Content-Length: 60000\r\n"),
        request("GET", "/healthz", headers=CHUNKED) + b"ffff\r\n",
    ],
)
async def test_a_body_nobody_wants_is_not_waited_for_without_end(hasty: Stage, begun: bytes) -> None:
    async with await hasty.wire() as wire:
        await wire.send(begun)
        assert (await wire.answer()).status in (200, 401, 405)
        with pytest.raises(ConnectionError):
            await drip(wire, b"x", 200)


async def test_a_body_nobody_wanted_leaves_the_connection_good_for_the_next_request(hasty: Stage) -> None:
    async with await hasty.wire() as wire:
        await wire.send(request("GET", "/healthz", headers=b"Content-Length: 10\r\n") + b"12345")
        assert (await wire.answer()).status == 200
        await wire.send(b"67890" + request("GET", "/readyz"))
        assert (await wire.answer()).json()["status"] == "ready"


@pytest.mark.parametrize(
    "endless",
    [b"5;" + b"e" * 4096, b"0\r\nX-Trailer: " + b"t" * 4096, b"0\r\n" + b"X-Trailer: tttt\r\n" * 300],
    ids=["chunk extension", "one trailer", "many trailers"],
)
async def test_a_chunk_extension_or_trailers_without_end_are_400(stage: Stage, endless: bytes) -> None:
    async with await stage.wire() as wire:
        await wire.send(raw(CHUNKED, b""))
        await wire.send(endless)
        more = endless[-1:] * 16384 if b"tttt\r\n" not in endless else b"X-Trailer: tttt\r\n" * 1000
        for _ in range(64):
            await wire.send(more)
        assert (await wire.answer()).status == 400
    assert stage.fake.requests == []


async def test_a_client_that_does_not_read_its_answer_is_dropped_and_so_is_the_upstream(hasty: Stage) -> None:
    before = hasty.fake.aborted
    hasty.fake.always(stream(*["x" * 10_000] * 2000))
    async with await Wire.open(hasty.port, receive_buffer=4096) as wire:
        await wire.send(request(body=chat(stream=True), key=KEY))
        await hasty.fake.until(lambda fake: fake.aborted > before, timeout=20)
        await hasty.gateway.until_idle()


async def test_a_client_that_reads_slowly_but_steadily_gets_its_whole_answer(hasty: Stage) -> None:
    words = ["x" * 100_000] * 60
    hasty.fake.always(completion("".join(words)))
    async with await Wire.open(hasty.port, receive_buffer=4096) as wire:
        await wire.send(request(body=chat(), key=KEY))
        body = await wire.slowly(pause_s=0.02)
    assert json.loads(body)["choices"][0]["message"]["content"] == "".join(words)


async def test_a_request_behind_one_that_takes_long_is_not_taken_for_a_slow_one(hasty: Stage) -> None:
    hasty.fake.play(Script(head_delay_s=1.5, headers=completion().headers, steps=completion().steps), completion())
    async with await hasty.wire() as wire:
        await wire.send(raw(LENGTH) + raw(LENGTH, b""))
        assert (await wire.answer()).status == 200
        await wire.send(BODY)
        assert (await wire.answer()).status == 200


async def test_line_ends_behind_a_body_do_not_end_a_long_answer(hasty: Stage) -> None:
    hasty.fake.play(Script(head_delay_s=1.5, headers=completion().headers, steps=completion().steps))
    async with await hasty.wire() as wire:
        await wire.send(raw(LENGTH) + b"\r\n")
        assert (await wire.answer()).status == 200


async def test_an_idle_connection_that_gets_stray_line_ends_is_closed_in_time(hasty: Stage) -> None:
    async with await hasty.wire() as wire:
        await wire.send(request("GET", "/healthz") + b"\r\n")
        assert (await wire.answer()).status == 200
        await wire.send(b"\r\n")
        assert await wire.rest() == b""
