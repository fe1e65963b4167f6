"""Names as text: stars, and what is near a slip."""

from __future__ import annotations

import difflib

from hypothesis import assume, given
from hypothesis import strategies as st

from headgate.routing.names import matches, nearest, star


@given(st.text(max_size=8), st.text(max_size=8), st.text(max_size=12))
def test_a_star_captures_exactly_what_stands_between(before: str, after: str, text: str) -> None:
    assume("*" not in before + after)
    assert star(f"{before}*{after}", before + text + after) == (text or None)


@given(st.text("ab", max_size=3), st.text("ab", max_size=3), st.text("ab", max_size=8))
def test_a_star_that_matches_can_be_put_back(before: str, after: str, text: str) -> None:
    pattern = f"{before}*{after}"
    captured = star(pattern, text)
    assert matches(pattern, text) == (captured is not None)
    if captured is None:
        assert not (text.startswith(before) and text.endswith(after) and len(text) > len(before) + len(after))
    else:
        assert captured
        assert pattern.replace("*", captured) == text


@given(st.text(max_size=10), st.text(max_size=10))
def test_without_a_star_a_pattern_matches_itself_alone(pattern: str, text: str) -> None:
    assume("*" not in pattern)
    assert matches(pattern, text) == (pattern == text)


@given(st.text(max_size=30), st.lists(st.text(max_size=30), max_size=40), st.integers(1, 8))
def test_the_nearest_are_known_names_each_once_and_no_more_than_asked_for(
    word: str, known: list[str], most: int
) -> None:
    found = nearest(word, known, most)
    assert len(found) <= most
    assert len(set(found)) == len(found)
    assert set(found) <= set(known)


def test_one_letter_wrong_is_found_among_thousands() -> None:
    known = [f"vendor-{number % 40}/family-{number % 300}-{number}b-instruct" for number in range(4000)]
    for at in (0, 1234, 3999):
        meant = known[at]
        slip = meant[:10] + "x" + meant[11:]
        exact = difflib.get_close_matches(slip, known, n=1)
        assert nearest(slip, known, 5)[0] in (meant, *exact)
        assert meant in nearest(meant.upper(), known, 5)
        assert meant in nearest(meant.rpartition("/")[2], known, 5)
