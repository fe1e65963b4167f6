"""What only ever grows: the audit log and the events."""

from __future__ import annotations

from sqlalchemy import insert, select

from headgate.store import schema
from headgate.store.records import AuditRow, EventRow
from headgate.store.rows import MAX_PAGE, Place, Recorded, record_change
from headgate.store.transactions import reading, writing

# The ids are 32-bit integers on Postgres, where a larger one is an error even in a comparison.
_MAX_ID = 2**31 - 1


class Audit:
    """Who changed what. The repositories write it in the transaction of each change."""

    def __init__(self, place: Place) -> None:
        self._place = place

    def append(
        self,
        *,
        actor: str,
        workspace: str | None,
        action: str,
        object_id: str,
        before: Recorded = None,
        after: Recorded = None,
    ) -> None:
        """Note a change that no repository made; `action` is `type.verb`. The structs must hold no secrets."""
        with writing(self._place.engine) as connection:
            record_change(connection, self._place.clock(), actor, workspace, action, object_id, before, after)

    def list(self, *, workspace: str | None, after: int | None = None, limit: int = 100) -> tuple[AuditRow, ...]:
        """Newest first, those older than the row `after`; with workspace None those of all, and of none."""
        table = schema.audit
        query = select(table).order_by(table.c.id.desc()).limit(max(0, min(limit, MAX_PAGE)))
        if workspace is not None:
            query = query.where(table.c.workspace == workspace)
        if after is not None:
            query = query.where(table.c.id < min(max(after, 0), _MAX_ID))
        with reading(self._place.engine) as connection:
            return tuple(AuditRow(**row) for row in connection.execute(query).mappings())


class Events:
    """What an operator should know: budgets that run out, alarms of the ledger."""

    def __init__(self, place: Place) -> None:
        self._place = place

    def append(self, *, workspace: str, kind: str, subject: str, message: str) -> None:
        values = {"workspace": workspace, "kind": kind, "subject": subject, "message": message}
        with writing(self._place.engine) as connection:
            connection.execute(insert(schema.events).values(at_us=int(self._place.clock() * 1_000_000), **values))

    def list(self, *, workspace: str | None, after: int | None = None, limit: int = 100) -> tuple[EventRow, ...]:
        """Newest first, those older than the row `after`; with workspace None those of all."""
        table = schema.events
        query = select(table).order_by(table.c.id.desc()).limit(max(0, min(limit, MAX_PAGE)))
        if workspace is not None:
            query = query.where(table.c.workspace == workspace)
        if after is not None:
            query = query.where(table.c.id < min(max(after, 0), _MAX_ID))
        with reading(self._place.engine) as connection:
            return tuple(EventRow(**row) for row in connection.execute(query).mappings())
