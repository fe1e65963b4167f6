"""Entries → rows of the ledger, and the statements that insert them: exactly once, however often they come.

This is the hot half of the store: plain tuples and hand-written statements, because building rows as mappings and
compiling statements costs several times what the database does.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any

from sqlalchemy import Connection, CursorResult, Table

from headgate.store.errors import BadValue
from headgate.store.schema import attempts, prices, requests, spending
from headgate.types.entry import AttemptRow, Entry
from headgate.types.money import Price
from headgate.types.usage import Usage
from headgate.wire import json

US_PER_DAY = 86_400_000_000
MOST_PUSD = 10**18
"""A million dollars for one request is no cost but a mistake, and a few of them would overflow a day's counter."""
MOST_TOKENS = 10**15
LONGEST_TEXT = 256
"""Characters kept of a name that a client wrote."""

_ROWS_A_STATEMENT = 256
_ROWS_A_STEP = 32
_FEW_ROWS = 48
_REMEMBERED = 10_000

Row = tuple[Any, ...]


class RowMaker:
    """Makes rows of entries for one kind of database, and remembers what repeats from entry to entry.

    `flags` is what the database takes for False and True.
    """

    def __init__(self, flags: tuple[Any, Any]) -> None:
        self._flags = flags
        self._no_counts = (None,) * 8
        self._scopes: dict[tuple[str, ...], str] = {}
        self._price_ids: dict[tuple[Price, str], str] = {}
        self._price_rows: dict[str, Row] = {}

    def request(self, entry: Entry) -> Row:
        """A row of `requests`, its fields in the order of the table. Raises BadValue."""
        charged, cost = entry.charged_pusd, entry.cost_pusd
        if not 0 <= charged <= MOST_PUSD or (cost is not None and not 0 <= cost <= MOST_PUSD):
            raise BadValue(f"a cost of {cost} and a charge of {charged} pico-dollars make no sense")
        flags = self._flags
        return (
            entry.id,
            entry.at_us,
            entry.workspace,
            entry.key_id,
            entry.key,
            entry.operation,
            _text(entry.model),
            flags[entry.stream],
            entry.status,
            entry.outcome._value_,
            entry.error,
            entry.provider,
            _text(entry.upstream_model),
            *self._counts(entry.usage),
            cost,
            charged,
            entry.done_us,
            self._scopes_text(entry.scopes),
            None if entry.plan is None else json.encode(entry.plan).decode(),
        )

    def attempt(self, request_id: str, number: int, attempt: AttemptRow) -> Row:
        """A row of `attempts`, its fields in the order of the table. Raises BadValue."""
        cost, usage = attempt.cost, attempt.usage
        if cost.pusd is not None and not 0 <= cost.pusd <= MOST_PUSD:
            raise BadValue(f"a cost of {cost.pusd} pico-dollars makes no sense")
        return (
            request_id,
            number,
            _text(attempt.deployment),
            attempt.provider,
            _text(attempt.model),
            attempt.credential,
            attempt.result,
            attempt.status,
            attempt.started_us,
            attempt.connected_us,
            attempt.first_token_us,
            attempt.done_us,
            *self._counts(usage),
            None if usage is None else usage.service_tier,
            cost.pusd,
            cost.source._value_,
            cost.computed_pusd,
            cost.reported_pusd,
            self._flags[cost.disagree],
            None if cost.price is None else self._price_id(cost.price, cost.price_source),
        )

    def price(self, id_: str) -> Row:
        """The row of `prices` whose id an attempt's row has named."""
        return self._price_rows[id_]

    def _price_id(self, price: Price, source: str) -> str:
        id_ = self._price_ids.get((price, source))
        if id_ is None:
            text = json.encode(price).decode()
            id_ = hashlib.sha256(f"{text}\n{source}".encode()).hexdigest()[:16]
            if len(self._price_ids) >= _REMEMBERED:
                self._price_ids.clear()
            self._price_ids[price, source] = id_
            self._price_rows[id_] = (id_, text, source)
        return id_

    def _counts(self, usage: Usage | None) -> Row:
        if usage is None:
            return self._no_counts
        counts = (
            usage.input,
            usage.cached_input,
            usage.cache_write,
            usage.audio_input,
            usage.output,
            usage.reasoning,
            usage.audio_output,
        )
        if max(counts) > MOST_TOKENS or min(counts) < 0:
            raise BadValue("so many tokens for one request make no sense")
        return (*counts, self._flags[usage.estimated])

    def _scopes_text(self, scopes: tuple[str, ...]) -> str:
        text = self._scopes.get(scopes)
        if text is None:
            if len(self._scopes) >= _REMEMBERED:
                self._scopes.clear()
            text = self._scopes[scopes] = json.encode(scopes).decode()
        return text


def _text(value: str) -> str:
    """A name a client may have written, in a form every database keeps and of a length that no row suffers from."""
    if len(value) > LONGEST_TEXT:
        value = value[: LONGEST_TEXT - 1] + "…"
    return value.replace("\0", "\ufffd") if "\0" in value else value


