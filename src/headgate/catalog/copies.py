"""The last good copy of each provider's list, kept on disk, and the dated history of what changed from one to the next.

A file for each provider, base URL and credential, because what a list holds may depend on all three. `changes.jsonl`
beside them has one line for each change and is only ever appended to. Several processes may write: each holds a lock
while it does, and readers see the old file or the new one.
"""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import msgspec

from headgate.catalog.changes import Change, changes
from headgate.catalog.guards import is_sound
from headgate.types.listing import ListedModel
from headgate.types.secret import Secret
from headgate.wire import json

DIRECTORY = "catalog"
HISTORY = "changes.jsonl"
OLDER_HISTORY = "changes.1.jsonl"
HISTORY_BYTES = 16 * 2**20
MAX_FILE_BYTES = 64 * 2**20
_FORMAT = 1
_HASH_DIGITS = 16
_LOCK = "lock"
log = logging.getLogger("headgate")


class Copy(msgspec.Struct, frozen=True, kw_only=True):
    """A list as it was fetched and judged. `older` has the source of prices that an earlier copy said, by id."""

    provider: str
    host: str
    fetched_at: Annotated[datetime, msgspec.Meta(tz=True)]
    models: tuple[ListedModel, ...]
    older: dict[str, str] = {}
    format: int = _FORMAT

    @property
    def source(self) -> str:
        """Where its figures come from, as reports name it."""
        return f"provider's list at {self.host}, {self.fetched_at.astimezone(UTC):%Y-%m-%d}"

    def source_of_prices(self, id: str) -> str:
        return self.older.get(id, self.source)

    @property
    def by_id(self) -> dict[str, ListedModel]:
        return {model.id: model for model in self.models}


CopyOf = Callable[[str, str, tuple[Secret, ...]], Copy | None]
"""Provider, base URL and credentials → the copy that was fetched with the first of them that has one."""

_decoder = json.Decoder[Copy](Copy)


class Seen(msgspec.Struct, frozen=True):
    """A line of the history: one figure of a model that was another than in the list before."""

    at: datetime
    provider: str
    id: str
    figure: str
    before: str | None
    after: str | None
    source: str


class Shelf:
    """The copies of a data directory. Safe to use from several threads.

    A file that is damaged, or that no gateway wrote, counts as not there; the log says so once.
    """

    def __init__(self, data_dir: Path) -> None:
        self._directory = data_dir / DIRECTORY
        self._guard = threading.Lock()
        self._read: dict[str, tuple[tuple[int, int, int], Copy | None]] = {}

    def __call__(self, provider: str, base_url: str, secrets: tuple[Secret, ...]) -> Copy | None:
        """The copy that serves a provider; see `CopyOf`."""
        for secret in secrets or (None,):
            copy = self.copy(provider, base_url, secret)
            if copy is not None:
                return copy
        return None

    def copy(self, provider: str, base_url: str, secret: Secret | None) -> Copy | None:
        """The last good copy of one list, None when there is none that can be read."""
        name = file_name(provider, base_url, secret)
        try:
            stat = (self._directory / name).stat()
        except OSError:
            # No list has been fetched yet, or nobody may look: there is nothing to serve either way.
            return None
        seen = stat.st_ino, stat.st_mtime_ns, stat.st_size
        with self._guard:
            known = self._read.get(name)
            if known is None or known[0] != seen:
                known = self._read[name] = seen, self._load(name, provider)
            return known[1]

    def keep(self, copy: Copy, base_url: str, secret: Secret | None) -> tuple[Change, ...]:
        """Make this the last good copy; what has changed from the one before, which the history has now.

        A copy that another process fetched later stays, and nothing has changed then. Raises OSError.
        """
        name = file_name(copy.provider, base_url, secret)
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._locked():
            before = self.copy(copy.provider, base_url, secret)
            if before is not None and before.fetched_at > copy.fetched_at:
                return ()
            changed = changes(None if before is None else before.models, copy.models)
            self._write(name, json.encode(copy))
            self._append(copy, changed)
        return changed

    def history_mark(self) -> tuple[int, int]:
        """Another value than before once any process has written a change down."""
        try:
            stat = (self._directory / HISTORY).stat()
        except OSError:
            # No history is the state before the first change.
            return 0, 0
        return stat.st_ino, stat.st_size

    def _load(self, name: str, provider: str) -> Copy | None:
        path = self._directory / name
        try:
            if path.stat().st_size > MAX_FILE_BYTES:
                raise ValueError("it is too large")
            copy: Copy = _decoder.decode(path.read_bytes())
            if copy.format != _FORMAT or copy.provider != provider:
                raise ValueError("another version wrote it, or it was moved here")
            if not all(map(is_sound, copy.models)):
                raise ValueError("it holds figures that no list was kept with")
        except OSError as error:
            why = error.strerror or "it cannot be read"
        except json.DecodeError:
            why = "it is damaged"
        except ValueError as error:
            why = str(error)
        else:
            return copy
        log.warning("catalog: %s is not used: %s", path, why)
        return None

    def _write(self, name: str, data: bytes) -> None:
        # Written beside and renamed: a reader, or a crash, finds the old copy or the new one, never half of one.
        fresh = self._directory / f"{name}.{os.getpid()}.tmp"
        try:
            with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(data)
            fresh.replace(self._directory / name)
        finally:
            fresh.unlink(missing_ok=True)

    def _append(self, copy: Copy, changed: tuple[Change, ...]) -> None:
        if not changed:
            return
        path = self._directory / HISTORY
        if path.exists() and path.stat().st_size > HISTORY_BYTES:
            path.replace(self._directory / OLDER_HISTORY)
        lines = [
            Seen(copy.fetched_at, copy.provider, one.id, one.figure, one.before, one.after, copy.source)
            for one in changed
        ]
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "ab") as file:
            file.write(b"".join(json.encode(line) + b"\n" for line in lines))

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Alone among the processes, and threads, that write to this directory."""
        descriptor = os.open(self._directory / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def file_name(provider: str, base_url: str, secret: Secret | None) -> str:
    """The name of a copy's file, from which neither address nor credential can be told."""
    text = f"{base_url}\0{'' if secret is None else secret.reveal()}"
    return f"{provider}-{hashlib.sha256(text.encode()).hexdigest()[:_HASH_DIGITS]}.json"
