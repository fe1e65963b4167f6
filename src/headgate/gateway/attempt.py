"""One send to one deployment."""

from __future__ import annotations

import contextlib

from headgate.catalog.estimate import input_estimate, writing
from headgate.dialects.openai.reply import ErrorInBody, parse_reply
from headgate.gateway.booking import Booking
from headgate.gateway.relay import MAX_REPLY_BYTES, read_all, relay_stream, relay_whole
from headgate.gateway.reply import Reply
from headgate.gateway.settle import settle
from headgate.types.deployment import Candidate, Deployment
from headgate.types.fault import Fault, FaultClass
from headgate.types.policy import Timeouts
from headgate.types.request import Attempt, Envelope, Request
from headgate.types.usage import Usage
from headgate.upstream.call import Caller
from headgate.upstream.exchange import Clocks, Exchange, ExchangeFailed
from headgate.upstream.faults import classify
from headgate.upstream.headroom import read_headroom
from headgate.upstream.peeked import PeekedExchange

MAX_ERROR_BYTES = 256 * 1024
FAST_TOKENS_PER_S = 500
"""Faster than nearly every hosted model writes."""


async def attempt(
    caller: Caller,
    request: Request,
    candidate: Candidate,
    timeouts: Timeouts,
    deadline: float,
    reply: Reply,
    booking: Booking,
) -> None:
    """Send the request to one candidate and relay its answer. Every failure comes out as one Fault.

    `deadline` is in the event loop's time. A cancelled attempt closes its connection.
    """
    envelope, deployment = request.envelope, candidate.deployment
    one = _begin(booking, candidate, envelope)
    exchange: Exchange | None = None
    try:
        exchange = await caller.open(
            candidate, envelope, _clocks(timeouts, deadline, envelope), booking.account.dropped
        )
        one.connected, one.status = exchange.connected_at, exchange.status
        if exchange.tells_limits:
            one.headroom = read_headroom(exchange.headers)
        if exchange.status != 200:
            body = await _error_body(exchange)
            raise classify(exchange.status, exchange.headers, body, caller.secrets(deployment))
        await _relay(exchange, envelope, one, booking, reply)
    except BaseException as failure:  # a client that leaves is a cancellation, and ends the attempt as well
        one.done = booking.clock()
        if exchange is not None:
            exchange.cancel()
        elif isinstance(failure, ExchangeFailed):
            one.connected = failure.connected_at
        if isinstance(failure, ErrorInBody | ExchangeFailed | Fault):
            fault = _fault(failure, exchange, caller, deployment)
            one.result = fault.kind
            raise fault from None
        if one.usage is None:
            settle(booking, one, _unreported(envelope, one))
        raise
    exchange.release()


def _begin(booking: Booking, candidate: Candidate, envelope: Envelope) -> Attempt:
    account = booking.account
    account.provider = candidate.deployment.upstream.provider
    account.model = candidate.upstream_id
    account.dropped = [] if envelope.preferences is None else list(envelope.preferences.ignored)
    one = Attempt(candidate=candidate, started=booking.clock())
    account.tries.append(one)
    return one


def _clocks(timeouts: Timeouts, deadline: float, envelope: Envelope) -> Clocks:
    return Clocks(
        connect_s=timeouts.connect_s,
        # A JSON answer comes only when it is whole, so that its first byte says nothing about progress.
        first_token_s=timeouts.first_token_s if envelope.stream else None,
        gap_s=timeouts.gap_s,
        deadline=deadline,
    )


async def _relay(exchange: Exchange, envelope: Envelope, one: Attempt, booking: Booking, reply: Reply) -> None:
    if not envelope.stream:
        await relay_whole(exchange, envelope, one, booking, reply)
        return
    exchange, kind = await _document_kind(exchange)
    if kind is not None:
        raise await _not_a_stream(exchange, envelope, kind)
    await relay_stream(exchange, envelope, one, booking, reply)


def _fault(
    failure: ErrorInBody | ExchangeFailed | Fault, exchange: Exchange | None, caller: Caller, deployment: Deployment
) -> Fault:
    """The one fault of a failed attempt. Its message begins with the provider's name, whoever found the words."""
    if isinstance(failure, ErrorInBody):
        headers = {} if exchange is None else exchange.headers
        fault = classify(200, headers, failure.body, caller.secrets(deployment))
    elif isinstance(failure, ExchangeFailed):
        fault = Fault(failure.kind, failure.message)
    else:
        fault = failure
    return Fault(
        fault.kind,
        f"{deployment.upstream.provider}: {fault.message}",
        status=fault.status,
        retry_after_s=fault.retry_after_s,
        param=fault.param,
        code=fault.code,
    )


def _unreported(envelope: Envelope, one: Attempt) -> Usage:
    """What a provider may bill whose client left while it was at work, and which will not say so any more.

    A stream that has shown nothing is taken to have written nothing. An answer that comes in one piece is taken to have
    been written fast, so that leaving just before its end does not make it free.
    """
    written = 0
    if not envelope.stream and one.done is not None:
        most = writing(envelope).bound(one.candidate.deployment.offer)
        written = min(most, int((one.done - one.started) * FAST_TOKENS_PER_S))
    return Usage(input=input_estimate(envelope), output=written, estimated=True)


async def _error_body(exchange: Exchange) -> bytes:
    try:
        return await read_all(exchange, MAX_ERROR_BYTES)
    except (Fault, ExchangeFailed):
        # The status alone says enough; an error page that is endless or breaks off adds nothing to it.
        return b""


async def _document_kind(exchange: Exchange) -> tuple[Exchange, str | None]:
    """What is certainly no stream, and the exchange to read it from.

    Other content types are read as a stream, and so is one that is called JSON: not every server names it rightly.
    """
    content_type = exchange.headers.get("content-type", "").lower()
    if "json" in content_type:
        peeked = PeekedExchange(exchange)
        return peeked, None if await peeked.looks_like_stream() else "JSON"
    return exchange, "HTML" if "html" in content_type else None


async def _not_a_stream(exchange: Exchange, envelope: Envelope, kind: str) -> Fault:
    """A document where a stream was asked for: an error with status 200, or a provider that cannot stream.

    Raises ErrorInBody for the former.
    """
    body = await read_all(exchange, MAX_REPLY_BYTES)
    # For what is neither an answer nor an error: that it is no stream says more.
    with contextlib.suppress(Fault):
        parse_reply(envelope.operation, body)
    return Fault(FaultClass.SOFT_ERROR, f"it answered with {kind} where a stream was asked for")
