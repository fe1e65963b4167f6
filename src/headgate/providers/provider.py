"""A provider is a row of data: who can be called, where, and what must be edited on the way.

What the wire looks like belongs to a dialect, what a model can do or costs belongs to the catalog.
"""

from __future__ import annotations

import msgspec

from headgate.types.deployment import Operation, ScriptFor, StreamUsage
from headgate.types.listing import Ask

BEARER = ("authorization", "Bearer {}")
CHAT = frozenset({Operation.CHAT})
CHAT_EMBEDDING = frozenset({Operation.CHAT, Operation.EMBEDDING})
CHAT_COMPLETION = frozenset({Operation.CHAT, Operation.COMPLETION})
ALL = frozenset(Operation)


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """A list of models that the provider publishes: what to ask for first, and how to read the answers.

    `format` is a name in `providers.listings.FORMATS`. The paths of `asks` may hold `${NAME}` as the base URL may; all
    are on its host. `headers` go along; `auth_header` stands in for that of chat where the list wants another.
    """

    asks: tuple[Ask, ...]
    format: str
    headers: tuple[tuple[str, str], ...] = ()
    auth_header: tuple[str, str] | None = None


def listed(
    path: str,
    format: str,
    *,
    headers: tuple[tuple[str, str], ...] = (),
    auth_header: tuple[str, str] | None = None,
) -> tuple[Listing, ...]:
    """The only list of a provider, or one to be added to others, that begins at one path."""
    return (Listing(asks=(Ask(path),), format=format, headers=headers, auth_header=auth_header),)


class Provider(msgspec.Struct, frozen=True, kw_only=True):
    """One row. Defaults are the cautious ones; a row states only where the provider differs.

    `env` names the well-known environment variables that hold a credential, first found wins.
    `base_url` may hold `${NAME}`, filled from the environment. A `local` provider runs on the user's own machine:
    it needs no credential and is never taken from the environment unasked.
    `tier_percent` holds service tiers whose price is the same share of the usual one for every model.
    `listings` are the lists of models it publishes; of what two of them say of one model, the later counts.
    `lacks` are capabilities that none of its models has through this endpoint. Only what is documented or was refused
    is in there: an offer without a capability is not asked for it.
    `concurrent` is how many requests at once the provider allows for each model, where it says so.
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
    listings: tuple[Listing, ...] = ()
    lacks: frozenset[str] = frozenset()
    concurrent: int | None = None
