"""Carry an answer from an exchange to the client, and know whether it was one."""

from __future__ import annotations

from headgate.catalog.estimate import BYTES_PER_TOKEN, input_estimate
from headgate.dialects.openai.reply import ErrorInBody, parse_reply
from headgate.dialects.openai.stream import StreamReader
from headgate.dialects.openai.usage import completed
from headgate.gateway.booking import Booking
from headgate.gateway.reply import Reply
from headgate.gateway.settle import settle, stream_note
from headgate.types.deployment import Operation
from headgate.types.fault import Fault, FaultClass
from headgate.types.request import Attempt, Envelope
from headgate.types.usage import Usage
from headgate.upstream.exchange import Exchange, ExchangeFailed

MAX_REPLY_BYTES = 64 * 1024 * 1024
FRAME_BYTES = 300
"""What a JSON answer holds beside its text, about."""


async def relay_whole(exchange: Exchange, envelope: Envelope, attempt: Attempt, booking: Booking, reply: Reply) -> None:
    """Read a JSON answer to its end, check it, send it. Raises Fault, ErrorInBody, ExchangeFailed."""
    attempt.first_token = booking.clock()
    body = await read_all(exchange, MAX_REPLY_BYTES)
    usage = parse_reply(envelope.operation, body)
    settle(booking, attempt, _guessed(envelope, body, usage) if usage is None or usage.estimated else usage)
    booking.answered(attempt)
    await reply.whole(body, booking.account)


def _guessed(envelope: Envelope, body: bytes, usage: Usage | None) -> Usage:
    """The usage of an answer whose provider reports none, or half of one: what is left out by its size."""
    written = 0 if envelope.operation is Operation.EMBEDDING else max(1, (len(body) - FRAME_BYTES) // BYTES_PER_TOKEN)
    return completed(usage, input_estimate(envelope), written)


async def relay_stream(
    exchange: Exchange, envelope: Envelope, attempt: Attempt, booking: Booking, reply: Reply
) -> None:
    """Forward a stream as it comes, from its first content on. Raises Fault, ErrorInBody, ExchangeFailed.

    The client gets whole events only: half an event of an upstream that dies would be lost on it anyway.
    """
    reader = StreamReader(envelope, attempt.candidate.deployment.upstream.usage_aside)
    account = booking.account
    out = b""
    try:
        while not reader.has_content:
            out += await _next(exchange, reader)
            if len(out) > MAX_REPLY_BYTES:
                raise Fault(FaultClass.BROKEN_STREAM, "the provider's stream never came to the answer")
        exchange.content_started()
        attempt.first_token = booking.clock()
        await reply.begin(out, account)
        await _flow(exchange, reader, reply)
        if reader.failure is not None:
            raise reader.failure
    except BaseException as failure:  # a client that leaves is a cancellation
        refused = isinstance(failure, Fault | ErrorInBody | ExchangeFailed) and not reader.has_content
        if reader.usage is not None or not refused:
            # What was used before it broke off is known here and nowhere else.
            settle(booking, attempt, reader.settled_usage())
        raise
    settle(booking, attempt, reader.settled_usage())
    booking.answered(attempt)
    await reply.end(reader.tail(stream_note(account)))


async def _flow(exchange: Exchange, reader: StreamReader, reply: Reply) -> None:
    """Forward to the end of the answer, or to the failure that the reader then holds."""

    def forward(data: bytes) -> bool:
        out = reader.feed(data)
        taken = reply.write(out) if out else True
        return taken and not reader.over

    try:
        while not reader.over:
            if await exchange.pump(forward):
                if out := reader.close():
                    reply.write(out)
                return
            await reply.drained()
    except ExchangeFailed:
        # An upstream that fails after the answer was whole has merely ended.
        if not reader.finished:
            raise


async def read_all(exchange: Exchange, limit: int) -> bytes:
    """The whole body. Raises Fault(SOFT_ERROR) past `limit` bytes."""
    pieces: list[bytes] = []
    size = 0
    while data := await exchange.read():
        pieces.append(data)
        size += len(data)
        if size > limit:
            raise Fault(FaultClass.SOFT_ERROR, f"the provider's reply is longer than {limit} bytes")
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


async def _next(exchange: Exchange, reader: StreamReader) -> bytes:
    """The next bytes of a stream whose answer has not begun, where any failure is one of the whole attempt."""
    data = await exchange.read()
    out = reader.feed(data) if data else reader.close()
    if reader.failure is not None and not reader.has_content:
        raise reader.failure
    if not data and not reader.has_content:
        raise Fault(FaultClass.SOFT_ERROR, "the provider's stream holds no answer")
    return out
