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
    if not principal.may_use(envelope.model):
        raise _not_allowed(principal, envelope.model, "model")
    if envelope.preferences is not None:
        for model in envelope.preferences.models:
            if not principal.may_use(model):
                raise _not_allowed(principal, model, "models")
    if books.ledger.refuses:
        raise LedgerFull("no record of this request could be kept, and this gateway serves none without one")
    if principal.has_limits:
        entered, cap = input_estimate(envelope), envelope.output_cap
        tokens = entered + (EXPECTED_OUTPUT_TOKENS if cap is None else cap)
        hold = booking.limits = await books.limiter.reserve(principal.allowances, tokens, entered)
        booking.account.headers = hold.headers()


def _not_allowed(principal: Principal, model: str, param: str) -> NotAllowed:
    allowed = ", ".join(principal.models[:5])
    return NotAllowed(f"the key {principal.key!r} may not use {model[:200]!r}; it may use: {allowed}", param=param)
