"""How large a request may turn out, before anybody has counted: bounds for budgets, estimates for limits.

A byte of UTF-8 text is at most one token, and JSON around it only adds bytes. What is not text is counted by its
kind: an image costs tokens by its size on the screen, not by the bytes it came in or the length of its address.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from msgspec.structs import force_setattr

from headgate.types.deployment import Offer, Operation
from headgate.types.request import Envelope
from headgate.types.usage import service_tier
from headgate.wire import json

BYTES_PER_TOKEN = 4
"""Of ordinary text, about."""

IMAGE_TOKENS = 3_000
"""The most one image costs at the models that count them by tiles or patches."""

ATTACHMENT_TOKENS = 100_000
"""The most a file or a video is taken to hold that only its address or its id is sent of."""

AUDIO_BYTES_PER_TOKEN = 32
"""Speech has 10 to 32 tokens a second; a second of it in base64 has 1,000 bytes or more."""

TEMPLATE_TOKENS = 256
"""What a model's chat template puts around a conversation, at most."""

TOOLS_TOKENS = 1_024
"""What a provider tells the model about tools in general, at most."""

EXPECTED_OUTPUT_TOKENS = 500
"""Stands in for the length of an answer nobody has capped, where candidates are compared and limits are reserved."""

DEFAULT_OUTPUT_TOKENS = 4_096
"""The longest answer expected where neither the client nor the catalogue caps it."""

_TYPE = b'"type"'
_IMAGE = b'"image_url"'
_IMAGE_KEY = re.compile(rb'"image_url"\s*:')
_VIDEO = b'"video_url"'
_VIDEO_KEY = re.compile(rb'"video_url"\s*:')
_INLINE = re.compile(rb'"(?:image_)?url"\s*:\s*$')
_AUDIO = re.compile(rb'"input_audio"\s*:\s*\{\s*(?:"format"\s*:\s*"[a-z0-9]{1,16}"\s*,\s*)?"data"\s*:\s*"')
_FILES = (b'"file_id"', b'"file_url"')
_DATA_IMAGE = b'"data:image/'
_KEY_BYTES = 24
_ESCAPED = (b"\\u00", b"\\/")
"""How characters of the names above, and of an image's address, can be written that need no escape."""

_BACKSLASH_BYTE = ord("\\")
"""A number is looked for in bytes in a tenth of the time that a byte is."""

_BACKSLASH, _QUOTE = b"\0", b"\1"
"""Stand for escaped ones; JSON allows neither byte as it is, and one that comes of `\\u0001` is text like a quote."""


def input_bound(envelope: Envelope) -> int:
    """The most tokens the input of a request can be."""
    if envelope.operation is Operation.EMBEDDING:
        return envelope.size
    fields = envelope.fields
    text, other = envelope.sizes or parts(envelope)
    bound = text + other + TEMPLATE_TOKENS
    return bound + TOOLS_TOKENS if "tools" in fields or "functions" in fields else bound


def input_estimate(envelope: Envelope) -> int:
    """About how many tokens the input of a request is."""
    text, other = envelope.sizes or parts(envelope)
    return text // BYTES_PER_TOKEN + other


class Writing(NamedTuple):
    """How much a request may have written: so many answers, each of so many tokens at most (None: it does not say)."""

    answers: int
    each: int | None

    def bound(self, offer: Offer) -> int:
        """The most tokens that an offer can write, all answers together."""
        # A cap is taken to be honoured. Known providers are sent it under the name they know; a server of the
        # operator's own that knows `max_tokens` alone is not held by a cap that came as `max_completion_tokens`.
        longest, each = offer.max_output_tokens, self.each
        if each is None:
            each = longest or DEFAULT_OUTPUT_TOKENS
        elif longest is not None and longest < each:
            each = longest
        return each * self.answers


def writing(envelope: Envelope) -> Writing:
    """What a request asks to have written."""
    known = envelope.writes
    if not isinstance(known, Writing):
        known = _writing(envelope)
        force_setattr(envelope, "writes", known)
    return known


