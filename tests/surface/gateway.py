"""The real application in this process, on a real socket."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from headgate.app import Server, listen, server_config
from headgate.config.compile import compile_snapshot
from headgate.config.load import load_document
from headgate.endpoints.server import ClientConnection
from headgate.endpoints.table import Endpoints
from headgate.gateway.booking import Books
from headgate.gateway.gateway import Gateway
from headgate.ledger.budget import MemoryBudgets
from headgate.ledger.limits import MemoryLimiter
from headgate.routing.health import Health
from headgate.routing.observed import Observed
from headgate.types.entry import Entry
from headgate.types.snapshot import Snapshot
from headgate.upstream.call import Caller
from headgate.upstream.pool import Pool

DRAIN_S = 1


class Published:
    """Holds the snapshot that new requests read."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.current = snapshot

    def publish(self, snapshot: Snapshot) -> None:
        self.current = snapshot


class KeptEntries:
    """A ledger in a list."""

    refuses = False

    def __init__(self) -> None:
        self.entries: list[Entry] = []

    def record(self, entry: Entry) -> None:
        self.entries.append(entry)


def books(ledger: KeptEntries | None = None) -> Books:
    """Limits and budgets of this process, and a ledger that keeps entries where a test can look at them."""
    return Books(MemoryLimiter(), MemoryBudgets({}, time.time()), ledger or KeptEntries())


class EmbeddedServer(Server):
    """The server without its signal handlers, which belong to the process that runs the tests."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@dataclass
class Running:
    """A gateway that serves."""

    port: int
    published: Published
    pool: Pool
    server: EmbeddedServer
    ledger: KeptEntries
    health: Health
    observed: Observed

    @property
    def connections(self) -> int:
        """Clients connected now."""
        return len(self.server.server_state.connections)

    @property
    def requests(self) -> int:
        """Requests being answered now."""
        return len(self.server.server_state.tasks)

    async def until_idle(self) -> None:
        """Wait until no client is connected, no request runs, no upstream connection is in use and no attempt counts
        as under way."""
        pool = self.pool
        await until(
            lambda: (
                not (
                    self.connections
                    or self.requests
                    or pool.open_connections > pool.idle_connections
                    or self.observed.in_flight
                )
            )
        )


async def until(true: Callable[[], bool]) -> None:
    """Wait until something is true that nobody tells. Raises TimeoutError."""
    async with asyncio.timeout(20):
        while not true():  # noqa: ASYNC110 - there is no event to wait for: it is looked up from outside
            await asyncio.sleep(0.01)


def snapshot_of(document: str, env: Mapping[str, str] | None = None, *, revision: int = 1) -> Snapshot:
    """A document's text, through every check, as a snapshot."""
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "headgate.yaml"
        file.write_text(document)
        loaded = load_document(file, env or {}, Path(directory))
    return compile_snapshot(loaded.document, revision=revision, created=int(time.time()), issued_keys={})


@asynccontextmanager
async def running(
    document: str, *, connection: type[ClientConnection] = ClientConnection, env: Mapping[str, str] | None = None
) -> AsyncIterator[Running]:
    """Serve a document, given as text, until the block ends; put together as `headgate.app.run` does it."""
    listener = listen("127.0.0.1", 0)
    port = listener.getsockname()[1]
    published = Published(snapshot_of(document, env))
    pool = Pool()
    ledger = KeptEntries()
    health, observed = Health(), Observed()
    loop = asyncio.get_running_loop()
    endpoints = Endpoints(published, Gateway(Caller(pool, {}), loop.time, books(ledger), observed, health))
    config = server_config(endpoints, connection=connection, drain_s=DRAIN_S)
    config.load()
    server = EmbeddedServer(config, on_listening=lambda: None, on_hangup=lambda: None)
    server.lifespan = config.lifespan_class(config)
    await server.startup([listener])
    await server.on_tick(0)
    try:
        yield Running(port, published, pool, server, ledger, health, observed)
    finally:
        await server.shutdown([listener])
        await pool.close()
