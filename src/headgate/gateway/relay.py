"""Carry an answer from an exchange to the client, and know whether it was one."""

from __future__ import annotations

from headgate.dialects.openai.reply import parse_reply
from headgate.dialects.openai.stream import StreamReader
from headgate.gateway.reply import Reply
from headgate.gateway.settle import settle, stream_note
from headgate.types.deployment import Deployment
from headgate.types.fault import Fault, FaultClass
from headgate.types.request import Account, Envelope
from headgate.upstream.exchange import Exchange, ExchangeFailed

MAX_REPLY_BYTES = 64 * 1024 * 1024


async def relay_whole(
    exchange: Exchange, envelope: Envelope, deployment: Deployment, account: Account, reply: Reply
) -> None:
    """Read a JSON answer to its end, check it, send it. Raises Fault, ErrorInBody, ExchangeFailed."""
    body = await read_all(exchange, MAX_REPLY_BYTES)
    settle(account, deployment, parse_reply(envelope.operation, body))
    await reply.whole(body, account)


async def relay_stream(
    exchange: Exchange, envelope: Envelope, deployment: Deployment, account: Account, reply: Reply
) -> None:
    """Forward a stream as it comes, from its first content on. Raises Fault, ErrorInBody, ExchangeFailed.

    The client gets whole events only: half an event of an upstream that dies would be lost on it anyway.
    """
    reader = StreamReader(envelope, deployment.upstream.usage_aside)
    out = b""
    try:
        while not reader.has_content:
            out += await _next(exchange, reader)
            if len(out) > MAX_REPLY_BYTES:
                raise Fault(FaultClass.BROKEN_STREAM, "the provider's stream never came to the answer")
        exchange.content_started()
        await reply.begin(out, account)
        await _flow(exchange, reader, reply)
        if reader.failure is not None:
            raise reader.failure
    finally:
        # Also for a stream that broke off and for a client that left: what was used is known here and nowhere else.
        settle(account, deployment, reader.settled_usage())
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
