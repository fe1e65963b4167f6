"""Routes that were made here and not in the document."""

from __future__ import annotations

from sqlalchemy import RowMapping, delete, insert, select, update

from headgate.store import schema
from headgate.store.errors import Duplicate
from headgate.store.records import RouteRecord
from headgate.store.rows import Place, fetch, new_id, of_workspace, page, record_change
from headgate.store.transactions import changing, reading
from headgate.store.workspaces import require_workspace

table = schema.routes


def route_of(row: RowMapping) -> RouteRecord:
    return RouteRecord(**row)


class Routes:
    """Everywhere `workspace` None means all of them; a route of another workspace is not there.

    A definition is kept as it is given: whoever calls has checked that it is one.
    """

    def __init__(self, place: Place) -> None:
        self._place = place

    def create(self, workspace: str, name: str, definition: str, *, actor: str) -> RouteRecord:
        """Raises Duplicate for a name the workspace has, NotFound for an unknown workspace."""
        at = self._place.clock()
        made = RouteRecord(
            id=new_id("rte", at),
            workspace=workspace,
            name=name,
            definition=definition,
            created_at=int(at),
            created_by=actor,
        )
        with changing(self._place.engine) as connection:
            require_workspace(connection, workspace)
            taken = select(table.c.id).where(table.c.workspace == workspace, table.c.name == name)
            if connection.execute(taken).first() is not None:
                raise Duplicate(f"the workspace {workspace!r} has a route {name!r} already")
            connection.execute(insert(table).values({field: getattr(made, field) for field in made.__struct_fields__}))
            record_change(connection, at, actor, workspace, "route.create", made.id, None, made)
        return made

    def get(self, workspace: str | None, id: str) -> RouteRecord:
        """Raises NotFound."""
        with reading(self._place.engine) as connection:
            return route_of(fetch(connection, table, workspace, id, "route"))

    def list(self, *, workspace: str | None, after: str = "", limit: int = 100) -> tuple[RouteRecord, ...]:
        query = of_workspace(page(select(table), table, after, limit), table, workspace)
        with reading(self._place.engine) as connection:
            return tuple(map(route_of, connection.execute(query).mappings()))

    def update(self, workspace: str | None, id: str, definition: str, *, actor: str) -> RouteRecord:
        """Put another definition in its place. Raises NotFound."""
        with changing(self._place.engine) as connection:
            before = route_of(fetch(connection, table, workspace, id, "route"))
            if before.definition == definition:
                return before
            connection.execute(update(table).where(table.c.id == id).values(definition=definition))
            after = route_of(fetch(connection, table, None, id, "route"))
            record_change(connection, self._place.clock(), actor, after.workspace, "route.update", id, before, after)
        return after

    def delete(self, workspace: str | None, id: str, *, actor: str) -> None:
        """Raises NotFound."""
        with changing(self._place.engine) as connection:
            before = route_of(fetch(connection, table, workspace, id, "route"))
            connection.execute(delete(table).where(table.c.id == id))
            record_change(connection, self._place.clock(), actor, before.workspace, "route.delete", id, before, None)
