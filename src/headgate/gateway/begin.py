"""The first half of an attempt: from sending a request to knowing that an answer has come, or begun to.

Nothing goes out to the client here. An attempt that fails in this half can be followed by any other, unseen.
"""

from __future__ import annotations

from typing import NoReturn

import msgspec

from headgate.catalog.estimate import input_estimate, writing
from headgate.dialects.openai.reply import ErrorInBody, JsonReply, read_reply
from headgate.dialects.openai.seam import Seam
from headgate.dialects.openai.stream import StreamReader
from headgate.dialects.openai.usage import completed
from headgate.gateway.booking import Booking
from headgate.gateway.counted import counted
from headgate.gateway.pipe import Pipe
from headgate.gateway.settle import settle
from headgate.types.deployment import Deployment
from headgate.types.fault import Fault, FaultClass, Scope
from headgate.types.request import Attempt, Envelope
from headgate.types.usage import Usage
from headgate.upstream.call import Caller
from headgate.upstream.exchange import Clocks, Exchange, ExchangeFailed
from headgate.upstream.faults import classify
from headgate.upstream.headroom import read_headroom
from headgate.upstream.peeked import JSON_STARTS, STREAM_STARTS, PeekedExchange

MAX_REPLY_BYTES = 64 * 1024 * 1024
MAX_ERROR_BYTES = 256 * 1024
FAST_TOKENS_PER_S = 500
"""Faster than nearly every hosted model writes."""

OUT_OF_PATIENCE = frozenset({FaultClass.NO_FIRST_TOKEN, FaultClass.STALLED, FaultClass.TOTAL_TIMEOUT})
"""Faults after which the provider may go on, and bill the prompt at least."""

Failure = ErrorInBody | ExchangeFailed | Fault


class Begun(msgspec.Struct, eq=False):
    """An answer of which enough is here to know that it is one. `body` is a whole JSON answer and `usage` what it
    used; of a stream `pipe` has read the beginning, and `out` is what of it goes to the client first.

    `dropped` are the parameters this provider could not honour.
    """

    attempt: Attempt
    exchange: Exchange
    dropped: list[str]
    body: bytes = b""
    usage: Usage | None = None
    pipe: Pipe | None = None
    out: bytes = b""


class Asking(msgspec.Struct, frozen=True, eq=False):
    """How an attempt is made. With `hold` a stream has begun when all of it is here; `seam` joins it to what the client
    has of another."""

    envelope: Envelope
    clocks: Clocks
    hold: bool = False
    seam: Seam | None = None


async def begin(caller: Caller, asking: Asking, one: Attempt, booking: Booking) -> Begun:
    """Send a request to one candidate and wait until its answer has come, or its first content. Raises Fault, Diverged.

    A cancelled attempt closes its connection, and is noted as cancelled.
    """
    envelope, candidate = asking.envelope, one.candidate
    dropped = [] if envelope.preferences is None else list(envelope.preferences.ignored)
    exchange: Exchange | None = None
    try:
        exchange = await caller.open(candidate, envelope, asking.clocks, dropped, one)
        one.status = exchange.status
        if exchange.tells_limits:
            one.headroom = read_headroom(exchange.headers)
        if exchange.status != 200:
            body = await _error_body(exchange)
            raise classify(exchange.status, exchange.headers, body, caller.secrets(candidate.deployment))
        begun = Begun(one, exchange, dropped)
        if envelope.stream:
            await _first_content(begun, asking, booking)
        else:
            await _whole_answer(begun, envelope, booking)
    except BaseException as failure:  # noqa: BLE001  because a client that leaves ends the attempt as well
        give_up(caller, envelope, one, exchange, failure, booking)
    return begun


def give_up(
    caller: Caller,
    envelope: Envelope,
    one: Attempt,
    exchange: Exchange | None,
    failure: BaseException,
    booking: Booking,
) -> NoReturn:
    """End an attempt that failed or was cancelled: close its connection, note how it ended, raise its one Fault."""
    booking.account.ended(one)
    one.done = booking.clock()
    if exchange is not None:
        exchange.cancel()
    fault = _fault(failure, exchange, caller, one.candidate.deployment) if isinstance(failure, Failure) else None
    if fault is not None:
        one.result = fault.kind
    if one.usage is None and one.connected is not None:
        if fault is None:
            settle(booking, one, unreported(envelope, one))
        elif fault.kind in OUT_OF_PATIENCE:
            settle(booking, one, Usage(input=input_estimate(envelope), estimated=True))
    raise failure if fault is None else fault from None


def unreported(envelope: Envelope, one: Attempt) -> Usage:
    """What a provider may bill that was given up while it was at work, and which will not say so any more.

    A stream that has shown nothing is taken to have written nothing. An answer that comes in one piece is taken to have
    been written fast, so that leaving just before its end does not make it free.
    """
    written = 0
    if not envelope.stream and one.done is not None:
        most = writing(envelope).bound(one.candidate.deployment.offer)
        written = min(most, int((one.done - one.started) * FAST_TOKENS_PER_S))
    return Usage(input=input_estimate(envelope), output=written, estimated=True)


async def read_all(exchange: Exchange, limit: int) -> bytes:
    """The whole body. Raises Fault(SOFT_ERROR) past `limit` bytes."""
    first = await exchange.read()
    pieces = [first]
    size = len(first)
    while size <= limit:
        data = await exchange.read()
        if not data:
            return first if len(pieces) == 1 else b"".join(pieces)
        pieces.append(data)
        size += len(data)
    raise Fault(FaultClass.SOFT_ERROR, f"the provider's reply is longer than {limit} bytes")


