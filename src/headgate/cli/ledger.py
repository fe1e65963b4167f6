"""`headgate ledger`: sums, export and verification of what requests used and cost."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO

import msgspec

from headgate.cli.key_print import views
from headgate.cli.ledger_table import sums_table
from headgate.cli.opening import OPENING_ERRORS, journal_directory
from headgate.cli.options import Mistake
from headgate.cli.session import Session, open_session, print_json, print_lines, require_workspace, workspaces_of
from headgate.config.issued import KeyFileError
from headgate.config.problems import shorten
from headgate.control.ledger_shapes import sum_view
from headgate.ledger.journal import Journal, JournalError, JournalLocked
from headgate.ledger.report import csv_header, csv_line, json_line
from headgate.ledger.verify import verify, waiting
from headgate.ledger.writer import Writer
from headgate.routing.names import nearest
from headgate.store.engine import Store
from headgate.store.ledger_query import By, Filters
from headgate.types.entry import Entry

OK = 0
DOES_NOT_BALANCE = 1
USAGE_ERROR = 2
WAIT_S = 2.0
FORMATS = ("csv", "jsonl")


def ledger_sums(
    config: Path | None,
    by: str = "key",
    since: str | None = None,
    until: str | None = None,
    workspace: str | None = None,
    as_json: bool = False,
) -> int:
    """Print a table of requests, tokens and costs by key, model, provider, day, workspace, credential or deployment.

    As JSON the sums are those of the admin API. Times as for `ledger_export`. Returns the exit code.
    """

    def run(opened: Session) -> int:
        if by not in list(By):
            raise Mistake(f"--by: {by!r} is none of {', '.join(By)}")
        since_us, until_us = _span(since, until)
        _require_workspace(opened, workspace)
        found = opened.store.ledger.sums(By(by), workspace, Filters(since_us=since_us, until_us=until_us))
        if as_json:
            print_json([sum_view(By(by), one).model_dump(mode="json") for one in found])
        else:
            print_lines(sums_table(By(by), found))
        return OK

    return _with_store(config, run, catch_up=True)


def ledger_export(
    config: Path | None,
    format: str = "jsonl",
    since: str | None = None,
    until: str | None = None,
    key: str | None = None,
    model: str | None = None,
    workspace: str | None = None,
    output: Path | None = None,
) -> int:
    """Write one object (jsonl) or line (csv) a request, oldest first, to `output` or standard output.

    `since` and `until` are dates or times as RFC 3339, in UTC unless they say otherwise; `until` itself is not
    included. Returns the exit code.
    """

    def run(opened: Session) -> int:
        if format not in FORMATS:
            raise Mistake(f"--format: {format!r} is none of {', '.join(FORMATS)}")
        since_us, until_us = _span(since, until)
        _require_workspace(opened, workspace)
        _require_key(opened, key)
        filters = Filters(key=key, model=model, since_us=since_us, until_us=until_us)
        lines = _lines(format, opened.store.ledger.export(workspace, filters))
        if output is None:
            return _print(lines)
        with output.open("wb") as file:
            _write(lines, file)
        return OK

    return _with_store(config, run, catch_up=True)


def ledger_verify(config: Path | None, as_json: bool = False) -> int:
    """Print whether journal, requests and spending counters agree. Returns 0, 1 when they do not, 2 when they
    cannot be looked at.
    """

    def run(opened: Session) -> int:
        verification = verify(opened.store.ledger, journal_directory())
        if as_json:
            print_json({"balanced": verification.balanced, **msgspec.structs.asdict(verification)})
        else:
            print_lines(verification.lines())
        return OK if verification.balanced else DOES_NOT_BALANCE

    return _with_store(config, run, catch_up=False)


def _with_store(config: Path | None, run: Callable[[Session], int], *, catch_up: bool) -> int:
    """Open the store and run; whatever the operator must mend becomes one line and exit code 2."""
    try:
        with open_session(config) as opened:
            if catch_up:
                _catch_up(opened.store, journal_directory())
            return run(opened)
    except (*OPENING_ERRORS, JournalError, KeyFileError, Mistake) as error:
        print(f"headgate: {error}", file=sys.stderr)
    except OSError as error:
        named = f"{error.filename}: " if error.filename else ""
        print(f"headgate: {named}{error.strerror or error}", file=sys.stderr)
    return USAGE_ERROR


def _catch_up(store: Store, directory: Path) -> None:
    """Bring what is still in the journal into the database: by the gateway that runs, else here and now."""
    if not directory.is_dir():
        return
    try:
        journal = Journal(directory)
    except JournalLocked:
        left = _wait(store, directory)
    else:
        writer = Writer(journal, store.ledger, keep_days=None)
        writer.start()
        writer.stop(None)
        journal.close()
        left = waiting(store.ledger, directory)
    if left:
        print(f"note: {left} requests are still in the journal and are not counted here", file=sys.stderr)


def _wait(store: Store, directory: Path) -> int:
    """Give the running gateway a moment; returns how many entries it has not shipped."""
    deadline = time.monotonic() + WAIT_S
    while (left := waiting(store.ledger, directory)) and time.monotonic() < deadline:
        time.sleep(0.1)
    return left


def _require_workspace(opened: Session, name: str | None) -> None:
    """Raises Mistake for the name of a workspace that neither is nor was."""
    if name is None:
        return
    known = workspaces_of(opened.store.load(), opened)
    if name not in known:
        # The requests of a workspace stay when it is deleted.
        known |= {one.name for one in opened.store.ledger.sums(By.WORKSPACE, None)}
    require_workspace(name, known)


def _require_key(opened: Session, wanted: str | None) -> None:
    """Raises Mistake for a key that neither is nor was used."""
    if wanted is None:
        return
    there = views(opened, opened.store.load(), None)
    known = {name for view in there for name in (view.name, view.id)}
    if wanted not in known:
        known |= {name for one in opened.store.ledger.sums(By.KEY, None) for name in (one.name, one.id)}
    if wanted not in known:
        near = nearest(wanted, sorted(known), 1)
        hint = f"; did you mean {near[0]}?" if near else "; `headgate keys list` shows those there are"
        raise Mistake(f"--key: there is no key {shorten(wanted)!r}, and no request was made with one{hint}")


def _span(since: str | None, until: str | None) -> tuple[int | None, int | None]:
    """Both times in Unix microseconds. Raises Mistake."""
    since_us, until_us = _time("--since", since), _time("--until", until)
    if since_us is not None and until_us is not None and since_us > until_us:
        raise Mistake(f"--since: {since} is after --until {until}")
    return since_us, until_us


def _time(option: str, text: str | None) -> int | None:
    """Unix microseconds."""
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
        at = at.replace(tzinfo=UTC) if at.tzinfo is None else at
        return (at - datetime.fromtimestamp(0, UTC)) // timedelta(microseconds=1)
    except (ValueError, OverflowError):
        raise Mistake(
            f"{option}: {text!r} is no date such as 2026-11-30, nor a time such as 2026-11-30T12:00:00Z"
        ) from None


def _lines(format: str, entries: Iterable[Entry]) -> Iterator[bytes]:
    if format == "jsonl":
        yield from map(json_line, entries)
        return
    yield csv_header().encode()
    for entry in entries:
        yield csv_line(entry).encode()


def _print(lines: Iterator[bytes]) -> int:
    try:
        _write(lines, sys.stdout.buffer)
    except BrokenPipeError:
        # Whoever read has seen enough. Python would complain once more when it flushes standard output at the end.
        with contextlib.suppress(OSError):
            sys.stdout.close()
    return OK


def _write(lines: Iterator[bytes], file: BinaryIO) -> None:
    file.writelines(lines)
    file.flush()
