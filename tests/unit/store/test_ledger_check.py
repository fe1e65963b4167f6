"""Whether the ledger in the database balances, and what is said when it does not."""

from __future__ import annotations

from itertools import islice

import pytest
from sqlalchemy import text

from headgate.store.engine import Store
from tests.unit.ledger.entries import entry, ids


@pytest.mark.parametrize(
    ("change", "finding"),
    [
        ("UPDATE spending SET pusd = pusd + 1 WHERE scope = 'key:k_dev'", "spending of key:k_dev on day 20000"),
        ("DELETE FROM spending WHERE scope = 'key:k_dev'", "spending of key:k_dev on day 20000"),
        ("UPDATE attempts SET cost_pusd = cost_pusd - 1", "its cost is 30900000 pico-dollars, its attempts' 30899999"),
        ("UPDATE requests SET cost_pusd = NULL", "its cost is None"),
        ("UPDATE attempts SET reasoning = reasoning + 1", "its tokens are not the sum"),
        ("UPDATE requests SET input = NULL", "its tokens are not the sum"),
        ("UPDATE attempts SET number = 3", "1 attempts are numbered up to 3"),
        ("DELETE FROM attempts", "its tokens are not the sum"),
        ("DELETE FROM requests", "attempts of a request that is not there"),
    ],
)
def test_a_figure_that_was_changed_is_found(store: Store, change: str, finding: str) -> None:
    store.ledger.add([entry(next(ids()))])
    assert store.ledger.check().findings == []
    with store.engine.begin() as connection:
        connection.execute(text(change))
    assert any(finding in line for line in store.ledger.check().findings)


def test_only_the_first_findings_of_a_kind_are_named(store: Store) -> None:
    store.ledger.add([entry(id_) for id_ in islice(ids(), 50)])
    with store.engine.begin() as connection:
        connection.execute(text("UPDATE attempts SET cost_pusd = 1"))
    findings = store.ledger.check().findings
    assert len(findings) == 21
    assert findings[-1] == "… and more of this kind"
