"""One send to one deployment."""

from __future__ import annotations

from headgate.dialects.openai.reply import ErrorInBody, parse_reply
from headgate.gateway.relay import MAX_REPLY_BYTES, read_all, relay_stream, relay_whole
from headgate.gateway.reply import Reply
from headgate.types.deployment import Candidate
from headgate.types.fault import Fault, FaultClass
from headgate.types.policy import Timeouts
from headgate.types.request import Account, Envelope, Request
from headgate.upstream.call import Caller
from headgate.upstream.exchange import Clocks, Exchange, ExchangeFailed
from headgate.upstream.faults import classify

MAX_ERROR_BYTES = 256 * 1024


async def attempt(
    caller: Caller,
    request: Request,
    candidate: Candidate,
    timeouts: Timeouts,
    deadline: float,
    reply: Reply,
    account: Account,
) -> None:
    """Send the request to one candidate and relay its answer. Every failure comes out as one Fault.

    `deadline` is in the event loop's time. A cancelled attempt closes its connection.
    """
    deployment = candidate.deployment
    envelope = request.envelope
    account.provider = deployment.upstream.provider
    account.model = candidate.upstream_id
    account.attempts += 1
    account.dropped = []
    clocks = Clocks(
        connect_s=timeouts.connect_s,
        # A JSON answer comes only when it is whole, so that its first byte says nothing about progress.
        first_token_s=timeouts.first_token_s if envelope.stream else None,
        gap_s=timeouts.gap_s,
        deadline=deadline,
    )
    exchange: Exchange | None = None
    try:
        exchange = await caller.open(candidate, envelope, clocks, account.dropped)
        if exchange.status != 200:
            raise await _refused(exchange, candidate)
        if not envelope.stream:
            await relay_whole(exchange, envelope, deployment, account, reply)
        elif (kind := _document_kind(exchange)) is not None:
            raise await _not_a_stream(exchange, envelope, candidate, kind)
        else:
            await relay_stream(exchange, envelope, deployment, account, reply)
    except BaseException as failure:
        if exchange is not None:
            exchange.cancel()
        if isinstance(failure, ExchangeFailed):
            raise Fault(failure.kind, f"{account.provider}: {failure.message}") from None
        if isinstance(failure, ErrorInBody):
            raise _classified(200, exchange, failure.body, candidate) from None
        raise
    exchange.release()


async def _refused(exchange: Exchange, candidate: Candidate) -> Fault:
    try:
        body = await read_all(exchange, MAX_ERROR_BYTES)
    except (Fault, ExchangeFailed):
        # The status alone says enough; an error page that is endless or breaks off adds nothing to it.
        body = b""
    return _classified(exchange.status, exchange, body, candidate)


def _document_kind(exchange: Exchange) -> str | None:
    """What is certainly no stream. Other content types are read as one: not every server names its stream rightly."""
    content_type = exchange.headers.get("content-type", "").lower()
    return "JSON" if "json" in content_type else "HTML" if "html" in content_type else None


async def _not_a_stream(exchange: Exchange, envelope: Envelope, candidate: Candidate, kind: str) -> Fault:
    """A document where a stream was asked for: an error with status 200, or a provider that cannot stream."""
    body = await read_all(exchange, MAX_REPLY_BYTES)
    try:
        parse_reply(envelope.operation, body)
    except ErrorInBody as error:
        return _classified(200, exchange, error.body, candidate)
    except Fault:
        # Neither an answer nor an error: that it is no stream says more.
        pass
    provider = candidate.deployment.upstream.provider
    return Fault(FaultClass.SOFT_ERROR, f"{provider} answered with {kind} where a stream was asked for")


def _classified(status: int, exchange: Exchange | None, body: bytes, candidate: Candidate) -> Fault:
    deployment = candidate.deployment
    headers = {} if exchange is None else exchange.headers
    return classify(status, headers, body, deployment.upstream.provider, deployment.credential.secret)
