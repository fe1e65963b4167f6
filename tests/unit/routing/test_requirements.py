"""Whether an offer has what a request needs, and whether the request fits."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.routing.requirements import MODALITIES, PARAMS, WORDS, Extent, has, overlong, verdict
from headgate.types.deployment import Offer
from tests.unit.routing.snapshots import NEEDS, candidate

CLAIMS = st.none() | st.frozensets(st.sampled_from([*WORDS, "streaming", "prompt_cache"]))


def offer(**said: Any) -> Offer:
    return candidate(**said).deployment.offer


@pytest.mark.parametrize(
    ("capabilities", "lacks", "need", "known"),
    [
        (None, set(), "tools", None),
        (None, {"tools"}, "tools", False),
        ({"tools"}, set(), "tools", True),
        ({"tools"}, set(), "vision", False),
        ({"tools"}, set(), "json_schema", None),
        ({"json_schema"}, set(), "tools", False),
        (set(), set(), "vision", None),
        ({"streaming"}, set(), "vision", None),
        ({"streaming", "prompt_cache"}, set(), "tools", None),
        ({"tools"}, {"tools"}, "tools", False),
    ],
)
def test_somebody_claims_it_somebody_denies_it_or_nobody_says(
    capabilities: set[str] | None, lacks: set[str], need: str, known: bool | None
) -> None:
    claimed = None if capabilities is None else frozenset(capabilities)
    assert has(offer(capabilities=claimed, lacks=frozenset(lacks)), need) is known


@given(CLAIMS, NEEDS, NEEDS, NEEDS)
def test_every_requirement_is_met_or_lacking_or_unsure(
    claimed: frozenset[str] | None, lacks: frozenset[str], unreachable: frozenset[str], needs: frozenset[str]
) -> None:
    one = candidate(capabilities=claimed, lacks=lacks, called={"lacks": unreachable}).deployment
    lacking, unsure = verdict(one, needs)
    assert lacking == sorted(lacking)
    assert unsure == sorted(unsure)
    assert not {*lacking} & {*unsure}
    met = needs - {*lacking, *unsure}
    assert met <= (claimed or frozenset()) - lacks - unreachable
    assert needs & (lacks | unreachable) <= {*lacking}
    assert {*lacking} - lacks - unreachable <= MODALITIES, "what is not named is not lacking"


def test_what_no_model_can_do_that_is_called_this_way_counts_whatever_the_offer_says() -> None:
    one = candidate(capabilities=frozenset({"n", "tools"}), called={"lacks": frozenset({"n"})}).deployment
    assert verdict(one, frozenset({"n", "tools"})) == (["n"], [])


def test_every_requirement_has_words_and_a_field_it_comes_from() -> None:
    assert WORDS.keys() == PARAMS.keys()
    assert WORDS.keys() >= MODALITIES


def test_the_longest_answer_is_a_limit_of_its_own() -> None:
    short = offer(max_output_tokens=100)
    assert overlong(short, Extent(text=4, each=100), None) == (None, False)
    assert overlong(short, Extent(text=4), None) == (None, False)
    reason, _ = overlong(short, Extent(text=4, each=101), None)
    assert reason is not None
    assert "100 tokens" in reason
    assert "101" in reason


def test_a_window_holds_prompt_and_answer_and_a_limit_on_prompts_the_prompt_alone() -> None:
    exact = Extent(text=0, exact=900, each=200)
    assert overlong(offer(context_tokens=1_100), exact, None) == (None, False)
    reason, _ = overlong(offer(context_tokens=1_099), exact, None)
    assert reason is not None
    assert all(figure in reason for figure in ("1099", "900", "200"))
    assert overlong(offer(max_input_tokens=900), exact, None) == (None, False)
    reason, _ = overlong(offer(max_input_tokens=899), exact, None)
    assert reason is not None
    assert all(figure in reason for figure in ("899", "900"))


def test_where_the_window_is_not_known_those_of_other_offers_count_and_a_long_prompt_is_in_doubt() -> None:
    vague = offer(usual_context_tokens=20_000)
    assert overlong(vague, Extent(text=0, exact=8_000, each=100), None) == (None, False)
    assert overlong(vague, Extent(text=0, exact=8_001), None) == (None, True)
    assert overlong(vague, Extent(text=0, exact=19_000, each=1_000), None) == (None, True)
    for extent in (Extent(text=0, exact=20_001), Extent(text=0, exact=19_000, each=1_001), Extent(text=4, each=20_001)):
        reason, _ = overlong(vague, extent, None)
        assert reason is not None
        assert "its window is not known, no other offer of the model has more than 20000 tokens" in reason
    assert overlong(offer(), Extent(text=0, exact=10**6), None) == (None, True)
    assert overlong(offer(context_tokens=30_000, usual_context_tokens=100), Extent(text=0, exact=20_000), None) == (
        None,
        False,
    ), "its own window is known"


def test_several_answers_each_have_the_window_to_themselves() -> None:
    extent = Extent(text=0, exact=500, each=400, answers=10)
    assert overlong(offer(context_tokens=900), extent, None) == (None, False)


@pytest.mark.parametrize("learned", [None, 2.0, 4.0, 6.0])
def test_between_what_surely_fits_and_what_surely_does_not_there_is_doubt(learned: float | None) -> None:
    window = offer(context_tokens=10_000)
    verdicts = [overlong(window, Extent(text=size), learned) for size in range(1_000, 200_000, 1_000)]
    kinds = [(reason is not None) * 2 + doubtful for reason, doubtful in verdicts]
    assert kinds == sorted(kinds), "a longer prompt fits better"
    assert set(kinds) == {0, 1, 2}
    if learned is not None:
        usual = overlong(window, Extent(text=int(10_000 * learned)), learned)
        assert usual == (None, True), "what would just fill the window is in doubt"


def test_what_has_been_learned_makes_the_doubt_smaller() -> None:
    window = offer(context_tokens=10_000)

    def doubtful(learned: float | None) -> int:
        return sum(overlong(window, Extent(text=size), learned)[1] for size in range(1_000, 200_000, 1_000))

    assert 0 < doubtful(4.0) < doubtful(None)


def test_the_most_that_pictures_can_come_to_is_a_doubt_and_no_certainty() -> None:
    window = offer(context_tokens=10_000)
    assert overlong(window, Extent(text=400, other=9_000), None) == (None, False)
    for learned in (None, 4.0):
        assert overlong(window, Extent(text=400, other=10**9), learned) == (None, True)


@given(
    st.builds(
        Extent,
        text=st.integers(1, 10**9),
        other=st.integers(0, 10**9),
        each=st.none() | st.integers(1, 10**9),
        answers=st.integers(1, 100),
        exact=st.none() | st.integers(0, 10**9),
    ),
    st.none() | st.floats(0.1, 100),
    st.none() | st.integers(1, 10**9),
    st.none() | st.integers(1, 10**9),
    st.none() | st.integers(1, 10**9),
)
def test_a_reason_has_figures_and_what_has_no_limit_always_fits(
    extent: Extent, learned: float | None, window: int | None, prompt: int | None, answer: int | None
) -> None:
    sized = offer(context_tokens=window, max_input_tokens=prompt, max_output_tokens=answer)
    reason, doubtful = overlong(sized, extent, learned)
    if reason is not None:
        assert not doubtful
        assert any(str(limit) in reason for limit in (window, prompt, answer) if limit is not None)
    if window is None and prompt is None and (answer is None or extent.each is None):
        assert reason is None
    if extent.exact is not None and (window is not None or prompt is not None):
        assert not doubtful, "nothing is doubtful about what was counted"
