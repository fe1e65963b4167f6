"""What a request used and what it cost."""

from __future__ import annotations

from headgate.catalog.cost import cost_pusd
from headgate.types.deployment import Deployment
from headgate.types.money import render_usd
from headgate.types.request import Account
from headgate.types.usage import Usage
from headgate.wire import json


def settle(account: Account, deployment: Deployment, usage: Usage | None) -> None:
    """Book the usage and its cost. An unknown price, or no usage, is an unknown cost and never zero."""
    account.usage = usage
    account.cost_pusd = None if usage is None else cost_pusd(deployment.offer.price, usage)


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
    if account.dropped:
        note["dropped"] = account.dropped
    return note
