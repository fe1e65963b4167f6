"""Credentials: secrets that providers issued. They go in and never come out again."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query
from pydantic import AfterValidator, Field, PlainValidator, WithJsonSchema

from headgate.config.fields import CredentialText, refuse
from headgate.control.calls import Call, InOne, InOneOrEvery
from headgate.control.common import Source
from headgate.control.context import Control
from headgate.control.declared import DeclaredCredential, credentials_of, name_taken, provider_host, read_only
from headgate.control.fields import Fields, Id, Slug, View, instant_text
from headgate.control.mount import Mount
from headgate.control.paging import Cursor, Page, PageSize, merged_page
from headgate.control.permissions import Permission
from headgate.store.records import Credential
from headgate.types.secret import Secret

MAX_SECRET_CHARACTERS = 8192


def _short_enough(secret: Secret) -> Secret:
    if len(secret.reveal()) > MAX_SECRET_CHARACTERS:
        refuse(f"is longer than {MAX_SECRET_CHARACTERS} characters")
    return secret


def _weight(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0.001 <= value <= 1_000_000:
        refuse("must be a number from 0.001 to 1000000")
    return float(value)


WriteOnly = Annotated[
    CredentialText,
    AfterValidator(_short_enough),
    WithJsonSchema(
        {"type": "string", "minLength": 1, "maxLength": MAX_SECRET_CHARACTERS, "pattern": "^[!-~]+$", "writeOnly": True}
    ),
]
Weight = Annotated[
    float,
    PlainValidator(_weight),
    WithJsonSchema({"type": "number", "minimum": 0.001, "maximum": 1_000_000}),
]


class CredentialBody(Fields):
    """A new credential. Where it may be sent is the provider's address, which nobody can name here."""

    provider: Slug = Field(description="A provider Headgate knows, or one the document declares.")
    name: Slug = Field(description="What it is called; once for a provider in a workspace.")
    secret: WriteOnly = Field(description="What the provider issued. No reply ever holds it.")
    weight: Weight = Field(default=1.0, description="Its share of the traffic.")


class SecretBody(Fields):
    """Another secret for a credential."""

    secret: WriteOnly = Field(description="What the provider issued. No reply ever holds it.")


class CredentialView(View):
    """A credential without its secret. `host` is the only one it is sent to."""

    id: str
    workspace: str | None
    provider: str
    name: str
    source: Source
    host: str
    weight: float
    disabled: bool
    sealed_by: str | None = Field(description="The id of the master key that sealed it.")
    created_by: str
    created_at: str | None


class Credentials:
    """The endpoints below /api/credentials."""

    def __init__(self, control: Control) -> None:
        self._control = control
        self._store = control.store

    def mount(self, mount: Mount) -> None:
        read, change = Permission.CREDENTIALS_READ, Permission.CREDENTIALS_CHANGE
        mount.route("GET", "/credentials", self.page, permission=read)
        mount.route("POST", "/credentials", self.create, permission=change, status=201, errors=(409,))
        mount.route("GET", "/credentials/{id}", self.get, permission=read)
        mount.route("PUT", "/credentials/{id}/secret", self.replace, permission=change, errors=(409,))
        mount.route("POST", "/credentials/{id}/disable", self.disable, permission=change, errors=(409,))
        mount.route("POST", "/credentials/{id}/enable", self.enable, permission=change, errors=(409,))
        mount.route("DELETE", "/credentials/{id}", self.delete, permission=change, status=204, errors=(409,))

    def page(
        self,
        call: InOneOrEvery,
        limit: PageSize = 50,
        after: Cursor = None,
        provider: Annotated[str | None, Query(max_length=100, description="Only those of this provider.")] = None,
    ) -> Page[CredentialView]:
        """List credentials, those of the document first."""

        def stored(last: str, most: int) -> list[tuple[str, CredentialView]]:
            found = self._store.credentials.list(workspace=call.workspace, after=last, limit=most)
            return [(credential.id, credential_view(credential)) for credential in found]

        declared = credentials_of(self._control.document(), call.workspace)
        items, following = merged_page(
            [declared_view(id, one, call.workspace) for id, one in declared.items()],
            stored,
            after=after,
            limit=limit,
            keep=lambda item: provider is None or item.provider == provider,
        )
        return Page(data=items, next=following)

    def create(self, call: InOne, body: CredentialBody) -> CredentialView:
        """Store a credential, sealed."""
        loaded = self._control.document()
        host = provider_host(loaded, call.within, body.provider, self._control.env)
        declared = credentials_of(loaded, call.workspace).values()
        if any((one.provider, one.name) == (body.provider, body.name) for one in declared):
            raise name_taken(loaded, f"a credential {body.name} for {body.provider}")
        made = self._store.credentials.create(
            call.within,
            provider=body.provider,
            name=body.name,
            host=host,
            secret=body.secret,
            weight=body.weight,
            actor=call.actor.signature,
        )
        self._control.changed()
        return credential_view(made)

    def get(self, call: InOneOrEvery, id: Id) -> CredentialView:
        """Read one credential, but not its secret."""
        declared = credentials_of(self._control.document(), call.workspace).get(id)
        if declared is not None:
            return declared_view(id, declared, call.workspace)
        return credential_view(self._store.credentials.get(call.workspace, id))

    def replace(self, call: InOne, id: Id, body: SecretBody) -> CredentialView:
        """Put another secret in place of the one before."""
        self._require_stored(call, id)
        after = self._store.credentials.replace_secret(call.workspace, id, body.secret, actor=call.actor.signature)
        self._control.changed()
        return credential_view(after)

    def disable(self, call: InOne, id: Id) -> CredentialView:
        """Send no more requests with it."""
        self._require_stored(call, id)
        after = self._store.credentials.disable(call.workspace, id, actor=call.actor.signature)
        self._control.changed()
        return credential_view(after)

    def enable(self, call: InOne, id: Id) -> CredentialView:
        """Use a disabled credential again."""
        self._require_stored(call, id)
        after = self._store.credentials.enable(call.workspace, id, actor=call.actor.signature)
        self._control.changed()
        return credential_view(after)

    def delete(self, call: InOne, id: Id) -> None:
        """Delete a credential and its sealed secret."""
        self._require_stored(call, id)
        self._store.credentials.delete(call.workspace, id, actor=call.actor.signature)
        self._control.changed()

    def _require_stored(self, call: Call, id: str) -> None:
        loaded = self._control.document()
        declared = credentials_of(loaded, call.workspace).get(id)
        if declared is not None:
            raise read_only(loaded, f"the credential {declared.name} for {declared.provider}")


def credential_view(credential: Credential) -> CredentialView:
    return CredentialView(
        id=credential.id,
        workspace=credential.workspace,
        provider=credential.provider,
        name=credential.name,
        source="store",
        host=credential.host,
        weight=credential.weight,
        disabled=credential.disabled_at is not None,
        sealed_by=credential.sealed_by,
        created_by=credential.created_by,
        created_at=instant_text(credential.created_at),
    )


def declared_view(id: str, one: DeclaredCredential, workspace: str | None) -> CredentialView:
    """A credential of the document, as a workspace sees it."""
    return CredentialView(
        id=id,
        workspace=workspace,
        provider=one.provider,
        name=one.name,
        source="document",
        host=one.host,
        weight=one.weight,
        disabled=False,
        sealed_by=None,
        created_by="document",
        created_at=None,
    )
