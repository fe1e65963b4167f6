"""What a provider says is left of its rate limits."""

from __future__ import annotations

import msgspec


class Headroom(msgspec.Struct, frozen=True):
    """What a provider's reply says is left of its rate limits: requests and tokens, and in how many seconds each is
    full again. None is what it does not say.
    """

    requests: int | None = None
    requests_reset_s: float | None = None
    tokens: int | None = None
    tokens_reset_s: float | None = None
