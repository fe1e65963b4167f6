"""What names mean among offers: slugs, providers' own ids, and what else the weights behind them are called.

A name never comes to mean another model because somebody's list or document happens to use it too: a spelling that
the identity table gives to a model sold here means that model, and a name of different models means none of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from headgate.catalog.identity import UNEXPLAINED, Identity, Meaning, own_slug
from headgate.types.deployment import Offer


class Named(NamedTuple):
    """What a name that is no pin stands for: the offers it means, and other servings of the same weights (quantised,
    turbo, …), which a request gets only where it or its route admits them."""

    plain: tuple[Offer, ...] = ()
    variants: tuple[Offer, ...] = ()


class Meanings:
    """Offers by the weights and the serving they are. `identity` is the table, as far as it is about their slugs."""

    def __init__(self, offers: Iterable[Offer], identity: Identity) -> None:
        self._identity = identity
        self._folded = {name.lower(): meaning for name, meaning in identity.meanings.items()}
        self._servings: dict[str, dict[str | None, list[Offer]]] = {}
        self._by_id: dict[str, list[Offer]] = {}
        for offer in offers:
            self._servings.setdefault(offer.model, {}).setdefault(offer.variant, []).append(offer)
            self._by_id.setdefault(offer.upstream_id, []).append(offer)

    def names(self) -> dict[str, Named]:
        """Every slug and every provider's own id that means one model, and what it stands for."""
        names = {own_id: named for own_id, own in self._by_id.items() if (named := self._of_id(own_id, own))}
        for slug in self._servings:
            claim = self._claim(slug)
            if claim is None and self._is_contested(slug):
                names.pop(slug, None)
            elif claim is None or claim.slug == slug:
                names[slug] = self._of_slug(slug)
        return names

    def aliases(self, names: Iterable[str]) -> dict[str, Named]:
        """Further spellings of the same weights, beside `names`, which mean something already."""
        taken = frozenset(names)
        return {
            name: self._of(claim.slug, claim.variant)
            for name in self._identity.meanings
            if name not in taken and (claim := self._claim(name)) is not None
        }

    def _claim(self, name: str) -> Meaning | None:
        """What the table says a name means, letter case aside; None where nobody sells that here.

        Servings that nobody can explain are not said to be the same as each other: no spelling is shared by them.
        """
        meaning = self._folded.get(name.lower())
        if meaning is None or meaning.variant == UNEXPLAINED:
            return None
        servings = self._servings.get(meaning.slug, {})
        return meaning if meaning.variant in servings or (meaning.variant is None and servings) else None

    def _of_id(self, own_id: str, own: list[Offer]) -> Named | None:
        """What an id means: what the table says, else its one model; None where providers mean different models.

        What only a list knows takes no name away from anybody; among themselves such offers are different models.
        """
        claim = self._claim(own_id)
        if claim is not None:
            return self._as_claimed(claim, [offer for offer in own if offer.model == claim.slug])
        known = [offer for offer in own if not self._is_unrecognised(offer)] or own
        return self._of_serving(known) if len({offer.model for offer in known}) == 1 else None

    def _as_claimed(self, claim: Meaning, same: list[Offer]) -> Named:
        """A spelling of the plain serving means that, wherever somebody has it, and not a variant that is called so."""
        plain = self._of(claim.slug, None)
        if plain.plain and (claim.variant is None or any(offer.variant is None for offer in same)):
            return plain
        return self._of_serving(same) if same else self._of(claim.slug, claim.variant)

    def _of_slug(self, slug: str) -> Named:
        # An id that is spelt like a slug but is another model stays reachable by its pin only. One that is another
        # serving of it is what the name stands for only where nobody has the plain one.
        named = self._of(slug, None)
        own = [offer for offer in self._by_id.get(slug, ()) if offer.model == slug]
        return self._of_serving(own) if own and not named.plain else named

    def _of_serving(self, own: list[Offer]) -> Named:
        """What offers of one model stand for that share an id: the same serving at every provider."""
        kinds = {offer.variant for offer in own}
        if None in kinds:
            return self._of(own[0].model, None)
        kind = kinds.pop() if len(kinds) == 1 else UNEXPLAINED
        return Named(_retired_last(own)) if kind == UNEXPLAINED else self._of(own[0].model, kind)

    def _of(self, slug: str, variant: str | None) -> Named:
        servings = self._servings[slug]
        others = [] if variant is not None else [offer for kind, sold in servings.items() if kind for offer in sold]
        return Named(_retired_last(servings.get(variant, ())), _retired_last(others))

    def _is_contested(self, slug: str) -> bool:
        """Whether a slug the table does not know is also what a provider calls another known model."""
        if slug in self._identity.meanings:
            return False
        return any(offer.model != slug and not self._is_unrecognised(offer) for offer in self._by_id.get(slug, ()))

    def _is_unrecognised(self, offer: Offer) -> bool:
        return offer.model == own_slug(offer.provider, offer.upstream_id) and offer.model not in self._identity.meanings


def _retired_last(offers: Iterable[Offer]) -> tuple[Offer, ...]:
    return tuple(sorted(offers, key=lambda offer: offer.retired))
