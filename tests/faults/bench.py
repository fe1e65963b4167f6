"""The fault bench: each fault in front of a gateway, once with another provider to turn to and once without.

`python -m tests.faults.bench` prints the table. Every case has providers of its own, so that no breaker of one case is
felt in another.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from headgate.gateway.steps import USEFUL
from headgate.types.entry import Entry
from headgate.types.fault import CLIENT_FACE, FaultClass
from tests.fakes.ports import refused_port
from tests.fakes.provider import FakeProvider, Reply, Request
from tests.faults.forms import Form
from tests.faults.shapes import ARGUMENTS, REFUSED, SHAPES, Shape, good
from tests.faults.verdict import Verdict, judge, payloads
from tests.surface.gateway import Running, running, until
from tests.surface.wire import Answer, Closed, ask, request

KEY = "hg-fault-bench-key-of-every-route"
RETRIES = 2
TOTAL_S = 6.0
GRACE_S = 10.0
"""A request that is still not answered so long after its deadline hangs."""

AT_ONCE = 12
TOOLS = [{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}]


@dataclass(frozen=True)
class Case:
    """One fault on one surface, JSON or streamed. `backed` when another provider could answer."""

    fault: str
    form: Form = field(repr=False)
    shape: Shape = field(repr=False, compare=False)
    streamed: bool
    backed: bool
    number: int

    @property
    def surface(self) -> str:
        return f"{self.form.operation.value} {'stream' if self.streamed else 'JSON'}"

    @property
    def name(self) -> str:
        return f"{self.fault}, {self.surface}, {'backed' if self.backed else 'alone'}"

    @property
    def provider(self) -> str:
        return f"p{self.number}"

    @property
    def expected(self) -> str:
        return ARGUMENTS if self.shape.tools else self.form.text if self.shape.text is None else self.shape.text


@dataclass(frozen=True)
class Row:
    """How a case went. `most` is the number of attempts on the deployment with the fault; `arrived` how many requests
    reached it: an attempt on an idle connection that turns out to be dead is sent once more, on a fresh one. `first` is
    what the ledger says of the first attempt, `told` whether an error names the fault of an attempt and lists them all.
    """

    case: Case
    verdict: Verdict
    attempts: int
    most: int
    arrived: int
    wall_s: float
    first: str
    told: bool

    @property
    def passed(self) -> bool:
        """Served where anybody could serve it, else an honest error; and nobody asked more often than allowed."""
        shape = self.case.shape
        wanted = shape.fine or (self.case.backed and not shape.final)
        few = self.most <= RETRIES + 1 and self.arrived <= 2 * self.most
        known = shape.kind is None or self.first == shape.kind
        return self.verdict.honest and self.verdict.served >= wanted and few and known and self.told


def cases() -> Iterator[Case]:
    """Every fault on every surface."""
    number = itertools.count(1)
    for form, shapes in SHAPES.items():
        for fault, shape in {**shapes, REFUSED: Shape(None, None)}.items():
            for streamed in (False, True):
                played = (shape.sse if streamed else shape.json) is not None or fault == REFUSED
                if not played or (streamed and not form.streams):
                    continue
                for backed in (True, False):
                    yield Case(fault, form, shape, streamed, backed, next(number))


def document(served: list[Case], port: int, nowhere: int) -> str:
    """A provider, and a route over it, for each case. Fine answers are given all the time they want."""
    priced = 'models: [{id: m, input_usd_per_mtok: "1", output_usd_per_mtok: "1"}, {id: other}]'
    providers = [f"  well: {{dialect: openai, base_url: 'http://127.0.0.1:{port}/well/v1', {priced}}}"]
    routes = []
    for case in served:
        there = nowhere if case.fault == REFUSED else port
        url = f"http://127.0.0.1:{there}/{case.provider}/v1"
        providers.append(f"  {case.provider}: {{dialect: openai, base_url: '{url}', {priced}}}")
        fallback = ", fallback: [well/m]" if case.backed else ""
        first_s, gap_s, total_s = (60, 60, 60) if case.shape.fine else (1.0, 1.0, TOTAL_S)
        clocks = f"timeouts: {{first_token_s: {first_s}, gap_s: {gap_s}, total_s: {total_s}}}"
        routes.append(f"  r{case.number}: {{targets: [{case.provider}/m]{fallback}, {clocks}, retries: {RETRIES}}}")
    head = f"keys: [{{name: all, secret: {KEY}}}]\nproviders:\n"
    return "\n".join([head + "\n".join(providers), "models:", *routes, ""])


class Bench:
    """A gateway that serves every case, and the server that plays all of their providers."""

    def __init__(self, gateway: Running, fake: FakeProvider) -> None:
        self.gateway = gateway
        self.fake = fake

    async def ask(self, case: Case, model: str) -> Answer:
        """One request. `user` tells the provider that is well whose answer it is to give."""
        fields: dict[str, object] = {"tools": TOOLS} if case.shape.tools else {}
        if case.streamed:
            fields |= {"stream": True, "stream_options": {"include_usage": True}}
        body = {"model": model, "user": case.provider, **case.form.asks, **fields}
        limit = b"x-headgate-timeout-s: %d\r\n" % (60 if case.shape.fine else TOTAL_S)
        return await ask(self.gateway.port, request(path=case.form.path, body=body, key=KEY, headers=limit))

    def arrived(self, case: Case) -> int:
        """The requests that reached the provider of a case."""
        return sum(one.path.startswith(f"/{case.provider}/") for one in self.fake.requests)

    async def row(self, case: Case) -> Row:
        """Ask once, and look."""
        began, answer = time.monotonic(), None
        try:
            async with asyncio.timeout(GRACE_S + (60 if case.shape.fine else TOTAL_S)):
                answer = await self.ask(case, f"r{case.number}")
            verdict = judge(answer, case.form, case.expected, streamed=case.streamed)
        except TimeoutError:
            verdict = Verdict(False, False, "HANGS")
        except Closed:
            verdict = Verdict(False, False, "CUT OFF")
        wall_s = time.monotonic() - began
        await until(lambda: any(entry.model == f"r{case.number}" for entry in self.gateway.ledger.entries))
        (entry,) = (entry for entry in self.gateway.ledger.entries if entry.model == f"r{case.number}")
        tries = [one.provider for one in entry.attempts]
        most, arrived = tries.count(case.provider), self.arrived(case)
        told = answer is None or _is_told(answer, entry)
        return Row(case, verdict, len(tries), most, arrived, wall_s, entry.attempts[0].result, told)


def _is_told(answer: Answer, entry: Entry) -> bool:
    """Whether an error is that of an attempt, and tells of each what the ledger does."""
    data = payloads(answer.body)[-1:] if answer.status == 200 else [answer.body]
    error = json.loads(data[0]).get("error") if data and data[0].startswith(b"{") else None
    if error is None:
        return True
    kinds = [FaultClass(one.result) for one in entry.attempts]
    if answer.status != 200:
        # Nothing has gone out, so of all that happened what tells most is told.
        kinds = [min(kinds, key=USEFUL.index)]
    status = answer.status if answer.status != 200 else None
    faces = [CLIENT_FACE[kind] for kind in kinds]
    # Of what the client can mend, the provider's own code is told.
    known = any(status in (None, face.status) and (face.status == 400 or error["code"] == face.code) for face in faces)
    listed = [(one["provider"], one["result"]) for one in error["attempts"]]
    return known and listed == [(one.provider, one.result) for one in entry.attempts]


@asynccontextmanager
async def bench(served: list[Case]) -> AsyncIterator[Bench]:
    by_provider = {case.provider: case for case in served}

    def respond(asked: Request) -> Reply:
        case = by_provider.get(asked.path.split("/")[1])
        if case is None:
            return good(asked, by_provider[asked.json()["user"]].shape.text)
        reply = case.shape.sse if asked.json().get("stream") else case.shape.json
        assert reply is not None, "there is no such case"
        return reply

    async with FakeProvider() as fake:
        fake.always(respond)
        async with running(document(served, fake.port, refused_port())) as gateway:
            yield Bench(gateway, fake)


async def run(there: Bench, served: list[Case], at_once: int = AT_ONCE) -> list[Row]:
    """Every case, several at once."""
    gate = asyncio.Semaphore(at_once)

    async def one(case: Case) -> Row:
        async with gate:
            return await there.row(case)

    rows = await asyncio.gather(*(one(case) for case in served))
    await there.gateway.until_idle()
    return rows


async def rows_of(served: list[Case]) -> list[Row]:
    """How each of these cases goes, in a gateway of their own."""
    async with bench(served) as there:
        return await run(there, served)


def table(rows: list[Row]) -> str:
    lines = [f"{'fault':<26}{'as':<19}{'others':<8}{'verdict':<42}{'attempts':>8}{'ms':>8}"]
    for row in rows:
        case = row.case
        columns = f"{case.fault:<26}{case.surface:<19}{'yes' if case.backed else 'no':<8}"
        mark = "" if row.passed else "  FAILED"
        lines.append(f"{columns}{row.verdict.how:<42}{row.attempts:>8}{row.wall_s * 1000:>8.0f}{mark}")
    return "\n".join([*lines, "", f"{sum(row.passed for row in rows)} of {len(rows)} passed"])


def main() -> None:
    """Print the table; exit with 1 when a case failed."""
    rows = asyncio.run(rows_of(list(cases())))
    print(table(rows))
    sys.exit(not all(row.passed for row in rows))


if __name__ == "__main__":
    main()
