"""Numbers that are drawn anew each time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.simulation.spread import Constant, Lognormal, Spread, Uniform

DRAWS = 20_000


@pytest.mark.parametrize("spread", [Constant(3.0), Uniform(2.0, 6.0), Uniform(4.0, 4.0), Lognormal(0.5, 0.6)])
def test_the_means_an_oracle_goes_by_are_those_of_what_is_drawn(spread: Spread) -> None:
    drawn = [spread.at((number + 0.5) / DRAWS) for number in range(DRAWS)]
    assert sum(drawn) / DRAWS == pytest.approx(spread.mean, rel=0.01)
    assert sum(1 / value for value in drawn) / DRAWS == pytest.approx(spread.mean_inverse, rel=0.01)


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0.1, 100), st.floats(0, 2))
def test_a_higher_draw_is_never_a_lower_number(one: float, other: float, median: float, sigma: float) -> None:
    low, high = sorted((one, other))
    for spread in (Lognormal(median, sigma), Uniform(median, median + sigma), Constant(median)):
        assert 0 < spread.at(low) <= spread.at(high)
