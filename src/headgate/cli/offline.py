"""What verbs that only read have in common: the document compiled as a gateway would, and tables that can be piped."""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import typer

from headgate.catalog.copies import Shelf
from headgate.cli.options import USAGE_ERROR, Mistake, complain
from headgate.config.load import Loaded, load_document
from headgate.config.problems import ConfigError, shorten
from headgate.config.stored import Compiler
from headgate.errors import GatewayError
from headgate.routing.names import nearest
from headgate.settings import SettingsError, read_settings
from headgate.store.errors import StoreError
from headgate.store.records import Everything, SealedCredential
from headgate.types.principal import DEFAULT_WORKSPACE, Principal
from headgate.types.secret import Secret
from headgate.types.snapshot import Snapshot
from headgate.wire import json

READER_GONE = 141
"""As a program that the signal of a closed pipe ends (128 and 13); 1 would say what was found."""
GAP = "  "
_EMPTY = Everything(revision=0, workspaces=(), tokens=(), keys=(), budgets=(), credentials=(), routes=())
_UNIX = re.compile(r"[0-9]{1,12}(\.[0-9]{1,6})?")


class Offline(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """The operator's document and the lists on disk, as one workspace reads them. Nothing of the store is in it.

    `principals` are the keys that the document declares for the workspace.
    """

    loaded: Loaded
    shelf: Shelf
    data_dir: Path
    snapshot: Snapshot
    principals: tuple[Principal, ...] = ()


def read_offline(config: Path | None, workspace: str | None = None) -> Offline:
    """Load and compile, touching no network. Raises ConfigError, SettingsError, Mistake for an unknown workspace."""
    settings = read_settings(os.environ)
    shelf = Shelf(settings.data_dir)
    loaded = load_document(config, os.environ, Path.cwd(), shelf)
    compiled = Compiler(_nothing_is_sealed, os.environ, {}, shelf)(loaded.document, _EMPTY, revision=1, created=0)
    name = workspace or DEFAULT_WORKSPACE
    known = (DEFAULT_WORKSPACE, *compiled.snapshot.workspaces)
    if name not in known:
        raise Mistake(f"--workspace: the document names no workspace {shorten(name)!r}{hint(name, known)}")
    return Offline(
        loaded=loaded,
        shelf=shelf,
        data_dir=settings.data_dir,
        snapshot=compiled.snapshot.of(name),
        principals=tuple(one for one in compiled.snapshot.keys.values() if one.workspace == name),
    )


def _nothing_is_sealed(sealed: SealedCredential) -> Secret:
    raise StoreError(f"no store is open to take the credential {sealed.credential.name} from")


@contextmanager
def told_plainly() -> Iterator[None]:
    """Whatever the operator must mend becomes lines on stderr and exit code 2; a reader that leaves is no error.

    Raises typer.Exit.
    """
    try:
        yield
        sys.stdout.flush()
    except (ConfigError, SettingsError, StoreError, GatewayError, Mistake) as error:
        complain(error)
        raise typer.Exit(USAGE_ERROR) from None
    except BrokenPipeError:
        # Whoever read has seen enough. Python would complain once more when it flushes standard output at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(READER_GONE) from None


def moment(text: str | None, option: str = "--at") -> float:
    """A time as Unix seconds, from Unix seconds, a date or RFC 3339; now where none is given. Raises Mistake."""
    if text is None:
        return time.time()
    if _UNIX.fullmatch(text):
        return float(text)
    try:
        at = datetime.fromisoformat(text)
        return (at if at.tzinfo is not None else at.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise Mistake(
            f"{option}: {shorten(text)!r} is no time such as 2026-11-30T12:00:00Z, no date, and no Unix time"
        ) from None


def chosen(option: str, text: str, known: Sequence[str]) -> str:
    """The text, when it is one of the known words. Raises Mistake."""
    if text not in known:
        raise Mistake(f"{option}: {shorten(text)!r} is none of {', '.join(known)}{near_hint(text, known)}")
    return text


def near_hint(text: str, known: Iterable[str]) -> str:
    """What to say of a word that is nearly a known one; nothing where none is near."""
    near = nearest(text, known, 1)
    return f"; did you mean {near[0]}?" if near else ""


def hint(text: str, known: Iterable[str]) -> str:
    """The same; where none is near, all of them."""
    return near_hint(text, known) or f"; there is {', '.join(sorted(known))}"


def print_object(value: Any) -> None:
    print(json.pretty(value).decode())


def table(rows: Sequence[Sequence[str]], right: Iterable[int] = ()) -> list[str]:
    """Rows in columns as wide as they need; the columns numbered in `right` are flush on that side.

    Nothing in a cell steers the terminal.
    """
    cells = [[shorten(cell, 200) for cell in row] for row in rows]
    widths = [max(len(row[place]) for row in cells) for place in range(len(cells[0]))] if cells else []
    sides = frozenset(right)
    return [
        GAP.join(
            [
                cell.rjust(width) if at in sides else cell.ljust(width)
                for at, (cell, width) in enumerate(zip(row, widths, strict=True))
            ]
        ).rstrip()
        for row in cells
    ]
