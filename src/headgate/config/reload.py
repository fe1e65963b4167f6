"""A changed file, or a signal, becomes a new snapshot; a broken file leaves the old one in place.

A poll and not the kernel's notifications: a poll also sees files that are replaced by renaming, mounted over a
network, or swapped through a symbolic link, as orchestrators do.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import time
from collections.abc import Callable
from stat import S_ISREG

import msgspec

from headgate.config.document import Document
from headgate.config.load import MAX_BYTES, Loaded
from headgate.config.problems import ConfigError, Problem
from headgate.types.snapshot import Snapshot

Load = Callable[[], Loaded]
Build = Callable[[Document, int], Snapshot]
"""Document and revision → snapshot."""

_RACY_S = 2.0
"""A file written twice within the clock's step keeps its modification time: one this young is read, not trusted."""
_MISSING_POLLS = 2
"""Some editors delete a file before they write it anew: it must be gone at two looks to count as gone."""
_NO_KEY = "holds no key any more, and nobody could use the gateway; declare one, or restart to use the first-run key"


class _Look(msgspec.Struct, frozen=True):
    """What the file looked like: where and when, and what was in it (None when it could not be read)."""

    stat: tuple[int, int, int, int] | None
    digest: bytes | None


class Watcher:
    """Looks at the document's file about once a second, and at once when poked.

    `load` reads and checks the document, `build` makes the snapshot of a revision, `publish` takes the new one.
    `complain` gets one text for each thing the operator should read; a text may have several lines.
    """

    def __init__(
        self,
        loaded: Loaded,
        *,
        revision: int,
        load: Load,
        build: Build,
        publish: Callable[[Snapshot], None],
        complain: Callable[[str], None],
        interval_s: float = 1.0,
    ) -> None:
        self._loaded = loaded
        self._started_with = loaded.document
        self._revision = revision
        self._load = load
        self._build = build
        self._publish = publish
        self._complain = complain
        self._interval_s = interval_s
        self._poked = asyncio.Event()
        self._reload_anyway = False
        self._missing = 0
        self._look = self._look_again(None)
        self._task: asyncio.Task[None] | None = None

    @property
    def loaded(self) -> Loaded:
        """The document in use."""
        return self._loaded

    def start(self) -> None:
        """Begin to watch, on the running loop. Pair it with `stop`."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._watch(), name="config watcher")

    async def stop(self) -> None:
        """Stop watching and wait until it has stopped."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    def poke(self) -> None:
        """Reload now, whether or not the file has changed. Fit for a signal handler of the loop."""
        self._reload_anyway = True
        self._poked.set()

    async def _watch(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._poked.wait(), self._interval_s)
            self._poked.clear()
            changed = self._has_changed()
            if self._reload_anyway or changed:
                self._reload_anyway = False
                self._reload()

    def _has_changed(self) -> bool:
        before, now = self._look, self._look_again(self._look)
        if now.stat is None and before.stat is not None:
            self._missing += 1
            if self._missing < _MISSING_POLLS:
                return False
        self._missing = 0
        self._look = now
        return now.digest != before.digest

    def _look_again(self, before: _Look | None) -> _Look:
        path = self._loaded.path
        if path is None:
            return _Look(None, None)
        try:
            stat = path.stat()
            if not S_ISREG(stat.st_mode):
                # Reading a pipe would wait for ever, and every request with it.
                return _Look((stat.st_dev, stat.st_ino, stat.st_mtime_ns, stat.st_size), None)
            seen = (stat.st_dev, stat.st_ino, stat.st_mtime_ns, stat.st_size)
            settled = abs(time.time() - stat.st_mtime) > _RACY_S
            if before is not None and before.stat == seen and settled and before.digest is not None:
                return before
            with path.open("rb") as file:
                return _Look(seen, hashlib.sha256(file.read(MAX_BYTES + 1)).digest())
        except OSError:
            return _Look(None, None)

    def _reload(self) -> None:
        try:
            loaded = self._load()
            snapshot = self._build(loaded.document, self._revision + 1)
            if not snapshot.keys:
                raise ConfigError([Problem(source=loaded.source, path=("keys",), message=_NO_KEY)])
        except ConfigError as error:
            self._complain(f"the configuration was not changed; the running one is kept:\n{error}")
            return
        except Exception as error:  # noqa: BLE001 - a defect in a check must not end the watch and freeze the old state
            self._complain(f"the configuration was not changed; reading it failed with {type(error).__name__}: {error}")
            return
        self._revision += 1
        known = {str(warning) for warning in self._loaded.warnings}
        moved = loaded.path != self._loaded.path
        self._loaded = loaded
        if moved:
            self._look = self._look_again(None)
        self._publish(snapshot)
        for warning in loaded.warnings:
            if str(warning) not in known:
                self._complain(str(warning))
        self._tell_of_restart(loaded)

    def _tell_of_restart(self, loaded: Loaded) -> None:
        """What is read at the start alone does not change by being written anew."""
        before, now = self._started_with, loaded.document
        old, new = (f"{one.server.host}:{one.server.port}" for one in (before, now))
        if old != new:
            self._complain(f"server: host and port changed from {old} to {new}; restart to listen there")
        if before.store != now.store:
            # Neither address is repeated: it may hold a password.
            self._complain("store: changed; restart to use the other database")
        if before.ledger != now.ledger:
            self._complain("ledger: changed; restart to make it count")
