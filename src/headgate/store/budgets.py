"""Budgets: what a key, an admin token with all its keys, or a workspace may spend."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, RowMapping, delete, insert, or_, select

from headgate.store import schema
from headgate.store.errors import BadValue, NotFound, Refused
from headgate.store.records import BudgetRecord
from headgate.store.rows import Place, fetch, new_id, of_workspace, page, record_change
from headgate.store.transactions import changing, reading
from headgate.types.money import Price
from headgate.types.policy import Budget, Exhausted, Period
from headgate.types.principal import DEFAULT_WORKSPACE

table = schema.budgets


def budget_of(row: RowMapping) -> BudgetRecord:
    input_pusd, output_pusd = row["cheaper_input_pusd_per_mtok"], row["cheaper_output_pusd_per_mtok"]
    cheaper = None
    if input_pusd is not None or output_pusd is not None:
        cheaper = Price(input_pusd_per_mtok=input_pusd, output_pusd_per_mtok=output_pusd)
    return BudgetRecord(
        id=row["id"],
        workspace=row["workspace"],
        scope=row["scope"],
        budget=Budget(
            limit_pusd=row["limit_pusd"],
            per=Period(row["per"]),
            until=row["until"],
            on_exhausted=Exhausted(row["on_exhausted"]),
            cheaper_than=cheaper,
        ),
        created_at=row["created_at"],
        created_by=row["created_by"],
    )


class Budgets:
    def __init__(self, place: Place) -> None:
        self._place = place

    def replace(
        self, workspace: str | None, scope: str, budgets: Sequence[Budget], *, actor: str
    ) -> tuple[BudgetRecord, ...]:
        """Give the scope these budgets and no others.

        Raises NotFound when the key, token or workspace it names is not in `workspace` (None: any), Refused for two
        budgets of the same period, BadValue for a scope that is none.
        """
        with changing(self._place.engine) as connection:
            owner = _owner(connection, workspace, scope)
            return replace_budgets(connection, self._place, owner, scope, budgets, actor)

    def of(self, workspace: str | None, scope: str) -> tuple[BudgetRecord, ...]:
        """The budgets of one scope. Raises NotFound as `replace` does."""
        with reading(self._place.engine) as connection:
            _owner(connection, workspace, scope)
            return budgets_of(connection, scope)

    def list(self, *, workspace: str | None, after: str = "", limit: int = 100) -> tuple[BudgetRecord, ...]:
        query = of_workspace(page(select(table), table, after, limit), table, workspace)
        if workspace is not None:
            # The budgets of a token of every workspace are kept with the default one but are not its own.
            strangers = select("token:" + schema.tokens.c.id).where(schema.tokens.c.workspace.is_(None))
            query = query.where(or_(table.c.scope.not_like("token:%"), table.c.scope.not_in(strangers)))
        with reading(self._place.engine) as connection:
            return tuple(map(budget_of, connection.execute(query).mappings()))


def budgets_of(connection: Connection, scope: str) -> tuple[BudgetRecord, ...]:
    query = select(table).where(table.c.scope == scope).order_by(table.c.id)
    return tuple(map(budget_of, connection.execute(query).mappings()))


def replace_budgets(
    connection: Connection, place: Place, owner: str | None, scope: str, budgets: Sequence[Budget], actor: str
) -> tuple[BudgetRecord, ...]:
    """The same inside a transaction that changes something else as well. `owner` is the scope's workspace.

    None is a token of every workspace: its budgets are kept with the default one, but no workspace's audit log tells
    of them.
    """
    if len({budget.per for budget in budgets}) != len(budgets):
        raise Refused(f"{scope}: two budgets have the same period")
    before = budgets_of(connection, scope)
    connection.execute(delete(table).where(table.c.scope == scope))
    at = place.clock()
    made = tuple(
        BudgetRecord(
            id=new_id("bud", at),
            workspace=owner or DEFAULT_WORKSPACE,
            scope=scope,
            budget=budget,
            created_at=int(at),
            created_by=actor,
        )
        for budget in budgets
    )
    if made:
        connection.execute(insert(table), [_values(record) for record in made])
    if before or made:
        record_change(connection, at, actor, owner, "budgets.replace", scope, before, made)
    return made


def _values(record: BudgetRecord) -> dict[str, object]:
    budget = record.budget
    cheaper = budget.cheaper_than or Price()
    return {
        "id": record.id,
        "workspace": record.workspace,
        "scope": record.scope,
        "limit_pusd": budget.limit_pusd,
        "per": budget.per.value,
        "until": budget.until,
        "on_exhausted": budget.on_exhausted.value,
        "cheaper_input_pusd_per_mtok": cheaper.input_pusd_per_mtok,
        "cheaper_output_pusd_per_mtok": cheaper.output_pusd_per_mtok,
        "created_at": record.created_at,
        "created_by": record.created_by,
    }


def _owner(connection: Connection, workspace: str | None, scope: str) -> str | None:
    """The workspace the scope belongs to; None for a token of every workspace."""
    kind, _, id = scope.partition(":")
    if kind == "workspace":
        row = connection.execute(select(schema.workspaces.c.name).where(schema.workspaces.c.name == id)).first()
        if row is None or workspace not in (None, id):
            raise NotFound("there is no such workspace")
        return id
    if kind == "key":
        key = fetch(connection, schema.keys, workspace, id, "key")
        if key["deleted_at"] is not None:
            raise NotFound("there is no such key")
        return str(key["workspace"])
    if kind == "token":
        bound_to: str | None = fetch(connection, schema.tokens, workspace, id, "admin token")["workspace"]
        return bound_to
    raise BadValue(f"{kind!r} is no kind of scope: there are key, token and workspace")
