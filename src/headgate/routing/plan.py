"""Candidates of one request in order, and the dropped ones with reasons. Pure: no I/O, no clock, no dice of its own.

Within a group candidates are put in order by a tuple. Its first parts are the same for every policy: what has retired
comes last, before it what is at its limits. Then comes what the policy is about, and the written order decides ties.
What has retired comes also behind the live candidates of every later group.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from operator import attrgetter

import msgspec

from headgate.routing.averages import Ratio
from headgate.routing.facts import Facts
from headgate.routing.preferences import too_dear
from headgate.routing.requirements import Extent, overlong
from headgate.routing.score import Size, expected_cost, least_cost
from headgate.routing.shortlist import Group, Option, Shortlist
from headgate.types.policy import Order
from headgate.types.request import Dropped, Figures, Plan

BYTES_PER_TOKEN = 4.0
"""Of ordinary text, about: until a model's own figure is known."""

EXPECTED_TOKENS = 500.0
"""Stands in for the length of an answer until the key's answers from the model are known."""

BALANCE = 1.5
"""`balanced` takes the cheapest of those that take at most so many times as long as the fastest."""

EXPLORE = 0.015
"""The part of all time, and of all money, that may go to finding out whether another candidate has become better."""

EXPLORE_MOST = 0.02
"""The part of requests that may go to it where the other is hardly slower or dearer."""

EAGERNESS = 10.0
"""So many times as many requests go to a candidate of which next to nothing is known, or that has just surprised."""

NEW = 5
"""Of a candidate with fewer answers next to nothing is known."""

EXPLORE_EVERY_S = 10.0
"""A candidate that was tried so recently need not be explored."""

ENOUGH = 4.5
"""So many prompts of a model and their density is better than a guess."""

ROOMY = 2.0
"""Bytes per token below which hardly any text is: what fits a window even so needs no closer look."""

KNOWN, DOUBTFUL, UNKNOWN = range(3)

Key = tuple[tuple[bool, bool, bool], bool, int, tuple[int, int, float, int]]
"""What the cheapest come first by, and with something put in between the others too.

Whether it has retired, keeps failing, is at its limits; whether it may turn out unable; the rank the request gives it.
Then how well its price is known (doubtful ones come behind known ones and unknown ones behind both), the cost, chance,
the place as written.
"""

Sold = tuple[int, str]
"""An offer and the id to send: what candidates share that differ in their credential alone."""


class Asked(msgspec.Struct, frozen=True):
    """What changes from request to request.

    `order` is the policy that the request insists on; `default` the one that counts where neither it nor the model's
    name says one, before the route's own. `usual` is how many tokens each of the key's
    answers from the model has had, None: not known yet. With `rests` those that keep failing come last, which is for
    where no breaker sees to them. `at` is Unix time, `now` the time of the facts' clock, both in
    seconds. `draw` gives numbers from 0 to 1.
    """

    extent: Extent
    at: float
    now: float
    draw: Callable[[], float]
    order: Order | None = None
    default: Order | None = None
    usual: float | None = None
    tier: str | None = None
    first_only: bool = False
    rests: bool = False

    @property
    def written(self) -> int:
        """Tokens all answers are expected to have together: the usual ones, capped by the request."""
        extent = self.extent
        each = EXPECTED_TOKENS if self.usual is None else self.usual
        if extent.each is not None and extent.each < each:
            each = extent.each
        return int(each * extent.answers)


class Scored(msgspec.Struct, frozen=True, eq=False):
    """A candidate with what the order is made from."""

    option: Option
    figures: Figures
    size: Size
    time: float
    chance: float
    key: Key


# A function of Python would take twice as long, and most plans are sorted by it.
_key_of = attrgetter("key")


def plan(shortlist: Shortlist, asked: Asked) -> Plan:
    """Put the candidates of a shortlist in order: group after group, each by its policy."""
    dropped = list(shortlist.dropped)
    chosen: list[Scored] = []
    written = asked.written
    applied: Order | None = None
    for group in shortlist.groups:
        order = group.order
        if not group.fixed:
            order = asked.order or (order if group.named else None) or asked.default or order
        applied = applied or order
        scored = _scored(group, order, asked, written, dropped)
        if len(scored) > 1:
            scored = _in_order(scored, order, asked)
        chosen += scored
    if len(shortlist.groups) > 1:
        chosen.sort(key=_is_retired)
    if asked.first_only:
        dropped += [Dropped(one.option.candidate.deployment.name, "no fallback is allowed") for one in chosen[1:]]
        del chosen[1:]
    return Plan(
        candidates=tuple([one.option.candidate for one in chosen]),
        dropped=tuple(dropped),
        figures=tuple([one.figures for one in chosen]),
        treatments=tuple([one.option.treatment for one in chosen]),
        order=applied or Order.CHEAPEST,
        tokens=chosen[0].size.prompt + written if chosen else 0,
    )


def _is_retired(one: Scored) -> bool:
    return one.key[0][0]


