"""What `headgate tokens …` and `headgate workspaces …` do. Signatures and help are in `tokens`, which is quick to
import; this is not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import msgspec
from pydantic import TypeAdapter, ValidationError

from headgate.cli.key_print import NOTHING_SPENT, BudgetView, budget_views, budget_words, limits_words
from headgate.cli.key_terms import Terms, read_metadata, read_terms
from headgate.cli.options import Asked, Mistake
from headgate.cli.session import Session, known_workspace, print_json, print_lines, say, session
from headgate.config.keys import budgets_by_scope
from headgate.config.problems import shorten
from headgate.config.stored import names_of
from headgate.config.tenancy import WorkspaceName
from headgate.config.wording import in_words
from headgate.control.permissions import Role
from headgate.ledger.periods import day_of, render_time
from headgate.routing.names import nearest
from headgate.store.errors import StoreError
from headgate.store.records import Everything, Token, TokenFields
from headgate.types.policy import KeyLimits
from headgate.types.principal import DEFAULT_WORKSPACE
from headgate.types.secret import Secret


class TokenView(msgspec.Struct, frozen=True, kw_only=True):
    """An admin token with everything but its secret; `workspace` None is every workspace."""

    id: str
    name: str
    role: str
    workspace: str | None
    state: Literal["active", "expired", "revoked"]
    models: tuple[str, ...] | None
    limits: KeyLimits
    budgets: tuple[BudgetView, ...]
    created_by: str
    created_at: str
    expires_at: str | None
    revoked_at: str | None


def create_token(config: Path | None, as_json: bool, role: str, asked: Asked) -> None:
    """Make an admin token and print its secret, this once. Raises typer.Exit, as every verb here."""
    with session(config) as opened:
        _require_role(role)
        terms = read_terms(asked, opened.now)
        fields = TokenFields(
            name=terms.part.name,
            role=role,
            workspace=asked.workspace,
            models=tuple(terms.part.models) if "models" in terms.given else None,
            limits=terms.limits,
            expires_at=terms.part.expires_at,
        )
        token, secret = _make(opened, fields, terms)
        if as_json:
            print_json({"token": _view_of(opened, token.id), "secret": secret.reveal()})
            return
        print(secret.reveal())
        say(
            f"The admin token {token.name} ({token.id}) with the role {token.role} for {_reach(token.workspace)} is "
            "made. Its secret stands above and is shown this once; only its hash is kept."
        )


def _make(opened: Session, fields: TokenFields, terms: Terms) -> tuple[Token, Secret]:
    token, secret = opened.store.tokens.create(fields, actor=opened.actor)
    if terms.budgets:
        try:
            opened.store.budgets.replace(None, f"token:{token.id}", terms.budgets, actor=opened.actor)
        except StoreError:
            # Without its budget it would be more than was asked for.
            opened.store.tokens.revoke(None, token.id, actor=opened.actor)
            raise
    return token, secret


def _require_role(role: str) -> None:
    names = [one.value for one in reversed(Role)]
    if role not in names:
        near = nearest(role, names, 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise Mistake(f"--role: must be one of {', '.join(names)}, not {shorten(role, 40)!r}{hint}")


def list_tokens(config: Path | None, as_json: bool, workspace: str | None) -> None:
    """Print the admin tokens of a workspace, or all of them; revoked ones too."""
    with session(config) as opened:
        everything = opened.store.load()
        known_workspace(everything, opened, workspace)
        found = [view for view in _views(opened, everything) if workspace in (None, view.workspace)]
        if as_json:
            print_json(found)
            return
        for view in found:
            print_lines(_lines(view))
        if not found:
            say("there are no admin tokens")


def revoke_token(config: Path | None, as_json: bool, wanted: str) -> None:
    """Take an admin token back for good."""
    with session(config) as opened:
        chosen = _pick(list(_views(opened, opened.store.load())), wanted)
        opened.store.tokens.revoke(None, chosen.id, actor=opened.actor)
        if as_json:
            print_json(_view_of(opened, chosen.id))
        else:
            say(f"The admin token {chosen.name} ({chosen.id}) is revoked; keys it made go on working.")


def _pick(every: list[TokenView], wanted: str) -> TokenView:
    for view in every:
        if view.id == wanted:
            return view
    named = [view for view in every if view.name == wanted and view.state != "revoked"]
    if len(named) == 1:
        return named[0]
    if named:
        ids = ", ".join(view.id for view in named)
        raise Mistake(f"several admin tokens are called {wanted!r}; name one by its id: {ids}")
    near = nearest(wanted, [view.name for view in every if view.state != "revoked"], 1)
    hint = f"; did you mean {near[0]}?" if near else "; `headgate tokens list` shows those there are"
    raise Mistake(f"there is no admin token {shorten(wanted)!r}{hint}")


def _view_of(opened: Session, id: str) -> TokenView:
    return next(view for view in _views(opened, opened.store.load()) if view.id == id)


def _views(opened: Session, everything: Everything) -> Iterator[TokenView]:
    budgets = budgets_by_scope(everything)
    spending = opened.store.ledger.spending(day_of(opened.now))
    for token in everything.tokens:
        scope = f"token:{token.id}"
        state: Literal["active", "expired", "revoked"] = "active" if token.works(opened.now) else "expired"
        yield TokenView(
            id=token.id,
            name=token.name,
            role=token.role,
            workspace=token.workspace,
            state=state if token.revoked_at is None else "revoked",
            models=token.models,
            limits=token.limits,
            budgets=budget_views(budgets.get(scope, ()), spending.get(scope, NOTHING_SPENT), opened.now),
            created_by=token.created_by,
            created_at=render_time(token.created_at),
            expires_at=None if token.expires_at is None else render_time(token.expires_at),
            revoked_at=None if token.revoked_at is None else render_time(token.revoked_at),
        )


def _lines(view: TokenView) -> Iterator[str]:
    yield f"{shorten(view.name, 100)}  {view.id}  {view.role} of {_reach(view.workspace)}  {view.state}"
    if view.models is not None:
        yield f"  its keys may use at most {shorten(', '.join(view.models), 200)}"
    if limits := limits_words(view.limits):
        yield f"  limits of its keys {limits}"
    for budget in view.budgets:
        yield f"  budget {budget_words(budget)}"
    expires = f"expires at {view.expires_at}" if view.expires_at else "never expires"
    yield f"  made by {shorten(view.created_by)} at {view.created_at}, {expires}"


def _reach(workspace: str | None) -> str:
    return "every workspace" if workspace is None else f"the workspace {workspace}"


def create_workspace(config: Path | None, as_json: bool, name: str, metadata: list[str] | None) -> None:
    """Make a workspace."""
    with session(config) as opened:
        try:
            TypeAdapter(WorkspaceName).validate_python(name)
        except ValidationError as error:
            raise Mistake(f"NAME: {in_words(error.errors(include_url=False)[0])}") from None
        noted = read_metadata(metadata) or {}
        made = opened.store.workspaces.create(name, actor=opened.actor, metadata=noted)
        if as_json:
            print_json(made)
        else:
            say(f"The workspace {made.name} is made.")


def list_workspaces(config: Path | None, as_json: bool) -> None:
    """Print every workspace, with how many keys it has."""
    with session(config) as opened:
        everything = opened.store.load()
        if as_json:
            print_json(everything.workspaces)
            return
        for one in everything.workspaces:
            keys = sum(live.key.workspace == one.name for live in everything.keys)
            keys += sum(part.workspace == one.name for part in opened.loaded.document.keys)
            print(f"{one.name}  {keys} key{'' if keys == 1 else 's'}  made by {shorten(one.created_by)}")


def delete_workspace(config: Path | None, as_json: bool, name: str) -> None:
    """Delete a workspace that owns nothing any more."""
    with session(config) as opened:
        if name != DEFAULT_WORKSPACE and name in names_of(opened.loaded.document):
            raise Mistake(f"{opened.source} names the workspace {name!r}; take it out there first")
        opened.store.workspaces.delete(name, actor=opened.actor)
        if as_json:
            print_json({"name": name, "deleted": True})
        else:
            say(f"The workspace {name} is deleted.")
