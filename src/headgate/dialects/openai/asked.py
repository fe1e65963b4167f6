"""What a request asks for, as far as an answer is measured by it."""

from __future__ import annotations

import msgspec

from headgate.types.deployment import Operation
from headgate.types.request import Envelope
from headgate.wire import json

_ABSENT = msgspec.Raw()
_NOTHING = (b"null", b"{}", b"[]", b'""')
_NUMBER = tuple(b"-0123456789")


def texts_in(raw: msgspec.Raw | None) -> int:
    """How many texts a `prompt` or an `input` holds: each is answered on its own. A list of numbers is one, in tokens.

    Source: OpenAI's API reference on completions and embeddings.
    """
    if raw is None or not bytes(raw).startswith(b"["):
        return 1
    items = json.parse_items(raw)
    return 1 if not items or bytes(items[0])[0] in _NUMBER else len(items)


def may_be_empty(envelope: Envelope) -> bool:
    """Whether an answer of nothing can be an honest one.

    Who sets stop words may get one of them at once, between a prefix and a suffix there may be nothing to insert, and
    to what a tool has found there may be nothing to add.
    """
    if envelope.operation is Operation.COMPLETION or holds(envelope.fields.get("stop", _ABSENT)):
        return True
    messages = envelope.fields.get("messages")
    if messages is None or b'"tool"' not in bytes(messages):
        return False
    return bytes(json.parse_body(json.parse_items(messages)[-1]).get("role", _ABSENT)) == b'"tool"'


def holds(raw: msgspec.Raw) -> bool:
    """Whether a field is there and says something: servers that write all fields write `null` for those without."""
    return bool(raw) and bytes(raw) not in _NOTHING
