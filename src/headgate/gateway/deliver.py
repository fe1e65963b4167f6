"""The second half of an attempt: its answer goes to the client, and it is known whether all of it did."""

from __future__ import annotations

from headgate.gateway.begin import Begun
from headgate.gateway.booking import Booking
from headgate.gateway.pipe import Pipe
from headgate.gateway.reply import Reply
from headgate.gateway.settle import settle, stream_note
from headgate.types.request import Attempt
from headgate.upstream.exchange import Exchange, ExchangeFailed

MOST_SAID_BYTES = 4 * 1024 * 1024
"""What is kept of a stream so that another candidate can go on where it breaks; of a longer one nothing is."""

MOST_UNPACKED = 16
"""Pieces, none of them large, that are kept without being counted."""

LARGE = 256 * 1024
"""A piece of more bytes is counted at once: out of a compressed reply they come in any size."""


class Sent:
    """What of a stream has gone to the client: kept while another candidate could go on from there."""

    __slots__ = ("events", "keeps", "unpacked")

    def __init__(self, *, keeps: bool) -> None:
        self.events = bytearray()
        # The latest: packing each would cost as much as writing it.
        self.unpacked: list[bytes] = []
        self.keeps = keeps

    def add(self, out: bytes) -> None:
        if self.keeps:
            self.unpacked.append(out)
            self.pack()

    def pack(self) -> None:
        """Put the latest behind the rest, where it takes up no more than its own bytes; forget what is too much."""
        self.events += b"".join(self.unpacked)
        self.unpacked.clear()
        if len(self.events) > MOST_SAID_BYTES:
            self.keeps = False
            self.events.clear()


def choose(begun: Begun, booking: Booking) -> None:
    """This is the answer the client gets: what is said of it is said of this attempt."""
    account, candidate = booking.account, begun.attempt.candidate
    account.provider, account.model = candidate.deployment.upstream.provider, candidate.upstream_id
    account.dropped = begun.dropped


def settle_whole(begun: Begun, booking: Booking) -> None:
    """A JSON answer is here, and the provider has done its part, whether or not the client waits for it."""
    assert begun.usage is not None, "only JSON answers come here"
    settle(booking, begun.attempt, begun.usage)
    booking.answered(begun.attempt)
    begun.exchange.release()


async def deliver_stream(begun: Begun, booking: Booking, reply: Reply, sent: Sent) -> None:
    """Forward a stream from its first content to its end.

    Raises Fault, ErrorInBody, ExchangeFailed or Diverged where it breaks. The client gets whole events only: half an
    event of an upstream that dies would be lost on it anyway.
    """
    pipe, one = begun.pipe, begun.attempt
    assert pipe is not None, "only streams come here"
    reader = pipe.reader
    try:
        first, begun.out = begun.out, b""
        sent.add(first)
        if not reply.committed:
            await reply.begin(first, booking.account)
        elif first:
            reply.write(first)
        # Thousands of streams are open at a time, and what has gone out is kept where it was packed.
        del first
        await _flow(begun.exchange, pipe, reply, sent, one)
        last = b"" if pipe.failure is not None else pipe.last()
        if pipe.failure is not None:
            raise pipe.failure
    except BaseException:  # whatever ends it, a client that leaves too, what was used has to be booked; it is raised on
        # What was used before it broke off is known here and nowhere else.
        settle(booking, one, reader.settled_usage())
        raise
    settle(booking, one, reader.settled_usage())
    booking.answered(one)
    account = booking.account
    await reply.end(last + pipe.tail(stream_note(account), account.usage if account.recovered else None))
    begun.exchange.release()


async def _flow(exchange: Exchange, pipe: Pipe, reply: Reply, sent: Sent, one: Attempt) -> None:
    """Forward to the end of the answer, or to the failure that the pipe then holds."""
    feed, glance, write = pipe.feed, pipe.reader.glance, reply.write
    unpacked, keep = sent.unpacked, sent.unpacked.append

    def forward(data: bytes) -> bool:
        out = glance(data) if pipe.steady else b""
        if out:
            if sent.keeps:
                keep(out)
                if len(unpacked) > MOST_UNPACKED or len(out) > LARGE:
                    sent.pack()
            return write(out)
        out = feed(data)
        if not out:
            return not pipe.over
        sent.add(out)
        return write(out) and not pipe.over

    try:
        while not pipe.over:
            if await exchange.pump(forward):
                if not pipe.over and (out := pipe.close()):
                    sent.add(out)
                    reply.write(out)
                return
            if not pipe.over:
                one.held = True
                await reply.drained()
    except ExchangeFailed:
        # An upstream that fails after the answer was whole has merely ended.
        if not pipe.reader.finished:
            raise
    finally:
        sent.pack()
