"""The store: a database that is up to date, and one repository for each kind of thing kept in it.

Everything here is synchronous and may wait for the database: it never runs on an event loop.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

from sqlalchemy import Engine

from headgate.store.budgets import Budgets
from headgate.store.connect import make_engine
from headgate.store.credentials import Credentials, MasterKeys
from headgate.store.errors import StoreError
from headgate.store.keys import Keys
from headgate.store.ledger_rows import LedgerRows
from headgate.store.load import load_everything
from headgate.store.log_rows import Audit, Events
from headgate.store.migrate import bring_up_to_date
from headgate.store.records import Everything
from headgate.store.rotate import Rotation, rotate_master_key
from headgate.store.routes import Routes
from headgate.store.rows import Clock, Place
from headgate.store.tokens import Tokens
from headgate.store.transactions import read_revision, reading
from headgate.store.workspaces import Workspaces

FILE = "headgate.db"


class Store:
    """An open database. Every method of it and of its repositories raises StoreError, and StoreUnavailable for what
    may work later; any of them may be called from any thread.
    """

    def __init__(self, engine: Engine, master_keys: MasterKeys, clock: Clock) -> None:
        place = Place(engine, clock)
        self._place = place
        self._master_keys = master_keys
        self.engine = engine
        self.workspaces = Workspaces(place)
        self.tokens = Tokens(place)
        self.keys = Keys(place)
        self.budgets = Budgets(place)
        self.credentials = Credentials(place, master_keys)
        self.routes = Routes(place)
        self.audit = Audit(place)
        self.events = Events(place)

    @cached_property
    def ledger(self) -> LedgerRows:
        """The rows of the ledger."""
        return LedgerRows(self.engine)

    @property
    def address(self) -> str:
        """Where the database is, without its password."""
        return self.engine.url.render_as_string(hide_password=True)

    def revision(self) -> int:
        """The number of changes so far: whoever holds a snapshot of an older one reads anew. One small query."""
        with reading(self.engine) as connection:
            return read_revision(connection)

    def load(self) -> Everything:
        """All a snapshot is made of, as it was at one moment."""
        return load_everything(self.engine)

    def rotate_master_key(self, *, actor: str) -> Rotation:
        """Seal every credential with a new master key. Raises BadMasterKey, WrongMasterKey, SealBroken."""
        return rotate_master_key(self._place, self._master_keys, actor=actor)

    def close(self) -> None:
        """Close every connection; the last one of a SQLite file writes its log back."""
        self.engine.dispose()


def open_store(
    url: str | None,
    *,
    data_dir: Path,
    env: Mapping[str, str] = os.environ,
    clock: Clock = time.time,
) -> Store:
    """Open the database at the address and bring it up to date, making it when it is not there.

    `url` None is `headgate.db` in the data directory, which is made for its owner alone. A relative path is one of the
    current directory. `env` is where the master key is looked for.

    Raises StoreError: an address of another kind, a file that is no database, a newer version, a directory that cannot
    be written; StoreUnavailable when the server cannot be reached.
    """
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"{data_dir}: the data directory cannot be made: {error.strerror}; set HEADGATE_DATA_DIR to another"
        ) from None
    engine = make_engine(data_dir / FILE if url is None else url)
    try:
        bring_up_to_date(engine, clock=clock)
    except BaseException:  # because whatever stops the opening, Ctrl-C too, must not leave connections behind
        engine.dispose()
        raise
    return Store(engine, MasterKeys(env, data_dir), clock)
