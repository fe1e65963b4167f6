"""Load on a running gateway whose every answer is known beforehand to the token, and a provider that counts.

Client and provider draw nothing on their own: what a request is to use stands in the request itself, so that after any
crash it can be said what the books must hold. Everything here runs in threads; the test itself may wait and kill.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import msgspec

from tests.fakes.provider import FakeProvider, event_reply, json_reply
from tests.fakes.replies import Reply, Request

KEY = "hg-key-of-the-load-0123456789"
MODEL = "odd"
# Pico-dollars for a million tokens; none divides a million, so that every cost is rounded.
PRICES = {
    "input": 1_234_567_891_234,
    "cached_input": 98_765_432_109,
    "output": 7_654_321_987_654,
    "reasoning": 9_876_543_210_987,
}
DOCUMENT = """\
keys: [{{name: load, secret: {key}, budget: {{usd: "{usd}", per: total}}, limits: {{concurrent: 500}}}}]
providers:
  counting:
    dialect: openai
    base_url: {base_url}
    api_key: secret-of-the-counting-provider
    models:
      - id: {model}
        max_output_tokens: 10000
        input_usd_per_mtok: "1.234567891234"
        cached_input_usd_per_mtok: "0.098765432109"
        output_usd_per_mtok: "7.654321987654"
        reasoning_usd_per_mtok: "9.876543210987"
{more}
"""
TIMEOUT_S = 60.0


def document(base_url: str, more: str = "", usd: str = "1000000") -> str:
    return DOCUMENT.format(key=KEY, base_url=base_url, model=MODEL, more=more, usd=usd)


def cost_pusd(tokens: dict[str, int]) -> int:
    """What tokens by class cost at `PRICES`, rounded half up once."""
    return (sum(count * PRICES[name] for name, count in tokens.items()) + 500_000) // 1_000_000


@dataclass(frozen=True)
class Draw:
    """One request and what its answer will say. No two have the same number of prompt tokens."""

    number: int
    stream: bool
    cached: int
    completion: int
    reasoning: int
    pause_s: float

    @property
    def prompt(self) -> int:
        return 1_000 + self.number

    @property
    def tokens(self) -> dict[str, int]:
        """By class, as the books have them."""
        return {
            "input": self.prompt - self.cached,
            "cached_input": self.cached,
            "output": self.completion - self.reasoning,
            "reasoning": self.reasoning,
        }

    @property
    def cost_pusd(self) -> int:
        return cost_pusd(self.tokens)

    @property
    def usage(self) -> dict[str, Any]:
        """As an OpenAI-compatible provider writes it."""
        return {
            "prompt_tokens": self.prompt,
            "completion_tokens": self.completion,
            "total_tokens": self.prompt + self.completion,
            "prompt_tokens_details": {"cached_tokens": self.cached},
            "completion_tokens_details": {"reasoning_tokens": self.reasoning},
        }

    def body(self) -> bytes:
        asked: dict[str, Any] = {"model": MODEL, "max_tokens": self.completion}
        if self.stream:
            asked |= {"stream": True, "stream_options": {"include_usage": True}}
        # A prompt of so many tokens has at least so many bytes.
        padding = {"role": "user", "content": "x" * self.prompt}
        wanted = {"role": "user", "content": json.dumps(vars(self))}
        return json.dumps(asked | {"messages": [wanted, padding]}).encode()


def draw(number: int, rng: random.Random) -> Draw:
    completion = rng.randint(1, 500)
    return Draw(
        number=number,
        stream=rng.random() < 0.5,
        cached=rng.randint(0, 999),
        completion=completion,
        reasoning=rng.randint(0, completion),
        pause_s=rng.choice((0.0, 0.0, 0.003, 0.02)),
    )


class CountingProvider(FakeProvider):
    """Answers every request with the usage that it asks for. `asked` counts requests by the draw's number."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: Counter[int] = Counter()
        self.always(self._answer)

    def _answer(self, request: Request) -> Reply:
        # What was asked is counted, not kept: a long load would fill the memory.
        self.requests.clear()
        wanted = Draw(**json.loads(request.json()["messages"][0]["content"]))
        self.asked[wanted.number] += 1
        return stream_of(wanted) if wanted.stream else whole_of(wanted)


def whole_of(wanted: Draw) -> Reply:
    answer = {
        "id": f"chatcmpl-{wanted.number}",
        "object": "chat.completion",
        "created": 1,
        "model": MODEL,
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "done"}, "finish_reason": "stop"}],
        "usage": wanted.usage,
    }
    return msgspec.structs.replace(json_reply(answer), head_delay_s=wanted.pause_s)


