from __future__ import annotations

import pytest

from headgate.config.unenforced import NOT_YET_ENFORCED
from tests.unit.config.loading import warnings

BASE = """\
providers:
  mybox:
    dialect: openai
    base_url: http://127.0.0.1:1/v1
    {provider}
    models:
      - id: alpha
        {model}
models:
  r:
    targets: [alpha]
    {route}
keys:
  - name: a
    secret: {secret}
    {key}
{top}
"""


def document(**parts: str) -> str:
    empty = dict.fromkeys(("provider", "model", "route", "key", "top"), "")
    return BASE.format(**{**empty, **parts}, secret="s" * 20)


CASES = [
    ({"top": "shared: redis://h:6379/0"}, "shared"),
]


@pytest.mark.parametrize(("parts", "path"), CASES)
def test_what_is_accepted_but_not_acted_on_is_a_warning(parts: dict[str, str], path: str) -> None:
    places = [warning.split(": ")[1] for warning in warnings(document(**parts))]
    assert path in places


def test_every_row_of_the_table_has_a_case() -> None:
    hits = {warning.split(": ", 2)[2] for parts, _ in CASES for warning in warnings(document(**parts))}
    assert {row.message for row in NOT_YET_ENFORCED} <= hits


@pytest.mark.parametrize(
    "parts",
    [
        {},
        {"top": "store: sqlite:///./headgate.db\nshared: memory"},
        {"route": "policy: ordered"},
        {"route": "policy: cheapest\n    timeouts: {gap_s: 3}"},
        {"provider": "credentials: [{name: a, api_key: x, weight: 3}]"},
        {"key": "limits:\n    budget: ~", "route": "retries:"},
        {"model": "tiers: [{above_tokens: 1, input_usd_per_mtok: '1'}]"},
    ],
)
def test_what_works_or_says_nothing_new_gives_no_warning(parts: dict[str, str]) -> None:
    assert warnings(document(**parts)) == []
