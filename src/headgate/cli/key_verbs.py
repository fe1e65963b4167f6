"""What `headgate keys …` does. Signatures and help are in `keys`, which is quick to import; this is not."""

from __future__ import annotations

import os
from pathlib import Path

from headgate.cli.key_print import KeyView, key_lines, stored_view, views
from headgate.cli.key_terms import Terms, read_terms, seconds_of, strange_models
from headgate.cli.options import Asked, Mistake
from headgate.cli.session import Session, known_workspace, print_json, print_lines, say, session
from headgate.config.issued import FILE_NAME
from headgate.config.problems import shorten
from headgate.control.key_shapes import MAX_GRACE_S
from headgate.ledger.periods import day_of, render_time
from headgate.routing.names import nearest
from headgate.store.records import Key
from headgate.types.principal import DEFAULT_WORKSPACE
from headgate.types.secret import Secret


def create(config: Path | None, as_json: bool, asked: Asked) -> None:
    """Make a key and print its secret, this once. Raises typer.Exit, as every verb here."""
    with session(config) as opened:
        terms = read_terms(asked, opened.now)
        workspace = asked.workspace or DEFAULT_WORKSPACE
        _require_free_name(opened, terms.part.name)
        _warn(opened, terms, workspace)
        key, secret = opened.store.keys.create(workspace, terms.fields(), actor=opened.actor, budgets=terms.budgets)
        what = f"The key {key.name} ({key.id}) is made in the workspace {workspace}."
        _hand_over(opened, key, secret, what, as_json)


def list_keys(config: Path | None, as_json: bool, workspace: str | None) -> None:
    """Print every key of a workspace, or of all."""
    with session(config) as opened:
        everything = opened.store.load()
        found = list(views(opened, everything, known_workspace(everything, opened, workspace)))
        if as_json:
            print_json(found)
            return
        for view in found:
            print_lines(key_lines(view))
        if not found:
            say("there are no keys")


def show(config: Path | None, as_json: bool, key: str, workspace: str | None) -> None:
    """Print one key."""
    with session(config) as opened:
        everything = opened.store.load()
        every = list(views(opened, everything, known_workspace(everything, opened, workspace)))
        _print(_pick(every, key), as_json)


def rotate(config: Path | None, as_json: bool, key: str, workspace: str | None, grace: str) -> None:
    """Give a key another secret and print it, this once."""
    with session(config) as opened:
        grace_s = seconds_of(grace, "--grace", MAX_GRACE_S)
        chosen = _own(opened, key, workspace)
        after, secret = opened.store.keys.rotate(chosen.workspace, chosen.id, grace_s=grace_s, actor=opened.actor)
        until = after.previous_until
        old = "stops working now" if until is None else f"works until {render_time(until)}"
        _hand_over(
            opened, after, secret, f"The key {after.name} ({after.id}) has a new secret; the old one {old}.", as_json
        )


def disable(config: Path | None, as_json: bool, key: str, workspace: str | None) -> None:
    with session(config) as opened:
        chosen = _own(opened, key, workspace)
        after = opened.store.keys.disable(chosen.workspace, chosen.id, actor=opened.actor)
        _report(
            opened, after, f"The key {after.name} is disabled; a running gateway refuses it within a second.", as_json
        )


def enable(config: Path | None, as_json: bool, key: str, workspace: str | None) -> None:
    with session(config) as opened:
        chosen = _own(opened, key, workspace)
        after = opened.store.keys.enable(chosen.workspace, chosen.id, actor=opened.actor)
        _report(opened, after, f"The key {after.name} is enabled.", as_json)


def delete(config: Path | None, as_json: bool, key: str, workspace: str | None) -> None:
    with session(config) as opened:
        chosen = _own(opened, key, workspace)
        opened.store.keys.delete(chosen.workspace, chosen.id, actor=opened.actor)
        if as_json:
            print_json({"id": chosen.id, "name": chosen.name, "workspace": chosen.workspace, "deleted": True})
        else:
            say(f"The key {chosen.name} ({chosen.id}) is deleted.")


def update(config: Path | None, as_json: bool, key: str, asked: Asked) -> None:
    """Change what was given, and nothing else of the key."""
    with session(config) as opened:
        terms = read_terms(asked, opened.now)
        if not terms.given:
            raise Mistake("nothing to change; say what with options such as --rpm")
        chosen = _own(opened, key, asked.workspace)
        if asked.name is not None and asked.name != chosen.name:
            _require_free_name(opened, asked.name)
        _warn(opened, terms, chosen.workspace)
        after = opened.store.keys.update(chosen.workspace, chosen.id, terms.change(), actor=opened.actor)
        if "budgets" in terms.given:
            opened.store.budgets.replace(chosen.workspace, f"key:{chosen.id}", terms.budgets, actor=opened.actor)
        _report(opened, after, f"The key {after.name} is changed.", as_json)


def _own(opened: Session, wanted: str, workspace: str | None) -> KeyView:
    """The key of the store with this name or id. Raises Mistake: none, several, or one that is not the store's."""
    everything = opened.store.load()
    chosen = _pick(list(views(opened, everything, known_workspace(everything, opened, workspace))), wanted)
    if chosen.source == "document":
        raise Mistake(f"the key {chosen.name!r} is declared in {opened.source} and is changed there")
    if chosen.source != "store":
        file = opened.data_dir / FILE_NAME
        raise Mistake(f"{chosen.name} is the key of the first start, in {file}: `headgate up --new-key` replaces it")
    return chosen


def _pick(every: list[KeyView], wanted: str) -> KeyView:
    for view in every:
        if view.id == wanted:
            return view
    named = [view for view in every if view.name == wanted]
    if len(named) == 1:
        return named[0]
    if named:
        places = ", ".join(f"{view.id} ({view.workspace})" for view in named)
        raise Mistake(f"several keys are called {wanted!r}; name one by its id: {places}")
    near = nearest(wanted, [view.name for view in every], 1)
    hint = f"; did you mean {near[0]}?" if near else "; `headgate keys list` shows those there are"
    raise Mistake(f"there is no key {shorten(wanted)!r}{hint}")


def _require_free_name(opened: Session, name: str) -> None:
    if any(part.name == name for part in opened.loaded.document.keys):
        raise Mistake(f"NAME: {opened.source} declares a key {name!r} already; choose another name")


def _warn(opened: Session, terms: Terms, workspace: str) -> None:
    warnings = list(terms.warnings)
    if "models" in terms.given:
        document = opened.loaded.document
        warnings += strange_models(terms.part, workspace, document, opened.store.load(), os.environ)
    for warning in warnings:
        say(f"warning: {warning}")


def _view(opened: Session, key: Key) -> KeyView:
    budgets = [record.budget for record in opened.store.budgets.of(key.workspace, f"key:{key.id}")]
    return stored_view(key, budgets, opened.store.ledger.spending(day_of(opened.now)), opened.now)


def _print(view: KeyView, as_json: bool) -> None:
    if as_json:
        print_json(view)
    else:
        print_lines(key_lines(view))


def _report(opened: Session, key: Key, words: str, as_json: bool) -> None:
    if as_json:
        print_json(_view(opened, key))
    else:
        say(words)


def _hand_over(opened: Session, key: Key, secret: Secret, words: str, as_json: bool) -> None:
    """Print the secret: alone on standard output, so that a script can take it from there."""
    if as_json:
        print_json({"key": _view(opened, key), "secret": secret.reveal()})
        return
    print(secret.reveal())
    say(f"{words} Its secret stands above and is shown this once; only its hash is kept.")
