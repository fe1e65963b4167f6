"""What one plan costs: `python -m bench.planning`."""

from __future__ import annotations

from time import perf_counter

from headgate.routing.averages import Ratio
from headgate.routing.facts import Facts
from headgate.routing.plan import Asked, plan
from headgate.routing.requirements import Extent
from headgate.routing.resolve import Resolution
from headgate.routing.shortlist import Shortlist, Wanted, shortlist
from headgate.types.deployment import Candidate, Credential, Deployment, Offer, Operation, Upstream
from headgate.types.money import Price
from headgate.types.policy import Order
from headgate.types.request import Plan

CANDIDATES = (1, 5, 20)
TURNS = 5
PLANS = 4_000
NOW = 1_000.0
PUSD = 10**9


def listed(count: int) -> Shortlist:
    """So many candidates that traffic has taught something of, the last the fastest and the first the cheapest."""
    known: dict[int, Facts] = {}
    candidates = []
    for number in range(count):
        deployment = _deployment(number)
        candidates.append(Candidate(deployment, "m"))
        facts = known[id(deployment)] = Facts()
        for answer in range(10):
            facts.begin(900, NOW - 20 + answer)
            facts.end()
            facts.answered(0.3, 2.0 + 0.1 * (count - number), 250, NOW - 20 + answer)
            facts.billed(0, 800, None, None, NOW - 20 + answer)
    density = Ratio()
    return shortlist(
        [Resolution(targets=tuple(candidates))],
        Wanted(Operation.CHAT),
        {},
        lambda deployment: known[id(deployment)],
        lambda model: density,
    )


def planned(candidates: Shortlist, order: Order, draw: float = 0.9) -> Plan:
    """One plan, as for a request of ordinary length."""
    extent = Extent(text=3_200, each=500)
    return plan(candidates, Asked(extent=extent, at=NOW, now=NOW, draw=lambda: draw, order=order, usual=250.0))


def seconds(count: int, order: Order) -> float:
    """What a plan takes: the best of several turns."""
    candidates = listed(count)
    best = float("inf")
    for _ in range(TURNS):
        started = perf_counter()
        for _ in range(PLANS):
            planned(candidates, order)
        best = min(best, (perf_counter() - started) / PLANS)
    return best


def _deployment(number: int) -> Deployment:
    price = Price(
        input_pusd_per_mtok=(100 + number) * PUSD,
        output_pusd_per_mtok=(400 + number) * PUSD,
        cached_input_pusd_per_mtok=(50 + number) * PUSD,
    )
    return Deployment(
        offer=Offer(provider=f"p{number}", upstream_id="m", model="m", price=price, context_tokens=131_072),
        credential=Credential(name="default", secret=None),
        upstream=Upstream(provider=f"p{number}", dialect="openai", base_url="http://127.0.0.1:9/v1", auth_header=None),
    )


def main() -> None:
    """Print a line for each policy."""
    print("microseconds for a plan of", ", ".join(map(str, CANDIDATES)), "candidates")
    for order in Order:
        print(f"{order:9}", *(f"{seconds(count, order) * 1e6:7.1f}" for count in CANDIDATES))


if __name__ == "__main__":
    main()
