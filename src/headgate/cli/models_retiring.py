"""Models in use that have retired or soon will, and what to use in their place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from headgate.cli.models_rows import Row, catalogue_rows
from headgate.cli.offline import Offline
from headgate.routing.hypothetical import has_retired
from headgate.routing.resolve import pin
from headgate.types.deployment import Offer
from headgate.types.snapshot import Snapshot

SOON_DAYS = 60
_DAY_S = 86_400


def retiring(offline: Offline, configured: list[Row], at: float) -> Iterator[str]:
    """A line for each target of a route behind which everything has retired, or retires within `SOON_DAYS`.

    A target that others serve on needs no hand: the retired ones fall behind by themselves.
    """
    elsewhere: list[Row] | None = None
    told: set[tuple[str, str]] = set()
    for name, part in offline.loaded.document.models.items():
        if name not in offline.snapshot.routes:
            continue
        for target in (*part.targets, *part.fallback):
            offers = _behind(offline.snapshot, target)
            if not offers or not all(_goes(offer, at) for offer in offers) or (name, target) in told:
                continue
            told.add((name, target))
            last = max(offers, key=lambda offer: offer.retires_s or 0)
            move = _cheapest(configured, last, at)
            if move is None:
                elsewhere = catalogue_rows(offline.snapshot.providers, at) if elsewhere is None else elsewhere
            yield f"the route {name!r} uses {target}, which {_when(last, at)}; {_advice(move, elsewhere, last, at)}"


def _behind(snapshot: Snapshot, target: str) -> list[Offer]:
    pinned = pin(snapshot, target)
    if pinned:
        return [one.deployment.offer for one in pinned]
    entry = snapshot.models.get(target) or snapshot.aliases.get(target)
    return [] if entry is None else [one.offer for one in entry.deployments or entry.variants]


def _goes(offer: Offer, at: float) -> bool:
    return has_retired(offer, at + SOON_DAYS * _DAY_S)


def _when(offer: Offer, at: float) -> str:
    if not has_retired(offer, at):
        days = ((offer.retires_s or 0) - int(at)) // _DAY_S
        return f"retires on {offer.deprecated_on} (in {days} days)"
    return f"has retired on {offer.deprecated_on}" if offer.deprecated_on else "has retired, as far as we know"


def _advice(move: Row | None, elsewhere: Iterable[Row] | None, offer: Offer, at: float) -> str:
    if move is not None:
        return f"{move.deployment} serves the same model"
    other = _cheapest(elsewhere or (), offer, at)
    if other is not None:
        return f"{other.deployment} would serve the same model, and is not configured"
    return "nobody we know of serves the same model on"


def _cheapest(rows: Iterable[Row], offer: Offer, at: float) -> Row | None:
    """The cheapest other offer of the same weights and serving that stays."""
    same = [
        row
        for row in rows
        if (row.offer.model, row.offer.variant, row.offer.kind) == (offer.model, offer.variant, offer.kind)
        if row.deployment != f"{offer.provider}/{offer.upstream_id}" and not _goes(row.offer, at)
    ]
    return min(same, key=lambda row: (row.offer.unconfirmed, row.rank is None, row.rank or 0), default=None)
