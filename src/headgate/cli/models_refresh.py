"""`headgate models refresh`: fetch what providers publish about their models, once."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from typing import Any

import msgspec

from headgate.catalog.changes import Change
from headgate.catalog.guards import Refusal
from headgate.cli.offline import hint, print_object, told_plainly
from headgate.cli.options import Mistake
from headgate.cli.session import Session, open_session
from headgate.config.entries import calls_out
from headgate.config.problems import shorten
from headgate.config.stored import Compiler
from headgate.refreshing import Report, refresh_once, words
from headgate.types.snapshot import Snapshot
from headgate.upstream.origin import ProxyVariableError, check_proxy_variables

OK = 0
SOME_FAILED = 1
MOST_CHANGES = 20
MOST_REFUSALS = 10


def refresh_lists(config: Path | None, providers: list[str] | None, *, verbose: bool, as_json: bool) -> int:
    """Fetch, keep what is good, and print a report on each list. Returns the exit code: 0, or 1 when one failed.

    `verbose` prints every change and every figure that is not used, not only the first ones.

    Credentials of the store count as they do for a gateway. Raises typer.Exit with code 2, after saying why, for what
    the operator must mend.
    """
    with told_plainly():
        with open_session(config) as opened:
            snapshot = _snapshot(opened)
            _check(providers, snapshot)
            document, data_dir = opened.loaded.document, opened.data_dir
            if calls_out(document):
                _check_proxies()
            reports = asyncio.run(refresh_once(document, os.environ, data_dir, snapshot=snapshot, providers=providers))
        if as_json:
            print_object([_told(report) for report in reports])
        else:
            for line in _lines(reports, verbose):
                print(line)
    return SOME_FAILED if any(report.failed for report in reports) else OK


def _snapshot(opened: Session) -> Snapshot:
    compile_all = Compiler(opened.store.credentials.open, os.environ, {})
    return compile_all(opened.loaded.document, opened.store.load(), revision=1, created=int(time.time())).snapshot


def _check(providers: list[str] | None, snapshot: Snapshot) -> None:
    known = {name for view in (snapshot, *snapshot.workspaces.values()) for name in view.providers}
    for name in providers or ():
        if name not in known:
            raise Mistake(f"--provider: {shorten(name)!r} is not configured{hint(name, known)}")


def _check_proxies() -> None:
    try:
        check_proxy_variables(os.environ)
    except ProxyVariableError as error:
        raise Mistake(str(error)) from None


def _lines(reports: tuple[Report, ...], verbose: bool) -> list[str]:
    lines = []
    for report in reports:
        changes, refusals = report.changes, report.refusals
        told, refused = (len(changes), len(refusals)) if verbose else (MOST_CHANGES, MOST_REFUSALS)
        lines += [words(report), *map(_change, changes[:told])]
        if len(changes) > told:
            lines.append(f"  and {len(changes) - told} more; `headgate models show` has those of a model")
        lines += map(_refusal, refusals[:refused])
        if len(refusals) > refused:
            lines.append(f"  and {len(refusals) - refused} more that are not used; --verbose prints all")
    return lines or ["no provider here publishes a list"]


def _change(one: Change) -> str:
    return shorten(f"  {one.id or 'the list'} {one.figure}: {one.before or '-'} → {one.after or '-'}", 300)


def _refusal(one: Refusal) -> str:
    return shorten(f"  not used: {one.id} {one.figure or '-'}, {one.reason}: {one.words}", 400)


def _told(report: Report) -> dict[str, Any]:
    failed = report.failed
    return msgspec.structs.asdict(report) | {
        "failed": None if failed is None else {"reason": failed[0], "message": failed[1]},
        "changes": report.changes,
    }
