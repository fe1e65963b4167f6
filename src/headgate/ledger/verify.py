"""`headgate ledger verify`: do journal, rows and spending counters agree."""

from __future__ import annotations

from pathlib import Path

import msgspec

from headgate.ledger.recovery import Findings, damaged_copies, survey
from headgate.ledger.rejected import FILE, rejected
from headgate.ledger.writer import decode_entry
from headgate.store.ledger_check import SHOWN
from headgate.store.ledger_rows import LedgerRows
from headgate.types.entry import Entry

Figures = tuple[int | None, int]


class Verification(msgspec.Struct, kw_only=True):
    """What was looked at, and every reason why it does not balance."""

    journal_records: int = 0
    waiting: int = 0
    requests: int = 0
    counters: int = 0
    findings: list[str] = []

    @property
    def balanced(self) -> bool:
        return not self.findings

    def lines(self) -> list[str]:
        """For people: what was found, a line each."""
        return [
            f"journal: {self.journal_records} entries, {self.waiting} of them not yet in the database",
            f"database: {self.requests} requests, {self.counters} spending counters",
            *(f"does not balance: {finding}" for finding in self.findings),
            "everything balances" if self.balanced else f"{len(self.findings)} findings",
        ]


def verify(rows: LedgerRows, directory: Path) -> Verification:
    """Reconcile the journal in a directory with the database. A gateway may be at work on both.

    Raises StoreError, OSError.
    """
    result = Verification()
    _journal(rows, directory, result)
    checked = rows.check()
    result.requests, result.counters = checked.requests, checked.counters
    result.findings += checked.findings
    return result


def waiting(rows: LedgerRows, directory: Path) -> int:
    """How many entries of a journal are not in the database yet. Raises StoreError, OSError."""
    ids = {entry.id for payloads in survey(directory, Findings()) for entry in _readable(payloads)[0]}
    return len(ids) - len(rows.present(list(ids)))


def _journal(rows: LedgerRows, directory: Path, result: Verification) -> None:
    """Every record is readable; what is in the database is what the journal says; the rest waits at the end."""
    found = Findings()
    order: list[str] = []
    missing: dict[str, int] = {}
    for payloads in survey(directory, found):
        entries, unreadable = _readable(payloads)
        if unreadable:
            result.findings.append(f"journal: {unreadable} records hold no entry")
        present = rows.present([entry.id for entry in entries])
        for entry in entries:
            figures = present.get(entry.id)
            if figures is None:
                missing[entry.id] = len(order)
            elif figures != (entry.cost_pusd, entry.charged_pusd):
                result.findings.append(f"request {entry.id}: the journal and the database disagree about its cost")
            order.append(entry.id)
    result.journal_records = found.records
    _judge_missing(rows, order, missing, rejected(directory), result)
    result.findings += [f"journal: {damage.in_words()}" for damage in found.damaged]
    result.findings += [
        f"journal: {path.name} is a damaged segment; look at it, then delete it" for path in _kept(directory, found)
    ]


def _kept(directory: Path, found: Findings) -> list[Path]:
    """Copies of damaged segments, but for those whose segment was just spoken of."""
    spoken_of = {damage.segment for damage in found.damaged}
    return [path for path in damaged_copies(directory) if path.stem not in spoken_of]


def _judge_missing(
    rows: LedgerRows, order: list[str], missing: dict[str, int], aside: list[bytes], result: Verification
) -> None:
    """Entries go into the database in the order of the journal: what is missing before one that is there, is lost."""
    # Also those that this version cannot read: nothing else tells of them.
    rejected_ids = {entry.id for entry in _readable(aside)[0]}
    if aside:
        result.findings.append(f"{len(aside)} entries were set aside in the file {FILE}: the database refuses them")
    # A gateway at work may have shipped some since they were looked for.
    shipped = rows.present(list(missing))
    still = {id_: place for id_, place in missing.items() if id_ not in shipped and id_ not in rejected_ids}
    last_present = max((place for place, id_ in enumerate(order) if id_ not in missing), default=-1)
    lost = [id_ for id_, place in still.items() if place < last_present]
    result.waiting = len(still) - len(lost)
    result.findings += [f"request {id_}: it is in the journal, not in the database" for id_ in lost[:SHOWN]]
    if len(lost) > SHOWN:
        result.findings.append(f"… and {len(lost) - SHOWN} more requests that are only in the journal")


def _readable(payloads: list[bytes]) -> tuple[list[Entry], int]:
    """Entries, and how many payloads hold none."""
    entries: list[Entry] = []
    for payload in payloads:
        try:
            entries.append(decode_entry(payload))
        except msgspec.DecodeError:
            continue
    return entries, len(payloads) - len(entries)
