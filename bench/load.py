"""The load: keep-alive JSON requests in a closed or an open loop, and streams, with every answer checked."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from time import perf_counter

from bench import wire
from bench.exchange import Exchange

_KEPT_FAULTS = 5


@dataclass
class Tally:
    """What a phase saw: answers that were right, their content events and the reads these came in, and the faults."""

    done: int = 0
    events: int = 0
    reads: int = 0
    failed: int = 0
    faults: list[str] = field(default_factory=list)

    def fail(self, fault: str) -> None:
        self.failed += 1
        if len(self.faults) < _KEPT_FAULTS:
            self.faults.append(fault)


async def connect(port: int, exchange: Exchange) -> None:
    await asyncio.get_running_loop().create_connection(lambda: exchange, "127.0.0.1", port)


async def closed_loop(port: int, requests: int, connections: int, limit_s: float) -> Tally:
    """That many JSON requests, each connection sending the next one when its answer is there."""
    tally = Tally()
    left = requests
    open_now = 0
    ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def replied(exchange: Exchange, fault: str) -> None:
        nonlocal left, open_now
        if fault:
            tally.fail(fault)
        else:
            tally.done += 1
        if left > 0 and not exchange.transport.is_closing():
            left -= 1
            exchange.send()
            return
        open_now -= 1
        if not open_now:
            ended.set_result(None)

    request = wire.chat_request(port)
    exchanges = [Exchange(request, replied) for _ in range(min(connections, requests))]
    for exchange in exchanges:
        await connect(port, exchange)
    open_now = len(exchanges)
    left -= open_now
    for exchange in exchanges:
        exchange.send()
    await _within(ended, limit_s, tally)
    _close(exchanges)
    if tally.done + tally.failed < requests:
        tally.fail(f"{requests - tally.done - tally.failed} requests were never answered")
    return tally


async def open_loop(port: int, rate: float, seconds: float) -> tuple[list[float], Tally]:
    """JSON requests at a fixed rate whatever the answers do; (latencies in seconds, tally).

    A latency counts from the moment of writing, because the loop's timers tick in milliseconds.
    """
    loop = asyncio.get_running_loop()
    tally = Tally()
    latencies: list[float] = []
    free: deque[Exchange] = deque()
    every: list[Exchange] = []
    requests = int(rate * seconds)
    ended: asyncio.Future[None] = loop.create_future()

    def replied(exchange: Exchange, fault: str) -> None:
        latencies.append(perf_counter() - exchange.waiting)
        if fault:
            tally.fail(fault)
        else:
            tally.done += 1
            free.append(exchange)
        if len(latencies) == requests:
            ended.set_result(None)

    request = wire.chat_request(port)

    async def another() -> None:
        every.append(Exchange(request, replied))
        await connect(port, every[-1])
        free.append(every[-1])

    for _ in range(16):
        await another()
    start = loop.time()
    for number in range(requests):
        await asyncio.sleep(max(0.0, start + number / rate - loop.time()))
        if not free:
            await another()
        free.popleft().send()
    await _within(ended, 10, tally)
    _close(every)
    return latencies, tally


async def streams(
    port: int,
    count: int,
    words: int,
    gap_ms: int,
    limit_s: float,
    *,
    usage: bool = False,
    all_open: Callable[[], None] | None = None,
) -> Tally:
    """That many streams at once, each on its own connection; `all_open` is called while every one of them is open;
    when given, streams stop after their first content event until the bell rings."""
    tally = Tally()
    ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    begun = over = 0

    def began() -> None:
        nonlocal begun
        begun += 1
        if begun == count and all_open:
            all_open()

    def replied(exchange: Exchange, fault: str) -> None:
        nonlocal over
        over += 1
        if not exchange.begun:
            began()
        if fault:
            tally.fail(fault)
        else:
            tally.done += 1
            tally.events += words
            tally.reads += exchange.reads
        exchange.transport.close()
        if over == count:
            ended.set_result(None)

    request = wire.chat_request(port, stream=(words, gap_ms), usage=usage, held=all_open is not None)
    exchanges = [Exchange(request, replied, words=words, usage=usage, began=began) for _ in range(count)]
    for first in range(0, count, 50):
        batch = exchanges[first : first + 50]
        await asyncio.gather(*(connect(port, exchange) for exchange in batch))
        for exchange in batch:
            exchange.send()
    await _within(ended, limit_s, tally)
    _close(exchanges)
    if tally.done + tally.failed < count:
        tally.fail(f"{count - tally.done - tally.failed} streams never ended")
    return tally


async def _within(ended: asyncio.Future[None], limit_s: float, tally: Tally) -> None:
    try:
        await asyncio.wait_for(asyncio.shield(ended), limit_s)
    except TimeoutError:
        tally.fail(f"not over within {limit_s:.0f} s")


def _close(exchanges: list[Exchange]) -> None:
    for exchange in exchanges:
        exchange.busy = False
        exchange.transport.close()
