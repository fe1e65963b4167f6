"""The composition root: builds every collaborator, starts and stops them in order."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import socket
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial

import msgspec
import uvicorn

from headgate.bookkeeping import HealthWatch, Kept, keep_books
from headgate.catalog.copies import Shelf
from headgate.catalog.schedule import Timing
from headgate.config.load import Loaded
from headgate.config.reload import Watcher
from headgate.config.stored import Compiler
from headgate.control.context import Control
from headgate.endpoints.asgi import Message, Receive, Scope
from headgate.endpoints.server import ClientConnection
from headgate.endpoints.table import Endpoints
from headgate.gateway.gateway import Gateway
from headgate.ledger.journal import Journal
from headgate.publishing import Publisher, StoreWatcher
from headgate.refreshing import Refresher, RefreshTimer
from headgate.routing.health import Health
from headgate.routing.observed import Observed
from headgate.settings import Settings
from headgate.store.engine import Store
from headgate.types.principal import Principal
from headgate.types.snapshot import Snapshot
from headgate.upstream.call import Caller
from headgate.upstream.pool import Pool

DRAIN_S = 10
# Longer than the keep-alive of the usual clients and load balancers, so that it is they who close an idle connection.
KEEP_ALIVE_S = 75
BACKLOG = 2048
GC_ALLOCATIONS = 10_000
REFRESH_TIMING = Timing()
log = logging.getLogger("headgate")

Reply = Callable[[Message], Awaitable[None]]
ControlApp = Callable[[Scope, Receive, Reply], Awaitable[None]]


class Server(uvicorn.Server):
    """uvicorn's server, told when it listens, and ending with a plain return on SIGINT and SIGTERM.

    What it says at the end of the drain is said in our words.
    """

    def __init__(self, config: uvicorn.Config, on_listening: Callable[[], None], on_hangup: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_listening = on_listening
        self._on_hangup = on_hangup

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if not self.should_exit:
            self._on_listening()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        uvicorn_log = logging.getLogger("uvicorn.error")
        uvicorn_log.addFilter(_tell_of_cut)
        try:
            await super().shutdown(sockets)
        finally:
            uvicorn_log.removeFilter(_tell_of_cut)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """uvicorn would raise the signal again after the drain, and a clean stop would look like a crash."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        loop.add_signal_handler(signal.SIGHUP, self._on_hangup)
        try:
            yield
        finally:
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                loop.remove_signal_handler(number)


def _tell_of_cut(record: logging.LogRecord) -> bool:
    """A filter that takes uvicorn's line about tasks it cancels and says what that means to an operator."""
    if not str(record.msg).startswith("Cancel %s running task"):
        return True
    count = record.args[0] if isinstance(record.args, tuple) and record.args else "some"
    log.warning("stopping: requests that the drain left unfinished are cut off: %s", count)
    return False


class Learned(msgspec.Struct, frozen=True, eq=False):
    """What traffic has taught of deployments and met there, by the seconds of a clock."""

    observed: Observed
    health: Health
    clock: Callable[[], float]


