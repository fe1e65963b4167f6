"""The document and the store together → one snapshot, in which every workspace reads what is its own.

What a workspace reads is compiled from a document of its own: the parts of the operator's document that are meant for
it, with its stored credentials and routes laid over them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

import msgspec
from pydantic import ValidationError

from headgate.catalog.copies import CopyOf
from headgate.config.compile import compile_snapshot
from headgate.config.document import CredentialPart, Document, ProviderPart, RoutePart
from headgate.config.entries import complete, is_hosted, row_of
from headgate.config.keys import budgets_by_scope, declared_keys, issued_key, stored_keys
from headgate.config.offering import Offering, offers_of
from headgate.config.tenancy import EVERYBODY, concerns
from headgate.routing.names import nearest
from headgate.routing.resolve import pin
from headgate.store.errors import StoreError
from headgate.store.records import Everything, RouteRecord, SealedCredential
from headgate.types.principal import DEFAULT_WORKSPACE, Principal
from headgate.types.secret import Secret
from headgate.types.snapshot import Snapshot
from headgate.wire import json

Open = Callable[[SealedCredential], Secret]
"""Takes a sealed credential to its secret. Raises StoreError."""


class Compiled(msgspec.Struct, frozen=True):
    """A snapshot, and what of the store could not be used for it."""

    snapshot: Snapshot
    problems: tuple[str, ...]


class Compiler:
    """Makes snapshots. What a workspace reads is made anew only when something of it has changed.

    `issued` are keys made outside document and store; they count while the document declares none. `shelf` has the
    lists that providers publish; `forget` when one has changed.
    """

    def __init__(
        self,
        open_secret: Open,
        env: Mapping[str, str],
        issued: Mapping[bytes, Principal],
        shelf: CopyOf | None = None,
    ) -> None:
        self._open = open_secret
        self._env = env
        self._issued = issued
        self._shelf = shelf
        self._views: dict[str, tuple[tuple[object, ...], Compiled]] = {}

    def __call__(self, document: Document, everything: Everything, *, revision: int, created: int) -> Compiled:
        """Compile the document and the store as they are. `created` is in Unix seconds."""
        names = {DEFAULT_WORKSPACE, *(one.name for one in everything.workspaces), *names_of(document)}
        views = {name: self._view(name, document, everything, revision, created) for name in sorted(names)}
        self._views = {name: view for name, view in self._views.items() if name in views}
        keyring = stored_keys(everything)
        budgets = budgets_by_scope(everything)
        declared = declared_keys(document, budgets) or {
            digest: issued_key(principal.key, budgets) for digest, principal in self._issued.items()
        }
        snapshot = msgspec.structs.replace(
            views[DEFAULT_WORKSPACE].snapshot,
            revision=revision,
            keys={**keyring.working, **declared},
            withdrawn=keyring.withdrawn,
            workspaces={name: view.snapshot for name, view in views.items() if name != DEFAULT_WORKSPACE},
        )
        return Compiled(snapshot, tuple(problem for view in views.values() for problem in view.problems))

    def forget(self) -> None:
        """Make every workspace's view anew the next time."""
        self._views = {}

    def _view(self, name: str, document: Document, everything: Everything, revision: int, created: int) -> Compiled:
        credentials = [one for one in everything.credentials if one.credential.workspace == name]
        routes = [one for one in everything.routes if one.workspace == name]
        made_of = (document, *((one.sealed, one.credential) for one in credentials), *routes)
        known = self._views.get(name)
        if known is not None and known[0][0] is document and known[0][1:] == made_of[1:]:
            return known[1]
        problems: list[str] = []
        own = workspace_document(document, name, self._secrets(credentials, problems), self._env, problems)
        own = _with_routes(own, routes, problems, self._shelf)
        snapshot = compile_snapshot(own, revision=revision, created=created, issued_keys={}, shelf=self._shelf)
        compiled = Compiled(snapshot, tuple(problems))
        self._views[name] = made_of, compiled
        return compiled

    def _secrets(
        self, credentials: list[SealedCredential], problems: list[str]
    ) -> list[tuple[SealedCredential, Secret]]:
        opened = []
        for one in credentials:
            if one.credential.disabled_at is not None:
                continue
            try:
                opened.append((one, self._open(one)))
            except StoreError as error:
                problems.append(f"{_called(one)} is not used: {error}")
        return opened


