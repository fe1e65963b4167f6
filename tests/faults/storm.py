"""Random faults: three providers, each of which fails a share of its requests in every way there is."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from tests.fakes.provider import FakeProvider, Reply, Request
from tests.faults.forms import CHAT, TEXT
from tests.faults.shapes import SHAPES, good
from tests.faults.verdict import Verdict, judge
from tests.surface.gateway import Running, running
from tests.surface.stage import chat
from tests.surface.wire import Closed, ask, request

KEY = "hg-fault-storm-key-of-everything"
SHARE = 0.05
PROVIDERS = ("north", "east", "south")
TOTAL_S = 20
MENDED_S = 0.05
"""A spent balance, a refused credential or a retired model is a state, out of which only the operator leads: after so
long it is mended, and one provider at a time is in it, or nobody would be left to ask for the rest of the run."""

FAULTS = tuple(shape for shape in SHAPES[CHAT].values() if not shape.fine and not shape.tools)


class Storm:
    """A gateway over three providers that fail at random; `seen` counts how its answers came to be."""

    def __init__(self, gateway: Running, fakes: list[FakeProvider], draw: random.Random) -> None:
        self.gateway = gateway
        self.fakes = fakes
        self.draw = draw
        self.faults = 0
        self._ill = False
        self.seen: Counter[str] = Counter()
        self.misled: list[Verdict] = []
        self.served = 0
        self.asked = 0

    async def ask(self) -> None:
        """One request, streamed or not, to a first choice at random."""
        streamed, first = self.draw.random() < 0.5, self.draw.choice(PROVIDERS)
        fields: dict[str, object] = {"stream": True, "stream_options": {"include_usage": True}} if streamed else {}
        self.asked += 1
        try:
            async with asyncio.timeout(TOTAL_S * 3):
                answer = await ask(self.gateway.port, request(body=chat(f"from-{first}", **fields), key=KEY))
            verdict = judge(answer, CHAT, TEXT, streamed=streamed)
        except (TimeoutError, Closed) as error:
            verdict = Verdict(False, False, type(error).__name__)
        self.served += verdict.served
        self.seen[verdict.how] += 1
        if not verdict.honest:
            self.misled.append(verdict)

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
            if self._ill:
                return good(asked)
            self._ill = True
            asyncio.get_running_loop().call_later(MENDED_S, self._mend)
        self.faults += 1
        return reply

    def _mend(self) -> None:
        self._ill = False
        self.gateway.health.clear()

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
        gateway = await stack.enter_async_context(running("\n".join([*lines, ""])))
        there = Storm(gateway, fakes, random.Random(seed))
        for fake in fakes:
            fake.always(there.reply)
        yield there
