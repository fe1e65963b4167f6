"""Reading the ledger: rows → entries, pages, sums. Nothing here changes anything."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import Any

import msgspec
from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    Text,
    and_,
    case,
    cast,
    distinct,
    func,
    literal,
    or_,
    select,
    tuple_,
)

from headgate.store.ledger_insert import US_PER_DAY
from headgate.store.schema import attempts, prices, requests
from headgate.types.entry import SUCCESS, AttemptRow, Entry, Outcome, PlanRow
from headgate.types.money import Cost, CostSource, Price
from headgate.types.usage import Usage
from headgate.wire import json

_COUNTS = ("input", "cached_input", "cache_write", "audio_input", "output", "reasoning", "audio_output")
_SPLIT = 10**6
_prices: json.Decoder[Price] = json.Decoder(Price)
_plans: json.Decoder[PlanRow] = json.Decoder(PlanRow)
_scopes: json.Decoder[tuple[str, ...]] = json.Decoder(tuple[str, ...])


class Filters(msgspec.Struct, frozen=True, kw_only=True):
    """Which requests; None is any. `key` is a key's name or id, `model` the name the client asked for, `provider` who
    served it at last. Times are Unix microseconds; `until_us` is not included.
    """

    key: str | None = None
    model: str | None = None
    provider: str | None = None
    outcome: Outcome | None = None
    status: int | None = None
    since_us: int | None = None
    until_us: int | None = None


ALL = Filters()


class By(StrEnum):
    """What requests are summed up by."""

    KEY = "key"
    MODEL = "model"
    PROVIDER = "provider"
    DAY = "day"
    WORKSPACE = "workspace"
    CREDENTIAL = "credential"
    DEPLOYMENT = "deployment"


_BY_ATTEMPT = {By.PROVIDER, By.CREDENTIAL, By.DEPLOYMENT}


class Sum(msgspec.Struct, frozen=True, kw_only=True):
    """Requests summed up. By provider, credential or deployment each attempt counts where it was made.

    `id` is the key's id by key, else the same as `name`; by day both are the UTC day as days since 1970-01-01.
    `failed` counts requests that were not answered, or attempts without success. `unpriced` counts those that used
    tokens at an unknown cost, which is not in `cost_pusd`.
    """

    id: str
    name: str
    requests: int
    attempts: int | None
    failed: int
    usage: Usage
    cost_pusd: int
    unpriced: int


def conditions(workspace: str | None, filters: Filters) -> list[ColumnElement[bool]]:
    """What a row of `requests` must fulfil; `workspace` None is every workspace."""
    wanted: list[ColumnElement[bool]] = []
    for column, value in (
        (requests.c.workspace, workspace),
        (requests.c.model, filters.model),
        (requests.c.provider, filters.provider),
        (requests.c.outcome, filters.outcome.value if filters.outcome is not None else None),
        (requests.c.status, filters.status),
    ):
        if value is not None:
            wanted.append(column == value)
    if filters.key is not None:
        wanted.append(or_(requests.c.key_id == filters.key, requests.c.key == filters.key))
    if filters.since_us is not None:
        wanted.append(requests.c.at_us >= filters.since_us)
    if filters.until_us is not None:
        wanted.append(requests.c.at_us < filters.until_us)
    return wanted


def newest(
    connection: Connection, workspace: str | None, filters: Filters, after: str | None, limit: int
) -> Sequence[Row[Any]]:
    """Rows of `requests`, newest first, older than the request `after`; none when there is no such request."""
    query = select(requests).where(*conditions(workspace, filters))
    if after is not None:
        place = select(requests.c.at_us).where(requests.c.id == after)
        if workspace is not None:
            place = place.where(requests.c.workspace == workspace)
        at_us = connection.execute(place).scalar()
        if at_us is None:
            return []
        query = query.where(tuple_(requests.c.at_us, requests.c.id) < tuple_(literal(at_us), literal(after)))
    return connection.execute(query.order_by(requests.c.at_us.desc(), requests.c.id.desc()).limit(limit)).all()


def oldest(
    connection: Connection, workspace: str | None, filters: Filters, after: tuple[int, str] | None, limit: int
) -> Sequence[Row[Any]]:
    """Rows of `requests`, oldest first, from behind the place `after`: arrival and id."""
    query = select(requests).where(*conditions(workspace, filters))
    if after is not None:
        query = query.where(tuple_(requests.c.at_us, requests.c.id) > tuple_(literal(after[0]), literal(after[1])))
    return connection.execute(query.order_by(requests.c.at_us, requests.c.id).limit(limit)).all()


def entries_of(connection: Connection, rows: Sequence[Row[Any]]) -> list[Entry]:
    """Rows of `requests` as entries, with their attempts."""
    if not rows:
        return []
    query = select(attempts, prices.c.price, prices.c.source).outerjoin(prices, prices.c.id == attempts.c.price_id)
    query = query.where(attempts.c.request_id.in_([row.id for row in rows]))
    made: dict[str, list[AttemptRow]] = {row.id: [] for row in rows}
    for row in connection.execute(query.order_by(attempts.c.request_id, attempts.c.number)):
        made[row.request_id].append(_attempt(row))
    return [_entry(row, tuple(made[row.id])) for row in rows]


def _entry(row: Row[Any], made: tuple[AttemptRow, ...]) -> Entry:
    return Entry(
        id=row.id,
        at_us=row.at_us,
        workspace=row.workspace,
        key_id=row.key_id,
        key=row.key,
        operation=row.operation,
        model=row.model,
        stream=row.stream,
        status=row.status,
        outcome=Outcome(row.outcome),
        error=row.error,
        provider=row.provider,
        upstream_model=row.upstream_model,
        usage=_usage(row),
        cost_pusd=row.cost_pusd,
        charged_pusd=row.charged_pusd,
        done_us=row.done_us,
        scopes=_scopes.decode(row.scopes.encode()),
        attempts=made,
        plan=None if row.plan is None else _plans.decode(row.plan.encode()),
    )


def _attempt(row: Row[Any]) -> AttemptRow:
    cost = Cost(
        pusd=row.cost_pusd,
        source=CostSource(row.cost_source),
        computed_pusd=row.computed_pusd,
        reported_pusd=row.reported_pusd,
        disagree=row.disagree,
        price=None if row.price is None else _prices.decode(row.price.encode()),
        price_source=row.source or "",
    )
    return AttemptRow(
        deployment=row.deployment,
        provider=row.provider,
        model=row.model,
        credential=row.credential,
        result=row.result,
        status=row.status,
        started_us=row.started_us,
        connected_us=row.connected_us,
        first_token_us=row.first_token_us,
        done_us=row.done_us,
        usage=_usage(row, reported_pusd=row.reported_pusd, service_tier=row.service_tier),
        cost=cost,
    )


def _usage(row: Row[Any], *, reported_pusd: int | None = None, service_tier: str | None = None) -> Usage | None:
    if row.input is None:
        return None
    counts = {name: getattr(row, name) for name in _COUNTS}
    return Usage(**counts, estimated=row.estimated, reported_pusd=reported_pusd, service_tier=service_tier)


def sums(connection: Connection, by: By, workspace: str | None, filters: Filters) -> list[Sum]:
    """Requests summed up, dearest first; by day, oldest first."""
    wanted = conditions(workspace, filters)
    query = _attempt_sums(by, wanted) if by in _BY_ATTEMPT else _request_sums(by, wanted)
    found = [_sum(row) for row in connection.execute(query)]
    if by is By.DAY:
        return sorted(found, key=lambda one: int(one.id))
    return sorted(found, key=lambda one: (-one.cost_pusd, -one.requests, one.name, one.id))


def _request_sums(by: By, wanted: list[ColumnElement[bool]]) -> Select[Any]:
    at_day = cast(requests.c.at_us // US_PER_DAY, Text)
    groups: dict[By, ColumnElement[str]] = {
        By.KEY: requests.c.key_id,
        By.MODEL: requests.c.model,
        By.DAY: at_day,
        By.WORKSPACE: requests.c.workspace,
    }
    group = groups[by]
    name = func.max(requests.c.key) if by is By.KEY else func.max(group)
    return (
        select(
            group.label("id"),
            name.label("name"),
            func.count().label("requests"),
            literal(None).label("attempts"),
            _count(requests.c.outcome != Outcome.ANSWERED.value).label("failed"),
            *_totals(requests.c),
        )
        .where(*wanted)
        .group_by(group)
    )


def _attempt_sums(by: By, wanted: list[ColumnElement[bool]]) -> Select[Any]:
    groups: dict[By, ColumnElement[str]] = {
        By.PROVIDER: attempts.c.provider,
        By.CREDENTIAL: attempts.c.provider + "/" + attempts.c.credential,
        By.DEPLOYMENT: attempts.c.deployment,
    }
    group = groups[by]
    return (
        select(
            group.label("id"),
            func.max(group).label("name"),
            func.count(distinct(attempts.c.request_id)).label("requests"),
            func.count().label("attempts"),
            _count(attempts.c.result != SUCCESS).label("failed"),
            *_totals(attempts.c),
        )
        .select_from(attempts.join(requests, requests.c.id == attempts.c.request_id))
        .where(*wanted)
        .group_by(group)
    )


def _totals(columns: Any) -> Iterator[ColumnElement[Any]]:
    for name in _COUNTS:
        yield func.coalesce(func.sum(columns[name]), 0).label(name)
    yield func.coalesce(func.max(case((columns.estimated, 1), else_=0)), 0).label("estimated")
    yield from split_sum(columns.cost_pusd, "cost")
    yield _count(and_(columns.input.is_not(None), columns.cost_pusd.is_(None))).label("unpriced")


def split_sum(column: ColumnElement[int], name: str) -> tuple[ColumnElement[Any], ColumnElement[Any]]:
    """A sum in two parts, for `joined`: as one number it stops at 64 bits, nine million dollars."""
    return (
        func.coalesce(func.sum(column // _SPLIT), 0).label(f"{name}_high"),
        func.coalesce(func.sum(column % _SPLIT), 0).label(f"{name}_low"),
    )


def joined(high: Any, low: Any) -> int:
    """What `split_sum` took apart; Postgres gives its parts as decimals."""
    return int(high) * _SPLIT + int(low)


def _count(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.coalesce(func.sum(case((condition, 1), else_=0)), 0)


def _sum(row: Row[Any]) -> Sum:
    counts: dict[str, Any] = {name: int(getattr(row, name)) for name in _COUNTS}
    return Sum(
        id=row.id,
        name=row.name,
        requests=row.requests,
        attempts=row.attempts,
        failed=int(row.failed),
        usage=Usage(**counts, estimated=bool(row.estimated)),
        cost_pusd=joined(row.cost_high, row.cost_low),
        unpriced=int(row.unpriced),
    )
