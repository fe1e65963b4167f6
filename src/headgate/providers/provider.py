"""A provider is a row of data: who can be called, where, and what must be edited on the way.

What the wire looks like belongs to a dialect, what a model can do or costs belongs to the catalog.
"""

from __future__ import annotations

import msgspec

from headgate.types.deployment import Operation, ScriptFor, StreamUsage

BEARER = ("authorization", "Bearer {}")
CHAT = frozenset({Operation.CHAT})
CHAT_EMBEDDING = frozenset({Operation.CHAT, Operation.EMBEDDING})
CHAT_COMPLETION = frozenset({Operation.CHAT, Operation.COMPLETION})
ALL = frozenset(Operation)


class Provider(msgspec.Struct, frozen=True, kw_only=True):
    """One row. Defaults are the cautious ones; a row states only where the provider differs.

    `env` names the well-known environment variables that hold a credential, first found wins.
    `base_url` may hold `${NAME}`, filled from the environment. A `local` provider runs on the user's own machine:
    it needs no credential and is never taken from the environment unasked.
    `tier_percent` holds service tiers whose price is the same share of the usual one for every model.
    """

    name: str
    docs: str
    base_url: str
    env: tuple[str, ...] = ()
    dialect: str = "openai"
    auth_header: tuple[str, str] | None = BEARER
    operations: frozenset[Operation] = CHAT
    quirks: tuple[str, ...] = ()
    stream_usage: StreamUsage = StreamUsage.ASK
    usage_aside: str | None = None
    tier_percent: tuple[tuple[str, int], ...] = ()
    local: bool = False
    script: ScriptFor | None = None
