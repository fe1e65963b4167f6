"""Which weights a name stands for: the packaged table of slugs, and of what else they are called.

`data/identity.json` maps each slug to its `aliases`, which mean the plain serving, and to its `variants`, spellings of
the same weights served another way. No spelling belongs to two slugs and none is another slug, letter case aside. What
is said of a slug beside that (`rolling`, `resolves_to`, `candidates`) is information, never a way to resolve a name.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from importlib import resources
from typing import NamedTuple

import msgspec

from headgate.wire import json

UNEXPLAINED = "unexplained-suffix"
"""The variant of an id with a suffix that no source explains: it stands for itself, not for others of this kind."""


class Meaning(NamedTuple):
    """The weights a name stands for, and the serving where it is not the plain one."""

    slug: str
    variant: str | None = None


class _Entry(msgspec.Struct):
    """What the table says of one slug, as far as names are resolved by it."""

    aliases: tuple[str, ...] = ()
    variants: dict[str, str] = {}


class Identity:
    """Names and what they mean. A slug of one provider's own (`provider:id`) means that provider's offers alone."""

    __slots__ = ("_aliases", "_meanings")

    def __init__(self, entries: Mapping[str, _Entry]) -> None:
        self._aliases = {slug: entry.aliases for slug, entry in entries.items() if entry.aliases}
        self._meanings: dict[str, Meaning] = {}
        for slug, entry in entries.items():
            plain = self._meanings[slug] = Meaning(slug)
            self._meanings.update(dict.fromkeys(entry.aliases, plain))
            self._meanings.update((name, Meaning(slug, kind)) for name, kind in entry.variants.items())

    @property
    def meanings(self) -> Mapping[str, Meaning]:
        """Every slug and every other spelling, and what it stands for."""
        return self._meanings

    def meaning(self, name: str) -> Meaning | None:
        """What a slug or an alias stands for, spelt exactly so; None for what is neither."""
        return self._meanings.get(name)

    def slug_of(self, name: str) -> str | None:
        """The model whose plain serving a name stands for, spelt exactly so; never a slug of one provider's own."""
        meaning = self._meanings.get(name)
        if meaning is None or meaning.variant is not None or ":" in meaning.slug.partition("/")[0]:
            return None
        return meaning.slug

    def spelt(self, name: str) -> str | None:
        """The right spelling of a name that is known but for its letter case; None when it is not known at all."""
        if name in self._meanings:
            return name
        folded = name.lower()
        return next((known for known in self._meanings if len(known) == len(name) and known.lower() == folded), None)

    def aliases_of(self, slug: str) -> tuple[str, ...]:
        """What else the plain serving of a slug is called; spellings of its variants are not among them."""
        return self._aliases.get(slug, ())


def load_identity(slugs: Collection[str] | None) -> Identity:
    """The packaged table, as far as it is about these slugs; None for all of it. Entries of others are not decoded.

    A slug the table does not list means nothing here, not even itself.
    """
    data = resources.files("headgate.catalog").joinpath("data/identity.json").read_bytes()
    wanted = None if slugs is None else frozenset(slugs)
    return Identity(
        {slug: _decode(raw) for slug, raw in json.parse_body(data).items() if wanted is None or slug in wanted}
    )


def own_slug(provider: str, upstream_id: str) -> str:
    """The slug of what a provider sells and nobody can say which model it is: that provider's own."""
    return f"{provider}:{upstream_id}"


_decode = json.Decoder[_Entry](_Entry).decode