def insert_requests(connection: Connection, rows: Sequence[Row]) -> set[str]:
    """Insert rows of `requests`; returns the ids of those that were not there before."""
    if connection.dialect.name == "sqlite" and _insert_fresh(connection, rows):
        return {row[0] for row in rows}
    return {row[0] for row in _insert(connection, requests, rows, " ON CONFLICT DO NOTHING RETURNING id")}


def _insert_fresh(connection: Connection, rows: Sequence[Row]) -> bool:
    """Insert rows of `requests` of which none is there yet; where one is, insert none and return False.

    It is the usual case, and the number of inserted rows tells: having the database name each of them takes a fifth
    more of its time.
    """
    connection.exec_driver_sql("SAVEPOINT fresh")
    count = sum(result.rowcount for result in _inserted(connection, requests, rows, " ON CONFLICT DO NOTHING"))
    if count != len(rows):
        connection.exec_driver_sql("ROLLBACK TO fresh")
    connection.exec_driver_sql("RELEASE fresh")
    return count == len(rows)


def insert_attempts(connection: Connection, rows: Sequence[Row]) -> None:
    _insert(connection, attempts, rows, " ON CONFLICT DO NOTHING")


def insert_prices(connection: Connection, rows: Sequence[Row]) -> None:
    _insert(connection, prices, rows, " ON CONFLICT DO NOTHING")


def raise_spending(connection: Connection, entries: Iterable[Entry]) -> None:
    """Raise the counters of the entries' scopes on the UTC days they arrived on."""
    booked: dict[tuple[tuple[str, ...], int], list[int]] = {}
    for entry in entries:
        key = (entry.scopes, entry.at_us // US_PER_DAY)
        counter = booked.get(key)
        if counter is None:
            counter = booked[key] = [0, 0, 0]
        counter[0] += entry.charged_pusd
        counter[1] += 1
        if entry.usage is not None:
            counter[2] += entry.usage.tokens
    sums: dict[tuple[str, int], list[int]] = {}
    for (scopes, day), counter in booked.items():
        for scope in scopes:
            before = sums.get((scope, day), (0, 0, 0))
            sums[scope, day] = [one + more for one, more in zip(before, counter, strict=True)]
    # In one order everywhere: two gateways that take the rows' locks crosswise would deadlock.
    rows = [(*key, *counter, 0) for key, counter in sorted(sums.items())]
    changes = ", ".join(f"{name} = spending.{name} + excluded.{name}" for name in ("pusd", "requests", "tokens"))
    _insert(connection, spending, rows, f" ON CONFLICT (scope, day) DO UPDATE SET {changes}")


def _insert(connection: Connection, table: Table, rows: Sequence[Row], ending: str) -> list[Row]:
    """Insert rows whose fields are in the order of the table's columns; returns what RETURNING returns."""
    if not rows:
        return []
    names = table.columns.keys()
    if connection.dialect.name == "postgresql":
        return _insert_as_json(connection, table.name, names, rows, ending)
    returned: list[Row] = []
    for result in _inserted(connection, table, rows, ending):
        if result.returns_rows:
            returned += [tuple(row) for row in result.fetchall()]
    return returned


def _inserted(connection: Connection, table: Table, rows: Sequence[Row], ending: str) -> Iterator[CursorResult[Any]]:
    """The result of each statement that inserts a part of the rows.

    There are many rows in one: the driver gives up the interpreter's lock once for each statement it runs, and under
    load it is a while until this thread gets it back.
    """
    names = table.columns.keys()
    one = f"({','.join('?' * len(names))})"
    start = 0
    while start < len(rows):
        part = rows[start : start + rows_in_next(len(rows) - start)]
        start += len(part)
        statement = f"INSERT INTO {table.name} ({','.join(names)}) VALUES {','.join([one] * len(part))}{ending}"
        yield connection.exec_driver_sql(statement, tuple(chain.from_iterable(part)))


def rows_in_next(left: int) -> int:
    """How many of the rows that are left go into one statement.

    Statements are of so few lengths that the driver still has each of them at hand (it keeps 128): to parse one anew
    takes as long as to insert half of its rows.
    """
    return left if left < _FEW_ROWS else min(left - left % _ROWS_A_STEP, _ROWS_A_STATEMENT)


def _insert_as_json(
    connection: Connection, table: str, names: Sequence[str], rows: Sequence[Row], ending: str
) -> list[Row]:
    """All rows as one parameter, which the server takes apart: a parameter for each value costs more than the row."""
    text = json.encode([dict(zip(names, row, strict=True)) for row in rows]).decode()
    columns = ",".join(names)
    result = connection.exec_driver_sql(
        f"INSERT INTO {table} ({columns}) SELECT {columns} FROM json_populate_recordset(NULL::{table}, %s){ending}",
        (text,),
    )
    return [tuple(row) for row in result.fetchall()] if result.returns_rows else []
