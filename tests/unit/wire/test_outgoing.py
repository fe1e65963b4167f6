"""What is written in one turn of the loop goes out together at its end, and nothing of it is lost."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from headgate.wire.outgoing import AT_ONCE, MOST_PIECES, Outgoing, outbox_of


@contextmanager
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        theirs.setblocking(False)
        yield ours, theirs


@asynccontextmanager
async def outgoing() -> AsyncIterator[tuple[Outgoing, socket.socket]]:
    """A connection that is written to, and the socket at its other end."""
    loop = asyncio.get_running_loop()
    with pair() as (ours, theirs):
        transport, _ = await loop.create_connection(asyncio.Protocol, sock=ours)
        one = Outgoing(transport, outbox_of(loop))
        yield one, theirs
        one.abort()
        # The loop lets go of the socket a turn later.
        await asyncio.sleep(0.01)


def arrived(sock: socket.socket) -> bytes | None:
    """What can be read; None when nothing has come yet, b"" at the end."""
    try:
        return sock.recv(4 * AT_ONCE)
    except BlockingIOError:
        return None


async def test_writes_wait_for_the_end_of_the_turn_and_keep_their_order() -> None:
    async with outgoing() as (one, to_one), outgoing() as (other, to_other):
        one.write(b"a")
        other.write(b"x")
        one.writelines((b"b", b"c"))
        assert (arrived(to_one), arrived(to_other)) == (None, None)
        assert one.get_write_buffer_size() == 3
        await asyncio.sleep(0)
        assert (arrived(to_one), arrived(to_other)) == (b"abc", b"x")
        assert one.get_write_buffer_size() == 0


async def test_much_goes_out_at_once() -> None:
    async with outgoing() as (one, there):
        one.write(b"a")
        one.write(b"b" * AT_ONCE)
        assert arrived(there) is None
        one.write(b"c" * (AT_ONCE + 1))
        assert arrived(there) == b"a" + b"b" * AT_ONCE + b"c" * (AT_ONCE + 1)


async def test_many_pieces_go_out_at_once() -> None:
    async with outgoing() as (one, there):
        one.writelines([b"a"] * MOST_PIECES)
        assert arrived(there) is None
        one.write(b"b")
        assert arrived(there) == b"a" * MOST_PIECES + b"b"


async def test_closing_lets_out_what_was_written() -> None:
    async with outgoing() as (one, there):
        one.write(b"last words")
        one.close()
        assert one.is_closing()
        assert arrived(there) == b"last words"


async def test_the_end_of_writing_comes_after_what_was_written() -> None:
    async with outgoing() as (one, there):
        one.write(b"last words")
        one.write_eof()
        assert arrived(there) == b"last words"
        await asyncio.sleep(0.01)
        assert arrived(there) == b""


async def test_aborting_drops_what_was_written() -> None:
    async with outgoing() as (one, there):
        one.write(b"never sent")
        one.abort()
        await asyncio.sleep(0.01)
        assert arrived(there) == b""


async def test_a_connection_that_is_gone_holds_up_nobody() -> None:
    async with outgoing() as (gone, _), outgoing() as (one, there):
        gone.write(b"for nobody")
        one.write(b"still read")
        gone._transport.abort()
        await asyncio.sleep(0)
        assert arrived(there) == b"still read"


async def test_a_defect_of_one_transport_loses_nothing_of_the_others() -> None:
    loop = asyncio.get_running_loop()
    told: list[object] = []
    loop.set_exception_handler(lambda _, context: told.append(context["exception"]))

    class Broken(asyncio.Transport):
        def is_closing(self) -> bool:
            raise RuntimeError("broken")

    async with outgoing() as (one, there):
        Outgoing(Broken(), outbox_of(loop)).write(b"for nobody")
        one.write(b"still read")
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert arrived(there) == b"still read"
    assert [str(one) for one in told] == ["broken"]


async def test_a_loop_has_one_outbox() -> None:
    loop = asyncio.get_running_loop()
    assert outbox_of(loop) is outbox_of(loop)


async def test_what_has_to_be_done_before_anything_goes_out_is_done_before_it_whoever_lets_it_out() -> None:
    async with outgoing() as (one, other):
        seen: list[bytes | None] = []
        box = outbox_of(asyncio.get_running_loop())
        one.write(b"first")
        box.before(lambda: seen.append(arrived(other)))
        await asyncio.sleep(0.01)
        assert (seen, arrived(other)) == ([None], b"first"), "at the end of the turn"
        box.before(lambda: seen.append(arrived(other)))
        one.write(b"x" * (AT_ONCE + 1))
        assert seen == [None, None], "what is too large to wait"
        assert arrived(other) is not None
        box.before(lambda: seen.append(None))
        await asyncio.sleep(0.01)
        assert len(seen) == 3, "also when nothing goes out"
