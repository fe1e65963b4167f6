"""What is booked for a request."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from headgate.gateway.settle import settle, stream_note
from headgate.types.request import Account
from headgate.types.usage import Usage
from headgate.wire import json
from tests.unit.routing.snapshots import candidate

COUNT = st.integers(0, 10**9)


def account(**fields: object) -> Account:
    made = Account(request_id="req_1", provider="p", model="m", attempts=1)
    for name, value in fields.items():
        setattr(made, name, value)
    return made


@given(COUNT, COUNT, st.integers(0, 10**13), st.integers(0, 10**13))
def test_the_cost_is_tokens_times_price_to_the_pico_dollar(
    entered: int, written: int, input_price: int, output_price: int
) -> None:
    booked = account()
    settle(booked, candidate(price=(input_price, output_price)).deployment, Usage(input=entered, output=written))
    exact = entered * input_price + written * output_price
    assert booked.cost_pusd is not None
    assert abs(booked.cost_pusd * 10**6 - exact) * 2 <= 10**6


def test_no_usage_and_an_unknown_price_are_unknown_costs_and_never_zero() -> None:
    booked = account(cost_pusd=5)
    settle(booked, candidate(price=(1, 1)).deployment, None)
    assert booked.cost_pusd is None
    settle(booked, candidate(price=(1, None)).deployment, Usage(input=1, output=1))
    assert booked.cost_pusd is None
    settle(booked, candidate(price=(0, 0)).deployment, Usage(input=1, output=1))
    assert booked.cost_pusd == 0


def test_a_streams_note_holds_every_digit_of_the_cost() -> None:
    note = json.encode(stream_note(account(cost_pusd=1_234_567_890_123_456_789)))
    assert b'"cost_usd":1234567.890123456789' in note


def test_a_streams_note_says_what_is_not_exact_and_what_was_dropped_and_nothing_else_then() -> None:
    plain = stream_note(account(cost_pusd=None, usage=Usage(input=1)))
    assert plain == {"provider": "p", "model": "m", "attempts": 1, "cost_usd": None}
    more = stream_note(account(cost_pusd=None, usage=Usage(input=1, estimated=True), dropped=["user"]))
    assert more == plain | {"usage_estimated": True, "dropped": ["user"]}