def names_of(document: Document) -> set[str]:
    """The workspaces that a document names: those of its keys, and whom its providers and routes are for."""
    names = {key.workspace for key in document.keys}
    names.update(*(part.workspaces for part in document.providers.values()))
    names.update(*(part.workspaces for part in document.models.values()))
    return names - {EVERYBODY}


def workspace_document(
    document: Document,
    workspace: str,
    credentials: list[tuple[SealedCredential, Secret]],
    env: Mapping[str, str],
    problems: list[str],
) -> Document:
    """The operator's document as far as it is meant for a workspace, with the workspace's own credentials."""
    providers = {name: part for name, part in document.providers.items() if concerns(part.workspaces, workspace)}
    routes = {name: part for name, part in document.models.items() if concerns(part.workspaces, workspace)}
    for sealed, secret in credentials:
        name = sealed.credential.provider
        entry = providers.get(name)
        if entry is None:
            entry = bare_entry(name, env)
        if entry is None:
            problems.append(f"{_called(sealed)} is not used: no provider of that name can be called here")
            continue
        if host_of(entry) != sealed.credential.host:
            problems.append(
                f"{_called(sealed)} is not used: it was stored for {sealed.credential.host}, and the provider is now "
                f"called at {host_of(entry)}; store it again if that is right"
            )
            continue
        part = CredentialPart.model_construct(
            name=sealed.credential.name, api_key=secret, weight=sealed.credential.weight
        )
        providers[name] = entry.model_copy(update={"credentials": [*_own(entry), part], "api_key": None})
    return document.model_copy(update={"keys": [], "providers": providers, "models": routes})


def bare_entry(provider: str, env: Mapping[str, str]) -> ProviderPart | None:
    """A known, hosted provider that the document does not mention, where its row says; None for any other name."""
    row = row_of(provider)
    if row is None or not is_hosted(row):
        return None
    made, missing = complete(Document.model_construct(providers={provider: ProviderPart()}), env)
    return None if missing else made.providers[provider]


def host_of(entry: ProviderPart) -> str:
    """Host and port a provider is called at: what its credentials are bound to."""
    return urlsplit(entry.base_url or "").netloc.lower()


def _own(entry: ProviderPart) -> list[CredentialPart]:
    if entry.credentials:
        return list(entry.credentials)
    if entry.api_key is None:
        return []
    return [CredentialPart.model_construct(name="default", api_key=entry.api_key, weight=1.0)]


def _with_routes(document: Document, records: list[RouteRecord], problems: list[str], shelf: CopyOf | None) -> Document:
    """The document with the workspace's own routes; targets that lead nowhere here are left out."""
    routes = dict(document.models)
    for record in records:
        try:
            routes[record.name] = RoutePart.model_validate(json.parse(record.definition.encode()))
        except (ValidationError, json.DecodeError):
            problems.append(f"the route {record.name!r} of {record.workspace} is not used: it cannot be read any more")
    offering = Offering(offers_of(document, shelf))
    kept: dict[str, RoutePart] = {}
    for name, part in routes.items():
        lost = [target for target in (*part.targets, *part.fallback) if not _leads_somewhere(target, offering)]
        targets = [target for target in part.targets if target not in lost]
        if lost:
            problems.append(f"the route {name!r} leaves out what nobody offers here: {', '.join(lost)}")
        if targets:
            fallback = [target for target in part.fallback if target not in lost]
            kept[name] = part.model_copy(update={"targets": targets, "fallback": fallback}) if lost else part
    return document.model_copy(update={"models": kept})


def route_problems(snapshot: Snapshot, part: RoutePart) -> list[str]:
    """Targets of a route that nobody offers in the workspace that reads the snapshot, each with the nearest that is."""
    problems = []
    for target in (*part.targets, *part.fallback):
        provider, slash, _ = target.partition("/")
        known = bool(pin(snapshot, target)) or target in snapshot.models or target in snapshot.aliases
        if known or ("*" in target and slash and provider in snapshot.providers):
            continue
        near = nearest(target, [*snapshot.models, *(f"{name}/…" for name in snapshot.providers)], 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        problems.append(f"{target!r} is offered by no provider of this workspace{hint}")
    return problems


def _leads_somewhere(target: str, offering: Offering) -> bool:
    return offering.can_match(target) if "*" in target else bool(offering.resolve(target) or offering.variants(target))


def _called(sealed: SealedCredential) -> str:
    one = sealed.credential
    return f"the credential {one.name!r} for {one.provider} of the workspace {one.workspace}"
