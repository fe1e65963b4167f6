"""The snapshot in use, and what makes another: a changed document, a changed store, a changed list of a provider.

Document and store change on their own. Whichever does, both are compiled together as they are then, and the result
takes the place of the old one in a single assignment.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Protocol

from headgate.config.document import Document, RoutePart
from headgate.config.stored import Compiled, Compiler, names_of, route_problems
from headgate.store.errors import Duplicate, StoreError
from headgate.store.records import Everything
from headgate.types.principal import DEFAULT_WORKSPACE
from headgate.types.snapshot import Snapshot

POLL_S = 0.4
"""A change made by another process counts after this long, and the time it takes to read the store."""
log = logging.getLogger("headgate")


class Readable(Protocol):
    """The store, as far as a snapshot needs it. Both may raise StoreError."""

    def revision(self) -> int: ...

    def load(self) -> Everything: ...


class Publisher:
    """Holds the current snapshot and makes the next one.

    `on_publish` is called with each, in whatever thread made it. Revisions count up from 1.
    """

    def __init__(
        self,
        document: Document,
        store: Readable,
        compiler: Compiler,
        on_publish: Callable[[Snapshot], object] | None = None,
    ) -> None:
        self._document = document
        self._store = store
        self._compiler = compiler
        self._on_publish = on_publish
        self._lock = threading.Lock()
        self._everything = store.load()
        self._revision = 0
        self._problems: tuple[str, ...] = ()
        self._built: tuple[Document, Everything, Compiled] | None = None
        self._stale = False
        self.current = self._publish(self._compile(document))

    def build(self, document: Document, revision: int) -> Snapshot:
        """Compile a changed document, without publishing it. Documents are counted elsewhere: the revision is ours."""
        with self._lock:
            compiled = self._compile(document)
            self._built, self._stale = (document, self._everything, compiled), False
            return compiled.snapshot

    def publish(self, snapshot: Snapshot) -> None:
        """Make the document that was built last count."""
        with self._lock:
            if self._built is None or self._built[2].snapshot is not snapshot:
                raise ValueError("only what was built last can be published")
            self._document, everything, compiled = self._built
            self._built = None
            # The store, or a list, may have changed since.
            fresh = everything is self._everything and not self._stale
            self._publish(compiled if fresh else self._compile(self._document))

    def refresh(self) -> None:
        """Make what the store holds now count; returns when it does. Raises StoreError."""
        everything = self._store.load()
        with self._lock:
            if everything.revision < self._everything.revision:
                # Another thread has read a newer state meanwhile.
                return
            self._everything = everything
            self._publish(self._compile(self._document))

    def recompile(self) -> None:
        """Make what was neither in the document nor in the store count: lists of providers that have changed."""
        with self._lock:
            self._compiler.forget()
            # One that was built from what was there before is compiled again when it is published.
            self._stale = True
            self._publish(self._compile(self._document))

    def route_problems(self, workspace: str, part: RoutePart) -> list[str]:
        """What is wrong with a route in a workspace, one that was made a moment ago included."""
        if workspace != DEFAULT_WORKSPACE and workspace not in self.current.workspaces:
            self.refresh()
        return route_problems(self.current.of(workspace), part)

    @property
    def workspaces_to_make(self) -> set[str]:
        """Workspaces that the document names and the store does not have."""
        return names_of(self._document) - {one.name for one in self._everything.workspaces}

    @property
    def store_revision(self) -> int:
        """The state of the store that the current snapshot was made from."""
        return self._everything.revision

    def _compile(self, document: Document) -> Compiled:
        return self._compiler(document, self._everything, revision=self._revision + 1, created=int(time.time()))

    def _publish(self, compiled: Compiled) -> Snapshot:
        self._revision = compiled.snapshot.revision
        for problem in compiled.problems:
            if problem not in self._problems:
                log.warning("%s", problem)
        self._problems = compiled.problems
        self.current = compiled.snapshot
        if self._revision > 1:
            log.info("configuration revision %d is in use", self._revision)
        if self._on_publish is not None:
            self._on_publish(compiled.snapshot)
        return compiled.snapshot


Ensure = Callable[[set[str]], object]
"""Makes the workspaces of these names. Raises StoreError."""


class StoreWatcher:
    """A thread that looks whether another process has changed the store, a few times a second.

    It also makes the workspaces that a changed document names, so that the event loop never waits for SQL.
    """

    def __init__(self, publisher: Publisher, store: Readable, ensure: Ensure, interval_s: float = POLL_S) -> None:
        self._publisher = publisher
        self._store = store
        self._ensure = ensure
        self._refused: set[str] = set()
        self._interval_s = interval_s
        self._stopped = threading.Event()
        self._down = False
        self._thread = threading.Thread(target=self._watch, name="store watcher", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Stop looking; returns when the thread has ended."""
        self._stopped.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stopped.wait(self._interval_s):
            try:
                self._make_workspaces()
                if self._store.revision() != self._publisher.store_revision:
                    self._publisher.refresh()
            except StoreError as error:
                if not self._down:
                    log.warning("the store cannot be read; the keys and routes it had stay in use: %s", error)
                self._down = True
            except Exception:  # because a defect here must not freeze the configuration for good
                log.exception("the store was not read again")
            else:
                if self._down:
                    log.warning("the store can be read again")
                self._down = False

    def _make_workspaces(self) -> None:
        missing = self._publisher.workspaces_to_make - self._refused
        try:
            if missing:
                self._ensure(missing)
        except Duplicate as error:
            # Said once: the document goes on naming it until somebody changes it.
            self._refused |= missing
            log.warning("a workspace that the document names cannot be made: %s", error)
