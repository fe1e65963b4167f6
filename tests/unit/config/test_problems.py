from __future__ import annotations

from headgate.config.problems import ConfigError, Problem, render_path, shorten


def test_paths_are_written_as_an_operator_would_write_them() -> None:
    assert render_path(("providers", "mybox", "models", 0, "id")) == "providers.mybox.models[0].id"
    assert render_path(("models", "gpt-4.1", "targets")) == 'models["gpt-4.1"].targets'
    assert render_path(("models", "*")) == 'models["*"]'


def test_a_problem_without_path_or_line_prints_without_them() -> None:
    assert str(Problem(source="environment", message="is odd")) == "environment: is odd"
    assert str(Problem(source="a.yaml", line=3, path=("keys",), message="is odd")) == "a.yaml:3: keys: is odd"


def test_problems_are_printed_one_a_line_in_the_order_of_the_file() -> None:
    error = ConfigError([Problem(source="f", line=line, message="x") for line in (9, 2)])
    assert str(error) == "f:2: x\nf:9: x"


def test_what_is_quoted_stays_one_short_printable_line() -> None:
    assert shorten("a\nb\x1b[31m") == "a�b�[31m"
    assert len(shorten("x" * 500)) == 80
