"""Money for a request, held before anybody is asked."""

from __future__ import annotations

from headgate.catalog.cost import Dearest, dearest, worst_of
from headgate.catalog.estimate import asked_tier, input_bound, writing
from headgate.errors import InvalidRequest
from headgate.gateway.booking import Booking, Books
from headgate.ledger.budget import BudgetExceeded
from headgate.types.deployment import Operation
from headgate.types.money import Price
from headgate.types.request import Envelope, Plan, Request

UNPRICED_FIELD = "plugins"
"""Some providers take tools with fees of their own in it: no plan knows their price."""


async def hold_budget(books: Books, request: Request, made: Plan, booking: Booking) -> Plan:
    """Reserve the worst the request can cost, which the booking then holds; return the plan that was reserved for.

    The worst is input bound + output cap at the prices of the dearest candidate. Candidates without a price are no
    candidates for a key with a budget. Raises InvalidRequest when there is no other, BudgetExceeded.
    """
    if UNPRICED_FIELD in request.envelope.fields:
        _refuse_what_cannot_be_priced(request.envelope)
    made, worst_pusd = _priced(request, made)
    allowances, at = request.principal.allowances, booking.at_us / 1_000_000
    try:
        hold = await books.budgets.reserve(allowances, worst_pusd, at)
    except BudgetExceeded as exceeded:
        cheap = None if exceeded.cheaper_than is None else _under(request.envelope, made, exceeded.cheaper_than)
        if cheap is None or not cheap.candidates:
            raise
        made, worst_pusd = _priced(request, cheap)
        hold = await books.budgets.reserve(allowances, worst_pusd, at, beyond=True)
    booking.budget = hold
    warning = hold.warning
    if warning is not None:
        booking.account.headers = [*booking.account.headers, (b"x-headgate-budget-warning", warning.encode())]
    return made


def _priced(request: Request, made: Plan) -> tuple[Plan, int]:
    """The plan without the candidates whose price nobody knows, and the most that any of the others can cost."""
    envelope = request.envelope
    worst_pusd, unpriced = worst_of(made.candidates, input_bound(envelope), writing(envelope), asked_tier(envelope))
    if worst_pusd is None:
        raise InvalidRequest(
            f"the price of {envelope.model[:200]!r} is not known, and the key {request.principal.key!r} has a budget: "
            "declare input_usd_per_mtok and output_usd_per_mtok for it under its provider, or use another model",
            param="model",
            code="unknown_price",
        )
    if not unpriced:
        return made, worst_pusd
    kept = [place for place in range(len(made.candidates)) if place not in unpriced]
    return made.only(kept, "its price is not known, and the key has a budget"), worst_pusd


def _under(envelope: Envelope, made: Plan, ceiling: Price) -> Plan:
    """The plan with only the candidates of which no token can cost this request more than the ceiling."""
    entered, tier = input_bound(envelope), asked_tier(envelope)
    writes = envelope.operation is not Operation.EMBEDDING
    kept = [
        index
        for index, one in enumerate(made.candidates)
        if _costs_at_most(dearest(one.deployment.offer, entered, tier, writes=writes), ceiling)
    ]
    return made.only(kept, "it may cost more than what the key may spend beyond its budget")


def _costs_at_most(price: Dearest | None, ceiling: Price) -> bool:
    if price is None or price.fee:
        return False
    most_in, most_out = ceiling.input_pusd_per_mtok or 0, ceiling.output_pusd_per_mtok or 0
    return price.entered <= most_in and price.written <= most_out


def _refuse_what_cannot_be_priced(envelope: Envelope) -> None:
    if bytes(envelope.fields[UNPRICED_FIELD]) not in (b"null", b"[]"):
        raise InvalidRequest(
            f"`{UNPRICED_FIELD}` cannot be used with a key that has a budget: what it may cost is not known beforehand",
            param=UNPRICED_FIELD,
            code="unsupported_parameter",
        )
