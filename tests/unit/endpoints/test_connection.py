"""A request on a client's connection: what its endpoint finds, without a socket in between."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest
import uvicorn
from uvicorn.server import ServerState

from headgate.endpoints.cycle import Cycle
from headgate.endpoints.server import ClientConnection

LARGE = b"x" * 100_000
"""More than a connection is read on for while nobody takes it."""


class Transport:
    """The other side of a connection, as far as one is asked about it here."""

    reads = True
    written = b""

    def get_extra_info(self, name: str, default: object = None) -> object:
        return {"peername": ("192.0.2.7", 5), "sockname": ("192.0.2.1", 80)}.get(name, default)

    def set_write_buffer_limits(self, *_: object, **__: object) -> None: ...

    def pause_reading(self) -> None:
        self.reads = False

    def resume_reading(self) -> None:
        self.reads = True

    def is_closing(self) -> bool:
        return False

    def write(self, data: bytes) -> None:
        self.written += data


def connected(app: Callable[[Cycle], Awaitable[None]]) -> tuple[ClientConnection, Transport]:
    config = uvicorn.Config(cast(Any, app), interface="asgi3", log_config=None, proxy_headers=False)
    connection = ClientConnection(config, ServerState(), {"kept": 1})
    transport = Transport()
    connection.connection_made(cast(asyncio.Transport, transport))
    return connection, transport


def post(body: bytes, *lines: bytes) -> bytes:
    head = [b"POST /a%20b?c=d%20e HTTP/1.1", b"Host: h", b"Content-Length: %d" % len(body), *lines]
    return b"\r\n".join([*head, b"", body])


async def closed(connection: ClientConnection) -> None:
    """The client has left, and the task of its request is over."""
    connection.connection_lost(None)
    await asyncio.sleep(0)
    await asyncio.sleep(0)


async def served(data: list[bytes]) -> tuple[list[Any], Cycle, Transport]:
    """What `whole_body` gave after each piece that came, to an endpoint that takes it as soon as it is there."""
    cycles: list[Cycle] = []

    async def endpoint(cycle: Cycle) -> None:
        cycles.append(cycle)
        await asyncio.Event().wait()

    connection, transport = connected(endpoint)
    found: list[Any] = []
    for piece in data:
        connection.data_received(piece)
        await asyncio.sleep(0)
        found.append(cycles[0].whole_body())
    await closed(connection)
    return found, cycles[0], transport


async def test_a_body_is_whole_when_all_of_it_is_here() -> None:
    whole = post(b"hello")
    found, _, _ = await served([whole[:-2], whole[-2:]])
    assert found == [None, b"hello"]


async def test_a_client_whose_large_body_was_taken_is_read_on_so_that_it_is_seen_leaving() -> None:
    found, _, transport = await served([post(LARGE)])
    assert (found, transport.reads) == ([LARGE], True)


@pytest.mark.parametrize("first", [0, 5])
async def test_a_client_whose_large_body_was_awaited_is_read_on_so_that_it_is_seen_leaving(first: int) -> None:
    taken: list[Any] = []

    async def endpoint(cycle: Cycle) -> None:
        while not taken or taken[-1]["more_body"]:
            taken.append(await cycle.receive())
        await asyncio.Event().wait()

    connection, transport = connected(endpoint)
    head = len(post(LARGE)) - len(LARGE)
    for piece in (post(LARGE)[: head + first], post(LARGE)[head + first :]):
        connection.data_received(piece)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    assert (b"".join(message["body"] for message in taken), transport.reads) == (LARGE, True)
    await closed(connection)


async def test_a_large_body_that_nobody_takes_holds_its_client_up() -> None:
    async def endpoint(cycle: Cycle) -> None:
        await asyncio.Event().wait()

    connection, transport = connected(endpoint)
    connection.data_received(post(LARGE))
    assert not transport.reads
    await closed(connection)


async def test_a_client_that_waits_for_100_continue_is_told_to_go_on_even_when_it_did_not_wait() -> None:
    found, cycle, transport = await served([post(b"hello", b"Expect: 100-Continue")])
    assert found == [None]
    cycle.disconnected = False
    message = await cycle.receive()
    assert (message["body"], message["more_body"]) == (b"hello", False)
    await asyncio.sleep(0)
    assert transport.written == b"HTTP/1.1 100 Continue\r\n\r\n"


async def test_of_a_client_that_has_left_there_is_no_body() -> None:
    _, cycle, _ = await served([post(b"hello")])
    cycle.body = b"hello"
    assert cycle.whole_body() is None


async def test_what_asgi_is_told_is_what_came() -> None:
    _, cycle, _ = await served([post(b"", b"X-A: 1", b"x-a: 2")])
    assert cycle.scope == {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "server": ("192.0.2.1", 80),
        "client": ("192.0.2.7", 5),
        "scheme": "http",
        "method": "POST",
        "root_path": "",
        "path": "/a b",
        "raw_path": b"/a%20b",
        "query_string": b"c=d%20e",
        "headers": [(b"host", b"h"), (b"content-length", b"0"), (b"x-a", b"1"), (b"x-a", b"2")],
        "state": {"kept": 1},
    }
    assert (cycle.head.path, cycle.head.headers[b"x-a"], cycle.client) == ("/a b", b"2", ("192.0.2.7", 5))


@pytest.mark.parametrize("line", [b"X-A: 1", b"Content-Encoding: identity"])
async def test_a_head_is_found_by_small_names(line: bytes) -> None:
    name, _, value = line.partition(b": ")
    _, cycle, _ = await served([post(b"", line)])
    assert cycle.head.headers[name.lower()] == value
