"""Whether a request may go on: the key's models, its limits, and whether a record of it can be kept."""

from __future__ import annotations

from headgate.catalog.estimate import EXPECTED_OUTPUT_TOKENS, input_estimate
from headgate.errors import LedgerFull, NotAllowed
from headgate.gateway.booking import Booking, Books
from headgate.types.principal import Principal
from headgate.types.request import Request


async def admit(books: Books, request: Request, booking: Booking) -> None:
    """Check the key's models and take a share of its limits, which the booking then holds.

    Raises NotAllowed, LimitReached; LedgerFull where no record of the request could be kept.
    """
    principal, envelope = request.principal, request.envelope
    _check(principal, envelope.model, "model")
    if envelope.preferences is not None:
        for model in envelope.preferences.models:
            _check(principal, model, "models")
    if books.ledger.refuses:
        raise LedgerFull("no record of this request could be kept, and this gateway serves none without one")
    if principal.has_limits:
        entered = input_estimate(envelope)
        written = EXPECTED_OUTPUT_TOKENS if envelope.output_cap is None else envelope.output_cap
        booking.limits = await books.limiter.reserve(principal.allowances, entered + written, entered)
        booking.account.headers = booking.limits.headers()


def _check(principal: Principal, model: str, param: str) -> None:
    if not principal.may_use(model):
        allowed = ", ".join(principal.models[:5])
        raise NotAllowed(f"the key {principal.key!r} may not use {model[:200]!r}; it may use: {allowed}", param=param)
