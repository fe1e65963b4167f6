"""Plays a script to the gateway without a socket: the exchange of a provider that lives in this process.

A script runs on its own time line, as an upstream does: pieces that came due while nobody read are joined, and the
clocks count only while somebody is waiting for the next one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from headgate.types.fault import FaultClass
from headgate.types.script import Ending, Script
from headgate.upstream.exchange import Clocks, ExchangeFailed

_JOINED_BYTES = 64 * 1024


async def open_scripted(script: Script, clocks: Clocks) -> ScriptedExchange:
    """Wait as long as the script keeps its head back, then give the exchange. Raises ExchangeFailed."""
    exchange = ScriptedExchange(script, clocks)
    await exchange.head()
    return exchange


class ScriptedExchange:
    """A script being played; see `exchange.Exchange`. Made by `open_scripted`."""

    def __init__(self, script: Script, clocks: Clocks) -> None:
        self.status = script.status
        self.headers: dict[str, str] = {}
        for name, value in script.headers:
            key = name.lower()
            self.headers[key] = f"{self.headers[key]}, {value}" if key in self.headers else value
        self._script = script
        self._clocks = clocks
        self._loop = asyncio.get_running_loop()
        self._opened = self.connected_at = self._loop.time()
        self._next = 0
        self._due = self._opened + script.head_delay_s
        self._content = False
        self._over = False
        self._waiter: asyncio.Future[None] | None = None

    @property
    def tells_limits(self) -> bool:
        return any("limit" in name for name in self.headers)

    async def head(self) -> None:
        """Wait until the status and the headers have come. Raises ExchangeFailed."""
        first_token_s = self._clocks.first_token_s
        limit = None if first_token_s is None else self._opened + first_token_s
        await self._until(self._due, limit, FaultClass.NO_FIRST_TOKEN)
        if self._script.ending is Ending.RESET:
            self._over = True
            message = "the upstream closed the connection before it replied"
            raise ExchangeFailed(FaultClass.RESET, message, nothing_received=True)
        if first_token_s is None or self.status != 200:
            # As on a socket: a whole reply has begun to arrive, so it must not pause for long.
            self._content = True
        self._advance()

    async def read(self) -> bytes:
        # Even a script without delays has to let other requests have their turn.
        await asyncio.sleep(0)
        if self._over:
            raise ExchangeFailed(FaultClass.RESET, "the exchange is over")
        data = b""
        while not data:
            if self._next >= len(self._script.steps):
                return await self._end()
            await self._until(self._due, *self._limit())
            data = self._take_due()
        return data

    async def pump(self, consume: Callable[[bytes], bool]) -> bool:
        while data := await self.read():
            if not consume(data):
                return False
        return True

    def _take_due(self) -> bytes:
        """The next piece, joined with those after it that are due as well."""
        steps = self._script.steps
        now = self._loop.time()
        pieces: list[bytes] = []
        size = 0
        while not pieces or (self._next < len(steps) and self._due <= now and size < _JOINED_BYTES):
            pieces.append(steps[self._next].data)
            size += len(pieces[-1])
            self._next += 1
            self._advance()
        return b"".join(pieces)

    def content_started(self) -> None:
        self._content = True

    def release(self) -> None:
        self._finish()

    def cancel(self) -> None:
        self._finish()

    async def _end(self) -> bytes:
        ending = self._script.ending
        if ending is Ending.HANG:
            await self._until(None, *self._limit())
        if ending is not Ending.COMPLETE:
            self._over = True
            raise ExchangeFailed(FaultClass.BROKEN_STREAM, "the upstream closed in the middle of its reply")
        return b""

    def _advance(self) -> None:
        """Move the due time on to the next step's."""
        if self._next < len(self._script.steps):
            self._due += self._script.steps[self._next].delay_s

    def _limit(self) -> tuple[float | None, FaultClass]:
        """When the clock that runs now runs out, and what that is."""
        if self._content:
            return self._loop.time() + self._clocks.gap_s, FaultClass.STALLED
        first_token_s = self._clocks.first_token_s
        return None if first_token_s is None else self._opened + first_token_s, FaultClass.NO_FIRST_TOKEN

    async def _until(self, due: float | None, limit: float | None, kind: FaultClass) -> None:
        """Wait until `due` (None: for ever), or until a clock runs out or the exchange is given up, which raises."""
        now = self._loop.time()
        if due is not None and due <= now:
            return
        deadline = self._clocks.deadline
        expiry = deadline if limit is None else min(limit, deadline)
        if due is None or expiry < due:
            await self._sleep(expiry)
            self._over = True
            if deadline <= expiry:
                raise ExchangeFailed(FaultClass.TOTAL_TIMEOUT, "the request's deadline passed")
            message = "no first token in time" if kind is FaultClass.NO_FIRST_TOKEN else "the reply stalled"
            raise ExchangeFailed(kind, message)
        await self._sleep(due)

    async def _sleep(self, when: float) -> None:
        self._waiter = waiter = self._loop.create_future()
        timer = self._loop.call_at(when, _wake, waiter)
        try:
            await waiter
        finally:
            timer.cancel()
            self._waiter = None
        if self._over:
            raise ExchangeFailed(FaultClass.RESET, "the exchange is over")

    def _finish(self) -> None:
        self._over = True
        if self._waiter is not None:
            _wake(self._waiter)


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
