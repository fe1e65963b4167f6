"""What a request says about who may serve it, applied to deployments."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.routing.plan import plan
from headgate.routing.preferences import place_in_order, why_unwanted
from headgate.routing.shortlist import Wanted
from headgate.types.deployment import Body, Candidate, Operation
from headgate.types.money import Terms
from headgate.types.policy import Order, Preferences
from tests.unit.routing.snapshots import CAPABLE, asked, candidate, listed, planned, providers, resolution, sold

CHEAP, MIDDLE, DEAR = sold("cheap", 1), sold("middle", 5), sold("dear", 9)
ALL = (DEAR, CHEAP, MIDDLE)


def wanting(**fields: Any) -> Wanted:
    return Wanted(Operation.CHAT, preferences=Preferences(**fields))


def why(one: Candidate, fields: Body | None = None, **said: Any) -> str | None:
    return why_unwanted(one.deployment, Preferences(**said), fields or {})


def order_of(**said: Any) -> list[str]:
    return providers(planned(*ALL, wanted=wanting(**said)))


def test_an_order_comes_before_the_policy_and_the_others_follow_by_it() -> None:
    assert order_of(order=("dear",)) == ["dear", "cheap", "middle"]
    assert order_of(order=("middle", "dear")) == ["middle", "dear", "cheap"]
    assert order_of(order=("nobody", "middle")) == ["middle", "cheap", "dear"]


@pytest.mark.parametrize("policy", Order)
def test_an_order_counts_whatever_the_policy(policy: Order) -> None:
    made = planned(*ALL, wanted=wanting(order=("middle", "dear")), request=asked(order=policy))
    assert providers(made) == ["middle", "dear", "cheap"]


def test_an_order_without_fallbacks_is_all_there_is() -> None:
    made = planned(*ALL, wanted=wanting(order=("dear", "middle"), allow_fallbacks=False))
    assert providers(made) == ["dear", "middle"]
    assert "allows no fallback beyond dear, middle" in made.dropped[0].reason


def test_only_and_ignore_sort_out() -> None:
    assert order_of(only=("dear", "middle")) == ["middle", "dear"]
    assert order_of(ignore=("cheap",)) == ["middle", "dear"]
    assert order_of(only=("cheap", "dear"), ignore=("cheap",)) == ["dear"]
    assert order_of(only=("nobody",)) == []
    assert why(CHEAP, only=("dear",)) == "the request wants only dear"
    assert why(CHEAP, ignore=("cheap",)) == "the request ignores this provider"


def test_a_provider_is_found_whatever_the_operator_calls_it() -> None:
    mine = candidate("My-Box")
    assert why(mine, only=("my-box",)) is None
    assert why(mine, ignore=("my-box",)) is not None
    assert place_in_order(mine.deployment, Preferences(order=("x", "my-box"))) == 1
    assert place_in_order(mine.deployment, Preferences(order=("x", "y"))) == 2


def test_quantizations_admit_exactly_those_named_and_unknown_is_one_of_them() -> None:
    fp8, unknown = candidate("p", quantization="fp8"), candidate("q")
    assert why(fp8, quantizations=frozenset({"fp8"})) is None
    assert why(candidate("p", quantization="FP8"), quantizations=frozenset({"fp8"})) is None
    assert why(candidate("p", variant="turbo"), quantizations=frozenset({"turbo"})) is None
    assert why(unknown, quantizations=frozenset({"unknown"})) is None
    assert why(fp8) is None
    said = why(unknown, quantizations=frozenset({"fp8", "bf16"}))
    assert said == "its quantization is unknown, and the request admits bf16, fp8"


@pytest.mark.parametrize("side", ["input", "output"])
def test_a_highest_price_is_for_a_million_tokens_and_what_is_unknown_is_too_high(side: str) -> None:
    limit: dict[str, Any] = {f"max_{side}_pusd_per_mtok": 5 * 10**6}
    assert why(MIDDLE, **limit) is None
    above = why(DEAR, **limit)
    assert above is not None
    assert side in above
    unknown = why(candidate("x"), **limit)
    assert unknown is not None
    assert "not known" in unknown


def test_a_highest_price_for_the_request_is_for_its_dearest_fee() -> None:
    searching = candidate("s", terms=Terms(request_fees=(("low", 5), ("high", 12))))
    assert why(searching, max_request_pusd=12) is None
    assert why(searching, max_request_pusd=11) is not None
    assert why(CHEAP, max_request_pusd=0) is None


def _drops_seed(fields: Body, dropped: list[str]) -> None:
    if fields.pop("seed", None) is not None:
        dropped.append("seed")


def test_whoever_would_leave_out_a_parameter_is_not_wanted_where_all_are_required() -> None:
    careless = candidate("careless", called={"quirks": (_drops_seed,)})
    fields: Body = {"seed": msgspec.Raw(b"1"), "user": msgspec.Raw(b'"u"')}
    said = why(careless, fields, require_parameters=True)
    assert said is not None
    assert "seed" in said
    assert fields.keys() == {"seed", "user"}, "the request itself was edited"
    assert why(careless, {}, require_parameters=True) is None
    assert why(careless, fields) is None


def test_a_reason_stays_short_whatever_the_request_lists() -> None:
    many = tuple(f"{number:0200}" for number in range(100))
    for said in ({"only": many}, {"order": many, "allow_fallbacks": False}, {"quantizations": frozenset(many)}):
        reason = why(CHEAP, **said)
        assert reason is not None
        assert len(reason) < 1_500


NAMES = st.lists(st.sampled_from("pqrst"), max_size=3, unique=True).map(tuple)
PREFERENCES = st.builds(
    Preferences,
    order=NAMES,
    only=NAMES,
    ignore=NAMES,
    allow_fallbacks=st.booleans(),
    quantizations=st.none() | st.frozensets(st.sampled_from(["unknown", "fp8"]), min_size=1),
    max_input_pusd_per_mtok=st.none() | st.integers(0, 10**15),
    max_output_pusd_per_mtok=st.none() | st.integers(0, 10**15),
)


@given(st.lists(CAPABLE, max_size=6), PREFERENCES, st.sampled_from(Order))
def test_nobody_serves_whom_the_request_does_not_want(
    targets: list[Candidate], said: Preferences, order: Order
) -> None:
    short = listed(resolution(*targets), wanted=Wanted(Operation.CHAT, preferences=said))
    made = plan(short, asked(order=order))
    assert len(made.candidates) + len(made.dropped) == len(targets)
    for one in made.candidates:
        provider, price = one.deployment.upstream.provider, one.deployment.offer.price
        assert not said.only or provider in said.only
        assert provider not in said.ignore
        assert said.allow_fallbacks or not said.order or provider in said.order
        if said.max_input_pusd_per_mtok is not None:
            assert price.input_pusd_per_mtok is not None
            assert price.input_pusd_per_mtok <= said.max_input_pusd_per_mtok
        if said.max_output_pusd_per_mtok is not None:
            assert price.output_pusd_per_mtok is not None
            assert price.output_pusd_per_mtok <= said.max_output_pusd_per_mtok
