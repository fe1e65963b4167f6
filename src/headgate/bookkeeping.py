"""Everything that counts requests and their cost, started and stopped in the right order.

The journal is shipped before the budgets are read from the database: what the last run spent is in both by then.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import msgspec

from headgate.config.document import Document
from headgate.gateway.booking import Books
from headgate.ledger.budget import MemoryBudgets
from headgate.ledger.journal import DIRECTORY, Journal
from headgate.ledger.ledger import Ledger, WhenFull
from headgate.ledger.limits import MemoryLimiter
from headgate.ledger.writer import Writer
from headgate.routing.health import Health
from headgate.settings import Settings
from headgate.store.engine import Store
from headgate.store.errors import StoreError
from headgate.types.fault import FaultClass
from headgate.types.snapshot import Snapshot
from headgate.wire.outgoing import outbox_of

CATCH_UP_S = 60.0
"""How long a start waits for what the last run left in the journal; budgets would be too generous without it."""
STOP_S = 10.0
NOBODYS = ""
"""The workspace of an event that only tokens of every workspace may read."""
LOOK_S = 5.0
"""So often operators are told what health has met."""
HEALTH_EVENTS = {
    FaultClass.BAD_CREDENTIAL: "credential_refused",
    FaultClass.QUOTA_EXHAUSTED: "credential_quota_exhausted",
    FaultClass.MODEL_NOT_FOUND: "model_gone",
}
DAY_S = 86_400
_MEGABYTE = 2**20
log = logging.getLogger("headgate")


class Kept(msgspec.Struct, frozen=True, eq=False):
    """What runs while books are kept; as the ledger's health it is what operators are shown."""

    books: Books
    limiter: MemoryLimiter
    budgets: MemoryBudgets
    ledger: Ledger
    journal: Journal
    writer: Writer
    notices: Notices

    @property
    def alarm(self) -> str | None:
        """Why entries are not kept, or do not reach the database; None while all is well."""
        away_since = self.writer.down_since
        if self.ledger.alarm is None and away_since is not None:
            return f"entries wait on disk: the database has not been reached for {time.monotonic() - away_since:.0f} s"
        return self.ledger.alarm

    @property
    def refuses(self) -> bool:
        return self.ledger.refuses

    @property
    def waiting_bytes(self) -> int:
        return self.journal.waiting_bytes

    @property
    def dropped(self) -> int:
        return self.ledger.dropped

    def published(self, snapshot: Snapshot) -> None:
        """A new snapshot is in use: what counted for scopes that are gone need not be kept."""
        self.notices.snapshot = snapshot
        self.limiter.forget({one.scope for key in snapshot.keys.values() for one in key.allowances})


class Notices:
    """Takes what operators should know of budgets and of providers to the log and to the store's events. They are
    rare."""

    def __init__(self, store: Store, loop: asyncio.AbstractEventLoop) -> None:
        self._store = store
        self._loop = loop
        self.snapshot: Snapshot | None = None

    def __call__(self, kind: str, scope: str, message: str) -> None:
        self._tell(kind, scope, message, lambda: self._workspace(scope))

    def of_provider(self, kind: str, deployment: str, message: str) -> None:
        """Something about a deployment, which several workspaces may share: it is no tenant's to read."""
        self._tell(kind, deployment, message, lambda: NOBODYS)

    def _tell(self, kind: str, subject: str, message: str, workspace: Callable[[], str]) -> None:
        log.warning("%s", message)
        if not self._loop.is_closed():
            self._loop.run_in_executor(None, self._keep, kind, subject, message, workspace)

    def _keep(self, kind: str, subject: str, message: str, workspace: Callable[[], str]) -> None:
        try:
            self._store.events.append(workspace=workspace(), kind=kind, subject=subject, message=message)
        except StoreError as error:
            log.warning("an event is in this log only: %s", error)

    def _workspace(self, scope: str) -> str:
        """Whose scope it is: nobody's for a token of every workspace, whose spending is no tenant's to read."""
        kind, _, id = scope.partition(":")
        if kind == "workspace":
            return id
        if kind == "token":
            return self._store.tokens.get(None, id).workspace or NOBODYS
        keys = () if self.snapshot is None else self.snapshot.keys.values()
        found = next((key.workspace for key in keys if key.key_id == id), None)
        return self._store.keys.get(None, id).workspace if found is None else found


class HealthWatch:
    """Every few seconds tells operators what they have to see to: refused credentials, used up quotas, models that are
    gone. It runs on the event loop, as everything that changes health does."""

    def __init__(
        self, health: Health, notices: Notices, loop: asyncio.AbstractEventLoop, every_s: float = LOOK_S
    ) -> None:
        self._health = health
        self._notices = notices
        self._loop = loop
        self._every_s = every_s
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin. Pair it with `stop`."""
        self._timer = self._loop.call_later(self._every_s, self._look)

    def stop(self) -> None:
        """Tell what is left, and look no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._tell()

    def _look(self) -> None:
        self.start()
        self._tell()

    def _tell(self) -> None:
        for one in self._health.drain():
            self._notices.of_provider(HEALTH_EVENTS.get(one.fault, str(one.fault)), one.deployment, one.words)


def open_journal(document: Document, settings: Settings) -> Journal:
    """The journal of the data directory, ours alone until it is closed. Raises JournalError."""
    return Journal(settings.data_dir / DIRECTORY, spool_bytes=document.ledger.spool_mb * _MEGABYTE)


@contextmanager
def keep_books(document: Document, store: Store, journal: Journal, loop: asyncio.AbstractEventLoop) -> Iterator[Kept]:
    """Count requests until the block ends; then ship what is left in the journal, and close it.

    Raises StoreError when spending cannot be read.
    """
    part = document.ledger
    ledger = Ledger(journal, when_full=WhenFull(part.when_full), before_answers=outbox_of(loop).before)
    writer = Writer(journal, store.ledger, keep_days=part.retention_days, each_round=ledger.retry)
    writer.start()
    try:
        if not writer.flushed(CATCH_UP_S):
            log.warning("ledger: the last run's entries are not in the database yet; budgets count without them")
        now = time.time()
        notices = Notices(store, loop)
        budgets = MemoryBudgets(store.ledger.spending(int(now) // DAY_S), now, notices)
        limiter = MemoryLimiter()
        yield Kept(Books(limiter, budgets, ledger), limiter, budgets, ledger, journal, writer, notices)
    finally:
        ledger.write()
        # A writer that still waits for the database has the journal open; the end of the process closes it.
        if writer.stop(STOP_S):
            journal.close()
