"""A client's request, read with limits."""

from __future__ import annotations

import asyncio

from headgate.endpoints.asgi import Receive
from headgate.endpoints.cycle import Cycle
from headgate.errors import BodyTooLarge, InvalidRequest, RequestTimeout
from headgate.types.policy import Order

MAX_TIMEOUT_S = 86_400.0
# How long a refused request's body is read and thrown away, so that the client gets to read the refusal.
DISCARD_S = 2.0
SMALL_BODY = 64 * 1024


def parse_order(value: bytes) -> Order:
    """`x-headgate-policy`. Raises InvalidRequest."""
    try:
        return Order(value.decode("latin-1").strip().lower())
    except ValueError:
        known = ", ".join(Order)
        raise InvalidRequest(
            f"x-headgate-policy must be one of: {known}", param="x-headgate-policy", code="invalid_value"
        ) from None


def parse_timeout(value: bytes) -> float:
    """`x-headgate-timeout-s`: seconds for the whole request. Raises InvalidRequest."""
    try:
        seconds = float(value)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= MAX_TIMEOUT_S:
        raise InvalidRequest(
            f"x-headgate-timeout-s must be seconds between 0 and {MAX_TIMEOUT_S:.0f}",
            param="x-headgate-timeout-s",
            code="invalid_value",
        )
    return seconds


async def read_body(cycle: Cycle, limit: int, timeout_s: float) -> bytes:
    """The whole body. Raises BodyTooLarge, RequestTimeout; InvalidRequest for a compressed one."""
    headers = cycle.head.headers
    if b"content-encoding" in headers and headers[b"content-encoding"].lower() != b"identity":
        raise InvalidRequest(
            "request bodies must not be compressed: send them without Content-Encoding",
            param="content-encoding",
            code="unsupported_content_encoding",
        )
    # The parser has refused anything but digits, and our framing more of them than a number has.
    if b"content-length" in headers and int(headers[b"content-length"]) > limit:
        await discard_large(cycle)
        raise _too_large(limit)
    body = cycle.whole_body()
    if body is None:
        message = await cycle.receive()
        body = message.get("body", b"")
        if message.get("more_body"):
            try:
                async with asyncio.timeout(timeout_s):
                    return await _read_rest(body, cycle.receive, limit)
            except TimeoutError:
                raise RequestTimeout(f"the request body did not arrive within {timeout_s:g} s") from None
    if len(body) > limit:
        raise _too_large(limit)
    return body


async def _read_rest(first: bytes, receive: Receive, limit: int) -> bytes:
    pieces, size, more = [first], len(first), True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise asyncio.CancelledError("the client left while it sent its request")
        piece = message.get("body", b"")
        pieces.append(piece)
        size += len(piece)
        more = message.get("more_body", False)
        if size > limit:
            if more:
                await discard(receive)
            raise _too_large(limit)
    return b"".join(pieces)


async def discard_large(cycle: Cycle) -> None:
    """`discard` for a body that is refused unread, unless it is small enough to be in our hands already."""
    headers = cycle.head.headers
    length = headers.get(b"content-length")
    if b"expect" not in headers and (length is None or int(length) > SMALL_BODY):
        await discard(cycle.receive)


async def discard(receive: Receive) -> None:
    """Read a body that nobody wants, for a moment.

    Closing with unread bytes in the socket makes the kernel send a reset, which can overtake our answer.
    """
    try:
        async with asyncio.timeout(DISCARD_S):
            while (await receive()).get("more_body"):
                pass
    except TimeoutError:
        return


def _too_large(limit: int) -> BodyTooLarge:
    return BodyTooLarge(f"the request body is larger than this gateway accepts ({limit} bytes)")
