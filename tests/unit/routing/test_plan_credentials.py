"""Offers with several credentials, and one offer that stands for several ids, in a plan."""

from __future__ import annotations

from headgate.routing.observed import Observed
from headgate.routing.requirements import Extent
from headgate.types.deployment import Candidate
from headgate.types.headroom import Headroom
from headgate.types.policy import Order
from tests.unit.routing.snapshots import asked, candidate, credentials, planned, providers, seen, sold


def test_ids_behind_one_star_are_targets_of_their_own() -> None:
    star = candidate("open").deployment
    other = sold("other", 5)
    targets = [Candidate(star, "a"), other, Candidate(star, "c")]
    made = planned(*targets, request=asked(order=Order.ORDERED))
    assert [one.upstream_id for one in made.candidates] == ["a", other.upstream_id, "c"]


def test_what_one_credential_has_shown_counts_for_the_others_of_the_offer() -> None:
    one, two = credentials(sold("own", 5), a=1.0, b=1.0)
    other = sold("other", 5)
    observed = Observed()
    seen(observed, two, 10.0)
    seen(observed, other, 1.0)
    made = planned(one, two, other, observed=observed, request=asked(order=Order.FASTEST))
    assert providers(made) == ["other", "own", "own"]


def test_a_refusal_does_not_shorten_what_a_limit_has_said_of_itself() -> None:
    limited, other = sold("limited", 1), sold("other", 9)
    observed = Observed()
    facts = observed.of(limited.deployment)
    facts.told(Headroom(requests=0, requests_reset_s=60.0), 0.0)
    facts.refused(None, 0.0)
    for now, first in ((30.0, "other"), (61.0, "limited")):
        assert providers(planned(limited, other, observed=observed, request=asked(now=now)))[0] == first


def test_several_answers_are_expected_to_be_as_long_each_as_one() -> None:
    offer = sold("own", 10**6)
    costs = [
        planned(offer, request=asked(Extent(text=4, answers=answers), usual=200.0)).figures[0].cost_pusd
        for answers in (1, 4)
    ]
    assert costs == [201 * 10**6, 801 * 10**6]
