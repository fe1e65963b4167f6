"""What an attempt used and what it cost."""

from __future__ import annotations

from headgate.catalog.cost import reckon
from headgate.gateway.booking import Booking, total_cost, total_usage
from headgate.types.money import render_usd
from headgate.types.request import Account, Attempt
from headgate.types.usage import Usage
from headgate.wire import json


def settle(booking: Booking, attempt: Attempt, usage: Usage) -> None:
    """Note an attempt's usage and its cost, and the request's with it.

    The price is that of the moment at which the request arrived. An unknown one makes an unknown cost, never zero.
    """
    account = booking.account
    attempt.usage = usage
    attempt.cost = reckon(attempt.candidate.deployment.offer, usage, booking.at_us / 1_000_000)
    if len(account.tries) == 1:
        account.usage, account.cost_pusd = usage, attempt.cost.pusd
    else:
        account.usage, account.cost_pusd = total_usage(account.tries), total_cost(account.tries)


def stream_note(account: Account) -> dict[str, object]:
    """What a stream's usage event says under `headgate`: who answered, after how many attempts, at what cost."""
    note: dict[str, object] = {
        "provider": account.provider,
        "model": account.model,
        "attempts": account.attempts,
        "cost_usd": None if account.cost_pusd is None else json.raw_number(render_usd(account.cost_pusd)),
    }
    if account.usage is not None and account.usage.estimated:
        note["usage_estimated"] = True
    if account.recovered:
        note["recovered"] = account.recovered
    if account.dropped:
        note["dropped"] = account.dropped
    return note
