"""What most tests of the surface have in common: a document, a gateway that serves it, and the provider behind it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from headgate.types.script import Script
from tests.fakes.ports import refused_port
from tests.fakes.provider import FakeProvider, event_reply, json_reply
from tests.surface.gateway import Running
from tests.surface.wire import Answer, Wire, ask, request

KEY = "hg-surface-tests-key-of-everything"
NARROW = "hg-surface-tests-key-of-few-models"
PINNED = "hg-surface-tests-key-of-one-pinned-id"
CREDENTIAL = "canary-credential-7f3a9c51"
LLAMA = "acme/Llama-3.1-8B-Instruct"

# input, cached input and output: prices whose products do not fit a float.
PRICES = 'input_usd_per_mtok: "0.1234567", cached_input_usd_per_mtok: "0.0123457", output_usd_per_mtok: "0.7654321"'


def document(fake: FakeProvider, *, nowhere: str | None = None) -> str:
    """The usual document over one fake provider, which stands behind several entries."""
    server = f"dialect: openai, base_url: {fake.base_url}, api_key: {CREDENTIAL}"
    return f"""
server: {{max_body_mb: 1, body_timeout_s: 1}}
retries: 0
keys:
  - {{name: everything, secret: {KEY}}}
  - {{name: few, secret: {NARROW}, models: ["fast-*", "acme/only:this"]}}
  - {{name: pinned, secret: {PINNED}, models: ["dear/*"]}}
providers:
  fake:
    {server.replace(", ", chr(10) + "    ")}
    models:
      - {{id: {LLAMA}, {PRICES}}}
      - {{id: "acme/only:this"}}
      - {{id: acme/embed, kind: embedding, input_usd_per_mtok: "0.02"}}
      - {{id: acme/text, kind: completion}}
      - {{id: "fine-*"}}
  dear: {{{server}, models: [{{id: {LLAMA}, input_usd_per_mtok: "9", output_usd_per_mtok: "9"}}]}}
  strict: {{{server}, quirks: [no_user, no_logit_bias], models: [{{id: strict-1}}]}}
  open: {{{server}}}
  groq: {{base_url: "{fake.base_url}", api_key: {CREDENTIAL}}}
  mistral: {{base_url: "{fake.base_url}", api_key: {CREDENTIAL}}}
  nowhere:
    dialect: openai
    base_url: {nowhere or f"http://127.0.0.1:{refused_port()}/v1"}
    models: [{{id: gone}}]
  sandbox:
models:
  fast-llama: {{targets: [fake/{LLAMA}, dear/{LLAMA}]}}
  hasty: {{targets: [fake/{LLAMA}], timeouts: {{first_token_s: 0.3, gap_s: 0.3}}}}
  "ft-*": {{targets: ["open/tuned-*"]}}
"""


@dataclass
class Stage:
    """A gateway and the fake provider behind it."""

    gateway: Running
    fake: FakeProvider

    @property
    def port(self) -> int:
        return self.gateway.port

    async def chat(self, model: str = "fast-llama", *, headers: bytes = b"", key: str = KEY, **fields: Any) -> Answer:
        """One chat request on a connection of its own."""
        return await ask(self.port, request(body=chat(model, **fields), key=key, headers=headers))

    async def get(self, path: str, key: str | None = KEY) -> Answer:
        return await ask(self.port, request("GET", path, key=key))

    async def wire(self) -> Wire:
        return await Wire.open(self.port)


def chat(model: str = "fast-llama", **fields: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": "Say hello."}], **fields}


def completion(text: str = "Hello.", **usage: Any) -> Script:
    """A whole answer, with usage when some is given."""
    body: dict[str, Any] = {
        "id": "c1",
        "object": "chat.completion",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
    }
    return json_reply(body | ({"usage": usage} if usage else {}))


def chunk(content: str | None, finish: str | None = None, **fields: Any) -> dict[str, Any]:
    delta = {} if content is None else {"content": content}
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {"id": "c1", "object": "chat.completion.chunk", "model": "m", "choices": [choice], **fields}


def stream(*texts: str, tail: Sequence[Any] = (), delay_s: float = 0.0) -> Script:
    """A stream of these texts that ends as it should."""
    return event_reply(*[chunk(text) for text in texts], chunk(None, "stop"), *tail, delay_s=delay_s)


def event(value: Any) -> bytes:
    return b"data: " + json.dumps(value).encode() + b"\n\n"
