"""Who can serve at all: variants, groups, and each deployment in one place only."""

from __future__ import annotations

import pytest

from headgate.routing.observed import Observed
from headgate.routing.requirements import SURELY_HELD
from headgate.routing.shortlist import Wanted
from headgate.types.deployment import Candidate, Operation
from headgate.types.policy import Order, Preferences
from headgate.types.request import Dropped
from headgate.types.snapshot import Route
from tests.unit.routing.snapshots import candidate, credentials, listed, resolution

FP8 = candidate("b", variant="fp8", quantization="fp8")
TURBO = candidate("c", variant="turbo")
PLAIN = candidate("a")


def wants(*quantizations: str) -> Wanted:
    return Wanted(Operation.CHAT, preferences=Preferences(quantizations=frozenset(quantizations)))


def chosen(*variants: Candidate, wanted: Wanted | None = None, admits: set[str] | None = None) -> list[str]:
    """The providers that come to serve, where the plain one is there too."""
    route = None if admits is None else Route(name="r", admits=frozenset(admits))
    found = listed(resolution(PLAIN, variants=variants, route=route), wanted=wanted or Wanted(Operation.CHAT))
    return [one.candidate.deployment.upstream.provider for group in found.groups for one in group.options]


def test_nobody_gets_a_variant_unasked_and_is_told_of_it() -> None:
    found = listed(resolution(PLAIN, variants=[FP8, TURBO]))
    assert [one.candidate for one in found.groups[0].options] == [PLAIN]
    assert [one.deployment for one in found.dropped] == ["b/m", "c/m"]
    assert "fp8" in found.dropped[0].reason
    assert "turbo" in found.dropped[1].reason


def test_a_route_admits_the_variants_it_names_or_all() -> None:
    assert chosen(FP8, TURBO, admits=set()) == ["a"]
    assert chosen(FP8, TURBO, admits={"fp8"}) == ["a", "b"]
    assert chosen(FP8, TURBO, admits={"FP8"}) == ["a", "b"]
    assert chosen(FP8, TURBO, admits={"turbo", "int4"}) == ["a", "c"]
    assert chosen(FP8, TURBO, admits={"*"}) == ["a", "b", "c"]


def test_a_request_admits_exactly_the_quantizations_it_names() -> None:
    assert chosen(FP8, TURBO, wanted=wants("fp8")) == ["b"]
    assert chosen(FP8, TURBO, wanted=wants("turbo", "unknown")) == ["a", "c"]
    assert chosen(candidate("b", variant="FP8", quantization="FP8"), wanted=wants("fp8")) == ["b"]
    assert chosen(FP8, wanted=wants("int4")) == []


def test_a_quantised_offer_that_the_route_admits_is_still_not_what_the_request_wants() -> None:
    assert chosen(FP8, TURBO, wanted=wants("unknown"), admits={"*"}) == ["a", "c"]


def test_a_variant_that_one_name_does_not_admit_and_another_one_means_is_there_once() -> None:
    first, second = resolution(PLAIN, variants=[FP8, TURBO]), resolution(FP8)
    for named in ((first, second), (second, first)):
        found = listed(*named)
        assert sorted(one.candidate.deployment.name for group in found.groups for one in group.options) == [
            "a/m",
            "b/m",
        ]
        assert [one.deployment for one in found.dropped] == ["c/m"]


def test_a_variant_that_several_names_have_is_dropped_once() -> None:
    found = listed(resolution(PLAIN, variants=[FP8]), resolution(candidate("d"), variants=[FP8]))
    assert [one.deployment for one in found.dropped] == ["b/m"]


def test_a_deployment_that_several_groups_name_stays_in_the_first() -> None:
    other = candidate("x")
    found = listed(resolution(PLAIN, other, fallback=[PLAIN]), resolution(other, PLAIN))
    assert [[one.candidate for one in group.options] for group in found.groups] == [[PLAIN, other]]
    assert found.dropped == ()


def test_one_deployment_may_be_sent_several_ids() -> None:
    star = candidate("open", upstream_id="*")
    one, two = Candidate(star.deployment, "x"), Candidate(star.deployment, "y")
    found = listed(resolution(one, two))
    assert [each.candidate.upstream_id for each in found.groups[0].options] == ["x", "y"]
    assert not found.groups[0].shares, "different models, not two ways to the same"


def test_a_fallback_is_a_group_of_its_own_that_stays_as_written() -> None:
    route = Route(name="r")
    found = listed(
        resolution(PLAIN, fallback=[FP8, TURBO], order=Order.CHEAPEST, route=route), resolution(candidate("x"))
    )
    assert [(group.fixed, group.order) for group in found.groups] == [
        (False, Order.CHEAPEST),
        (True, Order.ORDERED),
        (False, Order.CHEAPEST),
    ]
    assert [[one.treatment.hedged_as for one in group.options] for group in found.groups] == [
        ["route r"],
        ["route r"] * 2,
        ["x"],
    ]


def test_groups_know_whether_their_candidates_share_an_offer() -> None:
    assert listed(resolution(*credentials(PLAIN, a=1, b=1))).groups[0].shares
    assert not listed(resolution(PLAIN, FP8)).groups[0].shares


def test_who_lacks_something_says_what_and_who_cannot_serve_at_all_says_why() -> None:
    lacking = candidate("a", lacks=frozenset({"tools", "vision"}))
    unsure, able = candidate("b"), candidate("c", capabilities=frozenset({"tools", "vision"}))
    embeds = candidate("d", kind="embedding")
    found = listed(
        resolution(lacking, unsure, able, embeds), wanted=Wanted(Operation.CHAT, frozenset({"tools", "vision"}))
    )
    assert [(one.candidate, one.unsure) for one in found.groups[0].options] == [
        (unsure, ("tools", "vision")),
        (able, ()),
    ]
    assert found.dropped == (
        Dropped("a/m", "does not do tools and images"),
        Dropped("d/m", "a model of kind embedding cannot serve chat"),
    )


@pytest.mark.parametrize(
    ("window", "prompt", "holds"), [(None, None, SURELY_HELD), (9, None, 9), (None, 7, 7), (9, 7, 7), (5, 7, 5)]
)
def test_an_option_knows_the_shortest_limit_on_its_prompts(window: int | None, prompt: int | None, holds: int) -> None:
    one = candidate(context_tokens=window, max_input_tokens=prompt)
    assert listed(resolution(one)).groups[0].options[0].holds == holds


def test_an_option_has_the_facts_of_its_deployment_and_the_density_of_its_weights() -> None:
    observed = Observed()
    (option,) = listed(resolution(PLAIN), observed=observed).groups[0].options
    assert option.facts is observed.of(PLAIN.deployment)
    assert option.density is observed.density("m")


def test_nobody_at_all_is_an_empty_list() -> None:
    assert (listed(resolution()).groups, listed().dropped) == ((), ())
