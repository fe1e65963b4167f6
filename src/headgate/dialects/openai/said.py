"""What a client has been sent of an answer, folded from the events it got.

Read only when a stream has broken, so it is thorough rather than fast. Chat chunks carry text in `delta.content`,
text completions in `choices[].text`; a model's thoughts are `reasoning_content` or `reasoning`, by provider.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from headgate.types.deployment import Body
from headgate.wire import json, sse

IDENTITY = ("id", "object", "created", "model", "system_fingerprint")
"""Fields of a chunk that tell which answer it belongs to; they are the same in all chunks of one."""

THOUGHTS = ("reasoning_content", "reasoning", "reasoning_details")
"""Where a delta has a model's thoughts."""

NOT_TEXT = ("tool_calls", "function_call", "audio", "refusal", "images")
"""What a delta may have of an answer beside its text."""

_FIRST = (None, 0)
_EMPTY = (b"null", b'""', b"{}", b"[]")


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """An answer as far as a client has it.

    `text`       the text of the only answer; with several, of the first
    `reasoning`  the thoughts that came beside it
    `only_text`  false when there was anything else: tool calls, audio, a refusal, images, log probabilities, a second
                 answer, content as a list of parts, an event that cannot be read
    `finished`   a finish reason was sent: nothing can be added
    `role_sent`  a delta said whose turn it is
    `identity`   the fields of `IDENTITY`, each with the first value that says something, as it came
    """

    text: str = ""
    reasoning: str = ""
    only_text: bool = True
    finished: bool = False
    role_sent: bool = False
    identity: Body = {}

    @property
    def recoverable(self) -> bool:
        """Whether another stream can carry the answer on: there is nothing but text, and no end."""
        return self.only_text and not self.finished

    @staticmethod
    def of(events: Iterable[bytes]) -> Said:
        """Fold the events a client was sent, in their order; each item is one whole event or several."""
        fold = _Fold()
        for run in events:
            for event in sse.split(run):
                data = sse.data_of(event)
                if data and data.strip() != b"[DONE]":
                    fold.take(data)
        return Said(
            text="".join(fold.text),
            reasoning="".join(fold.reasoning),
            only_text=fold.only_text,
            finished=fold.finished,
            role_sent=fold.role_sent,
            identity=fold.identity,
        )


class _Fold:
    def __init__(self) -> None:
        self.text: list[str] = []
        self.reasoning: list[str] = []
        self.only_text = True
        self.finished = False
        self.role_sent = False
        self.identity: Body = {}

    def take(self, data: bytes) -> None:
        try:
            fields = json.parse_body(data)
            choices = json.parse(fields.get("choices", b"null"))
        except json.DecodeError:
            self.only_text = False
            return
        for name in IDENTITY:
            if name not in self.identity and says_something(fields.get(name)):
                self.identity[name] = fields[name]
        for choice in choices if isinstance(choices, list) else ():
            if isinstance(choice, dict) and choice.get("index") in _FIRST:
                self._first(choice)
            else:
                self.only_text = False

    def _first(self, choice: dict[str, Any]) -> None:
        if choice.get("finish_reason"):
            self.finished = True
        if choice.get("logprobs"):
            self.only_text = False
        delta = choice.get("delta")
        if delta is None:
            self._add(choice.get("text"))
        elif isinstance(delta, dict):
            self._delta(delta)
        else:
            self.only_text = False

    def _delta(self, delta: dict[str, Any]) -> None:
        self._add(delta.get("content"))
        if delta.get("role"):
            self.role_sent = True
        if any(delta.get(name) for name in NOT_TEXT):
            self.only_text = False
        thought = delta.get("reasoning_content") or delta.get("reasoning")
        if isinstance(thought, str):
            self.reasoning.append(thought)

    def _add(self, content: Any) -> None:
        if isinstance(content, str):
            self.text.append(content)
        elif content is not None:
            self.only_text = False


def says_something(value: msgspec.Raw | None) -> bool:
    """Whether a raw field is there and is not empty."""
    return value is not None and bytes(value) not in _EMPTY
