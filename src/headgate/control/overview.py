"""How the gateway is, and what is configured: the document and the store together."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from headgate.config.stored import host_of
from headgate.control.calls import InOne
from headgate.control.common import Source
from headgate.control.context import Control
from headgate.control.credentials import CredentialView, credential_view
from headgate.control.credentials import declared_view as declared_credential_view
from headgate.control.declared import credentials_of, file_of, keys_of, plain, providers_of, routes_of
from headgate.control.fields import View
from headgate.control.key_shapes import KeyView, declared_view, key_view
from headgate.control.mount import Mount
from headgate.control.permissions import Permission
from headgate.control.routes import RouteView, route_view
from headgate.control.routes import declared_view as declared_route_view
from headgate.types.policy import Budget

MOST = 1000
"""How many stored things of a kind the overview shows; the lists of each kind have them all."""


class StoreHealth(View):
    ok: bool
    revision: int | None = Field(description="Changes made so far; for tokens of every workspace.")
    behind: bool = Field(description="A change is stored that requests do not see yet.")


class LedgerHealth(View):
    ok: bool
    refuses: bool = Field(description="Requests are refused because no record of them could be kept.")
    alarm: str | None = Field(
        description="Why no record can be kept, or none reaches the database; for tokens of every workspace."
    )
    waiting_bytes: int | None = Field(
        description="Records on disk that are not in the database yet; for tokens of every workspace."
    )
    lost: int | None = Field(description="Requests of which no record is left; for tokens of every workspace.")


class HealthView(View):
    """`status` is ok when all of it is."""

    status: Literal["ok", "degraded"]
    store: StoreHealth
    ledger: LedgerHealth
    snapshot: int | None = Field(
        description="The revision of the configuration that requests read; for tokens of every workspace."
    )
    providers: list[str] = Field(description="Who can be called from the workspace.")


class ProviderView(View):
    name: str
    source: Source
    host: str
    settings: dict[str, Any] = Field(description="What the document says, without secrets.")


class ConfigView(View):
    """What counts in a workspace, each part with where it is declared."""

    workspace: str
    document: str = Field(description="Where the operator's document comes from.")
    providers: list[ProviderView]
    credentials: list[CredentialView]
    routes: list[RouteView]
    keys: list[KeyView]


class Overview:
    """The endpoints /api/health and /api/config."""

    def __init__(self, control: Control) -> None:
        self._control = control
        self._store = control.store

    def mount(self, mount: Mount) -> None:
        mount.route("GET", "/health", self.health, permission=Permission.HEALTH_READ)
        mount.route("GET", "/config", self.config, permission=Permission.CONFIG_READ)

    def health(self, call: InOne) -> HealthView:
        """Say whether the store and the ledger work, and what is in use."""
        # Counters and alarms of the whole gateway would tell a tenant what the others do.
        of_all = call.actor.workspace is None
        ledger, revision = self._control.ledger, self._store.revision()
        snapshot = self._control.snapshot_of(call.within)
        return HealthView(
            status="ok" if ledger.alarm is None else "degraded",
            store=StoreHealth(ok=True, revision=revision if of_all else None, behind=snapshot is None),
            ledger=LedgerHealth(
                ok=ledger.alarm is None,
                refuses=ledger.refuses,
                alarm=ledger.alarm if of_all else None,
                waiting_bytes=ledger.waiting_bytes if of_all else None,
                lost=ledger.dropped if of_all else None,
            ),
            snapshot=self._control.snapshot().revision if of_all else None,
            providers=[] if snapshot is None else list(snapshot.providers),
        )

    def config(self, call: InOne) -> ConfigView:
        """Show what counts in a workspace: what the document declares, and what is in the store."""
        loaded, workspace = self._control.document(), call.within
        stored = [credential_view(one) for one in self._store.credentials.list(workspace=workspace, limit=MOST)]
        credentials = credentials_of(loaded, workspace)
        routes = routes_of(loaded, workspace)
        return ConfigView(
            workspace=workspace,
            document=file_of(loaded),
            providers=self._providers(workspace, stored),
            credentials=[*(declared_credential_view(id, one, workspace) for id, one in credentials.items()), *stored],
            routes=[
                *(declared_route_view(id, name, part, workspace) for id, (name, part) in routes.items()),
                *map(route_view, self._store.routes.list(workspace=workspace, limit=MOST)),
            ],
            keys=[
                *(declared_view(id, key) for id, key in keys_of(loaded, workspace).items()),
                *self._stored_keys(workspace),
            ],
        )

    def _providers(self, workspace: str, stored: list[CredentialView]) -> list[ProviderView]:
        declared = providers_of(self._control.document(), workspace)
        found = [
            ProviderView(name=name, source="document", host=host_of(entry), settings=plain(entry))
            for name, entry in declared.items()
        ]
        others = {one.provider: one.host for one in stored if one.provider not in declared}
        return [*found, *(ProviderView(name=n, source="store", host=host, settings={}) for n, host in others.items())]

    def _stored_keys(self, workspace: str) -> list[KeyView]:
        budgets: dict[str, list[Budget]] = {}
        for record in self._store.budgets.list(workspace=workspace, limit=MOST):
            budgets.setdefault(record.scope, []).append(record.budget)
        keys = self._store.keys.list(workspace=workspace, limit=MOST)
        return [key_view(key, budgets.get(f"key:{key.id}", ())) for key in keys]
