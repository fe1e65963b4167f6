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
USAGES = st.builds(Usage, input=TOKENS, cached_input=TOKENS, cache_write=TOKENS, output=TOKENS, reasoning=TOKENS)
PRICES = st.builds(
    Price,
    input_pusd_per_mtok=PUSD,
    output_pusd_per_mtok=PUSD,
    cached_input_pusd_per_mtok=st.none() | PUSD,
    cache_write_pusd_per_mtok=st.none() | PUSD,
)


def exact(price: Price, usage: Usage) -> Fraction:
    """The cost as it would be without rounding, straight from the definition."""
    per_mtok = {
        "input": price.input_pusd_per_mtok,
        "cached_input": price.cached_input_pusd_per_mtok,
        "cache_write": price.cache_write_pusd_per_mtok,
        "output": price.output_pusd_per_mtok,
        "reasoning": price.output_pusd_per_mtok,
    }
    fallback = price.input_pusd_per_mtok
    return sum(
        (
            Fraction(getattr(usage, name) * (fallback if own is None else own) or 0, 10**6)
            for name, own in per_mtok.items()
        ),
        Fraction(0),
    )


def known(price: Price, usage: Usage) -> int:
    cost = cost_pusd(price, usage)
    assert cost is not None
    return cost


@given(PRICES, USAGES)
def test_the_cost_is_the_exact_one_rounded_half_up(price: Price, usage: Usage) -> None:
    assert known(price, usage) == (exact(price, usage) + Fraction(1, 2)).__floor__()


@given(PRICES, USAGES, st.sampled_from(["input", "cached_input", "cache_write", "output", "reasoning"]), TOKENS)
def test_more_tokens_of_any_class_never_cost_less(price: Price, usage: Usage, name: str, more: int) -> None:
    fields = {f: getattr(usage, f) for f in ("input", "cached_input", "cache_write", "output", "reasoning")}
    fields[name] += more
    assert known(price, Usage(**fields)) >= known(price, usage)


@given(PRICES, USAGES, USAGES)
def test_two_requests_cost_their_sum_up_to_one_pico_dollar(price: Price, one: Usage, two: Usage) -> None:
    both = Usage(
        input=one.input + two.input,
        cached_input=one.cached_input + two.cached_input,
        cache_write=one.cache_write + two.cache_write,
        output=one.output + two.output,
        reasoning=one.reasoning + two.reasoning,
    )
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
