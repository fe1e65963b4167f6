"""What is refused or told of a key's terms in the document, each at its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from headgate.config.load import load_document
from headgate.config.problems import ConfigError


def load(tmp_path: Path, terms: str) -> tuple[str, ...]:
    """The warnings for a document with one key of these terms."""
    path = tmp_path / "headgate.yaml"
    path.write_text(
        f"keys:\n- {{name: a, secret: aaaaaaaaaaaaaaaaaaaa, {terms}}}\nproviders: {{groq: {{api_key: x}}}}\n"
    )
    return tuple(str(warning) for warning in load_document(path, {}, tmp_path).warnings)


@pytest.mark.parametrize(
    ("terms", "place", "words"),
    [
        ('budget: {usd: "1", per: day, until: 2020-01-01}', "keys[0].budget.until", "lies in the past"),
        ('budgets: [{usd: "1", per: day}, {usd: "2", per: day}]', "keys[0].budgets[1]", "second budget per day"),
        ('budget: {usd: "1", per: day, on_exhausted: cheaper}', "keys[0].budget", "go together"),
        ('budget: {usd: "-1", per: day}', "keys[0].budget.usd", "US dollars"),
        ("limits: {rpm: -5}", "keys[0].limits.rpm", "at least 1"),
        ("limits: {tpm: 99999999999999}", "keys[0].limits.tpm", "at most"),
        ("addresses: [10.0.0.1/8]", "keys[0].addresses[0]", "10.0.0.0/8"),
        ("expires_at: tomorrow", "keys[0].expires_at", "must be a date"),
        ("expires_at: 2999-01-01T00:00:00", "keys[0].expires_at", "no time zone"),
        ("workspace: Team A", "keys[0].workspace", "lower-case"),
    ],
)
def test_terms_that_make_no_sense_are_refused_where_they_stand(
    tmp_path: Path, terms: str, place: str, words: str
) -> None:
    with pytest.raises(ConfigError) as raised:
        load(tmp_path, terms)
    assert f"headgate.yaml:2: {place}: " in str(raised.value)
    assert words in str(raised.value)


@pytest.mark.parametrize(
    ("terms", "words"),
    [
        ("expires_at: 2020-01-01", "opens nothing any more"),
        ('budget: {usd: "0", per: day}', "only models that cost nothing"),
        ('models: ["gpt-nothing-*"]', "fits no model"),
    ],
)
def test_terms_that_are_most_likely_a_mistake_are_told(tmp_path: Path, terms: str, words: str) -> None:
    assert any(words in warning for warning in load(tmp_path, terms))


def test_good_terms_are_told_nothing(tmp_path: Path) -> None:
    assert load(tmp_path, "models: [gpt-oss-120b]") == (), "another spelling of a model's name"
    assert load(tmp_path, 'models: ["groq/*"], budget: {usd: "1", per: total}, expires_at: 2999-01-01') == ()