def stream_of(wanted: Draw) -> Reply:
    def chunk(choices: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
        head = {"id": f"chatcmpl-{wanted.number}", "object": "chat.completion.chunk", "created": 1, "model": MODEL}
        return head | {"choices": choices} | more

    words = [chunk([{"index": 0, "delta": {"content": "word "}, "finish_reason": None}]) for _ in range(4)]
    end = chunk([{"index": 0, "delta": {}, "finish_reason": "stop"}])
    return event_reply(*words, end, chunk([], usage=wanted.usage), delay_s=wanted.pause_s)


@contextmanager
def counting_provider() -> Iterator[CountingProvider]:
    """The provider on a loop and a thread of its own."""
    provider = CountingProvider()
    loop = asyncio.new_event_loop()
    up, over = threading.Event(), asyncio.Event()

    async def serve() -> None:
        async with provider:
            up.set()
            await over.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),), daemon=True)
    thread.start()
    try:
        assert up.wait(TIMEOUT_S)
        yield provider
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join(TIMEOUT_S)
        loop.close()


@dataclass
class Answers:
    """What clients got. `received` are whole answers by their request id, `refused` whole errors."""

    sent: int = 0
    received: dict[str, Draw] = field(default_factory=dict)
    refused: Counter[tuple[int, str]] = field(default_factory=Counter)
    broken: int = 0
    left: int = 0
    wrong: list[str] = field(default_factory=list)
    slowest_s: float = 0.0

    @property
    def spent_pusd(self) -> int:
        """What the whole answers cost."""
        return sum(one.cost_pusd for one in list(self.received.values()))


class Load:
    """Clients that ask without end, each on one connection at a time, of whatever listens on `port`; None is nobody.

    Of `leaving` of a thousand requests the client leaves in the middle.
    """

    def __init__(self, clients: int = 16, *, seed: int = 7, leaving: int = 0) -> None:
        self.port: int | None = None
        self.answers = Answers()
        self._leaving = leaving
        self._guard = threading.Lock()
        self._rng = random.Random(seed)
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._client, daemon=True) for _ in range(clients)]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def end(self) -> None:
        """Let every client finish what it is at."""
        self._over.set()
        for thread in self._threads:
            thread.join(TIMEOUT_S)
            assert not thread.is_alive(), "a client still waits for its answer"

    def until(self, received: int) -> None:
        """Wait for so many whole answers more."""
        goal = len(self.answers.received) + received
        self._until(lambda: len(self.answers.received) >= goal)

    def until_refused(self, refused: int) -> None:
        """Wait for so many whole errors more."""
        goal = self.answers.refused.total() + refused
        self._until(lambda: self.answers.refused.total() >= goal)

    def _until(self, reached: Callable[[], bool]) -> None:
        deadline = time.monotonic() + TIMEOUT_S
        while not reached():
            got = f"{len(self.answers.received)} answers, refused {self.answers.refused}"
            assert time.monotonic() < deadline, f"no more than {got}, {self.answers.broken} broken"
            time.sleep(0.005)

    def _client(self) -> None:
        connection: http.client.HTTPConnection | None = None
        port: int | None = None
        while not self._over.is_set():
            if connection is None or port is None or port != self.port:
                port = self.port
                if port is None:
                    time.sleep(0.005)
                    continue
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
            with self._guard:
                self.answers.sent += 1
                wanted = draw(self.answers.sent, self._rng)
                leaves = self._rng.randrange(1000) < self._leaving
            try:
                self._ask(connection, wanted, leaves)
            except (OSError, http.client.HTTPException):
                with self._guard:
                    self.answers.broken += 1
                connection.close()
                time.sleep(0.005)
        if connection is not None:
            connection.close()

    def _ask(self, connection: http.client.HTTPConnection, wanted: Draw, leaves: bool) -> None:
        began = time.monotonic()
        headers = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}
        connection.request("POST", "/v1/chat/completions", wanted.body(), headers)
        if leaves:
            time.sleep(wanted.pause_s)
            connection.close()
            with self._guard:
                self.answers.left += 1
            return
        reply = connection.getresponse()
        body = reply.read()
        with self._guard:
            self.answers.slowest_s = max(self.answers.slowest_s, time.monotonic() - began)
            self._judge(wanted, reply, body)

    def _judge(self, wanted: Draw, reply: http.client.HTTPResponse, body: bytes) -> None:
        if reply.status != 200:
            error = json.loads(body)["error"]
            self.answers.refused[reply.status, error["code"]] += 1
        elif wanted.stream and not body.endswith(b"data: [DONE]\n\n"):
            # It ends well as HTTP goes, with an error of the gateway inside.
            self.answers.broken += 1
        else:
            usage = _last_usage(body) if wanted.stream else json.loads(body)["usage"]
            if usage["total_tokens"] != wanted.prompt + wanted.completion:
                self.answers.wrong.append(f"asked for {wanted}, was told {usage}")
            id_ = reply.getheader("x-request-id")
            if id_ is None or id_ in self.answers.received:
                self.answers.wrong.append(f"request id {id_}")
            else:
                self.answers.received[id_] = wanted


def _last_usage(body: bytes) -> Any:
    events = [line.removeprefix(b"data: ") for line in body.split(b"\n") if line.startswith(b"data: {")]
    return json.loads(events[-1])["usage"]
