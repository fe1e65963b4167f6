"""How much a request asks for in one go."""

from __future__ import annotations

import msgspec

from headgate.wire import json

_NUMBER = tuple(b"-0123456789")


def texts_in(raw: msgspec.Raw | None) -> int:
    """How many texts a `prompt` or an `input` holds: each is answered on its own. A list of numbers is one, in tokens.

    Source: OpenAI's API reference on completions and embeddings.
    """
    if raw is None or not bytes(raw).startswith(b"["):
        return 1
    items = json.parse_items(raw)
    return 1 if not items or bytes(items[0])[0] in _NUMBER else len(items)
