"""OpenRouter's `models` and `provider`: read, acted on, taken out, or refused by name."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.dialects.openai.preferences import MOST_MODELS, ProviderObject
from headgate.dialects.openai.request import parse_request
from headgate.errors import InvalidRequest
from headgate.types.deployment import Operation
from headgate.types.policy import Order, Preferences
from headgate.types.request import Envelope

USD = 10**12


def parsed(operation: Operation = Operation.CHAT, **fields: Any) -> Envelope:
    said = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "prompt": "p", "input": "i"}
    return parse_request(operation, json.dumps(said | fields).encode())


def preferred(**fields: Any) -> Preferences:
    found = parsed(**fields).preferences
    assert found is not None
    return found


def refused(**fields: Any) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        parsed(**fields)
    assert caught.value.status == 400
    assert caught.value.param is not None
    assert f"`{caught.value.param}`" in caught.value.message
    return caught.value


@pytest.mark.parametrize("operation", Operation)
def test_both_fields_are_taken_out_of_every_request(operation: Operation) -> None:
    envelope = parsed(operation, models=["a"], provider={"only": ["p"]}, user="u")
    assert not envelope.fields.keys() & {"models", "provider"}
    assert "user" in envelope.fields
    assert envelope.preferences == Preferences(models=("a",), only=("p",))


@pytest.mark.parametrize(
    "fields", [{}, {"models": None}, {"provider": None}, {"models": []}, {"models": None, "provider": None}]
)
def test_who_says_nothing_prefers_nothing(fields: dict[str, Any]) -> None:
    envelope = parsed(**fields)
    assert envelope.preferences is None
    assert not envelope.fields.keys() & {"models", "provider"}


def test_an_empty_object_and_nulls_are_the_defaults() -> None:
    assert preferred(provider={}) == Preferences()
    assert preferred(provider=dict.fromkeys(ProviderObject.__struct_fields__)) == Preferences()
    empty: dict[str, Any] = {"order": [], "only": [], "ignore": [], "quantizations": [], "max_price": {}}
    assert preferred(provider=empty) == Preferences()


def test_models_keep_their_order_and_the_first_stands_in_for_a_model_that_is_not_named() -> None:
    assert preferred(models=["b", "a", "c"]).models == ("b", "a", "c")
    envelope = parse_request(Operation.COMPLETION, b'{"models": ["b", "a"], "prompt": "p"}')
    assert envelope.model == "b"
    assert envelope.preferences == Preferences(models=("a",))
    with pytest.raises(InvalidRequest, match="you must provide `model`"):
        parse_request(Operation.COMPLETION, b'{"models": [], "prompt": "p"}')


def test_providers_are_named_in_any_letter_case_and_once() -> None:
    found = preferred(provider={"order": ["B", " a ", "b"], "only": ["A"], "ignore": ["X", "Y"]})
    assert (found.order, found.only, found.ignore) == (("b", "a"), ("a",), ("x", "y"))


def test_the_rest_of_the_object_means_what_it_says() -> None:
    found = preferred(
        provider={
            "allow_fallbacks": False,
            "require_parameters": True,
            "quantizations": ["FP8", "unknown"],
            "max_price": {"prompt": 1, "completion": "2.5", "request": 0.001},
        }
    )
    assert found == Preferences(
        allow_fallbacks=False,
        require_parameters=True,
        quantizations=frozenset({"fp8", "unknown"}),
        max_input_pusd_per_mtok=USD,
        max_output_pusd_per_mtok=5 * USD // 2,
        max_request_pusd=USD // 1000,
    )
    assert preferred(provider={"allow_fallbacks": True}).allow_fallbacks


@pytest.mark.parametrize(
    ("sort", "order"), [("price", Order.CHEAPEST), ("throughput", Order.FASTEST), ("latency", Order.FASTEST)]
)
def test_a_sort_is_a_policy_of_ours(sort: str, order: Order) -> None:
    assert preferred(provider={"sort": sort}).sort is order


@given(st.integers(0, 10**6), st.integers(0, 10**6 - 1))
def test_a_price_is_read_to_the_digit_it_was_written_with(whole: int, millionths: int) -> None:
    text = f"{whole}.{millionths:06d}"
    exact = whole * USD + millionths * 10**6
    for said in (text, float(text)):
        assert preferred(provider={"max_price": {"prompt": said}}).max_input_pusd_per_mtok == exact


def test_a_tenth_of_a_dollar_is_a_tenth_and_what_is_finer_than_any_price_is_rounded() -> None:
    assert preferred(provider={"max_price": {"prompt": 0.1}}).max_input_pusd_per_mtok == USD // 10
    assert preferred(provider={"max_price": {"prompt": 1e-15}}).max_input_pusd_per_mtok == 0
    assert preferred(provider={"max_price": {"prompt": 0}}).max_input_pusd_per_mtok == 0


@pytest.mark.parametrize("said", [-1, "-0.5", "nan", "inf", "-inf", "1e400", "free", "", "1,5", 1e300])
def test_a_price_that_is_none_is_refused_by_name(said: object) -> None:
    for side in ("prompt", "completion", "request"):
        error = refused(provider={"max_price": {side: said}})
        assert error.param == f"provider.max_price.{side}"
        assert "0 or more" in error.message


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"models": "m"}, "models"),
        ({"models": {"a": 1}}, "models"),
        ({"models": ["a", 1]}, "models[1]"),
        ({"models": ["a", ""]}, "models[1]"),
        ({"models": ["x" * 201]}, "models[0]"),
        ({"models": ["m"] * (MOST_MODELS + 1)}, "models"),
        ({"provider": "p"}, "provider"),
        ({"provider": ["p"]}, "provider"),
        ({"provider": {"order": "p"}}, "provider.order"),
        ({"provider": {"order": ["p", None]}}, "provider.order[1]"),
        ({"provider": {"only": [""]}}, "provider.only[0]"),
        ({"provider": {"ignore": ["p"] * 101}}, "provider.ignore"),
        ({"provider": {"allow_fallbacks": "no"}}, "provider.allow_fallbacks"),
        ({"provider": {"require_parameters": 1}}, "provider.require_parameters"),
        ({"provider": {"quantizations": {"fp8": True}}}, "provider.quantizations"),
        ({"provider": {"sort": "cheap"}}, "provider.sort"),
        ({"provider": {"sort": {"by": "price"}}}, "provider.sort"),
        ({"provider": {"max_price": 5}}, "provider.max_price"),
        ({"provider": {"max_price": {"prompt": True}}}, "provider.max_price.prompt"),
        ({"provider": {"max_price": {"prompt": [1]}}}, "provider.max_price.prompt"),
        ({"provider": {"data_collection": "maybe"}}, "provider.data_collection"),
        ({"provider": {"zdr": "yes"}}, "provider.zdr"),
    ],
)
def test_a_value_of_the_wrong_kind_is_refused_by_the_full_name_of_its_field(fields: dict[str, Any], param: str) -> None:
    error = refused(**fields)
    assert (error.param, error.code) == (param, "invalid_type")


@pytest.mark.parametrize("name", ["m\r\nx-header: of-the-reply", "\0", "\u2028"])
def test_the_name_of_a_model_has_only_characters_that_can_stand_in_a_header(name: str) -> None:
    error = refused(models=["a", name])
    assert (error.param, error.code) == ("models[1]", "invalid_value")
    assert refused(model=name).param == "model"


@pytest.mark.parametrize(
    ("provider", "param"),
    [
        ({"orders": ["p"]}, "provider.orders"),
        ({"Order": ["p"]}, "provider.Order"),
        ({"max_price": {"image": 1}}, "provider.max_price.image"),
    ],
)
def test_a_field_that_nobody_knows_is_refused_by_its_name(provider: dict[str, Any], param: str) -> None:
    error = refused(provider=provider)
    assert (error.param, error.code) == (param, "unknown_parameter")


def test_a_name_of_any_length_does_not_come_back() -> None:
    assert len(refused(provider={"x" * 10_000: 1}).message) < 300


@pytest.mark.parametrize(
    ("provider", "param"),
    [
        ({"data_collection": "deny"}, "provider.data_collection"),
        ({"zdr": True}, "provider.zdr"),
        ({"enforce_distillable_text": True}, "provider.enforce_distillable_text"),
    ],
)
def test_a_promise_that_cannot_be_kept_is_refused_and_its_absence_is_not(provider: dict[str, Any], param: str) -> None:
    error = refused(provider=provider)
    assert (error.param, error.code) == (param, "unsupported_parameter")
    allowed = {"data_collection": "allow", "zdr": False, "enforce_distillable_text": False}
    assert preferred(provider=allowed) == Preferences()


def test_wishes_that_are_understood_and_not_acted_on_are_told() -> None:
    found = preferred(provider={"preferred_min_throughput": {"p50": 5}, "preferred_max_latency": 3, "only": ["p"]})
    assert found.ignored == ("provider.preferred_min_throughput", "provider.preferred_max_latency")
    assert found.only == ("p",)
    assert preferred(provider={"preferred_max_latency": None}).ignored == ()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*ProviderObject.__struct_fields__, "prompt", "x"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(JSON, JSON)
def test_whatever_is_sent_is_read_or_refused_by_name(models: object, provider: object) -> None:
    try:
        found = parsed(models=models, provider=provider).preferences
    except InvalidRequest as error:
        named = error.param
    else:
        assert found is None or hash(found) == hash(parsed(models=models, provider=provider).preferences)
        return
    assert named is not None
    assert named.startswith(("models", "provider"))
