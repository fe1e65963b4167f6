"""What the verbs that change the store have in common: it is opened, the audit log learns who acts, and whatever the
operator must mend becomes plain lines on stderr."""

from __future__ import annotations

import os
import pwd
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import msgspec
import typer

from headgate.catalog.copies import Shelf
from headgate.cli.opening import open_store_of
from headgate.cli.options import USAGE_ERROR, Mistake, complain
from headgate.config.issued import KeyFileError
from headgate.config.load import Loaded, load_document
from headgate.config.problems import ConfigError, shorten
from headgate.config.stored import names_of
from headgate.errors import GatewayError
from headgate.routing.names import nearest
from headgate.settings import SettingsError, read_settings
from headgate.store.engine import Store
from headgate.store.errors import StoreError
from headgate.store.records import Everything
from headgate.types.principal import DEFAULT_WORKSPACE
from headgate.wire import json

READER_GONE = 141
"""What a shell calls the end of a program whose reader has gone (128 + SIGPIPE)."""


class Session(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """The operator's document, the open store, who acts, and when (Unix seconds)."""

    loaded: Loaded
    store: Store
    data_dir: Path
    actor: str
    now: float

    @property
    def source(self) -> str:
        """What to call the document in a message."""
        return self.loaded.source


@contextmanager
def open_session(config: Path | None) -> Iterator[Session]:
    """Open what a verb works on, for as long as the block runs. Raises ConfigError, SettingsError, StoreError."""
    settings = read_settings(os.environ)
    loaded = load_document(config, os.environ, Path.cwd(), Shelf(settings.data_dir))
    with closing(open_store_of(loaded.document, settings)) as store:
        yield Session(loaded=loaded, store=store, data_dir=settings.data_dir, actor=_actor(), now=time.time())


@contextmanager
def session(config: Path | None) -> Iterator[Session]:
    """The same for a verb that changes something: every workspace that the document names is there.

    Raises typer.Exit, after saying on stderr what is wrong, for what the operator must mend.
    """
    try:
        with open_session(config) as opened:
            opened.store.workspaces.ensure(names_of(opened.loaded.document), actor=opened.actor)
            yield opened
            sys.stdout.flush()
    except (ConfigError, SettingsError, StoreError, KeyFileError, GatewayError, Mistake) as error:
        complain(error)
        raise typer.Exit(USAGE_ERROR) from None
    except BrokenPipeError:
        # Whoever read has seen enough. Python would complain once more when it flushes standard output at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(READER_GONE) from None


def _actor() -> str:
    """Who the operating system says we are; the environment's word on it could be anybody's."""
    try:
        return f"cli:{pwd.getpwuid(os.getuid()).pw_name}"
    except KeyError:
        return f"cli:{os.getuid()}"


def known_workspace(everything: Everything, opened: Session, name: str | None) -> str | None:
    """The name of a workspace that is in the store or the document; None stays None. Raises Mistake."""
    return None if name is None else require_workspace(name, workspaces_of(everything, opened))


def workspaces_of(everything: Everything, opened: Session) -> set[str]:
    """The names of all workspaces."""
    named = names_of(opened.loaded.document)
    return {DEFAULT_WORKSPACE, *(one.name for one in everything.workspaces), *named}


def require_workspace(name: str, known: set[str]) -> str:
    """The name, when it is a known one. Raises Mistake."""
    if name not in known:
        near = nearest(name, known, 1)
        hint = f"; did you mean {near[0]}?" if near else f"; there is {', '.join(sorted(known))}"
        raise Mistake(f"--workspace: there is no workspace {shorten(name)!r}{hint}")
    return name


def print_json(value: Any) -> None:
    print(json.pretty(value).decode())


def print_lines(lines: Iterable[str]) -> None:
    for line in lines:
        print(line)


def say(words: str) -> None:
    """Tell people something beside the result, which alone goes to standard output."""
    sys.stdout.flush()
    print(words, file=sys.stderr)
