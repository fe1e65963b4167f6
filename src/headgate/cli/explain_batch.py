"""`headgate explain --file`: what a file of requests would cost under each policy. Nothing is sent.

The file may be of any length: of a request nothing is kept but sums.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from headgate.cli.explain_lines import BadLine, Line, numbered, read_line, usual_length
from headgate.cli.offline import Offline, print_object, table
from headgate.cli.options import Mistake
from headgate.config.problems import shorten
from headgate.routing.hypothetical import Question
from headgate.routing.observed import Observed
from headgate.routing.planner import Planner
from headgate.types.money import render_usd
from headgate.types.policy import Order
from headgate.types.principal import Principal
from headgate.types.request import Plan

OK = 0
NOTHING_READ = 1
POLICIES = (Order.CHEAPEST, Order.FASTEST, Order.BALANCED, Order.ORDERED)
EVEN = 0.5
MOST_LINES_TOLD = 20
MOST_REASONS = 200
OTHER = "other reasons"
_DIGITS = re.compile(r"\d+")


class Sum(msgspec.Struct):
    """Requests that are served, what those of known price would cost together, and how many have no known price."""

    requests: int = 0
    known_cost_pusd: int = 0
    unknown_price: int = 0

    def add(self, cost_pusd: int | None) -> None:
        self.requests += 1
        if cost_pusd is None:
            self.unknown_price += 1
        else:
            self.known_cost_pusd += cost_pusd

    def told(self) -> dict[str, Any]:
        """The sum for programs: as a whole it is null as long as a part of it is unknown."""
        whole = None if self.unknown_price else self.known_cost_pusd
        return {"expected_cost_pusd": whole, **msgspec.structs.asdict(self)}


class Totals(msgspec.Struct):
    """All that is kept of a file. `policies` has a sum for all and one by deployment; `unreadable` the first lines."""

    requests: int = 0
    recorded: int = 0
    nobody: int = 0
    unread: int = 0
    policies: dict[Order, Sum] = msgspec.field(default_factory=lambda: {order: Sum() for order in POLICIES})
    deployments: dict[Order, dict[str, Sum]] = msgspec.field(default_factory=lambda: {order: {} for order in POLICIES})
    reasons: Counter[str] = msgspec.field(default_factory=Counter)
    unreadable: list[tuple[int, str]] = []

    def cannot_read(self, number: int, why: str) -> None:
        self.unread += 1
        if len(self.unreadable) < MOST_LINES_TOLD:
            self.unreadable.append((number, shorten(why, 200)))

    def cannot_serve(self, why: str) -> None:
        self.nobody += 1
        told = shorten(why, 300)
        self.reasons[told if told in self.reasons or len(self.reasons) < MOST_REASONS else OTHER] += 1


class Past(Observed):
    """What is known of a request of the past: how long its answers were. Of deployments nothing is."""

    def __init__(self) -> None:
        super().__init__()
        self.written: float | None = None

    def length(self, key_id: str, model: str) -> float | None:
        return self.written


class _Pricer:
    """Plans every request under every policy, and sums up."""

    def __init__(self, offline: Offline, principal: Principal, at: float) -> None:
        self._snapshot = offline.snapshot
        self._principal = principal
        self._at = at
        self._past = Past()
        self._planner = Planner(self._past, draw=lambda: EVEN)
        self.totals = Totals()

    def price(self, line: Line) -> None:
        totals, envelope = self.totals, line.asked.envelope
        totals.requests += 1
        totals.recorded += line.used is not None
        self._past.written = None if line.used is None else usual_length(line.used)
        if not self._principal.may_use(envelope.model):
            totals.cannot_serve(f"{envelope.model}: the key may not use it")
            return
        for order in POLICIES:
            made = self._plan(line.asked, order)
            if made is None or not made.candidates:
                # Whether somebody can serve it is the same under every policy.
                totals.cannot_serve(_why(envelope.model, made))
                return
            cost_pusd, name = made.figures[0].cost_pusd, made.candidates[0].deployment.name
            totals.policies[order].add(cost_pusd)
            totals.deployments[order].setdefault(name, Sum()).add(cost_pusd)

    def _plan(self, asked: Question, order: Order) -> Plan | None:
        return self._planner.plan_for(
            self._snapshot, self._principal, asked.envelope, asked.extent, order=order, at=self._at, now=0.0
        )


def _why(model: str, made: Plan | None) -> str:
    if made is None:
        return f"{model}: no provider serves a model of this name"
    # Figures differ from request to request, and each would be a reason of its own.
    reasons = {_DIGITS.sub("N", one.reason) for one in made.dropped}
    return f"{model}: {'; '.join(sorted(reasons))}"


def price_file(
    path: Path, offline: Offline, principal: Principal, model: str | None, at: float, *, as_json: bool
) -> int:
    """Read the file (`-` is standard input) and print what it would cost. `model` stands in for those of the lines.

    Returns the exit code: 0, or 1 when no line could be read. Raises Mistake for a file that cannot be read.
    """
    pricer = _Pricer(offline, principal, at)
    try:
        with sys.stdin.buffer if str(path) == "-" else path.open("rb") as stream:
            _read(stream, pricer, model)
    except OSError as error:
        raise Mistake(f"--file: {shorten(str(path))} cannot be read: {error.strerror or error}") from None
    totals = pricer.totals
    if as_json:
        print_object(as_object(totals))
    else:
        for row in lines_of(totals):
            print(row)
    return NOTHING_READ if totals.unread and not totals.requests else OK


def _read(stream: BinaryIO, pricer: _Pricer, model: str | None) -> None:
    for number, data in numbered(stream):
        if data is None:
            pricer.totals.cannot_read(number, "it is too long")
            continue
        try:
            line = read_line(data, model)
        except BadLine as error:
            pricer.totals.cannot_read(number, str(error))
        else:
            pricer.price(line)


def as_object(totals: Totals) -> dict[str, Any]:
    """The sums for programs."""
    return {
        "requests": totals.requests,
        "with_recorded_usage": totals.recorded,
        "policies": {
            order: {
                **totals.policies[order].told(),
                "deployments": {name: one.told() for name, one in totals.deployments[order].items()},
            }
            for order in POLICIES
        },
        "nobody": {
            "requests": totals.nobody,
            "reasons": [{"reason": why, "requests": count} for why, count in totals.reasons.most_common()],
        },
        "unreadable": {
            "lines": totals.unread,
            "first": [{"line": number, "reason": why} for number, why in totals.unreadable],
        },
    }


def lines_of(totals: Totals) -> list[str]:
    """The sums for people."""
    lines = [f"{totals.requests} requests, {totals.recorded} of them with recorded usage"]
    rows: list[tuple[str, ...]] = [("policy", "deployment", "requests", "cost USD", "price unknown")]
    for order in POLICIES:
        rows.append((order, "all", *_cells(totals.policies[order])))
        by_cost = sorted(totals.deployments[order].items(), key=lambda item: (-item[1].requests, item[0]))
        rows += [(order, name, *_cells(one)) for name, one in by_cost]
    lines += table(rows, (2, 3, 4))
    lines.append("a request of unknown price is in no sum of costs; nothing is known here of speeds")
    if totals.nobody:
        lines.append(f"nobody can serve {totals.nobody}:")
        lines += [f"  {count} {why}" for why, count in totals.reasons.most_common()]
    if totals.unread:
        lines.append(f"{totals.unread} lines could not be read:")
        lines += [f"  line {number}: {why}" for number, why in totals.unreadable]
        if totals.unread > len(totals.unreadable):
            lines.append("  …")
    return lines


def _cells(one: Sum) -> tuple[str, str, str]:
    known = one.requests > one.unknown_price or not one.requests
    return str(one.requests), render_usd(one.known_cost_pusd) if known else "unknown", str(one.unknown_price)
