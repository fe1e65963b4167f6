from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from headgate.config.source_tree import MAX_VALUES, SourceTree, grow
from headgate.config.yaml_source import SourceError, parse_yaml


def tree_of(text: str) -> SourceTree:
    root = parse_yaml(text)
    assert root is not None
    return grow(root, {"PORT": "9000"}, "f.yaml")


def value_of(text: str) -> Any:
    return tree_of(text).value


def error_of(text: str) -> tuple[int | None, str]:
    with pytest.raises(SourceError) as caught:
        tree_of(text)
    return caught.value.line, caught.value.message


def test_lines_are_remembered_for_keys_and_items() -> None:
    tree = tree_of("a:\n  b: 1\n  c:\n    - x\n    - y\n")
    assert tree.line_of(("a", "b")) == 2
    assert tree.line_of(("a", "c", 1)) == 5


def test_the_line_of_what_is_not_written_is_that_of_what_stands_around_it() -> None:
    assert tree_of("a:\n  b: 1\n").line_of(("a", "b", "c", 4)) == 2


def test_scalars_follow_the_core_schema_of_yaml_1_2() -> None:
    text = "[no, on, yes, 12:30, 2026-01-01, 0x1F, 0o17, 017, 1_000, 1e3, .5, true, ~, null, '1', -4, =]"
    expected = ["no", "on", "yes", "12:30", "2026-01-01", 31, 15, 17, "1_000", 1000.0, 0.5, True, None, None, "1", -4]
    assert value_of(text) == [*expected, "="]


def test_references_may_stand_unquoted_within_braces() -> None:
    assert value_of("{port: ${PORT}, other: ${NONE:-a b}, plain: $${X}}") == {
        "port": "9000",
        "other": "a b",
        "plain": "${X}",
    }


def test_references_in_quotes_keep_the_quotes_out() -> None:
    assert value_of("a: \"${PORT}\"\nb: '${NONE:-x}'") == {"a": "9000", "b": "x"}


def test_references_in_comments_are_not_looked_up() -> None:
    tree = tree_of("a: 1  # ${NONE}\n")
    assert (tree.value, tree.broken) == ({"a": 1}, [])


def test_the_variables_behind_a_text_are_remembered() -> None:
    assert tree_of("a: {b: x-${PORT}}").origins == {("a", "b"): ("PORT",)}


def test_a_repeated_key_is_a_problem_with_both_lines() -> None:
    tree = tree_of("a:\n  b: 1\n  c: 2\n  b: 3\n")
    assert [str(problem) for problem in tree.broken] == [
        "f.yaml:4: a.b: is written twice, on lines 2 and 4; keep one of them"
    ]


def test_anchors_aliases_and_merges_work() -> None:
    text = "base: &base {x: 1, y: 2}\none: {<<: *base, y: 3}\ntwo: *base\n"
    assert value_of(text) == {"base": {"x": 1, "y": 2}, "one": {"x": 1, "y": 3}, "two": {"x": 1, "y": 2}}


def test_the_first_of_several_merged_mappings_counts() -> None:
    assert value_of("a: &a {x: 1}\nb: &b {x: 2}\nc: {<<: [*a, *b]}\n")["c"] == {"x": 1}


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("a: !!python/object:os.system {}", 1, "the tag tag:yaml.org,2002:python/object:os.system is not supported"),
        ("a: !include x", 1, "the tag !include is not supported; quotes make text of a value"),
        ("a: 1\nb: *c", 2, "*c refers to an anchor that is not defined above it"),
        ("a: &a\n  b: *a", 2, "*a refers to itself"),
        ("a: 1\n--- \nb: 2", 2, "a second YAML document begins here; only one is read"),
        ("? [a]\n: 1", 1, "a key must be plain text"),
        ("~: 1", 1, "a key is missing before ':'"),
        ("a: {<<: 3}", 1, "<< takes a mapping, or a list of mappings"),
        ("a: b: c", 1, "not valid YAML: a ':' that cannot stand here; check the indentation, or quote the text"),
        ("a: 1\n b: 2\n- c", 2, "not valid YAML: a ':' that cannot stand here"),
        ("a: 1\n- c", 2, "not valid YAML: this is not where a key is expected; check the indentation"),
        ("a:\n\tb: 1", 2, "not valid YAML: a character that cannot stand here"),
    ],
)
def test_what_is_not_accepted_is_named_with_its_line(text: str, line: int, message: str) -> None:
    found_line, found = error_of(text)
    assert found_line == line
    assert found.startswith(message)


def test_deep_nesting_is_refused_and_not_followed() -> None:
    assert error_of("[" * 100_000)[1] == "nested more than 64 levels deep"


def test_a_chain_of_aliases_cannot_grow_deeper_than_the_limit() -> None:
    chain = "".join(f"k{n}: &k{n} [*k{n - 1}]\n" for n in range(1, 500))
    assert error_of("k0: &k0 [1]\n" + chain)[1] == "nested more than 64 levels deep"


def test_an_alias_bomb_is_refused() -> None:
    bomb = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12))
    assert error_of(bomb)[1] == f"more than {MAX_VALUES:,} values once its aliases are followed"


def test_a_bomb_of_merges_is_refused() -> None:
    base = "base: &base {" + ", ".join(f"k{n}: 1" for n in range(500)) + "}\n"
    bomb = base + "x: {<<: [" + ", ".join(["*base"] * 500) + "]}\n"
    assert error_of(bomb)[1] == "<< brings in more than 20,000 keys"


def test_nothing_but_comments_is_nothing() -> None:
    assert parse_yaml("# a comment\n") is None


_PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**12), 10**12) | st.text(st.characters(codec="ascii"), max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abcxyz", min_size=1, max_size=3), inner),
    max_leaves=12,
)


@given(_PLAIN)
def test_json_reads_as_what_it_says(value: Any) -> None:
    text = json.dumps(value).replace("$", "D").replace("\\u007f", "")
    assert value_of(text) == json.loads(text)


@given(st.text(alphabet="ab:-[]{}&*!|>'\"#%@`,?\n \t${}<", max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    message = "read"
    try:
        root = parse_yaml(text)
        if root is not None:
            grow(root, {}, "f.yaml")
    except SourceError as error:
        message = error.message
    assert message.isprintable()


@given(_PLAIN)
def test_plain_values_survive_a_round_trip_through_block_style(value: Any) -> None:
    text = yaml.safe_dump(value, allow_unicode=True)
    if "$" not in text and "=" not in text and "<<" not in text:
        assert value_of(text) == value
