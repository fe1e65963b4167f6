"""The ledger in the database: requests, their attempts, and the spending counters that stay in step with them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, timedelta

from sqlalchemy import ColumnElement, Engine, bindparam, case, delete, select, update

from headgate.store.ledger_check import Checked, check_rows
from headgate.store.ledger_insert import (
    US_PER_DAY,
    RowMaker,
    insert_attempts,
    insert_prices,
    insert_requests,
    raise_spending,
)
from headgate.store.ledger_query import ALL, By, Filters, Sum, entries_of, joined, newest, oldest, split_sum, sums
from headgate.store.schema import attempts, requests, spending
from headgate.store.transactions import reading, writing
from headgate.types.entry import Entry
from headgate.wire import json

EPOCH = date(1970, 1, 1)
EXPORT_ROWS = MOST_ROWS = 500
EXPIRE_ROWS = 500
# SQLite's oldest limit of parameters in a statement is 999.
_IDS_A_STATEMENT = 900
PRICE_ID = attempts.columns.keys().index("price_id")
_scopes: json.Decoder[list[str]] = json.Decoder(list[str])


class LedgerRows:
    """The requests table and those that belong to it. Everything raises StoreError alone.

    Wherever a workspace is asked for, None means every workspace, and requests of another one are not there.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._rows = RowMaker((False, True) if engine.dialect.name == "postgresql" else (0, 1))
        # Also None, which is no price and needs no row.
        self._known_prices: set[str | None] = {None}

    def add(self, entries: Sequence[Entry]) -> int:
        """Insert entries in one transaction and raise the spending counters; returns how many were new.

        What is there already is left as it is, and counts nothing: any entry may come again at any time. Raises
        BadValue for an entry that no database could keep (then none is inserted), StoreUnavailable.
        """
        rows = [self._rows.request(entry) for entry in entries]
        with writing(self._engine) as connection:
            inserted = insert_requests(connection, rows)
            fresh = []
            for entry in entries:
                # An id may stand twice in the batch; it was inserted once.
                if entry.id in inserted:
                    inserted.discard(entry.id)
                    fresh.append(entry)
            attempt_rows = [
                self._rows.attempt(entry.id, number, attempt)
                for entry in fresh
                for number, attempt in enumerate(entry.attempts, start=1)
            ]
            insert_attempts(connection, attempt_rows)
            prices: set[str] = {row[PRICE_ID] for row in attempt_rows} - self._known_prices
            insert_prices(connection, [self._rows.price(id_) for id_ in sorted(prices)])
            raise_spending(connection, fresh)
        self._known_prices |= prices
        return len(fresh)

    def present(self, ids: Sequence[str]) -> dict[str, tuple[int | None, int]]:
        """Of these ids those that are there, with cost and charge in pico-dollars."""
        found: dict[str, tuple[int | None, int]] = {}
        with reading(self._engine) as connection:
            for start in range(0, len(ids), _IDS_A_STATEMENT):
                part = ids[start : start + _IDS_A_STATEMENT]
                query = select(requests.c.id, requests.c.cost_pusd, requests.c.charged_pusd)
                for row in connection.execute(query.where(requests.c.id.in_(part))):
                    found[row.id] = (row.cost_pusd, row.charged_pusd)
        return found

    def get(self, workspace: str | None, request_id: str) -> Entry | None:
        """One request with its attempts; None when there is none."""
        query = select(requests).where(requests.c.id == request_id)
        if workspace is not None:
            query = query.where(requests.c.workspace == workspace)
        with reading(self._engine) as connection:
            found = entries_of(connection, connection.execute(query).all())
        return found[0] if found else None

    def page(
        self, workspace: str | None, filters: Filters = ALL, *, after: str | None = None, limit: int = 50
    ) -> list[Entry]:
        """Requests, newest first, 500 at most. `after` is the id of the last one of the page before."""
        limit = max(1, min(limit, MOST_ROWS))
        with reading(self._engine) as connection:
            return entries_of(connection, newest(connection, workspace, filters, after, limit))

    def sums(self, by: By, workspace: str | None, filters: Filters = ALL) -> list[Sum]:
        """Requests summed up, dearest first; by day, oldest first."""
        with reading(self._engine) as connection:
            return sums(connection, by, workspace, filters)

    def export(self, workspace: str | None, filters: Filters = ALL) -> Iterator[Entry]:
        """Every request, oldest first; a few hundred at a time are held, and no transaction stays open in between."""
        after: tuple[int, str] | None = None
        while True:
            with reading(self._engine) as connection:
                entries = entries_of(connection, oldest(connection, workspace, filters, after, EXPORT_ROWS))
            yield from entries
            if len(entries) < EXPORT_ROWS:
                return
            after = (entries[-1].at_us, entries[-1].id)

    def spending(self, today: int) -> dict[str, tuple[int, int, int, int]]:
        """Pico-dollars by scope: of a UTC day (days since 1970-01-01), of its week, of its month, and of all time.

        Days after it count for the total alone.
        """
        starts = (today, today - _weekday(today), _month_start(today))
        columns: list[ColumnElement[int]] = []
        for number, first in enumerate(starts):
            within = case((spending.c.day.between(first, today), spending.c.pusd), else_=0)
            columns += split_sum(within, f"part{number}")
        columns += split_sum(spending.c.pusd, "all")
        with reading(self._engine) as connection:
            rows = connection.execute(select(spending.c.scope, *columns).group_by(spending.c.scope)).all()
        return {
            row[0]: (joined(row[1], row[2]), joined(row[3], row[4]), joined(row[5], row[6]), joined(row[7], row[8]))
            for row in rows
        }

    def expire(self, before_us: int, batch: int = EXPIRE_ROWS) -> int:
        """Delete up to `batch` requests that arrived before a time (Unix microseconds); returns how many.

        One short transaction. Spending stays as it is; which part of it has no requests any more is counted.
        """
        with writing(self._engine) as connection:
            # Two gateways on one database share the work: neither waits for rows the other is deleting.
            query = select(requests.c.id, requests.c.at_us, requests.c.charged_pusd, requests.c.scopes)
            query = query.where(requests.c.at_us < before_us).order_by(requests.c.at_us).limit(batch)
            rows = connection.execute(query.with_for_update(skip_locked=True)).all()
            gone: dict[tuple[str, int], int] = {}
            for row in rows:
                for scope in _scopes.decode(row.scopes.encode()):
                    key = (scope, row.at_us // US_PER_DAY)
                    gone[key] = gone.get(key, 0) + row.charged_pusd
            ids = [row.id for row in rows]
            for start in range(0, len(ids), _IDS_A_STATEMENT):
                part = ids[start : start + _IDS_A_STATEMENT]
                connection.execute(delete(attempts).where(attempts.c.request_id.in_(part)))
                connection.execute(delete(requests).where(requests.c.id.in_(part)))
            if gone:
                connection.execute(
                    update(spending)
                    .where(spending.c.scope == bindparam("of"), spending.c.day == bindparam("on"))
                    .values(pusd_expired=spending.c.pusd_expired + bindparam("gone")),
                    [{"of": scope, "on": day, "gone": pusd} for (scope, day), pusd in sorted(gone.items())],
                )
        return len(rows)

    def check(self) -> Checked:
        """Whether attempts, requests and spending counters add up."""
        return check_rows(self._engine)


def _weekday(day: int) -> int:
    """0 for Monday; day 0 was a Thursday."""
    return (day + 3) % 7


def _month_start(day: int) -> int:
    return ((EPOCH + timedelta(days=day)).replace(day=1) - EPOCH).days
