"""Random faults: three providers, each of which fails a share of its requests in every way there is."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from headgate.types.deployment import Candidate
from headgate.types.policy import HealthPolicy
from tests.fakes.provider import FakeProvider, Reply, Request
from tests.faults.forms import CHAT, TEXT
from tests.faults.shapes import SHAPES, good
from tests.faults.verdict import Verdict, judge
from tests.surface.gateway import Running, running
from tests.surface.stage import chat
from tests.surface.wire import Closed, Wire, ask, request

KEY = "hg-fault-storm-key-of-everything"
SHARE = 0.05
PROVIDERS = ("north", "east", "south")
TOTAL_S = 20
MENDED_S = 0.05
NOTICED_S = 2.0
"""A spent balance, a refused credential or a retired model is a state, out of which only the operator leads. One
provider at a time is in it, or nobody would be left to ask for the rest of the run: so long after the gateway has
noticed, or could have, the operator mends it. What has happened to the others is not forgotten with it."""

LEAVES = 0.02
"""The share of clients that do not wait for the end."""

HEDGED = 0.2
"""The share of requests to routes that hedge."""

LASTS_S = 60.0
"""Who sits out for longer than this is in such a state; other limits and breakers take care of themselves."""

GRACE_S = 5.0
"""A request that is still not answered so long after its deadline hangs."""

FAULTS = tuple(shape for shape in SHAPES[CHAT].values() if not shape.fine and not shape.tools)


class Storm:
    """A gateway over three providers that fail at random; `seen` counts how its answers came to be."""

    def __init__(self, gateway: Running, fakes: list[FakeProvider], draw: random.Random) -> None:
        self.gateway = gateway
        self.fakes = fakes
        self.draw = draw
        self.faults = 0
        self.left = 0
        self._ill: asyncio.Task[None] | None = None
        self.seen: Counter[str] = Counter()
        self.misled: list[Verdict] = []
        self.served = 0
        self.asked = 0

    async def ask(self) -> None:
        """One request, streamed or not, to a first choice at random, whose client may leave before it is answered."""
        streamed, first = self.draw.random() < 0.5, self.draw.choice(PROVIDERS)
        fields: dict[str, object] = {"stream": True, "stream_options": {"include_usage": True}} if streamed else {}
        route = "hedged" if self.draw.random() < HEDGED else "from"
        asked = request(body=chat(f"{route}-{first}", **fields), key=KEY)
        if self.draw.random() < LEAVES:
            await self._leave(asked)
            return
        self.asked += 1
        try:
            async with asyncio.timeout(TOTAL_S + GRACE_S):
                answer = await ask(self.gateway.port, asked)
            verdict = judge(answer, CHAT, TEXT, streamed=streamed)
        except (TimeoutError, Closed) as error:
            verdict = Verdict(False, False, type(error).__name__)
        self.served += verdict.served
        self.seen[verdict.how] += 1
        if not verdict.honest:
            self.misled.append(verdict)

    async def _leave(self, asked: bytes) -> None:
        self.left += 1
        async with await Wire.open(self.gateway.port) as wire:
            await wire.send(asked)
            await asyncio.sleep(self.draw.random() * 0.1)

    async def at_once(self, requests: int, clients: int) -> None:
        """So many requests by so many clients."""
        left = iter(range(requests))

        async def client() -> None:
            for _ in left:
                await self.ask()

        await asyncio.gather(*(client() for _ in range(clients)))

    @property
    def success(self) -> float:
        return self.served / self.asked

    def reply(self, asked: Request) -> Reply:
        """What a provider does: mostly what it should."""
        if self.draw.random() >= SHARE:
            return good(asked)
        streamed = bool(asked.json().get("stream"))
        shape = self.draw.choice([one for one in FAULTS if (one.sse if streamed else one.json) is not None])
        reply = shape.sse if streamed else shape.json
        assert reply is not None, "only such shapes are drawn from"
        if shape.lasting:
            if self._ill is not None and not self._ill.done():
                return good(asked)
            name = next(name for name, fake in zip(PROVIDERS, self.fakes, strict=True) if asked in fake.requests[-1:])
            self._ill = asyncio.get_running_loop().create_task(self._mend(name))
        self.faults += 1
        return reply

    def _lasts(self, one: Candidate, now: float) -> bool:
        until = self.gateway.health.standing(one, now, HealthPolicy()).until
        return until is not None and until - now > LASTS_S

    async def _mend(self, name: str) -> None:
        deployments = self.gateway.published.current.pins[name]["m"]
        ill = [Candidate(one, "m") for one in deployments]
        health, loop = self.gateway.health, asyncio.get_running_loop()
        until = loop.time() + NOTICED_S
        while loop.time() < until:
            await asyncio.sleep(MENDED_S)
            noticed = [one for one in ill if self._lasts(one, loop.time())]
            for one in noticed:
                health.forget(one)
            if noticed:
                return

    def forget(self) -> None:
        """Drop what the bookkeeping of the test itself keeps of every request."""
        for fake in self.fakes:
            fake.requests.clear()
        self.gateway.ledger.entries.clear()


@asynccontextmanager
async def storm(seed: int) -> AsyncIterator[Storm]:
    async with AsyncExitStack() as stack:
        fakes = [await stack.enter_async_context(FakeProvider()) for _ in PROVIDERS]
        price = 'models: [{id: m, input_usd_per_mtok: "1", output_usd_per_mtok: "1"}]'
        lines = [f"keys: [{{name: all, secret: {KEY}}}]", "providers:"]
        lines += [
            f"  {name}: {{dialect: openai, base_url: {fake.base_url}, {price}}}"
            for name, fake in zip(PROVIDERS, fakes, strict=True)
        ]
        lines.append("models:")
        clocks = f"timeouts: {{first_token_s: 0.5, gap_s: 0.5, total_s: {TOTAL_S}}}"
        for at, name in enumerate(PROVIDERS):
            others = ", ".join(f"{other}/m" for other in PROVIDERS[at + 1 :] + PROVIDERS[:at])
            lines.append(f"  from-{name}: {{targets: [{name}/m], fallback: [{others}], {clocks}}}")
            hedge = "hedge: {after: 0.1, budget: 5%}"
            lines.append(f"  hedged-{name}: {{targets: [{name}/m], fallback: [{others}], {clocks}, {hedge}}}")
        gateway = await stack.enter_async_context(running("\n".join([*lines, ""])))
        there = Storm(gateway, fakes, random.Random(seed))
        for fake in fakes:
            fake.always(there.reply)
        yield there
