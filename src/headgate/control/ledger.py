"""The ledger: requests in pages, one by one, and summed up."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import Depends, Query

from headgate.control.calls import InOneOrEvery
from headgate.control.context import Control
from headgate.control.fields import Id, Instant, LongLine
from headgate.control.ledger_shapes import (
    RequestDetail,
    RequestView,
    SumsView,
    request_detail,
    request_view,
    sum_view,
)
from headgate.control.mount import Mount
from headgate.control.paging import Cursor, Page, PageSize, read_cursor, write_cursor
from headgate.control.permissions import Permission
from headgate.control.store_failures import nothing_here
from headgate.errors import InvalidRequest
from headgate.store.ledger_query import By, Filters
from headgate.types.entry import Outcome

ByName = Literal["key", "model", "provider", "day", "workspace", "credential", "deployment"]
OutcomeName = Literal["answered", "refused", "failed", "disconnected"]
_US = 10**6


def _filters(
    key: Annotated[LongLine | None, Query(description="A key's name or id.")] = None,
    model: Annotated[LongLine | None, Query(description="The model the client asked for.")] = None,
    provider: Annotated[LongLine | None, Query(description="Who served it at last.")] = None,
    outcome: Annotated[OutcomeName | None, Query(description="How it ended.")] = None,
    status: Annotated[int | None, Query(ge=100, le=599, description="The HTTP status the client got.")] = None,
    since: Annotated[Instant | None, Query(description="Those that arrived then or later.")] = None,
    until: Annotated[Instant | None, Query(description="Those that arrived before.")] = None,
) -> Filters:
    if since is not None and until is not None and until <= since:
        raise InvalidRequest("until is not after since", param="until", code="refused_value")
    return Filters(
        key=key,
        model=model,
        provider=provider,
        outcome=Outcome(outcome) if outcome else None,
        status=status,
        since_us=None if since is None else since * _US,
        until_us=None if until is None else until * _US,
    )


Filtered = Annotated[Filters, Depends(_filters)]


class LedgerQueries:
    """The endpoints below /api/ledger."""

    def __init__(self, control: Control) -> None:
        self._control = control
        self._store = control.store

    def mount(self, mount: Mount) -> None:
        mount.route("GET", "/ledger/requests", self.page, permission=Permission.LEDGER_READ)
        mount.route("GET", "/ledger/requests/{id}", self.get, permission=Permission.LEDGER_READ)
        mount.route("GET", "/ledger/sums", self.sums, permission=Permission.LEDGER_READ)

    def page(
        self, call: InOneOrEvery, filters: Filtered, limit: PageSize = 50, after: Cursor = None
    ) -> Page[RequestView]:
        """List requests, newest first. A request is here a moment after it was answered."""
        entries = self._store.ledger.page(call.workspace, filters, after=read_cursor(after) or None, limit=limit + 1)
        shown = entries[:limit]
        following = write_cursor(shown[-1].id) if len(entries) > limit else None
        return Page(data=[request_view(entry) for entry in shown], next=following)

    def get(self, call: InOneOrEvery, id: Id) -> RequestDetail:
        """Read one request with its attempts, by the id the client got in x-request-id."""
        entry = self._store.ledger.get(call.workspace, id)
        if entry is None:
            raise nothing_here()
        return request_detail(entry)

    def sums(
        self, call: InOneOrEvery, filters: Filtered, by: Annotated[ByName, Query(description="What to sum by.")]
    ) -> SumsView:
        """Sum requests up, dearest first; by day, oldest first. By provider each attempt counts where it was made."""
        found = self._store.ledger.sums(By(by), call.workspace, filters)
        return SumsView(by=by, data=[sum_view(By(by), one) for one in found])
