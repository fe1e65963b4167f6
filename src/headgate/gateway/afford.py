"""Money for a request, held before anybody is asked."""

from __future__ import annotations

from headgate.catalog.cost import worst_case_pusd
from headgate.catalog.estimate import asked_tier, input_bound, writing
from headgate.errors import InvalidRequest
from headgate.gateway.booking import Booking, Books
from headgate.ledger.budget import BudgetExceeded
from headgate.types.money import Price
from headgate.types.request import Dropped, Plan, Request


async def hold_budget(books: Books, request: Request, made: Plan, booking: Booking) -> Plan:
    """Reserve the worst the request can cost, which the booking then holds; return the plan that was reserved for.

    The worst is input bound + output cap at the prices of the dearest candidate. Candidates without a price are no
    candidates for a key with a budget. Raises InvalidRequest when there is no other, BudgetExceeded.
    """
    made, worst_pusd = _priced(request, made)
    allowances = request.principal.allowances
    try:
        booking.budget = await books.budgets.reserve(allowances, worst_pusd, booking.at_us / 1_000_000)
    except BudgetExceeded as exceeded:
        cheap = None if exceeded.cheaper_than is None else _under(made, exceeded.cheaper_than)
        if cheap is None or not cheap.candidates:
            raise
        made, worst_pusd = _priced(request, cheap)
        booking.budget = await books.budgets.reserve(allowances, worst_pusd, booking.at_us / 1_000_000, beyond=True)
    warning = booking.budget.warning
    if warning is not None:
        booking.account.headers = [*booking.account.headers, (b"x-headgate-budget-warning", warning.encode())]
    return made


def _priced(request: Request, made: Plan) -> tuple[Plan, int]:
    """The plan without the candidates whose price nobody knows, and the most that any of the others can cost."""
    envelope = request.envelope
    entered, written, tier = input_bound(envelope), writing(envelope), asked_tier(envelope)
    worst = [
        worst_case_pusd(offer, entered, written.bound(offer), tier)
        for offer in [one.deployment.offer for one in made.candidates]
    ]
    known = [pusd for pusd in worst if pusd is not None]
    if not known:
        raise InvalidRequest(
            f"the price of {envelope.model[:200]!r} is not known, and the key {request.principal.key!r} has a budget: "
            "declare input_usd_per_mtok and output_usd_per_mtok for it under its provider, or use another model",
            param="model",
            code="unknown_price",
        )
    if len(known) == len(worst):
        return made, max(known)
    kept = tuple(one for one, pusd in zip(made.candidates, worst, strict=True) if pusd is not None)
    gone = [
        Dropped(one.deployment.name, "its price is not known, and the key has a budget")
        for one, pusd in zip(made.candidates, worst, strict=True)
        if pusd is None
    ]
    return Plan(candidates=kept, dropped=(*made.dropped, *gone)), max(known)


def _under(made: Plan, ceiling: Price) -> Plan:
    """The plan with only the candidates that cost no more than the ceiling."""
    kept = tuple(one for one in made.candidates if _costs_at_most(one.deployment.offer.price, ceiling))
    return Plan(candidates=kept, dropped=made.dropped)


def _costs_at_most(price: Price, ceiling: Price) -> bool:
    entered, written = price.input_pusd_per_mtok, price.output_pusd_per_mtok
    if entered is None or written is None:
        return False
    return entered <= (ceiling.input_pusd_per_mtok or 0) and written <= (ceiling.output_pusd_per_mtok or 0)
