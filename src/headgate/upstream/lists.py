"""Which lists there are to fetch: what the providers of a snapshot publish, and with which credential it is read."""

from __future__ import annotations

from urllib.parse import urlsplit

import msgspec

from headgate.providers.builtin import PROVIDERS
from headgate.providers.provider import Listing
from headgate.types.deployment import Deployment, Upstream
from headgate.types.listing import Ask
from headgate.types.secret import Secret
from headgate.types.snapshot import Snapshot

ListKey = tuple[str, str, Secret | None]
"""Provider, base URL and credential: what a copy of a list is kept by."""

_OWN = (Listing(asks=(Ask("/models"),), format="openai_models"),)
"""What a server that the operator alone knows is asked; many have no list, and need none."""


class Wanted(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """A list that can be fetched, and with which credential. `own` is one that only the operator knows to be there."""

    provider: str
    upstream: Upstream
    secret: Secret | None
    listings: tuple[Listing, ...]
    own: bool

    @property
    def key(self) -> ListKey:
        """What a copy is kept by."""
        return self.provider, self.upstream.base_url, self.secret

    @property
    def host(self) -> str:
        return urlsplit(self.upstream.base_url).netloc.rpartition("@")[2]


def lists_of(snapshot: Snapshot) -> tuple[Wanted, ...]:
    """Every list that the providers of a snapshot have, in every workspace, with the first credential of each."""
    found: dict[ListKey, Wanted] = {}
    for view in (snapshot, *snapshot.workspaces.values()):
        for provider in view.providers:
            first = _first_deployment(view, provider)
            if first is None or first.upstream.script is not None:
                continue
            row = PROVIDERS.get(provider)
            wanted = Wanted(
                provider=provider,
                upstream=first.upstream,
                secret=first.credential.secret,
                listings=_OWN if row is None else row.listings,
                own=row is None,
            )
            if wanted.listings:
                found.setdefault(wanted.key, wanted)
    return tuple(found.values())


def _first_deployment(view: Snapshot, provider: str) -> Deployment | None:
    pinned = next(iter(view.pins.get(provider, {}).values()), ())
    return next(iter(pinned or view.open_pins.get(provider, ())), None)
