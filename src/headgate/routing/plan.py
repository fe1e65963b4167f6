"""Candidates of one request in order, and the dropped ones with reasons. Pure: no I/O, no clock."""

from __future__ import annotations

from headgate.catalog.estimate import BYTES_PER_TOKEN, EXPECTED_OUTPUT_TOKENS
from headgate.routing.resolve import Resolution
from headgate.types.deployment import Candidate, Operation
from headgate.types.policy import Order
from headgate.types.request import Dropped, Envelope, Plan

KINDS = {
    Operation.CHAT: frozenset({"chat", "any"}),
    Operation.COMPLETION: frozenset({"chat", "completion", "any"}),
    Operation.EMBEDDING: frozenset({"embedding", "any"}),
}
KNOWN, DOUBTFUL, UNKNOWN = range(3)


def plan(resolution: Resolution, envelope: Envelope, order: Order | None) -> Plan:
    """Put the candidates in order: targets first, then the route's fallback as written.

    `cheapest` orders by expected cost, unknown prices last, ties as written; every other order is as written.
    """
    dropped: list[Dropped] = []
    targets = [c for c in resolution.targets if _can_serve(c, envelope.operation, dropped)]
    fallback = [c for c in resolution.fallback if _can_serve(c, envelope.operation, dropped)]
    if (order or resolution.order) is Order.CHEAPEST and len(targets) > 1:
        targets.sort(key=lambda candidate: _expected_cost(candidate, envelope))
    return Plan(candidates=(*targets, *fallback), dropped=tuple(dropped))


def _can_serve(candidate: Candidate, operation: Operation, dropped: list[Dropped]) -> bool:
    deployment = candidate.deployment
    if operation not in deployment.upstream.operations:
        reason = f"{deployment.upstream.provider} has no {operation} endpoint"
    elif deployment.offer.kind not in KINDS[operation]:
        reason = f"a model of kind {deployment.offer.kind} cannot serve {operation}"
    else:
        return True
    dropped.append(Dropped(deployment.name, reason))
    return False


def _expected_cost(candidate: Candidate, envelope: Envelope) -> tuple[bool, int, int]:
    """Sort key: retired offers last, doubtful prices behind known ones and unknown ones behind both, then pico-dollars
    (times a million)."""
    offer = candidate.deployment.offer
    price = offer.price
    if price.input_pusd_per_mtok is None or price.output_pusd_per_mtok is None:
        return offer.retired, UNKNOWN, 0
    output = EXPECTED_OUTPUT_TOKENS if envelope.output_cap is None else min(envelope.output_cap, EXPECTED_OUTPUT_TOKENS)
    input_cost = envelope.size // BYTES_PER_TOKEN * price.input_pusd_per_mtok
    rank = DOUBTFUL if offer.unconfirmed else KNOWN
    return offer.retired, rank, input_cost + output * price.output_pusd_per_mtok


def why_nobody(empty: Plan) -> str:
    """The reasons of a plan without candidates as one sentence."""
    return "; ".join(f"{dropped.deployment}: {dropped.reason}" for dropped in empty.dropped[:5])
