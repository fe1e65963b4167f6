"""The request that asks another provider to go on with an answer that broke off.

A chat is continued by a last message of the assistant's, which the model takes for the beginning of its own answer;
a prompt is simply longer. Which models do the former is written in the catalogue (`prefill`): others answer anew.
"""

from __future__ import annotations

from typing import Any

import msgspec

from headgate.dialects.openai.requires import unchecked_requirements
from headgate.dialects.openai.said import says_something
from headgate.types.deployment import Body
from headgate.wire import json

SURELY_CHARS = 32
"""A text this long does not begin with itself by chance."""

_BYTES_PER_TOKEN = 4
_CAPS = ("max_tokens", "max_completion_tokens")
_CALLS = ("tool_calls", "function_call", "audio")
_PLAIN: dict[str, tuple[bytes, ...]] = {
    # More than one answer, or more than text.
    "n": (b"1",),
    "best_of": (b"1",),
    "logprobs": (b"false",),
    "top_logprobs": (b"0",),
    "echo": (b"false",),
    "modalities": (b'["text"]',),
    # A call is wanted, and text is what has come.
    "tool_choice": (b'"auto"', b'"none"'),
    "function_call": (b'"auto"', b'"none"'),
    # A grammar begins anew with what is generated: half an object would be followed by a whole one.
    "response_format": (b'{"type":"text"}',),
    "structured_outputs": (),
    "guided_json": (),
    "guided_regex": (),
    "guided_choice": (),
    "guided_grammar": (),
    "grammar": (),
    "json_schema": (),
    "regex": (),
    "ebnf": (),
    # Thoughts come before an answer, and this one has begun: refused, or thought aloud in the middle of it.
    "thinking": (b'{"type":"disabled"}',),
}
"""Fields that rule it out unless they say what their absence says, or one of these (white space aside)."""


class Prefill(msgspec.Struct, frozen=True, kw_only=True):
    """A request that goes on with an answer.

    `fields`  the request's top-level fields; those that stay as they are keep their bytes
    `text`    the assistant's text as the request now ends in it: what a provider that repeats it begins with. Empty
              where nothing is to be repeated
    `cut`     white space at the end of the answer so far that was left out, because some providers refuse a last
              message that ends in it (Anthropic's messages API)
    """

    fields: Body
    text: str
    cut: str


def prefill(fields: Body, text: str) -> Prefill | None:
    """Ask to go on after `text`, which is what came of the answer to the request with these top-level fields.

    None when the request cannot be continued so: several answers, log probabilities, an echo, sound; a tool that has
    to be called; JSON or any other grammar, whose rules would begin anew; thoughts that were asked for; a prompt that
    is not one string; an embedding. Tools the model may choose do not stand in the way: a model that turns to them
    after half a text is caught where the streams are joined (`seam`).

    The caps of the answer are lowered by what has been written, at four bytes a token, to 1 at the least: the whole
    answer is about as long as the client allowed. Where nothing but white space has come, the messages stay as they
    are.
    """
    if not _plain(fields):
        return None
    try:
        if "messages" in fields:
            made = _chat(fields, text)
        else:
            made = _prompt(fields, text)
    except json.DecodeError:
        return None
    if made is not None:
        _lower_caps(made.fields, len(text.encode()) // _BYTES_PER_TOKEN)
    return made


def surely_repeated(text: str) -> bool:
    """Whether a continuation of this text that begins with the very same text must be repeating it.

    Short texts follow themselves by chance, and so does one that is the same piece over and over.
    """
    packed = "".join(text.split())
    return len(packed) >= SURELY_CHARS and (packed + packed).find(packed, 1) == len(packed)


def _plain(fields: Body) -> bool:
    """Whether the request asks for one answer of free text, written straight away."""
    for name, neutral in _PLAIN.items():
        value = fields.get(name)
        if value is not None and b"".join(bytes(value).split()) not in (b"null", *neutral):
            return False
    return not unchecked_requirements(fields)


def _chat(fields: Body, text: str) -> Prefill | None:
    messages = json.parse_items(fields["messages"])
    last = json.parse_body(messages[-1]) if messages else {}
    begun = bytes(last.get("role", b"")) == b'"assistant"'
    if not begun:
        last, before = {"role": json.raw("assistant")}, ""
    else:
        found = _content(last)
        if found is None:
            return None
        before = found
    if not text.strip():
        return Prefill(fields=dict(fields), text=before, cut=text)
    whole = before + text
    if before and text.startswith(before):
        # Either the answer repeats how the client began it, or it only looks so: nobody can tell of a short one.
        if not surely_repeated(before):
            return None
        whole = text
    kept = whole.rstrip()
    last["content"] = _filled(last.get("content"), kept)
    edited = [*(messages[:-1] if begun else messages), json.raw(last)]
    return Prefill(fields=fields | {"messages": json.raw(edited)}, text=kept, cut=whole[len(kept) :])


def _content(message: Body) -> str | None:
    """The text of an assistant's message; None when it is more than one text."""
    if any(says_something(message.get(name)) for name in _CALLS):
        return None
    content = json.parse(message.get("content", b"null"))
    if isinstance(content, list):
        part = content[0] if len(content) == 1 and isinstance(content[0], dict) else {}
        content = part.get("text") if part.get("type") == "text" else content
    elif content is None:
        return ""
    return content if isinstance(content, str) else None


def _filled(content: msgspec.Raw | None, text: str) -> msgspec.Raw:
    """A message's content with another text, in the form it had."""
    if content is None or not bytes(content).startswith(b"["):
        return json.raw(text)
    (part,) = json.parse_items(content)
    return json.raw([json.parse_body(part) | {"text": json.raw(text)}])


def _prompt(fields: Body, text: str) -> Prefill | None:
    if "prompt" not in fields:
        return None
    prompt: Any = json.parse(fields["prompt"])
    listed = isinstance(prompt, list)
    if listed:
        prompt = prompt[0] if len(prompt) == 1 else None
    if not isinstance(prompt, str):
        return None
    longer = prompt + text
    return Prefill(fields=fields | {"prompt": json.raw([longer] if listed else longer)}, text="", cut="")


def _lower_caps(fields: Body, written_tokens: int) -> None:
    for name in _CAPS:
        cap = json.parse(fields[name]) if name in fields else None
        if isinstance(cap, int) and cap > 1:
            fields[name] = json.raw(max(1, cap - written_tokens))
