"""A plan as the object that people and programs read."""

from __future__ import annotations

import json

import msgspec
from hypothesis import given

from headgate.catalog.cost import MAX_COST_PUSD
from headgate.routing.explain import MOST_TOLD, explained, plan_row
from headgate.routing.observed import Observed
from headgate.routing.plan import plan
from headgate.routing.requirements import Extent
from headgate.routing.shortlist import Wanted
from headgate.types.deployment import DOCUMENT, Candidate, Operation
from headgate.types.entry import PlanRow
from headgate.types.policy import Order
from headgate.types.request import Plan
from tests.unit.routing.snapshots import EXTENTS, NEEDS, asked, candidate, capable, listed, planned, resolution, seen

PLANNED = {"deployment", "provider", "upstream_id", "expected_cost_pusd", "expected_time_s", "health"}
ALWAYS = PLANNED | {"price_source", "estimate"}
SOMETIMES = {"unsure", "retires_on"}


def test_an_explained_plan_says_who_in_which_order_at_what_cost_and_who_not() -> None:
    observed = Observed()
    first = candidate("first", price=(10**6, 10**6), price_source=DOCUMENT)
    second = candidate("second", price=(2 * 10**6, 0), price_source="list 2026-01-01", disputed=True, upstream_id="id")
    blind = candidate("blind", lacks=frozenset({"vision"}))
    seen(observed, second, 1.23456)
    short = listed(
        resolution(second, first, blind), wanted=Wanted(Operation.CHAT, frozenset({"vision"})), observed=observed
    )
    told = explained(plan(short, asked(Extent(text=400, each=50), order=Order.FASTEST)))
    assert told["policy"] == "fastest"
    assert told["dropped"] == [{"deployment": "blind/m", "reason": "does not do images"}]
    by_name = {one["provider"]: one for one in told["candidates"]}
    assert by_name["first"] == {
        "deployment": "first/m",
        "provider": "first",
        "upstream_id": "m",
        "expected_cost_pusd": 150,
        "expected_time_s": None,
        "health": "unknown",
        "price_source": DOCUMENT,
        "estimate": False,
        "unsure": ["vision"],
    }
    assert by_name["second"]["expected_cost_pusd"] == 200
    assert by_name["second"]["expected_time_s"] == 1.235
    assert by_name["second"]["health"] == "healthy"
    assert by_name["second"]["estimate"] is True
    assert by_name["second"]["upstream_id"] == "id"


def test_an_unknown_source_is_none_and_a_day_of_retirement_is_told() -> None:
    (told,) = explained(planned(candidate("p", deprecated_on="2030-01-02", unconfirmed=True)))["candidates"]
    assert told["price_source"] is None
    assert told["expected_cost_pusd"] is None
    assert told["retires_on"] == "2030-01-02"
    assert told["estimate"] is True
    assert "unsure" not in told


@given(capable(), NEEDS, EXTENTS)
def test_the_object_has_exactly_the_fields_of_the_contract_and_is_json(
    targets: list[Candidate], needs: frozenset[str], extent: Extent
) -> None:
    made = planned(*targets, wanted=Wanted(Operation.CHAT, needs), request=asked(extent))
    told = json.loads(json.dumps(explained(made)))
    assert told.keys() == {"policy", "candidates", "dropped"}
    assert [one["deployment"] for one in told["candidates"]] == [one.deployment.name for one in made.candidates]
    for one, figures in zip(told["candidates"], made.figures, strict=True):
        assert ALWAYS <= one.keys() <= ALWAYS | SOMETIMES
        assert one.get("unsure", []) == list(figures.unsure)
    for gone in told["dropped"]:
        assert gone.keys() == {"deployment", "reason"}
        assert gone["reason"]


@given(capable(), NEEDS, EXTENTS)
def test_what_a_record_keeps_of_a_plan_is_read_back_as_it_was(
    targets: list[Candidate], needs: frozenset[str], extent: Extent
) -> None:
    made = planned(*targets, wanted=Wanted(Operation.CHAT, needs), request=asked(extent))
    row = plan_row(made)
    assert row.told()["policy"] == made.order
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(row), type=PlanRow) == row
    assert all(one.keys() == PLANNED for one in row.told()["candidates"])


def test_a_record_from_before_there_was_a_policy_in_it_is_read_too() -> None:
    row = plan_row(planned(candidate("p"), order=Order.BALANCED))
    assert row.told()["policy"] == "balanced"
    candidates, dropped, _ = msgspec.msgpack.decode(msgspec.msgpack.encode(row))
    old = msgspec.msgpack.decode(msgspec.msgpack.encode([candidates, dropped]), type=PlanRow)
    assert old.told() == row.told() | {"policy": ""}


def test_a_cost_that_no_request_can_have_is_unknown_and_fits_the_record() -> None:
    dear = candidate("dear", price=(10**15, 10**15))
    (usual,) = plan_row(planned(dear)).candidates
    assert usual.expected_cost_pusd == 600 * 10**9
    for extent in (Extent(text=4 * 10**12), Extent(text=4, answers=10**6, each=10**12), Extent(text=4, exact=10**30)):
        request = asked(extent, usual=10.0**15)
        row = plan_row(planned(dear, request=request))
        assert row.candidates[0].expected_cost_pusd is None
        assert msgspec.msgpack.encode(row)
    (most,) = plan_row(planned(dear, request=asked(Extent(text=4, each=0, exact=MAX_COST_PUSD // 10**9)))).candidates
    assert most.expected_cost_pusd == MAX_COST_PUSD


def test_a_record_keeps_so_many_and_no_more() -> None:
    many = [candidate(f"p{number}", price=(number * 10**6, 0)) for number in range(MOST_TOLD + 5)]
    blind = [candidate(f"q{number}", kind="embedding") for number in range(MOST_TOLD + 5)]
    made = planned(*many, *blind)
    row = plan_row(made)
    assert (len(row.candidates), len(row.dropped)) == (MOST_TOLD, MOST_TOLD)
    assert [one.provider for one in row.candidates] == [f"p{number}" for number in range(MOST_TOLD)]
    assert len(explained(made)["candidates"]) == MOST_TOLD


def test_a_plan_of_nobody_is_told_too() -> None:
    assert explained(Plan(candidates=())) == {"policy": "cheapest", "candidates": [], "dropped": []}
