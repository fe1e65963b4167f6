"""`headgate ledger`: sums, export and verification of what requests used and cost."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import BinaryIO

from headgate.cli.opening import OPENING_ERRORS, journal_directory, store_for
from headgate.ledger.journal import Journal, JournalError, JournalLocked
from headgate.ledger.report import csv_header, csv_line, json_line
from headgate.ledger.verify import verify, waiting
from headgate.ledger.writer import Writer
from headgate.store.engine import Store
from headgate.store.ledger_query import By, Filters, Sum
from headgate.types.entry import Entry
from headgate.types.money import render_usd

OK = 0
DOES_NOT_BALANCE = 1
USAGE_ERROR = 2
WAIT_S = 2.0
FORMATS = ("csv", "jsonl")


class BadOption(Exception):
    """An option has a value that makes no sense; the message is ready to print."""


def ledger_sums(
    config: Path | None,
    by: str = "key",
    since: str | None = None,
    until: str | None = None,
    workspace: str | None = None,
) -> int:
    """Print a table of requests, tokens and costs by key, model, provider, day, workspace, credential or deployment.

    Times as for `ledger_export`. Returns the exit code.
    """

    def run(store: Store) -> int:
        if by not in list(By):
            raise BadOption(f"--by: {by!r} is none of {', '.join(By)}")
        filters = Filters(since_us=_time("--since", since), until_us=_time("--until", until))
        for line in _table(By(by), store.ledger.sums(By(by), workspace, filters)):
            print(line)
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

    def run(store: Store) -> int:
        if format not in FORMATS:
            raise BadOption(f"--format: {format!r} is none of {', '.join(FORMATS)}")
        filters = Filters(key=key, model=model, since_us=_time("--since", since), until_us=_time("--until", until))
        lines = _lines(format, store.ledger.export(workspace, filters))
        if output is None:
            return _print(lines)
        with output.open("wb") as file:
            _write(lines, file)
        return OK

    return _with_store(config, run, catch_up=True)


def ledger_verify(config: Path | None) -> int:
    """Print whether journal, requests and spending counters agree. Returns 0, 1 when they do not, 2 when they
    cannot be looked at.
    """

    def run(store: Store) -> int:
        verification = verify(store.ledger, journal_directory())
        for line in verification.lines():
            print(line)
        return OK if verification.balanced else DOES_NOT_BALANCE

    return _with_store(config, run, catch_up=False)


def _with_store(config: Path | None, run: Callable[[Store], int], *, catch_up: bool) -> int:
    """Open the store and run; whatever the operator must mend becomes one line and exit code 2."""
    try:
        with contextlib.closing(store_for(config)) as store:
            if catch_up:
                _catch_up(store, journal_directory())
            return run(store)
    except (*OPENING_ERRORS, JournalError, BadOption) as error:
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


def _time(option: str, text: str | None) -> int | None:
    """Unix microseconds."""
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
        at = at.replace(tzinfo=UTC) if at.tzinfo is None else at
        return (at - datetime.fromtimestamp(0, UTC)) // timedelta(microseconds=1)
    except (ValueError, OverflowError):
        raise BadOption(
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


def _table(by: By, found: list[Sum]) -> list[str]:
    """A header, a line for each sum and one for all of them, in aligned columns."""
    counted = "attempts" if found and found[0].attempts is not None else "requests"
    rows: list[tuple[str, ...]] = [
        (str(by), counted, "failed", "prompt tokens", "completion tokens", "cost USD", "unknown cost")
    ]
    rows += [(_name(by, one), *_figures(one)) for one in found]
    total = [one.attempts if one.attempts is not None else one.requests for one in found]
    rows.append(
        (
            "total",
            str(sum(total)),
            str(sum(one.failed for one in found)),
            str(sum(one.usage.prompt_tokens for one in found)),
            str(sum(one.usage.completion_tokens for one in found)),
            render_usd(sum(one.cost_pusd for one in found)),
            str(sum(one.unpriced for one in found)),
        )
    )
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    return [
        "  ".join(
            [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        )
        for row in rows
    ]


def _figures(one: Sum) -> tuple[str, ...]:
    return (
        str(one.requests if one.attempts is None else one.attempts),
        str(one.failed),
        str(one.usage.prompt_tokens),
        str(one.usage.completion_tokens),
        render_usd(one.cost_pusd),
        str(one.unpriced),
    )


def _name(by: By, one: Sum) -> str:
    if by is By.DAY:
        return (date(1970, 1, 1) + timedelta(days=int(one.id))).isoformat()
    # Names are the operator's, models may be what a client wrote: nothing of it may steer the terminal.
    shown = "".join(char if char.isprintable() else "?" for char in one.name) or "-"
    return f"{shown} ({one.id})" if by is By.KEY and one.id not in ("", one.name) else shown