def _writing(envelope: Envelope) -> Writing:
    if envelope.operation is Operation.EMBEDDING:
        return Writing(0, 0)
    fields, cap = envelope.fields, envelope.output_cap
    asked = answers = _count(fields["n"]) if "n" in fields else 1
    if "best_of" in fields:
        answers = max(asked, _count(fields["best_of"]))
    if envelope.operation is Operation.COMPLETION and "prompt" in fields:
        answers *= _prompts(fields["prompt"])
    # The envelope's cap is for the answers the client gets; those it chooses the best of are written too.
    return Writing(answers, None if cap is None else -(-cap // asked))


def output_bound(envelope: Envelope, offer: Offer) -> int:
    """The most tokens that an offer can write for a request."""
    return writing(envelope).bound(offer)


def asked_tier(envelope: Envelope) -> str | None:
    """The service tier a request asks for by name, None for the usual one."""
    raw = envelope.fields.get("service_tier")
    if raw is None:
        return None
    try:
        return service_tier(json.parse(raw))
    except json.DecodeError:
        return None


def parts(envelope: Envelope) -> tuple[int, int]:
    """Bytes of a request that are text, and tokens of what is not."""
    known = envelope.sizes
    if known is None:
        known = _parts(envelope)
        force_setattr(envelope, "sizes", known)
    return known


def _parts(envelope: Envelope) -> tuple[int, int]:
    size = envelope.size
    raw = envelope.fields.get("messages")
    if raw is None:
        return size, 0
    messages = bytes(raw)
    if _BACKSLASH_BYTE in messages and (_ESCAPED[0] in messages or _ESCAPED[1] in messages):
        messages = _plainly(messages)
    # A message that is more than text is a list of parts, each with its type.
    if messages.find(_TYPE) < 0:
        return size, 0
    tokens = 0
    if images := messages.count(_IMAGE):
        # Each names its type and then the field of that name; some servers take it under another type.
        tokens += max((images + 1) // 2, len(_IMAGE_KEY.findall(messages))) * IMAGE_TOKENS
        size -= _inline_images(messages)
    if b'"input_audio"' in messages:
        spoken = _audio(messages)
        size -= spoken
        tokens += spoken // AUDIO_BYTES_PER_TOKEN
    attached = sum(map(messages.count, _FILES))
    if _VIDEO in messages:
        attached += len(_VIDEO_KEY.findall(messages))
    return size, tokens + attached * ATTACHMENT_TOKENS


def _plainly(messages: bytes) -> bytes:
    """The same JSON with no escape but `\\"`, so that a name is found however it is spelled; never longer.

    An escaped character beyond Latin-1 becomes a question mark. Quotes inside a string stay escaped: a text must not
    pass for what is around it.
    """
    text = messages.replace(b"\\\\", _BACKSLASH).replace(b'\\"', _QUOTE).replace(b"\\u0022", _QUOTE)
    # What is left are the escapes that JSON and Python share.
    text = text.replace(b"\\/", b"/").decode("unicode_escape").encode("latin-1", "replace")
    return text.replace(_QUOTE, b'\\"')


def _inline_images(messages: bytes) -> int:
    """Bytes of images sent as data URLs. Quotes inside a text are escaped, so that no text passes for one."""
    size, at = 0, messages.find(_DATA_IMAGE)
    while at >= 0:
        end = messages.find(b'"', at + 1)
        if end < 0:
            break
        if _INLINE.search(messages, max(0, at - _KEY_BYTES), at):
            size += end - at
        at = messages.find(_DATA_IMAGE, end)
    return size


def _audio(messages: bytes) -> int:
    """Bytes of recordings sent inside the request."""
    return sum(max(0, messages.find(b'"', part.end()) - part.end()) for part in _AUDIO.finditer(messages))


def _count(raw: json.Raw) -> int:
    try:
        value = json.parse(raw)
    except json.DecodeError:
        return 1
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, int) and value > 0 else 1


def _prompts(raw: json.Raw) -> int:
    """A completion is written for each prompt of a list; a list of numbers is one prompt in tokens."""
    if not bytes(raw).startswith(b"["):
        return 1
    try:
        prompts = json.parse_items(raw)
    except json.DecodeError:
        return 1
    return max(1, len(prompts)) if prompts and bytes(prompts[0])[:1] in (b'"', b"[") else 1
