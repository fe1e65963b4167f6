"""The place where a second stream takes over an answer that another one began.

The second stream either goes on where the first broke off, or gives its own answer from the start; of the latter the
client gets what lies beyond the text it has, as long as both agree in every character of that. What goes on carries
the first stream's id, creation time and model, so that the client reads one answer.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from headgate.dialects.openai.prefill import Prefill, surely_repeated
from headgate.dialects.openai.said import IDENTITY, NOT_TEXT, THOUGHTS, Said, says_something
from headgate.types.deployment import Body
from headgate.wire import json, sse


class Mode(StrEnum):
    """How a second stream relates to the first: it goes on, or answers anew."""

    CONTINUE = "continue"
    RESTART = "restart"


class _Diverged(Exception):
    """The second stream does not fit what the client has."""


class Seam:
    """Joins a second stream to what the client was sent: `feed` it what `StreamReader` returns, `close` it at the end.

    With a `prefill`, the second stream answers that request and goes on: its text is passed on, apart from white space
    at its start that the client has. Some providers repeat the prefill first (Mistral): `repeats` says whether this
    one does, None that nobody knows. Where it may, text that begins like the prefill waits; the whole of it is taken
    for a repetition if the provider is known for it or the prefill is too long for chance, else the seam gives up.
    Without a `prefill`, the second stream answers anew: exactly what the client has is swallowed, the rest passed on.

    Thoughts of the second stream are swallowed: those the client has seen were another model's. Tool calls and other
    parts that are no text pass where the answer is all the second stream's own: after a restart that agreed in all
    of the text, or when no text was said. Roles, empty chunks and chunks without a choice are swallowed; usage is
    `StreamReader`'s to take out. Only the text so far is kept, nothing of the second stream.

    `mode`      how the second stream relates to the first
    `diverged`  why it does not fit, for people; nothing is passed on from there
    `passed`    something of it was passed on that is more than a comment
    """

    def __init__(self, said: Said, prefill: Prefill | None = None, repeats: bool | None = None) -> None:
        self.mode = Mode.RESTART if prefill is None else Mode.CONTINUE
        self.diverged: str | None = None
        self._identity = said.identity
        self._role_sent = said.role_sent
        self._spoken = bool(said.text.strip())
        self._repeats = repeats
        # What the second stream's text is compared with first, how much of it has come, and the white space behind.
        self._known = said.text if prefill is None else "" if repeats is False else prefill.text
        self._at = 0
        self.passed = False
        self._space = "" if prefill is None else prefill.cut

    @property
    def needs(self) -> int:
        """How many characters the second stream has to repeat before anything of it can be passed on."""
        return len(self._known) - self._at if self.mode is Mode.RESTART else 0

    def feed(self, run: bytes) -> bytes:
        """Take whole events of the second stream; give those for the client. Look at `diverged` afterwards."""
        out: list[bytes] = []
        for event in sse.split(run) if self.diverged is None else ():
            try:
                out.append(self._event(event))
            except _Diverged as why:
                self.diverged = str(why)
                break
            except json.DecodeError:
                self.diverged = "its answer cannot be read"
                break
        return b"".join(out)

    def close(self) -> None:
        """The second stream has ended as a whole one does. Look at `diverged` afterwards."""
        if self.diverged is None:
            try:
                self._end()
            except _Diverged as why:
                self.diverged = str(why)

    def tail(self, run: bytes) -> bytes:
        """The end of the answer as `StreamReader.tail` makes it, in the first stream's name."""
        return b"".join(map(self._renamed, sse.split(run)))

    # Inside

    def _event(self, event: bytes) -> bytes:
        data = sse.data_of(event)
        if not data:
            return event
        fields = json.parse_body(data)
        if not says_something(fields.get("choices")):
            return b""
        choices = [json.parse_body(choice) for choice in json.parse_items(fields["choices"])]
        if len(choices) > 1 or bytes(choices[0].get("index", b"0")) not in (b"0", b"null"):
            raise _Diverged("it gives several answers")
        if not self._choice(choices[0]):
            return b""
        fields["choices"] = json.raw(choices)
        self.passed = True
        return self._rendered(fields)

    def _choice(self, choice: Body) -> bool:
        """Take out of a choice what the client has; whether anything is left."""
        if says_something(choice.get("logprobs")):
            del choice["logprobs"]
        fresh = False
        if says_something(choice.get("delta")):
            delta = json.parse_body(choice["delta"])
            fresh = self._delta(delta)
            choice["delta"] = json.raw(delta)
            choice.pop("text", None)
        elif says_something(choice.get("text")):
            fresh = self._take(choice, "text")
        if says_something(choice.get("finish_reason")):
            self._end()
            return True
        return fresh

    def _delta(self, delta: Body) -> bool:
        for name in THOUGHTS:
            delta.pop(name, None)
        role = delta.pop("role", None)
        fresh = says_something(delta.get("content")) and self._take(delta, "content")
        if any(says_something(delta.get(name)) for name in NOT_TEXT):
            self._admit_more_than_text()
            fresh = True
        if fresh and not self._role_sent:
            delta["role"] = role or json.raw("assistant")
            self._role_sent = True
        return fresh

    def _take(self, holder: Body, name: str) -> bool:
        """Leave of a text field what is new to the client; whether that is anything."""
        text = _text(json.parse(holder[name]))
        fresh = self._beyond(text)
        if fresh != text or not text:
            holder[name] = json.raw(fresh)
        return bool(fresh)

    def _beyond(self, text: str) -> str:
        """What of the second stream's next text the client does not have."""
        if self._at < len(self._known):
            text = self._compare(text)
        while self._space and text:
            if text[0] != self._space[0]:
                self._space = ""
                break
            text, self._space = text[1:], self._space[1:]
        return text

    def _compare(self, text: str) -> str:
        known, at = self._known, self._at
        size = min(len(text), len(known) - at)
        if not known.startswith(text[:size], at):
            if self.mode is Mode.RESTART:
                raise _Diverged(f"its answer is another one from character {at} on")
            # No repetition after all: what looked like the start of one is new text.
            self._known, self._at = "", 0
            return known[:at] + text
        self._at = at + size
        if self.mode is Mode.CONTINUE and self._at == len(known) and not self._repeats and not surely_repeated(known):
            raise _Diverged("it begins with the text so far, which may be a repetition or not")
        return text[size:]

    def _end(self) -> None:
        """The answer is at its end: nothing may be open."""
        if self.needs:
            raise _Diverged(f"its answer ends {self.needs} characters before the one the client has")
        if 0 < self._at < len(self._known):
            raise _Diverged("it ends with the beginning of the text so far, which may be a repetition or not")

    def _admit_more_than_text(self) -> None:
        if self.needs or (self.mode is Mode.CONTINUE and (self._spoken or 0 < self._at < len(self._known))):
            raise _Diverged("it turns to something else than text")

    def _renamed(self, event: bytes) -> bytes:
        data = sse.data_of(event)
        return self._rendered(json.parse_body(data)) if data.startswith(b"{") else event

    def _rendered(self, fields: Body) -> bytes:
        """An event with the fields of `IDENTITY` that the first stream had, and none it had not."""
        for name in IDENTITY:
            if name in self._identity:
                fields[name] = self._identity[name]
            else:
                fields.pop(name, None)
        return sse.render(json.encode(fields))


def _text(content: Any) -> str:
    """The text of a content; thoughts among its parts are none. Raises _Diverged for what is no text."""
    if isinstance(content, str):
        return content
    if isinstance(content, list) and all(isinstance(part, dict) and part.get("type") == "thinking" for part in content):
        return ""
    raise _Diverged("its text comes in parts")
