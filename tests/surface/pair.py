"""A gateway with a first choice and a second, for tests of what happens when the first fails."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from headgate.types.script import Ending, Script, Step
from tests.fakes.provider import FakeProvider
from tests.surface.gateway import Running, running
from tests.surface.stage import chat, chunk, completion, event
from tests.surface.wire import Answer, Wire, ask, events, request

KEY = "hg-surface-tests-key-of-fallbacks"
SSE = (("content-type", "text/event-stream"),)
USAGE: dict[str, Any] = {"prompt_tokens": 9, "completion_tokens": 3}


@dataclass
class Pair:
    """A gateway with a first choice and a second."""

    gateway: Running
    first: FakeProvider
    second: FakeProvider

    async def chat(self, model: str = "pair", **fields: Any) -> Answer:
        return await ask(self.gateway.port, request(body=chat(model, **fields), key=KEY))

    async def text(self, model: str = "pair", **fields: Any) -> tuple[str, bool, dict[str, Any]]:
        """The text of a streamed answer, whether it ended as a whole one, and the gateway's note or the error."""
        asked = {"stream": True, "stream_options": {"include_usage": True}, **fields}
        async with await Wire.open(self.gateway.port) as wire:
            await wire.send(request(body=chat(model, **asked), key=KEY))
            answer = await wire.answer()
        found = events(answer.body)
        text, note = "", dict[str, Any]()
        for data in found:
            if data == b"[DONE]":
                continue
            one = json.loads(data)
            note = one.get("headgate") or one.get("error") or note
            for choice in one.get("choices", ()):
                text += choice["delta"].get("content") or ""
        return text, found[-1] == b"[DONE]", note


@asynccontextmanager
async def pair(
    route: str = "", capable: str = "", key: str = "", top: str = "", first_url: str | None = None
) -> AsyncIterator[Pair]:
    async with AsyncExitStack() as stack:
        one, two = await stack.enter_async_context(FakeProvider()), await stack.enter_async_context(FakeProvider())
        for fake in (one, two):
            fake.always(completion(**USAGE))
        price = f'input_usd_per_mtok: "1", output_usd_per_mtok: "1"{capable}'
        document = f"""{top}
keys: [{{name: all, secret: {KEY}{key}}}]
providers:
  first: {{dialect: openai, base_url: "{first_url or one.base_url}", models: [{{id: m, {price}}}]}}
  second: {{dialect: openai, base_url: {two.base_url}, models: [{{id: m, {price}}}]}}
models:
  pair: {{targets: [first/m], fallback: [second/m]{route}}}
  alone: {{targets: [first/m]{route}}}
  two: {{targets: [second/m]{route}}}
  plain: {{targets: [first/m], fallback: [second/m]}}
"""
        yield Pair(await stack.enter_async_context(running(document)), one, two)


def cut(*texts: str, ending: Ending = Ending.CUT) -> Script:
    return Script(headers=SSE, steps=tuple(Step(0.0, event(chunk(text))) for text in texts), ending=ending)
