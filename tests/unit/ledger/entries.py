"""Entries for tests: complete ones, as the gateway would record them."""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Iterator

from headgate.types.entry import SUCCESS, AttemptRow, Entry, Outcome, Planned, PlanRow
from headgate.types.money import Cost, CostSource, Price
from headgate.types.usage import Usage

DAY_US = 86_400_000_000
AT_US = 20_000 * DAY_US + 3_600_000_000
"""01:00 UTC of Friday 2024-10-04."""

PRICE = Price(input_pusd_per_mtok=20_000_000_000, output_pusd_per_mtok=30_000_000_000)
SOURCE = "catalog 2026-11-01"
COST_PUSD = 30_900_000
"""1,200 tokens at 0.02 USD and 230 at 0.03 USD a million: 24,000,000 + 6,900,000 pico-dollars."""

USED = Usage(input=1200, output=200, reasoning=30)


def ids() -> Iterator[str]:
    """Ids that grow, as those of one gateway do."""
    start = secrets.token_hex(8)
    return (f"req_{start}{number:08x}" for number in itertools.count(1))


def attempt(
    *, result: str = SUCCESS, pusd: int | None = COST_PUSD, usage: Usage | None = USED, provider: str = "one"
) -> AttemptRow:
    """An attempt at a provider, by default one that answered."""
    source = CostSource.UNKNOWN if pusd is None else CostSource.COMPUTED
    return AttemptRow(
        deployment=f"{provider}/some-model",
        provider=provider,
        model="some-model",
        credential="default",
        result=result,
        status=200 if result == SUCCESS else 503,
        started_us=150,
        connected_us=9_000,
        first_token_us=300_000,
        done_us=1_500_000,
        usage=usage,
        cost=Cost(
            pusd=pusd,
            source=source,
            computed_pusd=pusd,
            price=None if pusd is None else PRICE,
            price_source="" if pusd is None else SOURCE,
        ),
    )


ANSWERED = (attempt(),)


PLAN = PlanRow(
    (
        Planned("one/some-model", "one", "some-model", 30_900_000, 1.25, "healthy"),
        Planned("two/some-model", "two", "some-model", None, None, "unknown"),
    ),
    (("three/some-model", "does not do images"),),
    "balanced",
)


def entry(
    id_: str,
    *,
    at_us: int = AT_US,
    workspace: str = "default",
    key: str = "dev",
    model: str = "fast",
    outcome: Outcome = Outcome.ANSWERED,
    status: int = 200,
    error: str | None = None,
    scopes: tuple[str, ...] | None = None,
    attempts: tuple[AttemptRow, ...] = ANSWERED,
) -> Entry:
    """A request; usage and cost are those of its attempts, and its cost is what it was charged."""
    used = [one.usage for one in attempts if one.usage is not None]
    costs = [one.cost.pusd for one in attempts if one.cost.pusd is not None]
    unknown = any(one.usage is not None and one.cost.pusd is None for one in attempts)
    return Entry(
        id=id_,
        at_us=at_us,
        workspace=workspace,
        key_id=f"k_{key}",
        key=key,
        operation="chat",
        model=model,
        stream=True,
        status=status,
        outcome=outcome,
        error=error,
        provider=attempts[-1].provider if attempts else "",
        upstream_model=attempts[-1].model if attempts else "",
        usage=_sum(used) if used else None,
        cost_pusd=None if unknown or not attempts else sum(costs),
        charged_pusd=sum(costs),
        done_us=1_600_000,
        scopes=(f"key:k_{key}", f"workspace:{workspace}") if scopes is None else scopes,
        attempts=attempts,
        plan=PLAN,
    )


def _sum(used: list[Usage]) -> Usage:
    return Usage(
        input=sum(one.input for one in used),
        cached_input=sum(one.cached_input for one in used),
        cache_write=sum(one.cache_write for one in used),
        output=sum(one.output for one in used),
        reasoning=sum(one.reasoning for one in used),
        estimated=any(one.estimated for one in used),
    )
