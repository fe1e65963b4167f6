"""Workspaces, and who the caller is."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Path, Request
from pydantic import AfterValidator, Field, StringConstraints

from headgate.config.stored import names_of
from headgate.config.tenancy import workspace_name
from headgate.control.actor import Actor
from headgate.control.common import LimitsView, limits_view
from headgate.control.context import Control
from headgate.control.declared import read_only
from headgate.control.fields import Fields, Metadata, View, instant_text
from headgate.control.mount import Mount
from headgate.control.paging import Cursor, Page, PageSize, merged_page
from headgate.control.permissions import Permission
from headgate.control.store_failures import nothing_here
from headgate.control.tokens import RoleName
from headgate.store.errors import NotFound
from headgate.store.records import Workspace
from headgate.types.principal import DEFAULT_WORKSPACE

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$"), AfterValidator(workspace_name)]
PathName = Annotated[str, Path(max_length=100)]


class WorkspaceBody(Fields):
    """A new workspace."""

    name: Name = Field(description="1 to 63 lower-case letters, digits, - and _; never used again once deleted.")
    metadata: Metadata = Field(default={}, description="Up to 4 KB of text by name.")


class WorkspaceView(View):
    """A workspace: the wall between tenants."""

    name: str
    metadata: dict[str, Any]
    created_by: str
    created_at: str | None


class MeView(View):
    """The token that was shown. `workspace` is null for one of every workspace."""

    name: str
    id: str | None
    role: RoleName
    workspace: str | None
    models: list[str]
    limits: LimitsView
    expires_at: str | None


class Workspaces:
    """The endpoints /api/me and below /api/workspaces."""

    def __init__(self, control: Control) -> None:
        self._control = control
        self._store = control.store

    def mount(self, mount: Mount) -> None:
        change = Permission.WORKSPACES_CHANGE
        mount.route("GET", "/me", self.me, permission=Permission.ME_READ)
        mount.route("GET", "/workspaces", self.page, permission=Permission.WORKSPACES_READ)
        mount.route("POST", "/workspaces", self.create, permission=change, status=201, errors=(409,))
        mount.route("GET", "/workspaces/{name}", self.get, permission=Permission.WORKSPACES_READ)
        mount.route("DELETE", "/workspaces/{name}", self.delete, permission=change, status=204, errors=(409,))

    def me(self, request: Request) -> MeView:
        """Say whose token this is, and how far it reaches."""
        actor: Actor = request.state.actor
        return MeView(
            name=actor.name,
            id=actor.token,
            role=actor.role.value,
            workspace=actor.workspace,
            models=list(actor.models),
            limits=limits_view(actor.limits),
            expires_at=instant_text(actor.expires_at),
        )

    def page(self, request: Request, limit: PageSize = 50, after: Cursor = None) -> Page[WorkspaceView]:
        """List the workspaces the caller may know of."""
        actor: Actor = request.state.actor
        bound = [_view(self._store.workspaces.get(actor.workspace))] if actor.workspace is not None else []

        def stored(last: str, most: int) -> list[tuple[str, WorkspaceView]]:
            if actor.workspace is not None:
                return []
            found = self._store.workspaces.list(after=last, limit=most)
            return [(workspace.name, _view(workspace)) for workspace in found]

        items, following = merged_page(bound, stored, after=after, limit=limit)
        return Page(data=items, next=following)

    def create(self, request: Request, body: WorkspaceBody) -> WorkspaceView:
        """Make a workspace."""
        actor: Actor = request.state.actor
        made = self._store.workspaces.create(body.name, actor=actor.signature, metadata=dict(body.metadata))
        self._control.changed()
        return _view(made)

    def get(self, request: Request, name: PathName) -> WorkspaceView:
        """Read one workspace."""
        actor: Actor = request.state.actor
        try:
            found = self._store.workspaces.get(name)
        except NotFound:
            raise nothing_here() from None
        if not actor.sees(name):
            raise nothing_here()
        return _view(found)

    def delete(self, request: Request, name: PathName) -> None:
        """Delete a workspace that owns nothing any more."""
        actor: Actor = request.state.actor
        loaded = self._control.document()
        if name != DEFAULT_WORKSPACE and name in names_of(loaded.document):
            raise read_only(loaded, f"the workspace {name}")
        self._store.workspaces.delete(name, actor=actor.signature)
        self._control.changed()


def _view(workspace: Workspace) -> WorkspaceView:
    return WorkspaceView(
        name=workspace.name,
        metadata=workspace.metadata,
        created_by=workspace.created_by,
        created_at=instant_text(workspace.created_at),
    )
