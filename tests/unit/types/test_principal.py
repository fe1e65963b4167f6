"""What a key may ask for."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.types.principal import Principal


def fits(pattern: str, name: str) -> bool:
    """The definition, spelt out: a star takes nothing, or one character and then perhaps more."""
    if not pattern:
        return not name
    if pattern[0] == "*":
        return fits(pattern[1:], name) or (bool(name) and fits(pattern, name[1:]))
    return bool(name) and pattern[0] == name[0] and fits(pattern[1:], name[1:])


@given(st.text("ab*?[]", max_size=7), st.text("ab*?[]", max_size=9))
def test_a_star_stands_for_any_text_and_nothing_else_is_special(pattern: str, name: str) -> None:
    assert Principal(key="k", models=(pattern,)).may_use(name) == fits(pattern, name)


@pytest.mark.parametrize(
    ("pattern", "name", "may"),
    [
        ("gpt-4?", "gpt-4o", False),
        ("gpt-4?", "gpt-4?", True),
        ("gpt-[45]", "gpt-4", False),
        ("gpt-[45]", "gpt-[45]", True),
        ("GPT-*", "gpt-4", False),
        ("a*a", "a", False),
        ("*/llama-*-instruct", "groq/llama-3.1-8b-instruct", True),
        ("**", "", True),
    ],
)
def test_case_counts_and_other_magic_is_plain_text(pattern: str, name: str, may: bool) -> None:
    assert Principal(key="k", models=("other", pattern)).may_use(name) is may


def test_many_stars_over_a_long_name_are_no_work() -> None:
    started = time.process_time()
    assert not Principal(key="k", models=("*a" * 200 + "*b",)).may_use("a" * 100_000)
    assert time.process_time() - started < 5
