"""Cost of one request."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from headgate.catalog.cost import cost_pusd
from headgate.types.money import Price, pusd_per_mtok
from headgate.types.usage import Usage

TOKENS = st.integers(0, 10**8)
PUSD = st.integers(0, 10**15)
INPUT = ("input", "cached_input", "cache_write", "audio_input")
CLASSES = (*INPUT, "output", "reasoning", "audio_output")
USAGES = st.builds(Usage, **dict.fromkeys(CLASSES, TOKENS))
OWN = {f"{name}_pusd_per_mtok": st.none() | PUSD for name in CLASSES}
PRICES = st.builds(Price, **OWN | {"input_pusd_per_mtok": PUSD, "output_pusd_per_mtok": PUSD})


def exact(price: Price, usage: Usage) -> Fraction:
    """The cost as it would be without rounding, straight from the definition."""
    total = Fraction(0)
    for name in CLASSES:
        own = getattr(price, f"{name}_pusd_per_mtok")
        side = price.input_pusd_per_mtok if name in INPUT else price.output_pusd_per_mtok
        total += Fraction(getattr(usage, name) * (side if own is None else own) or 0, 10**6)
    return total


def known(price: Price, usage: Usage) -> int:
    cost = cost_pusd(price, usage)
    assert cost is not None
    return cost


@given(PRICES, USAGES)
def test_the_cost_is_the_exact_one_rounded_half_up(price: Price, usage: Usage) -> None:
    assert known(price, usage) == (exact(price, usage) + Fraction(1, 2)).__floor__()


@given(PRICES, USAGES, st.sampled_from(CLASSES), TOKENS)
def test_more_tokens_of_any_class_never_cost_less(price: Price, usage: Usage, name: str, more: int) -> None:
    fields = {f: getattr(usage, f) for f in CLASSES}
    fields[name] += more
    assert known(price, Usage(**fields)) >= known(price, usage)


@given(PRICES, USAGES, USAGES)
def test_two_requests_cost_their_sum_up_to_one_pico_dollar(price: Price, one: Usage, two: Usage) -> None:
    both = Usage(**{name: getattr(one, name) + getattr(two, name) for name in CLASSES})
    assert abs(known(price, both) - known(price, one) - known(price, two)) <= 1


def test_half_a_pico_dollar_is_rounded_up_and_less_is_rounded_down() -> None:
    assert cost_pusd(Price(input_pusd_per_mtok=500_000, output_pusd_per_mtok=1), Usage(input=1)) == 1
    assert cost_pusd(Price(input_pusd_per_mtok=499_999, output_pusd_per_mtok=1), Usage(input=1)) == 0


def test_a_worked_example_in_dollars_comes_out() -> None:
    price = Price(
        input_pusd_per_mtok=pusd_per_mtok("3"),
        output_pusd_per_mtok=pusd_per_mtok("15"),
        cached_input_pusd_per_mtok=pusd_per_mtok("0.3"),
        cache_write_pusd_per_mtok=pusd_per_mtok("3.75"),
    )
    usage = Usage(input=1000, cached_input=2000, cache_write=400, output=100, reasoning=50)
    # 0.003 + 0.0006 + 0.0015 + 0.0015 + 0.00075 dollars
    assert cost_pusd(price, usage) == 7_350_000_000


def test_cached_and_cache_write_tokens_without_a_price_of_their_own_cost_what_input_costs() -> None:
    price = Price(input_pusd_per_mtok=pusd_per_mtok("2"), output_pusd_per_mtok=pusd_per_mtok("8"))
    assert cost_pusd(price, Usage(cached_input=7, cache_write=5)) == cost_pusd(price, Usage(input=12))


def test_reasoning_costs_what_output_costs() -> None:
    price = Price(input_pusd_per_mtok=pusd_per_mtok("2"), output_pusd_per_mtok=pusd_per_mtok("8"))
    assert cost_pusd(price, Usage(output=3, reasoning=4)) == cost_pusd(price, Usage(output=7)) == 56_000_000


def test_an_unknown_price_makes_the_cost_unknown_and_never_zero() -> None:
    assert cost_pusd(Price(), Usage(input=1)) is None
    assert cost_pusd(Price(), Usage()) is None
    assert cost_pusd(Price(output_pusd_per_mtok=1), Usage(output=1)) is None
    assert cost_pusd(Price(input_pusd_per_mtok=1), Usage(input=1, output=1)) is None
    assert cost_pusd(Price(input_pusd_per_mtok=1), Usage(input=1, reasoning=1)) is None


def test_an_output_price_is_not_needed_where_nothing_was_written() -> None:
    assert cost_pusd(Price(input_pusd_per_mtok=pusd_per_mtok("0.01")), Usage(input=100)) == 1_000_000


def test_a_price_of_zero_is_known_and_costs_nothing() -> None:
    assert cost_pusd(Price(input_pusd_per_mtok=0, output_pusd_per_mtok=0), Usage(input=9, output=9)) == 0
