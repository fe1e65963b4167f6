"""What is booked for an attempt, and for a request of several."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from headgate.gateway.booking import Booking
from headgate.gateway.settle import settle, stream_note
from headgate.types.principal import Principal
from headgate.types.request import Account, Attempt
from headgate.types.usage import Usage
from headgate.wire import json
from tests.surface.gateway import books
from tests.unit.routing.snapshots import candidate

COUNT = st.integers(0, 10**9)


def booking() -> Booking:
    account = Account(request_id="req_1", provider="p", model="m")
    return Booking(books(), lambda: 0.0, account, Principal(key="k"), "chat", at_us=0, arrived=0.0)


def attempted(booked: Booking, price: tuple[int | None, int | None], usage: Usage) -> Attempt:
    """One attempt at a price, settled."""
    attempt = Attempt(candidate=candidate(price=price), started=0.0)
    booked.account.tries.append(attempt)
    settle(booked, attempt, usage)
    return attempt


@given(COUNT, COUNT, st.integers(0, 10**9), st.integers(0, 10**9))
def test_the_cost_is_tokens_times_price_to_the_pico_dollar(
    entered: int, written: int, input_price: int, output_price: int
) -> None:
    booked = booking()
    attempted(booked, (input_price, output_price), Usage(input=entered, output=written))
    exact = entered * input_price + written * output_price
    assert booked.account.cost_pusd is not None
    assert abs(booked.account.cost_pusd * 10**6 - exact) * 2 <= 10**6


def test_an_unknown_price_is_an_unknown_cost_and_never_zero() -> None:
    booked = booking()
    attempted(booked, (1, None), Usage(input=1, output=1))
    assert booked.account.cost_pusd is None
    free = booking()
    attempted(free, (0, 0), Usage(input=1, output=1))
    assert free.account.cost_pusd == 0


def test_a_request_costs_what_all_its_attempts_cost() -> None:
    booked = booking()
    attempted(booked, (10**6, 10**6), Usage(input=3, output=1, estimated=True))
    booked.account.tries.append(Attempt(candidate=candidate(price=(1, 1)), started=0.0))  # nobody answered
    attempted(booked, (10**6, 10**6), Usage(input=5, cached_input=2))
    assert booked.account.cost_pusd == 11
    assert booked.account.usage == Usage(input=8, cached_input=2, output=1, estimated=True)
    attempted(booked, (None, None), Usage(input=1))
    assert booked.account.cost_pusd is None


def test_a_streams_note_holds_every_digit_of_the_cost() -> None:
    account = Account(request_id="req_1", cost_pusd=1_234_567_890_123_456_789)
    assert b'"cost_usd":1234567.890123456789' in json.encode(stream_note(account))


def test_a_streams_note_says_what_is_not_exact_and_what_was_dropped_and_nothing_else_then() -> None:
    account = Account(request_id="req_1", provider="p", model="m", usage=Usage(input=1))
    plain = stream_note(account)
    assert plain == {"provider": "p", "model": "m", "attempts": 0, "cost_usd": None}
    account.usage, account.dropped = Usage(input=1, estimated=True), ["user"]
    assert stream_note(account) == plain | {"usage_estimated": True, "dropped": ["user"]}
