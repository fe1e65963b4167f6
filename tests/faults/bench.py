"""The fault bench: each fault in front of a gateway, once with another provider to turn to and once without.

`python -m tests.faults.bench` prints the table. Every case has providers of its own, so that no breaker of one case is
felt in another.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tests.fakes.provider import FakeProvider, Reply, Request
from tests.fakes.sockets import refused_port
from tests.faults.shapes import REFUSED, SHAPES, Shape, good
from tests.faults.verdict import Verdict, judge
from tests.surface.gateway import Running, running, until
from tests.surface.stage import chat
from tests.surface.wire import Closed, ask, request

KEY = "hg-fault-bench-key-of-every-route"
RETRIES = 2
TOTAL_S = 6.0
GRACE_S = 10.0
"""A request that is still not answered so long after its deadline hangs."""

AT_ONCE = 12
TOOLS = [{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}]


@dataclass(frozen=True)
class Case:
    """One fault, JSON or streamed. `backed` when another provider could answer."""

    fault: str
    streamed: bool
    backed: bool
    number: int

    @property
    def shape(self) -> Shape:
        return SHAPES.get(self.fault, Shape(None, None))

    @property
    def name(self) -> str:
        return f"{self.fault}, {'stream' if self.streamed else 'JSON'}, {'backed' if self.backed else 'alone'}"

    @property
    def provider(self) -> str:
        return f"p{self.number}"


@dataclass(frozen=True)
class Row:
    """How a case went. `most` is the number of attempts on the deployment with the fault; `arrived` how many requests
    reached it: an attempt on an idle connection that turns out to be dead is sent once more, on a fresh one."""

    case: Case
    verdict: Verdict
    attempts: int
    most: int
    arrived: int
    wall_s: float

    @property
    def passed(self) -> bool:
        """Served where anybody could serve it, else an honest error; and nobody asked more often than allowed."""
        wanted = self.case.backed or self.case.shape.fine
        few = self.most <= RETRIES + 1 and self.arrived <= 2 * self.most
        return self.verdict.honest and self.verdict.served >= wanted and few


def cases() -> Iterator[Case]:
    number = 0
    for fault in (*SHAPES, REFUSED):
        for streamed in (False, True):
            shape = SHAPES.get(fault)
            if shape is not None and (shape.sse if streamed else shape.json) is None:
                continue
            for backed in (True, False):
                number += 1
                yield Case(fault, streamed, backed, number)


def document(served: list[Case], port: int, nowhere: int) -> str:
    """A provider, and a route over it, for each case. Fine answers are given all the time they want."""
    priced = 'models: [{id: m, input_usd_per_mtok: "1", output_usd_per_mtok: "1"}]'
    providers = [f"  well: {{dialect: openai, base_url: 'http://127.0.0.1:{port}/well/v1', {priced}}}"]
    routes = []
    for case in served:
        there = nowhere if case.fault == REFUSED else port
        url = f"http://127.0.0.1:{there}/{case.provider}/v1"
        providers.append(f"  {case.provider}: {{dialect: openai, base_url: '{url}', {priced}}}")
        fallback = ", fallback: [well/m]" if case.backed else ""
        first_s, gap_s, total_s = (60, 60, 60) if case.shape.fine else (0.3, 0.3, TOTAL_S)
        clocks = f"timeouts: {{first_token_s: {first_s}, gap_s: {gap_s}, total_s: {total_s}}}"
        routes.append(f"  r{case.number}: {{targets: [{case.provider}/m]{fallback}, {clocks}, retries: {RETRIES}}}")
    head = f"keys: [{{name: all, secret: {KEY}}}]\nproviders:\n"
    return "\n".join([head + "\n".join(providers), "models:", *routes, ""])


class Bench:
    """A gateway that serves every case, and the server that plays all of their providers."""

    def __init__(self, gateway: Running, fake: FakeProvider) -> None:
        self.gateway = gateway
        self.fake = fake

    async def row(self, case: Case) -> Row:
        """Ask once, and look."""
        fields: dict[str, object] = {"tools": TOOLS} if case.shape.tools else {}
        if case.streamed:
            fields |= {"stream": True, "stream_options": {"include_usage": True}}
        began = time.monotonic()
        try:
            async with asyncio.timeout(GRACE_S + (60 if case.shape.fine else TOTAL_S)):
                answer = await ask(self.gateway.port, request(body=chat(f"r{case.number}", **fields), key=KEY))
            verdict = judge(answer, case.shape.text, streamed=case.streamed, tools=case.shape.tools)
        except TimeoutError:
            verdict = Verdict(False, False, "HANGS")
        except Closed:
            verdict = Verdict(False, False, "CUT OFF")
        wall_s = time.monotonic() - began
        await until(lambda: any(entry.model == f"r{case.number}" for entry in self.gateway.ledger.entries))
        (entry,) = (entry for entry in self.gateway.ledger.entries if entry.model == f"r{case.number}")
        tries = [one.provider for one in entry.attempts]
        arrived = sum(one.path.startswith(f"/{case.provider}/") for one in self.fake.requests)
        return Row(case, verdict, len(tries), tries.count(case.provider), arrived, wall_s)


@asynccontextmanager
async def bench(served: list[Case]) -> AsyncIterator[Bench]:
    by_provider = {case.provider: case for case in served}

    def respond(asked: Request) -> Reply:
        case = by_provider.get(asked.path.split("/")[1])
        if case is None:
            return good(asked)
        reply = case.shape.sse if asked.json().get("stream") else case.shape.json
        assert reply is not None, "there is no such case"
        return reply

    async with FakeProvider() as fake:
        fake.always(respond)
        async with running(document(served, fake.port, refused_port())) as gateway:
            yield Bench(gateway, fake)


async def run(served: list[Case]) -> list[Row]:
    """Every case, several at once."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(there: Bench, case: Case) -> Row:
        async with gate:
            return await there.row(case)

    async with bench(served) as there:
        rows = await asyncio.gather(*(one(there, case) for case in served))
        await there.gateway.until_idle()
        return rows


def table(rows: list[Row]) -> str:
    lines = [f"{'fault':<26}{'as':<8}{'others':<8}{'verdict':<42}{'attempts':>8}{'ms':>8}"]
    for row in rows:
        case = row.case
        columns = f"{case.fault:<26}{'stream' if case.streamed else 'JSON':<8}{'yes' if case.backed else 'no':<8}"
        mark = "" if row.passed else "  FAILED"
        lines.append(f"{columns}{row.verdict.how:<42}{row.attempts:>8}{row.wall_s * 1000:>8.0f}{mark}")
    return "\n".join([*lines, "", f"{sum(row.passed for row in rows)} of {len(rows)} passed"])


def main() -> None:
    """Print the table; exit with 1 when a case failed."""
    rows = asyncio.run(run(list(cases())))
    print(table(rows))
    sys.exit(not all(row.passed for row in rows))


if __name__ == "__main__":
    main()