async def run(
    loaded: Loaded,
    *,
    store: Store,
    settings: Settings,
    journal: Journal,
    issued: Mapping[bytes, Principal],
    listener: socket.socket,
    env: Mapping[str, str],
    reload: Callable[[], Loaded],
    on_listening: Callable[[Snapshot], None],
    drain_s: int = DRAIN_S,
) -> None:
    """Serve until SIGINT or SIGTERM, then let open streams finish for up to `drain_s` seconds.

    `issued` are keys made outside document and store, which count while the document declares none; `reload` reads the
    document anew when it has changed. Raises JournalError when the ledger cannot be kept, StoreError.
    """
    loop = asyncio.get_running_loop()
    shelf = Shelf(settings.data_dir)
    seen = shelf.history_mark()
    with keep_books(loaded.document, store, journal, loop) as kept:
        publisher = Publisher(
            loaded.document,
            store,
            Compiler(store.credentials.open, env, issued, shelf),
            on_publish=lambda snapshot: loop.call_soon_threadsafe(kept.published, snapshot),
        )
        watcher = Watcher(
            loaded,
            revision=1,
            load=reload,
            build=publisher.build,
            publish=publisher.publish,
            complain=log.warning,
        )
        pool = Pool()
        learned = Learned(Observed(), Health(), loop.time)
        control = OperatorPaths(lambda: _control(store, kept, publisher, watcher, env, settings, learned))
        gateway = Gateway(Caller(pool, env), loop.time, kept.books, learned.observed, learned.health)
        endpoints = Endpoints(publisher, gateway, control)
        health_watch = HealthWatch(learned.health, kept.notices, loop)
        server = Server(
            server_config(endpoints, drain_s=drain_s),
            on_listening=lambda: on_listening(publisher.current),
            on_hangup=watcher.poke,
        )
        store_watcher = StoreWatcher(publisher, store, partial(store.workspaces.ensure, actor=loaded.source))
        refresh_timer = RefreshTimer(
            Refresher(pool, shelf, env),
            shelf,
            snapshot=lambda: publisher.current,
            hours=lambda: watcher.loaded.document.catalog.refresh_hours,
            changed=publisher.recompile,
            seen=seen,
            timing=REFRESH_TIMING,
        )
        watcher.start()
        store_watcher.start()
        refresh_timer.start()
        health_watch.start()
        settle_memory()
        try:
            await server.serve(sockets=[listener])
        finally:
            health_watch.stop()
            await watcher.stop()
            await refresh_timer.stop()
            await loop.run_in_executor(None, store_watcher.stop)
            await pool.close()


def _control(
    store: Store,
    kept: Kept,
    publisher: Publisher,
    watcher: Watcher,
    env: Mapping[str, str],
    settings: Settings,
    learned: Learned,
) -> Control:
    """What the admin API works with."""
    return Control(
        store=store,
        budgets=kept.budgets,
        ledger=kept,
        snapshot=lambda: publisher.current,
        document=lambda: watcher.loaded,
        publish=publisher.refresh,
        validate_route=publisher.route_problems,
        env=env,
        admin_token_hash=settings.admin_token_hash,
        observed=learned.observed,
        health=learned.health,
        clock=learned.clock,
    )


def settle_memory() -> None:
    """What is alive now stays alive; without this every full collection walks over all of it. Requests leave few
    cycles behind, so looking for them after every 700 allocations is work for nothing."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_ALLOCATIONS, 20, 20)


class OperatorPaths:
    """The admin API, built at its first request: a gateway whose operator never asks does not pay for it."""

    def __init__(self, collaborators: Callable[[], Control]) -> None:
        self._collaborators = collaborators
        self._building = asyncio.Lock()
        self._app: ControlApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Reply) -> None:
        if self._app is None:
            async with self._building:
                if self._app is None:
                    # Importing it takes some tenths of a second, in which clients are served.
                    self._app = await asyncio.get_running_loop().run_in_executor(None, self._build)

        await self._app(scope, receive, send)

    def _build(self) -> ControlApp:
        from headgate.control.app import build

        return build(self._collaborators())


def listen(host: str, port: int) -> socket.socket:
    """Listen on an address; connections wait until somebody serves them. Raises OSError; its `strerror` says why."""
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
        listener.setblocking(False)
    except OSError:
        listener.close()
        raise
    os.set_inheritable(listener.fileno(), False)
    return listener


def server_config(
    app: Endpoints, *, connection: type[ClientConnection] = ClientConnection, drain_s: int = DRAIN_S
) -> uvicorn.Config:
    """How uvicorn serves the endpoints: with our own connections, and without a header of its own in replies.

    It logs no requests and sets up no logging; which of its lines are shown is for `observe.log` to say.
    """
    return uvicorn.Config(
        app,
        http=connection,
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=drain_s,
    )