async def _whole_answer(begun: Begun, envelope: Envelope, booking: Booking) -> None:
    """Read a JSON answer. Raises Fault or ErrorInBody for what is none."""
    begun.attempt.first_token = booking.clock()
    begun.body = await read_all(begun.exchange, MAX_REPLY_BYTES)
    reply = read_reply(envelope, begun.body)
    if reply.failure is not None:
        _settle_reported(reply, envelope, begun.attempt, booking)
        raise reply.failure
    begun.usage = counted(envelope, begun.body, reply)


def _settle_reported(reply: JsonReply, envelope: Envelope, one: Attempt, booking: Booking) -> None:
    """What a reply that is no answer says it used is billed all the same, and known here and nowhere else."""
    if reply.usage is not None:
        settle(booking, one, completed(reply.usage, input_estimate(envelope), 0))


async def _first_content(begun: Begun, asking: Asking, booking: Booking) -> None:
    """Read a stream up to what first goes to the client: before that, whatever fails is a failure of all of it."""
    exchange, kind = await _document_kind(begun.exchange)
    begun.exchange = exchange
    if kind is not None:
        raise await _not_a_stream(begun, asking.envelope, booking, kind)
    one = begun.attempt
    aside = one.candidate.deployment.upstream.usage_aside
    reader = StreamReader(asking.envelope, aside, goes_on=asking.seam is not None)
    pipe = begun.pipe = Pipe(reader, asking.seam)
    try:
        begun.out = await _beginning(begun, pipe, asking.hold, booking)
    except BaseException:  # whatever ends it, a client that leaves too, what was used has to be booked; it is raised on
        if reader.usage is not None or reader.pieces:
            # What was used before it broke off is known here and nowhere else.
            settle(booking, one, reader.settled_usage())
        raise


async def _beginning(begun: Begun, pipe: Pipe, hold: bool, booking: Booking) -> bytes:
    """What of a stream goes out first, with `hold` all of it. Raises what `pipe` failed with, ExchangeFailed, Fault."""
    exchange, one, reader = begun.exchange, begun.attempt, pipe.reader
    pieces: list[bytes] = []
    size = 0
    try:
        while not (reader.has_content and (pipe.over or (not hold and pieces and pipe.is_under_way))):
            data = await exchange.read()
            out = pipe.feed(data) if data else pipe.close()
            if pipe.failure is not None:
                raise pipe.failure
            if not data and not reader.has_content:
                raise Fault(FaultClass.SOFT_ERROR, "the provider's stream holds no answer")
            if reader.has_content and one.first_token is None:
                exchange.content_started()
                one.first_token = booking.clock()
            if out:
                pieces.append(out)
                size += len(out)
                if size > MAX_REPLY_BYTES:
                    raise Fault(FaultClass.BROKEN_STREAM, "the provider's stream never came to the answer")
            if not data:
                break
    except ExchangeFailed:
        # An upstream that fails after the answer was whole has merely ended.
        if not reader.finished:
            raise
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _fault(failure: Failure, exchange: Exchange | None, caller: Caller, deployment: Deployment) -> Fault:
    """The one fault of a failed attempt. Its message begins with the provider's name, whoever found the words, and with
    that of the credential where that alone is at fault."""
    if isinstance(failure, ErrorInBody):
        headers = {} if exchange is None else exchange.headers
        fault = classify(200, headers, failure.body, caller.secrets(deployment))
    elif isinstance(failure, ExchangeFailed):
        fault = Fault(failure.kind, failure.message)
    else:
        fault = failure
    who, credential = deployment.upstream.provider, deployment.credential
    if fault.scope is Scope.CREDENTIAL and credential.secret is not None:
        who += f" (credential {credential.name!r})"
    return fault.retold(f"{who}: {fault.message}")


async def _error_body(exchange: Exchange) -> bytes:
    try:
        return await read_all(exchange, MAX_ERROR_BYTES)
    except (Fault, ExchangeFailed):
        # The status alone says enough; an error page that is endless or breaks off adds nothing to it.
        return b""


async def _document_kind(exchange: Exchange) -> tuple[Exchange, str | None]:
    """What is certainly no stream, and the exchange to read it from.

    How it begins says more than what it is called: streams are called JSON, and errors in JSON are called text, a
    stream, or nothing.
    """
    content_type = exchange.headers.get("content-type", "").lower()
    if "html" in content_type:
        return exchange, "HTML"
    peeked = PeekedExchange(exchange)
    first = await peeked.first_byte()
    is_json = first in JSON_STARTS or ("json" in content_type and first not in STREAM_STARTS)
    return peeked, "JSON" if is_json else None


async def _not_a_stream(begun: Begun, envelope: Envelope, booking: Booking, kind: str) -> Fault | ErrorInBody:
    """A document where a stream was asked for: an error with status 200, or a provider that cannot stream."""
    reply = read_reply(envelope, await read_all(begun.exchange, MAX_REPLY_BYTES))
    _settle_reported(reply, envelope, begun.attempt, booking)
    if isinstance(reply.failure, ErrorInBody):
        return reply.failure
    # For what is neither an answer nor an error: that it is no stream says more.
    return Fault(FaultClass.SOFT_ERROR, f"it answered with {kind} where a stream was asked for")
