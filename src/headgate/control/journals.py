"""What happened: the audit log of changes, and events an operator should know of."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from headgate.control.calls import InOneOrEvery
from headgate.control.context import Control
from headgate.control.fields import View, instant_text_us
from headgate.control.mount import Mount
from headgate.control.paging import Cursor, Page, PageSize, numbered_page
from headgate.control.permissions import Permission
from headgate.store.records import AuditRow, EventRow
from headgate.wire import json


class AuditView(View):
    """One change."""

    at: str
    actor: str = Field(description="The token's name and id.")
    workspace: str | None
    action: str
    object_type: str
    object_id: str
    before: Any = Field(description="The object before, without secrets; null where there was none.")
    after: Any = Field(description="The object after, without secrets; null where there is none.")


class EventView(View):
    """Something an operator should know."""

    at: str
    workspace: str
    kind: str
    subject: str
    message: str


class Journals:
    """The endpoints /api/audit and /api/events."""

    def __init__(self, control: Control) -> None:
        self._store = control.store

    def mount(self, mount: Mount) -> None:
        mount.route("GET", "/audit", self.audit, permission=Permission.AUDIT_READ)
        mount.route("GET", "/events", self.events, permission=Permission.EVENTS_READ)

    def audit(self, call: InOneOrEvery, limit: PageSize = 50, after: Cursor = None) -> Page[AuditView]:
        """List changes, newest first."""

        def fetch(last: int | None, most: int) -> list[tuple[int, AuditView]]:
            rows = self._store.audit.list(workspace=call.workspace, after=last, limit=most)
            return [(row.id, _audit_view(row)) for row in rows]

        return numbered_page(fetch, after, limit)

    def events(self, call: InOneOrEvery, limit: PageSize = 50, after: Cursor = None) -> Page[EventView]:
        """List events, newest first."""

        def fetch(last: int | None, most: int) -> list[tuple[int, EventView]]:
            rows = self._store.events.list(workspace=call.workspace, after=last, limit=most)
            return [(row.id, _event_view(row)) for row in rows]

        return numbered_page(fetch, after, limit)


def _audit_view(row: AuditRow) -> AuditView:
    return AuditView(
        at=instant_text_us(row.at_us),
        actor=row.actor,
        workspace=row.workspace,
        action=row.action,
        object_type=row.object_type,
        object_id=row.object_id,
        before=_parsed(row.before),
        after=_parsed(row.after),
    )


def _event_view(row: EventRow) -> EventView:
    return EventView(
        at=instant_text_us(row.at_us),
        workspace=row.workspace,
        kind=row.kind,
        subject=row.subject,
        message=row.message,
    )


def _parsed(text: str | None) -> Any:
    return None if text is None else json.parse(text.encode())
