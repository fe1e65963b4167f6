"""A client's request, read with limits."""

from __future__ import annotations

import asyncio

import msgspec

from headgate.endpoints.asgi import Headers, Receive
from headgate.errors import BodyTooLarge, InvalidRequest, RequestTimeout
from headgate.types.policy import Order

MAX_TIMEOUT_S = 86_400.0
# How long a refused request's body is read and thrown away, so that the client gets to read the refusal.
DISCARD_S = 2.0
SMALL_BODY = 64 * 1024


class Head(msgspec.Struct):
    """The headers somebody acts on."""

    authorization: bytes | None
    api_key: bytes | None
    content_length: int | None
    content_encoding: bytes | None
    expects_continue: bool
    order: bytes | None
    timeout_s: bytes | None


def read_head(headers: Headers) -> Head:
    """Look the headers up; the last counts of one that is repeated."""
    found = dict(headers)
    value = found.get
    length = value(b"content-length")
    return Head(
        value(b"authorization"),
        value(b"x-api-key"),
        # The parser has refused anything but digits.
        None if length is None else int(length),
        value(b"content-encoding"),
        b"expect" in found,
        value(b"x-headgate-policy"),
        value(b"x-headgate-timeout-s"),
    )


def parse_order(value: bytes | None) -> Order | None:
    """`x-headgate-policy`. Raises InvalidRequest."""
    if value is None:
        return None
    try:
        return Order(value.decode("latin-1").strip().lower())
    except ValueError:
        known = ", ".join(Order)
        raise InvalidRequest(
            f"x-headgate-policy must be one of: {known}", param="x-headgate-policy", code="invalid_value"
        ) from None


def parse_timeout(value: bytes | None) -> float | None:
    """`x-headgate-timeout-s`: seconds for the whole request. Raises InvalidRequest."""
    if value is None:
        return None
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


async def read_body(head: Head, receive: Receive, limit: int, timeout_s: float) -> bytes:
    """The whole body. Raises BodyTooLarge, RequestTimeout; InvalidRequest for a compressed one."""
    if head.content_encoding is not None and head.content_encoding.lower() != b"identity":
        raise InvalidRequest(
            "request bodies must not be compressed: send them without Content-Encoding",
            param="content-encoding",
            code="unsupported_content_encoding",
        )
    if head.content_length is not None and head.content_length > limit:
        await discard_large(head, receive)
        raise _too_large(limit)
    message = await receive()
    body: bytes = message.get("body", b"")
    if not message.get("more_body"):
        if len(body) > limit:
            raise _too_large(limit)
        return body
    try:
        async with asyncio.timeout(timeout_s):
            return await _read_rest(body, receive, limit)
    except TimeoutError:
        raise RequestTimeout(f"the request body did not arrive within {timeout_s:g} s") from None


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


async def discard_large(head: Head, receive: Receive) -> None:
    """`discard` for a body that is refused unread, unless it is small enough to be in our hands already."""
    if not head.expects_continue and (head.content_length is None or head.content_length > SMALL_BODY):
        await discard(receive)


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