def _scored(group: Group, order: Order, asked: Asked, written: int, dropped: list[Dropped]) -> list[Scored]:
    found: list[Scored] = []
    extent, at, now = asked.extent, asked.at, asked.now
    each = extent.each or 0
    most = extent.tokens(ROOMY) + each
    known = _best_known(group) if group.shares else None
    draws = group.shares or order is Order.WEIGHTED
    density: Ratio | None = None
    for option in group.options:
        candidate, facts = option.candidate, option.facts
        deployment = candidate.deployment
        offer = deployment.offer
        if option.density is not density:
            # Candidates of the same model share it, and with it the size of the request.
            density = option.density
            learned = density.value if density.weight >= ENOUGH else None
            size = Size(extent.tokens(learned or BYTES_PER_TOKEN), written, at, asked.tier)
            tokens = size.prompt + written
        doubt = option.unsure != ()
        if option.holds < most or option.writes < each:
            reason, may_be_long = overlong(offer, extent, learned)
            if reason is not None:
                dropped.append(Dropped(deployment.name, reason))
                continue
            doubt = doubt or may_be_long
        if option.limits is not None and (reason := too_dear(offer, option.limits, size)) is not None:
            dropped.append(Dropped(deployment.name, reason))
            continue
        seen = facts if known is None else known[id(offer), candidate.upstream_id]
        cost, time = expected_cost(offer, size, seen, now), seen.expected_s(written)
        room = facts.has_room(tokens, deployment.upstream.concurrent, now)
        figures = Figures(cost, time, facts.health(room=room), option.unsure)
        if time is None:
            # Optimistic for whoever comes first; until that one knows more, nobody follows.
            just_failed = facts.failures and now - facts.failed_at < EXPLORE_EVERY_S
            time = math.inf if facts.in_flight or just_failed else 0.0
        chance = _chance(asked.draw(), candidate.weight * deployment.credential.weight) if draws else 0.0
        rests = asked.rests and facts.failures > 0 and facts.rests(now, deployment.upstream.health)
        first = option.retires_s <= at, rests, not room
        price = UNKNOWN if cost is None else DOUBTFUL if offer.unconfirmed else KNOWN
        key = first, doubt, option.rank, (price, cost or 0, chance, option.place)
        found.append(Scored(option, figures, size, time, chance, key))
    return found


def _best_known(group: Group) -> dict[Sold, Facts]:
    """For each offer the facts of that credential of which most answers were seen: among candidates that differ in
    their credential alone, shares of the traffic decide, not chance differences in what was measured."""
    known: dict[Sold, Facts] = {}
    for option in group.options:
        candidate, facts = option.candidate, option.facts
        sold = id(candidate.deployment.offer), candidate.upstream_id
        best = known.get(sold)
        if best is None or facts.answers > best.answers:
            known[sold] = facts
    return known


def _in_order(scored: list[Scored], order: Order, asked: Asked) -> list[Scored]:
    if order is Order.CHEAPEST:
        limit = math.inf
        scored = sorted(scored, key=_key_of)
    elif order is Order.FASTEST:
        scored = sorted(scored, key=lambda one: (one.key[:3], one.time, one.key[3]))
        limit = scored[0].time
    elif order is Order.WEIGHTED:
        return sorted(scored, key=lambda one: (one.key[0], one.option.rank, one.chance))
    elif order is Order.ORDERED:
        places = _written_places(scored)
        return sorted(scored, key=lambda one: (one.key[0], one.option.rank, places[_sold_as(one)], one.chance))
    else:
        best = min(one.key[:2] for one in scored)
        limit = min(one.time for one in scored if one.key[:2] == best) * BALANCE
        scored = sorted(scored, key=lambda one: (one.key[:3], one.time > limit, one.key[3]))
    _explore(scored, order, limit, asked)
    return scored


def _written_places(scored: list[Scored]) -> dict[Sold, int]:
    """Where each offer was written first: candidates that differ in their credential alone share a place."""
    places: dict[Sold, int] = {}
    for one in scored:
        places.setdefault(_sold_as(one), one.option.place)
    return places


def _sold_as(one: Scored) -> Sold:
    candidate = one.option.candidate
    return id(candidate.deployment.offer), candidate.upstream_id


def _chance(drawn: float, weight: float) -> float:
    """A number that is the least among several with the probability of its weight's share (Efraimidis, Spirakis)."""
    return -math.log(max(drawn, 1e-300)) / weight


def _explore(scored: list[Scored], order: Order, limit: float, asked: Asked) -> None:
    """Now and then put a candidate first that may be better than what is known of it says.

    Of those the one that has not been tried for the longest: the slower or dearer it was, the more seldom.
    """
    drawn = asked.draw()
    if drawn >= EXPLORE_MOST * EAGERNESS:
        return
    best = scored[0]
    stale: Scored | None = None
    longest = EXPLORE_EVERY_S
    for one in scored[1:]:
        facts = one.option.facts
        if one.key[:3] != best.key[:3]:
            continue
        waited = math.inf if facts.last_tried is None else asked.now - facts.last_tried
        if waited >= longest and not facts.in_flight and _promises(one, best, order, limit, asked.now):
            stale, longest = one, waited
    if stale is None:
        return
    more = max(
        _ratio(stale.figures.time_s, best.figures.time_s), _ratio(stale.figures.cost_pusd, best.figures.cost_pusd)
    )
    chance = min(EXPLORE / (more - 1.0), EXPLORE_MOST) if more > 1.0 else EXPLORE_MOST
    facts = stale.option.facts
    if facts.answers < NEW or facts.startled:
        chance *= EAGERNESS
    if drawn < chance:
        scored.remove(stale)
        scored.insert(0, stale)


def _promises(one: Scored, best: Scored, order: Order, limit: float, now: float) -> bool:
    """Whether a candidate may well be what the policy looks for, as little as is known of it."""
    facts = one.option.facts
    if order is not Order.CHEAPEST:
        least = 0.0 if facts.startled else facts.least_s(one.size.written, now)
        if least >= limit:
            return False
        # For `balanced` somebody so much faster moves the limit itself, whatever it costs.
        if order is Order.FASTEST or best.time > BALANCE * least:
            return True
    cost = least_cost(one.option.candidate.deployment.offer, one.size, facts, now)
    return cost is not None and best.figures.cost_pusd is not None and cost < best.figures.cost_pusd


def _ratio(one: float | None, other: float | None) -> float:
    return one / other if one is not None and other else 1.0
