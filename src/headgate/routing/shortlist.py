"""Who can serve a model with certain requirements at all: what stays the same from request to request. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

import msgspec

from headgate.routing.averages import Ratio
from headgate.routing.facts import Facts
from headgate.routing.preferences import admits_serving, limits_price, place_in_order, why_unwanted
from headgate.routing.requirements import SURELY_HELD, WORDS, verdict
from headgate.routing.resolve import Resolution
from headgate.routing.treatment import treatment_of
from headgate.types.deployment import Body, Candidate, Deployment, Operation
from headgate.types.policy import Order, Preferences, Treatment
from headgate.types.request import Dropped
from headgate.types.snapshot import Route

KINDS = {
    Operation.CHAT: frozenset({"chat", "any"}),
    Operation.COMPLETION: frozenset({"chat", "completion", "any"}),
    Operation.EMBEDDING: frozenset({"embedding", "any"}),
}

FactsOf = Callable[[Deployment], Facts]
DensityOf = Callable[[str], Ratio]


class Wanted(msgspec.Struct, frozen=True):
    """What a request wants done, apart from its length: equal ones have the same shortlist."""

    operation: Operation
    requires: frozenset[str] = frozenset()
    preferences: Preferences | None = None


class Option(msgspec.Struct, frozen=True, eq=False):
    """A candidate that can serve, with what is known of it.

    `treatment` is how it is asked. `unsure` are requirements of which nobody says. `place` is its place as written,
    `rank` the one the request gives its provider. `holds` are the tokens beyond which a request needs a closer look,
    `writes` those beyond which an answer does. `retires_s` is when it retires, in Unix seconds. `limits` are the
    request's preferences where they set a highest price, else None.
    """

    candidate: Candidate
    treatment: Treatment
    facts: Facts
    density: Ratio
    unsure: tuple[str, ...]
    place: int
    rank: int
    holds: int
    writes: float = math.inf
    retires_s: float = math.inf
    limits: Preferences | None = None


class Group(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Candidates that are put in order among themselves; those of later groups come after. `order` as the route says.

    `fixed` when no request may ask for another order: a route's fallback is tried as it is written. `named` when the
    name the client asked for says the order. `shares` when some candidates differ in their credential alone.
    """

    options: tuple[Option, ...]
    order: Order
    fixed: bool
    named: bool
    shares: bool


class Shortlist(msgspec.Struct, frozen=True, eq=False):
    """Groups of candidates in the order they are tried, and those that cannot serve, with reasons."""

    groups: tuple[Group, ...]
    dropped: tuple[Dropped, ...]


def shortlist(
    resolutions: Sequence[Resolution], wanted: Wanted, fields: Body, facts_of: FactsOf, density_of: DensityOf
) -> Shortlist:
    """Sort out who can serve. A deployment that several groups name stays in the first."""
    dropped: list[Dropped] = []
    seen: set[tuple[int, str]] = set()
    groups: list[Group] = []
    unasked: dict[tuple[int, str], Dropped] = {}
    for resolution in resolutions:
        admitted = frozenset() if resolution.route is None else resolution.route.admits
        targets = [*resolution.targets, *_admitted(resolution.variants, wanted.preferences, admitted, unasked)]
        for candidates, fixed in ((targets, False), (resolution.fallback, True)):
            options = [
                _option(one, resolution.route, place, wanted, unsure, facts_of, density_of)
                for place, (one, unsure) in enumerate(_able(candidates, wanted, fields, dropped, seen))
            ]
            if options:
                groups.append(
                    Group(
                        options=tuple(options),
                        order=Order.ORDERED if fixed else resolution.order,
                        fixed=fixed,
                        named=resolution.named,
                        shares=_shares(options),
                    )
                )
    # A variant that one name does not admit may be what another one means.
    dropped += [reason for known_as, reason in unasked.items() if known_as not in seen]
    return Shortlist(tuple(groups), tuple(dropped))


def _admitted(
    variants: Iterable[Candidate],
    preferences: Preferences | None,
    admitted: frozenset[str],
    unasked: dict[tuple[int, str], Dropped],
) -> Iterable[Candidate]:
    for candidate in variants:
        deployment = candidate.deployment
        if admits_serving(deployment, preferences, admitted):
            yield candidate
        else:
            kind = deployment.offer.variant or deployment.offer.quantization
            reason = f"serves another variant ({kind}), which nobody has asked for"
            unasked[id(deployment), candidate.upstream_id] = Dropped(deployment.name, reason)


def _able(
    candidates: Iterable[Candidate],
    wanted: Wanted,
    fields: Body,
    dropped: list[Dropped],
    seen: set[tuple[int, str]],
) -> Iterable[tuple[Candidate, tuple[str, ...]]]:
    """The candidates that can serve, each with the requirements of which nobody says."""
    for candidate in candidates:
        deployment = candidate.deployment
        known_as = id(deployment), candidate.upstream_id
        if known_as in seen:
            continue
        seen.add(known_as)
        lacking, unsure = verdict(deployment, wanted.requires)
        reason = _cannot(deployment, wanted.operation, lacking)
        if reason is None and wanted.preferences is not None:
            reason = why_unwanted(deployment, wanted.preferences, fields)
        if reason is None:
            yield candidate, tuple(unsure)
        else:
            dropped.append(Dropped(deployment.name, reason))


def _cannot(deployment: Deployment, operation: Operation, lacking: Sequence[str]) -> str | None:
    if operation not in deployment.upstream.operations:
        return f"{deployment.upstream.provider} has no {operation} endpoint"
    if deployment.offer.kind not in KINDS[operation]:
        return f"a model of kind {deployment.offer.kind} cannot serve {operation}"
    return f"does not do {' and '.join(WORDS.get(need, need) for need in lacking)}" if lacking else None


def _option(
    candidate: Candidate,
    route: Route | None,
    place: int,
    wanted: Wanted,
    unsure: tuple[str, ...],
    facts_of: FactsOf,
    density_of: DensityOf,
) -> Option:
    offer = candidate.deployment.offer
    limits = [limit for limit in (offer.context_tokens, offer.max_input_tokens) if limit is not None]
    retires_s = math.inf if offer.retires_s is None else offer.retires_s
    return Option(
        candidate=candidate,
        treatment=treatment_of(route, candidate.deployment.upstream),
        facts=facts_of(candidate.deployment),
        density=density_of(offer.model),
        unsure=unsure,
        place=place,
        rank=0 if wanted.preferences is None else place_in_order(candidate.deployment, wanted.preferences),
        holds=min(limits) if limits else min(offer.usual_context_tokens or SURELY_HELD, SURELY_HELD),
        writes=math.inf if offer.max_output_tokens is None else offer.max_output_tokens,
        retires_s=-math.inf if offer.retired else retires_s,
        limits=wanted.preferences if limits_price(wanted.preferences) else None,
    )


def _shares(options: Sequence[Option]) -> bool:
    offers = [(id(one.candidate.deployment.offer), one.candidate.upstream_id) for one in options]
    return len(set(offers)) < len(offers)
