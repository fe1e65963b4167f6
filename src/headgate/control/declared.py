"""What the operator's document declares, as the admin API shows it: to be read, never to be changed here.

Of routes and credentials a workspace sees those that are meant for it, of keys its own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from decimal import Decimal
from enum import StrEnum
from typing import Any, NamedTuple

from pydantic import BaseModel

from headgate.config.document import KeyPart, ProviderPart, RoutePart
from headgate.config.entries import is_hosted, row_of
from headgate.config.load import Loaded
from headgate.config.stored import bare_entry, host_of
from headgate.config.tenancy import concerns
from headgate.control.failures import Conflict
from headgate.errors import InvalidRequest
from headgate.providers.builtin import PROVIDERS
from headgate.routing.names import nearest
from headgate.types.secret import Secret

SECRET = "(secret)"
KEY_PREFIX = "document:"
_PREFIX = "doc-"
# Who else may use something is not for everybody who may.
_UNSHOWN = frozenset({"workspaces"})


class DeclaredCredential(NamedTuple):
    """A credential of the document, without its secret."""

    provider: str
    name: str
    host: str
    weight: float


def declared_key_id(name: str) -> str:
    """The id of a key of the document, as the ledger and the budgets have it; a name that cannot stand in a path gets
    another one."""
    return f"{KEY_PREFIX}{name}" if "/" not in name else declared_id("key", name)


def declared_id(kind: str, *names: str) -> str:
    """The id of something in the document: the same as long as its name is."""
    return _PREFIX + hashlib.sha256("\0".join((kind, *names)).encode()).hexdigest()[:16]


def keys_of(loaded: Loaded, workspace: str | None) -> dict[str, KeyPart]:
    """Id → key of the document; with None those of every workspace."""
    keys = loaded.document.keys
    return {declared_key_id(key.name): key for key in keys if workspace in (None, key.workspace)}


def has_key(loaded: Loaded, workspace: str, name: str) -> bool:
    """Whether the document has a key of the name in the workspace; names of others are not told, even so."""
    return any(key.name == name for key in keys_of(loaded, workspace).values())


def routes_of(loaded: Loaded, workspace: str | None) -> dict[str, tuple[str, RoutePart]]:
    """Id → name and route of the document."""
    return {
        declared_id("route", name): (name, part)
        for name, part in loaded.document.models.items()
        if workspace is None or concerns(part.workspaces, workspace)
    }


def providers_of(loaded: Loaded, workspace: str | None) -> dict[str, ProviderPart]:
    """Name → provider of the document."""
    return {
        name: entry
        for name, entry in loaded.document.providers.items()
        if workspace is None or concerns(entry.workspaces, workspace)
    }


def credentials_of(loaded: Loaded, workspace: str | None) -> dict[str, DeclaredCredential]:
    """Id → credential of the document."""
    found = _credentials(providers_of(loaded, workspace))
    return {declared_id("credential", one.provider, one.name): one for one in found}


def _credentials(providers: Mapping[str, ProviderPart]) -> Iterator[DeclaredCredential]:
    for provider, entry in providers.items():
        if entry.api_key is not None:
            yield DeclaredCredential(provider, "default", host_of(entry), 1.0)
        for one in entry.credentials or ():
            yield DeclaredCredential(provider, one.name, host_of(entry), one.weight)


def file_of(loaded: Loaded) -> str:
    """The document's file by its name alone: where it lies is not for every tenant."""
    return loaded.path.name if loaded.path else loaded.source


def read_only(loaded: Loaded, what: str) -> Conflict:
    """The answer to a change of something the document declares."""
    return Conflict(f"{what} is declared in {file_of(loaded)} and is changed there", code="declared_in_document")


def name_taken(loaded: Loaded, what: str) -> Conflict:
    """The answer to a new object under a name the document uses."""
    return Conflict(f"{file_of(loaded)} declares {what} already; choose another name", param="name", code="duplicate")


def provider_host(loaded: Loaded, workspace: str, provider: str, env: Mapping[str, str]) -> str:
    """The host a provider's credentials are bound to, as the document has it, else the row we know the provider by.

    Raises InvalidRequest for one that is unknown, takes no credential, or whose address only the operator knows.
    """
    entry = providers_of(loaded, workspace).get(provider)
    row = row_of(provider)
    if row is not None and row.script is not None:
        raise _refuse(f"{provider} runs inside Headgate and takes no credential")
    if entry is None:
        entry = bare_entry(provider, env)
    if entry is not None:
        return host_of(entry)
    if row is None:
        near = nearest(provider, [*providers_of(loaded, workspace), *PROVIDERS], 1)
        hint = f"did you mean {near[0]}?" if near else "the operator declares any other server in the document first"
        raise _refuse(f"no provider of that name can be called here; {hint}")
    if not is_hosted(row):
        raise _refuse(f"{provider} runs on a machine of the operator's, who declares it in the document first")
    raise _refuse(f"the address of {provider} is known once the operator declares it in the document")


def _refuse(words: str) -> InvalidRequest:
    return InvalidRequest(f"provider: {words}", param="provider", code="unknown_provider")


def plain(part: BaseModel) -> dict[str, Any]:
    """A part of the document as plain JSON values: without what it leaves open, without secrets."""
    fields = {name: getattr(part, name) for name in part.model_fields_set - _UNSHOWN}
    return {name: _plain(value) for name, value in sorted(fields.items()) if value is not None}


def _plain(value: Any) -> Any:
    if isinstance(value, Secret):
        return SECRET
    if isinstance(value, BaseModel):
        return plain(value)
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Decimal):
        return f"{value:f}"
    return value.value if isinstance(value, StrEnum) else value
