"""What `headgate credentials …` does. The rules for a credential are those of the admin API."""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import msgspec
from pydantic import TypeAdapter, ValidationError

from headgate.cli.options import Mistake
from headgate.cli.session import Session, known_workspace, print_json, say, session
from headgate.config.problems import shorten
from headgate.config.wording import in_words
from headgate.control.credentials import MAX_SECRET_CHARACTERS, Weight, WriteOnly
from headgate.control.declared import credentials_of, provider_host
from headgate.control.fields import Slug
from headgate.ledger.periods import render_time
from headgate.routing.names import nearest
from headgate.store.records import Credential
from headgate.types.principal import DEFAULT_WORKSPACE
from headgate.types.secret import Secret

_NAME_RULE = "a name has up to 64 letters, digits, '.', '_' and '-', and begins with a letter or a digit"


class CredentialView(msgspec.Struct, frozen=True, kw_only=True):
    """A credential without its secret. `host` is the only one it is sent to; `workspace` None is of the document."""

    id: str
    provider: str
    name: str
    workspace: str | None
    source: Literal["document", "store"]
    state: Literal["active", "disabled"]
    host: str
    weight: float
    sealed_by: str | None = None
    created_by: str = "document"
    created_at: str | None = None


def add(config: Path | None, as_json: bool, provider: str, name: str, weight: float, workspace: str | None) -> None:
    """Store a credential, sealed. Raises typer.Exit, as every verb here."""
    with session(config) as opened:
        within = known_workspace(opened.store.load(), opened, workspace) or DEFAULT_WORKSPACE
        host = provider_host(opened.loaded, within, provider, os.environ)
        _checked(Slug, name, "--name", _NAME_RULE)
        _checked(Weight, weight, "--weight")
        declared = credentials_of(opened.loaded, within).values()
        if any((one.provider, one.name) == (provider, name) for one in declared):
            raise Mistake(
                f"--name: {opened.source} declares a credential {name} for {provider} already; choose another"
            )
        made = opened.store.credentials.create(
            within,
            provider=provider,
            name=name,
            host=host,
            secret=_read_secret(provider),
            weight=weight,
            actor=opened.actor,
        )
        _report(
            made,
            f"The credential {made.name} for {made.provider} ({made.id}) is stored, to be sent to {host} alone.",
            as_json,
        )


def _read_secret(provider: str) -> Secret:
    """From a terminal without showing it, else all of standard input. Raises Mistake."""
    if sys.stdin is None:
        raise Mistake("the secret: is read from standard input, which is closed")
    if sys.stdin.isatty():
        text = getpass.getpass(f"Credential for {provider} (not shown): ")
    else:
        # A little more than may be, so that what is too long is seen as too long and not cut.
        data = sys.stdin.buffer.read(MAX_SECRET_CHARACTERS + 100)
        text = data.decode("ascii", "replace")
    secret: Secret = _checked(WriteOnly, text, "the secret")
    return secret


def _checked(kind: Any, value: object, what: str, rule: str = "") -> Any:
    """A value as the type has it. Raises Mistake, which never repeats the value."""
    try:
        return TypeAdapter(kind).validate_python(value)
    except ValidationError as error:
        raise Mistake(f"{what}: {rule or in_words(error.errors(include_url=False)[0])}") from None


def list_credentials(config: Path | None, as_json: bool, workspace: str | None) -> None:
    """Print the credentials of a workspace, or all of them."""
    with session(config) as opened:
        found = list(_views(opened, workspace))
        if as_json:
            print_json(found)
            return
        for view in found:
            where = "document, read-only" if view.workspace is None else f"workspace {view.workspace}"
            print(f"{view.provider}/{view.name}  {view.id}  {view.state}  ({where})")
            made = f", made by {shorten(view.created_by)} at {view.created_at}" if view.created_at else ""
            print(f"  sent to {view.host}, weight {view.weight:g}{made}")
        if not found:
            say("there are no credentials")


def disable(config: Path | None, as_json: bool, credential: str, workspace: str | None) -> None:
    with session(config) as opened:
        chosen = _own(opened, credential, workspace)
        after = opened.store.credentials.disable(chosen.workspace, chosen.id, actor=opened.actor)
        _report(after, f"The credential {after.name} for {after.provider} is disabled.", as_json)


def enable(config: Path | None, as_json: bool, credential: str, workspace: str | None) -> None:
    with session(config) as opened:
        chosen = _own(opened, credential, workspace)
        after = opened.store.credentials.enable(chosen.workspace, chosen.id, actor=opened.actor)
        _report(after, f"The credential {after.name} for {after.provider} is enabled.", as_json)


def delete(config: Path | None, as_json: bool, credential: str, workspace: str | None) -> None:
    with session(config) as opened:
        chosen = _own(opened, credential, workspace)
        opened.store.credentials.delete(chosen.workspace, chosen.id, actor=opened.actor)
        if as_json:
            print_json({"id": chosen.id, "provider": chosen.provider, "name": chosen.name, "deleted": True})
        else:
            say(f"The credential {chosen.name} for {chosen.provider} ({chosen.id}) is deleted.")


def _own(opened: Session, wanted: str, workspace: str | None) -> CredentialView:
    """The credential of the store with this id or name. Raises Mistake: none, several, or one of the document."""
    every = list(_views(opened, workspace))
    called = [view for view in every if wanted in (view.id, f"{view.provider}/{view.name}")]
    called = called or [view for view in every if wanted == view.name]
    if len(called) > 1:
        places = ", ".join(f"{view.id} ({view.provider}/{view.name})" for view in called)
        raise Mistake(f"several credentials are called {wanted!r}; name one by its id: {places}")
    if not called:
        near = nearest(wanted, [f"{view.provider}/{view.name}" for view in every], 1)
        hint = f"; did you mean {near[0]}?" if near else "; `headgate credentials list` shows those there are"
        raise Mistake(f"there is no credential {shorten(wanted)!r}{hint}")
    if called[0].source == "document":
        one = called[0]
        raise Mistake(
            f"the credential {one.name} for {one.provider} is declared in {opened.source} and is changed there"
        )
    return called[0]


def _views(opened: Session, workspace: str | None) -> Iterator[CredentialView]:
    everything = opened.store.load()
    known_workspace(everything, opened, workspace)
    for id, one in credentials_of(opened.loaded, workspace).items():
        yield CredentialView(
            id=id,
            provider=one.provider,
            name=one.name,
            workspace=None,
            source="document",
            state="active",
            host=one.host,
            weight=one.weight,
        )
    for sealed in everything.credentials:
        if workspace in (None, sealed.credential.workspace):
            yield _view(sealed.credential)


def _view(credential: Credential) -> CredentialView:
    return CredentialView(
        id=credential.id,
        provider=credential.provider,
        name=credential.name,
        workspace=credential.workspace,
        source="store",
        state="active" if credential.disabled_at is None else "disabled",
        host=credential.host,
        weight=credential.weight,
        sealed_by=credential.sealed_by,
        created_by=credential.created_by,
        created_at=render_time(credential.created_at),
    )


def _report(credential: Credential, words: str, as_json: bool) -> None:
    if as_json:
        print_json(_view(credential))
    else:
        say(words)
