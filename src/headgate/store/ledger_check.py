"""Does the ledger in the database balance: attempts against requests, requests against spending counters."""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import Connection, Engine, select

from headgate.store.ledger_insert import US_PER_DAY
from headgate.store.ledger_query import joined, split_sum
from headgate.store.schema import requests, spending
from headgate.store.transactions import reading
from headgate.wire import json

SHOWN = 20
"""Findings of a kind that are named one by one."""

_COUNTS = ("input", "cached_input", "cache_write", "audio_input", "output", "reasoning", "audio_output")
_SUMS = ", ".join(f"sum({name}) AS {name}" for name in _COUNTS)
_UNEVEN_COUNT = " OR ".join(f"coalesce(r.{name}, 0) <> coalesce(a.{name}, 0)" for name in _COUNTS)
_scopes: json.Decoder[list[str]] = json.Decoder(list[str])

# Attempts whose cost is unknown add nothing to their request; a request's own cost is unknown only when one of its
# attempts' is.
_UNEVEN = f"""
    SELECT r.id,
           coalesce(a.number, 0) AS number, coalesce(a.last, 0) AS last,
           r.cost_pusd AS cost, coalesce(a.cost, 0) AS attempts_cost,
           CASE WHEN {_UNEVEN_COUNT} OR (r.input IS NULL) <> (coalesce(a.counted, 0) = 0) THEN 1 ELSE 0 END AS tokens
      FROM requests r
      LEFT JOIN (SELECT request_id, count(*) AS number, max(number) AS last, sum(cost_pusd) AS cost,
                        count(cost_pusd) AS priced, count(input) AS counted, {_SUMS}
                   FROM attempts GROUP BY request_id) a
        ON a.request_id = r.id
     WHERE coalesce(a.number, 0) <> coalesce(a.last, 0)
        OR (r.cost_pusd IS NOT NULL AND r.cost_pusd <> coalesce(a.cost, 0))
        OR (r.cost_pusd IS NULL AND a.number > 0 AND a.priced = a.number)
        OR {_UNEVEN_COUNT}
        OR (r.input IS NULL) <> (coalesce(a.counted, 0) = 0)
     ORDER BY r.id LIMIT {SHOWN + 1}"""

_ORPHANS = f"""
    SELECT DISTINCT a.request_id FROM attempts a LEFT JOIN requests r ON r.id = a.request_id
     WHERE r.id IS NULL ORDER BY 1 LIMIT {SHOWN + 1}"""


class Checked(msgspec.Struct, kw_only=True):
    """What was looked at, and what does not balance: a line each, the first 20 of a kind."""

    requests: int = 0
    counters: int = 0
    findings: list[str] = []


def check_rows(engine: Engine) -> Checked:
    """Look at everything in one transaction, so that a gateway at work changes nothing in between.

    Raises StoreError.
    """
    checked = Checked()
    with reading(engine) as connection:
        if engine.dialect.name == "postgresql":
            connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
        uneven = [_uneven(row) for row in connection.exec_driver_sql(_UNEVEN)]
        orphans = [f"attempts of a request that is not there: {row[0]}" for row in connection.exec_driver_sql(_ORPHANS)]
        for found in (uneven, orphans, _counters(connection, checked)):
            checked.findings += found[:SHOWN]
            if len(found) > SHOWN:
                checked.findings.append("… and more of this kind")
    return checked


def _uneven(row: Any) -> str:
    if row.number != row.last:
        return f"request {row.id}: {row.number} attempts are numbered up to {row.last}"
    if row.tokens:
        return f"request {row.id}: its tokens are not the sum of its attempts' tokens"
    return f"request {row.id}: its cost is {row.cost} pico-dollars, its attempts' {row.attempts_cost}"


def _counters(connection: Connection, checked: Checked) -> list[str]:
    """Counters that are not what their requests add up to."""
    day = requests.c.at_us // US_PER_DAY
    query = select(requests.c.scopes, day.label("day"), *split_sum(requests.c.charged_pusd, "charged"))
    booked: dict[tuple[str, int], int] = {}
    for row in connection.execute(query.group_by(requests.c.scopes, day)):
        for scope in _scopes.decode(row.scopes.encode()):
            key = (scope, int(row.day))
            booked[key] = booked.get(key, 0) + joined(row.charged_high, row.charged_low)
    counted = {
        (row.scope, row.day): (row.pusd, row.pusd_expired)
        for row in connection.execute(
            select(spending.c.scope, spending.c.day, spending.c.pusd, spending.c.pusd_expired)
        )
    }
    checked.counters = len(counted)
    checked.requests = connection.exec_driver_sql("SELECT count(*) FROM requests").scalar_one()
    findings = []
    for key in sorted(booked.keys() | counted.keys()):
        pusd, expired = counted.get(key, (0, 0))
        kept = booked.get(key, 0)
        if kept + expired != pusd:
            findings.append(
                f"spending of {key[0]} on day {key[1]}: the counter says {pusd} pico-dollars, requests {kept}"
                + (f" and those no longer kept {expired}" if expired else "")
            )
    return findings
