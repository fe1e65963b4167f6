"""Keep-alive connections by origin."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable

from headgate.types.fault import FaultClass
from headgate.types.request import Attempt
from headgate.upstream.dial import dial, system_tls
from headgate.upstream.exchange import Clocks, ExchangeFailed
from headgate.upstream.http1 import Connection
from headgate.upstream.http_exchange import HttpExchange
from headgate.upstream.origin import Origin


class Pool:
    """Sends requests over idle connections, or new ones; last used is first reused so that surplus ones age out.

    There is no cap on open connections: the clients' own number bounds them, and a queue here would only hide load.
    `idle_s` is below the keep-alive of common load balancers (60 s), so that a stale connection is rare.
    """

    def __init__(
        self,
        *,
        idle_s: float = 30.0,
        max_idle: int = 512,
        tls: Callable[[], ssl.SSLContext] = system_tls,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._idle_s = idle_s
        self._max_idle = max_idle
        self._tls = tls
        self._idle: dict[Origin, list[Connection]] = {}
        self._open: set[Connection] = set()
        self._sweeper: asyncio.TimerHandle | None = None

    @property
    def open_connections(self) -> int:
        return len(self._open)

    @property
    def idle_connections(self) -> int:
        return sum(map(len, self._idle.values()))

    async def send(
        self, origin: Origin, head: bytes, body: bytes, clocks: Clocks, attempt: Attempt | None = None
    ) -> HttpExchange:
        """Send a request and wait for the head of its reply. Raises ExchangeFailed.

        When there is a connection, and the request on its way, `attempt` is told so: whatever comes of it then may be
        billed.

        A reused connection that closes without a byte of reply was stale: the upstream had given it up while the
        request was on its way, so it is sent again, once, on a fresh connection.
        """
        connection = self._take(origin)
        stale = connection is not None
        while True:
            if connection is None:
                connection = await self._dial(origin, clocks)
            exchange = connection.start(head, body, clocks)
            if attempt is not None:
                attempt.connected = exchange.connected_at
            try:
                await exchange.head()
            except BaseException as failure:  # because a cancelled exchange, too, leaves its connection half used
                exchange.cancel()
                if stale and isinstance(failure, ExchangeFailed) and failure.nothing_received:
                    connection, stale = None, False
                    continue
                raise
            return exchange

    async def close(self) -> None:
        """Close every connection, those in use too."""
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None
        for connection in list(self._open):
            connection.abort()
        # Transports close in the loop's next turns; wait for that so that nothing outlives the pool.
        for _ in range(100):
            if not self._open:
                return
            await asyncio.sleep(0.01)

    async def _dial(self, origin: Origin, clocks: Clocks) -> Connection:
        """A fresh connection, within the connect clock and the deadline."""
        connect_s = min(clocks.connect_s, clocks.deadline - self._loop.time())
        try:
            connection = await dial(origin, lambda: self._connection(origin), connect_s, self._tls)
        except ExchangeFailed:
            # A timer may fire as early as the clock is coarse.
            if self._loop.time() + 0.01 >= clocks.deadline:
                raise ExchangeFailed(FaultClass.TOTAL_TIMEOUT, "the request's deadline passed") from None
            raise
        if not connection.closed:
            self._open.add(connection)
        return connection

    def _connection(self, origin: Origin) -> Connection:
        return Connection(self._loop, lambda idle: self._keep(origin, idle), lambda gone: self._forget(origin, gone))

    def _take(self, origin: Origin) -> Connection | None:
        idle = self._idle.get(origin)
        while idle:
            connection = idle.pop()
            if connection.usable:
                return connection
        return None

    def _keep(self, origin: Origin, connection: Connection) -> None:
        idle = self._idle.setdefault(origin, [])
        if len(idle) >= self._max_idle:
            connection.close()
            return
        connection.idle_since = self._loop.time()
        idle.append(connection)
        if self._sweeper is None:
            self._sweeper = self._loop.call_later(self._idle_s, self._sweep)

    def _forget(self, origin: Origin, connection: Connection) -> None:
        self._open.discard(connection)
        idle = self._idle.get(origin)
        if idle and connection in idle:
            idle.remove(connection)

    def _sweep(self) -> None:
        """Close what has been idle for too long; runs only while something is idle."""
        self._sweeper = None
        oldest = self._loop.time() - self._idle_s
        for origin, idle in list(self._idle.items()):
            stale = [connection for connection in idle if connection.idle_since <= oldest]
            for connection in stale:
                idle.remove(connection)
                connection.close()
            if not idle:
                del self._idle[origin]
        if self._idle:
            self._sweeper = self._loop.call_later(self._idle_s / 2, self._sweep)
