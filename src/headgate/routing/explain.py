"""A plan as the object that people and programs read: `headgate explain`, `POST /api/explain`, a request's record."""

from __future__ import annotations

from typing import Any

from headgate.catalog.cost import MAX_COST_PUSD
from headgate.types.entry import Planned, PlanRow
from headgate.types.request import Plan

MOST_TOLD = 50
"""Candidates, and as many dropped ones, that a record keeps."""


def plan_row(made: Plan) -> PlanRow:
    """What is kept of a plan. Seconds are rounded to the millisecond; a cost beyond what any request can cost is a
    mistake of what it was worked out from, and unknown."""
    return PlanRow(
        tuple(
            [
                Planned(
                    one.deployment.name,
                    one.deployment.upstream.provider,
                    one.upstream_id,
                    cost if (cost := figures.cost_pusd) is not None and cost <= MAX_COST_PUSD else None,
                    None if (time := figures.time_s) is None else round(time, 3),
                    figures.health,
                )
                for one, figures in zip(made.candidates[:MOST_TOLD], made.figures, strict=False)
            ]
        ),
        tuple([(one.deployment, one.reason) for one in made.dropped[:MOST_TOLD]]) if made.dropped else (),
        str(made.order),
    )


def explained(made: Plan) -> dict[str, Any]:
    """The object of a plan that was made just now: with what its figures rest on."""
    answer = plan_row(made).told()
    for one, candidate, figures in zip(answer["candidates"], made.candidates, made.figures, strict=False):
        offer = candidate.deployment.offer
        one["price_source"] = offer.price_source or None
        one["estimate"] = offer.unconfirmed or offer.disputed
        if figures.unsure:
            one["unsure"] = list(figures.unsure)
        if offer.deprecated_on is not None:
            one["retires_on"] = offer.deprecated_on
    return answer
