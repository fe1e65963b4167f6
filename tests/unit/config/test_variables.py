from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from headgate.config.variables import expand

ENV = {"KEY": "secret", "EMPTY": "", "BRACES": "${KEY}"}


def test_a_variable_is_replaced_anywhere_in_the_text() -> None:
    assert expand("a-${KEY}-b", ENV).text == "a-secret-b"
    assert expand("${KEY}", ENV).used == ("KEY",)


def test_a_default_stands_in_for_what_is_unset_or_empty() -> None:
    assert expand("${NONE:-x}${EMPTY:-y}${KEY:-z}", ENV).text == "xysecret"
    assert expand("${NONE:-}", ENV).text == ""
    assert expand("${NONE:-x}", ENV).missing == ()


def test_an_empty_variable_without_default_is_empty_and_not_missing() -> None:
    found = expand("${EMPTY}", ENV)
    assert (found.text, found.missing) == ("", ())


def test_a_missing_variable_is_named_and_its_text_kept() -> None:
    found = expand("${NONE}/${KEY}", ENV)
    assert (found.text, found.missing) == ("${NONE}/secret", ("NONE",))


def test_two_dollars_write_a_plain_brace() -> None:
    assert expand("$${KEY}", ENV).text == "${KEY}"


def test_a_value_is_not_expanded_a_second_time() -> None:
    assert expand("${BRACES}", ENV).text == "${KEY}"


def test_a_dollar_alone_means_nothing() -> None:
    assert expand("5$ and $KEY", ENV).text == "5$ and $KEY"


def test_a_reference_without_a_name_is_malformed() -> None:
    assert expand("${}", ENV).malformed
    assert expand("${1X}", ENV).malformed
    assert expand("${KEY", ENV).malformed
    assert not expand("${KEY}", ENV).malformed


@given(st.text(alphabet="${}:-AB_1 "))
def test_no_text_breaks_the_expansion(text: str) -> None:
    found = expand(text, {"A": "1", "B": ""})
    assert isinstance(found.text, str)
    if "${" not in text:
        assert found.text == text
