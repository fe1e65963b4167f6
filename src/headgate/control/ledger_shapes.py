"""A request of the ledger as the admin API shows it."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from headgate.control.fields import View, instant_text_us
from headgate.store.ledger_query import By, Sum
from headgate.types.entry import AttemptRow, Entry
from headgate.types.money import Price, render_usd
from headgate.types.usage import Usage

_DAY_US = 86_400 * 10**6


class UsageView(View):
    """Tokens by class. Classes are disjoint; the last two are sums of them."""

    input: int
    cached_input: int
    cache_write: int
    audio_input: int
    output: int
    reasoning: int
    audio_output: int
    prompt_tokens: int
    completion_tokens: int
    estimated: bool = Field(description="Counted by the gateway: no provider did.")


class AttemptView(View):
    """One send to one deployment. Times are milliseconds since the request arrived."""

    number: int
    deployment: str
    provider: str
    model: str
    credential: str
    result: str
    status: int | None
    started_ms: float
    connected_ms: float | None
    first_token_ms: float | None
    done_ms: float
    usage: UsageView | None
    service_tier: str | None
    cost_usd: str | None = Field(description="null is unknown, never zero.")
    cost_source: str
    computed_usd: str | None
    reported_usd: str | None
    disagree: bool = Field(description="Computed and reported cost differ by more than 1 %.")
    price: dict[str, str] | None = Field(description="US dollars per million tokens, by class.")
    price_source: str


class RequestView(View):
    """One request. Amounts are US dollars as decimal text, and exact pico-dollars beside them."""

    request_id: str
    at: str
    workspace: str
    key: str
    key_id: str
    operation: str
    model: str
    provider: str
    upstream_model: str
    stream: bool
    status: int
    outcome: str
    error: str | None
    usage: UsageView | None
    cost_usd: str | None
    cost_pusd: int | None
    charged_usd: str
    done_ms: float


class PlannedView(View):
    """A candidate as it stood when the request came; null is what was not known then."""

    deployment: str
    provider: str
    upstream_id: str
    expected_cost_pusd: int | None
    expected_time_s: float | None
    health: str


class DroppedView(View):
    """A deployment that could not serve the request, and why."""

    deployment: str
    reason: str


class PlanView(View):
    """Who could serve a request, in the order they were to be tried, and who could not.

    `policy` is what put them in order, empty in records that do not say.
    """

    policy: str
    candidates: list[PlannedView]
    dropped: list[DroppedView]


class RequestDetail(RequestView):
    """One request with its attempts, and the plan they followed; null where none was made."""

    attempts: list[AttemptView]
    plan: PlanView | None


class SumView(View):
    """Requests summed up. `failed` are those that were not answered."""

    id: str
    name: str
    requests: int
    attempts: int | None
    failed: int
    usage: UsageView
    cost_usd: str
    cost_pusd: int
    unpriced: int = Field(description="How many used tokens at an unknown cost, which is not in cost_usd.")


class SumsView(View):
    """The whole of it: sums are not paged."""

    by: str
    data: list[SumView]


def request_view(entry: Entry) -> RequestView:
    return RequestView(**_fields(entry))


def request_detail(entry: Entry) -> RequestDetail:
    attempts = [attempt_view(number, row) for number, row in enumerate(entry.attempts, start=1)]
    plan = None if entry.plan is None else PlanView.model_validate(entry.plan.told())
    return RequestDetail(**_fields(entry), attempts=attempts, plan=plan)


def _fields(entry: Entry) -> dict[str, Any]:
    same = ("workspace", "key", "key_id", "operation", "model", "provider", "upstream_model", "stream", "status")
    return {
        **{name: getattr(entry, name) for name in same},
        "request_id": entry.id,
        "at": instant_text_us(entry.at_us),
        "outcome": entry.outcome.value,
        "error": entry.error,
        "usage": usage_view(entry.usage),
        "cost_usd": _usd(entry.cost_pusd),
        "cost_pusd": entry.cost_pusd,
        "charged_usd": render_usd(entry.charged_pusd),
        "done_ms": entry.done_us / 1000,
    }


def attempt_view(number: int, row: AttemptRow) -> AttemptView:
    cost = row.cost
    return AttemptView(
        number=number,
        deployment=row.deployment,
        provider=row.provider,
        model=row.model,
        credential=row.credential,
        result=row.result,
        status=row.status,
        started_ms=row.started_us / 1000,
        connected_ms=_ms(row.connected_us),
        first_token_ms=_ms(row.first_token_us),
        done_ms=row.done_us / 1000,
        usage=usage_view(row.usage),
        service_tier=row.usage.service_tier if row.usage else None,
        cost_usd=_usd(cost.pusd),
        cost_source=cost.source.value,
        computed_usd=_usd(cost.computed_pusd),
        reported_usd=_usd(cost.reported_pusd),
        disagree=cost.disagree,
        price=_price(cost.price) if cost.price else None,
        price_source=cost.price_source,
    )


def sum_view(by: By, one: Sum) -> SumView:
    day = instant_text_us(int(one.id) * _DAY_US)[:10] if by is By.DAY else None
    usage = usage_view(one.usage)
    assert usage is not None
    return SumView(
        id=day or one.id,
        name=day or one.name,
        requests=one.requests,
        attempts=one.attempts,
        failed=one.failed,
        usage=usage,
        cost_usd=render_usd(one.cost_pusd),
        cost_pusd=one.cost_pusd,
        unpriced=one.unpriced,
    )


def usage_view(usage: Usage | None) -> UsageView | None:
    if usage is None:
        return None
    return UsageView(**{name: getattr(usage, name) for name in UsageView.model_fields})


def _price(price: Price) -> dict[str, str]:
    amounts = {name: getattr(price, name) for name in price.__struct_fields__}
    return {
        name.replace("_pusd_", "_usd_"): render_usd(amount) for name, amount in amounts.items() if amount is not None
    }


def _usd(amount: int | None) -> str | None:
    return None if amount is None else render_usd(amount)


def _ms(microseconds: int | None) -> float | None:
    return None if microseconds is None else microseconds / 1000
