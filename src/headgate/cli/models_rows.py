"""Offers as rows: those of the configured providers, and those of the whole catalogue."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import Any

import msgspec

from headgate.catalog.offers import load_offers
from headgate.providers.builtin import PROVIDERS
from headgate.providers.sandbox import MODELS, SANDBOX
from headgate.routing.hypothetical import has_retired, price_of, usd
from headgate.routing.requirements import WORDS, has
from headgate.types.deployment import DOCUMENT, Offer
from headgate.types.money import Price, Terms
from headgate.types.snapshot import Snapshot

USUAL_PROMPT = 1_000
"""Prices are those of a prompt of so many tokens."""
INPUT_SHARE = 2
"""Where one figure stands for a price, it is that of so many tokens of prompt for each token of the answer."""

IN_PROCESS = "in process"
"""Where the sandbox's price of 0 comes from: nobody else is asked."""

_DATED = re.compile(r"^(?P<name>.*), (?P<day>\d{4}-\d\d-\d\d)$")
_NO_TERMS = Terms()


class Row(msgspec.Struct, frozen=True, eq=False):
    """An offer at a time (Unix seconds). `lacks` is what nobody can do who is called that way; `configured` whether it
    can be called here."""

    offer: Offer
    lacks: frozenset[str]
    configured: bool
    at: float

    @property
    def deployment(self) -> str:
        return f"{self.offer.provider}/{self.offer.upstream_id}"

    @property
    def price(self) -> Price:
        return price_of(self.offer, USUAL_PROMPT, self.at) or Price()

    @property
    def retired(self) -> bool:
        return has_retired(self.offer, self.at)

    @property
    def rank(self) -> int | None:
        """A figure to put prices in order by; None where one is unknown."""
        price = self.price
        if price.input_pusd_per_mtok is None or price.output_pusd_per_mtok is None:
            return None
        return INPUT_SHARE * price.input_pusd_per_mtok + price.output_pusd_per_mtok

    @property
    def source(self) -> tuple[str, date | None]:
        """Where the price comes from, and as of which day."""
        source = self.offer.price_source
        dated = _DATED.match(source)
        if dated is None:
            return source, None
        return dated["name"], date.fromisoformat(dated["day"])

    @property
    def age_days(self) -> int | None:
        day = self.source[1]
        return None if day is None else max(0, (datetime.fromtimestamp(self.at, UTC).date() - day).days)

    @property
    def varies_with(self) -> list[str]:
        """What else the price depends on."""
        terms = self.offer.terms or _NO_TERMS
        named = (
            ("length", terms.tiers),
            ("hour", terms.windows),
            ("date", terms.changes),
            ("service tier", terms.service_tiers or terms.tier_percent),
            ("search", terms.request_fees),
        )
        return [word for word, part in named if part]

    def can(self, need: str) -> bool | None:
        """Whether it has a capability; None when nobody says."""
        return False if need in self.lacks else has(self.offer, need)

    @property
    def abilities(self) -> list[str]:
        """What of the requirements it surely can."""
        return [need for need in WORDS if self.can(need)]

    def told(self) -> dict[str, Any]:
        """The row for programs; prices are decimal text, null is unknown."""
        offer, price = self.offer, self.price
        source, day = self.source
        return {
            "model": offer.model,
            "deployment": self.deployment,
            "provider": offer.provider,
            "upstream_id": offer.upstream_id,
            "configured": self.configured,
            "kind": offer.kind,
            "variant": offer.variant,
            "quantization": offer.quantization,
            "input_usd_per_mtok": usd(price.input_pusd_per_mtok),
            "output_usd_per_mtok": usd(price.output_pusd_per_mtok),
            "price_varies_with": self.varies_with,
            "price_source": source or None,
            "price_as_of": None if day is None else day.isoformat(),
            "age_days": self.age_days,
            "estimate": offer.unconfirmed or offer.disputed,
            "context_tokens": offer.context_tokens,
            "max_input_tokens": offer.max_input_tokens,
            "max_output_tokens": offer.max_output_tokens,
            "capabilities": None if offer.capabilities is None else sorted(offer.capabilities - self.lacks),
            "lacks": sorted(offer.lacks | self.lacks),
            "retired": self.retired,
            "retires_on": offer.deprecated_on,
            "unconfirmed": offer.unconfirmed,
            "declared": offer.declared,
        }

    def status(self) -> list[str]:
        """What else an operator should know before it is used, in words."""
        offer = self.offer
        words = [f"variant {offer.variant}"] if offer.variant else []
        if self.retired:
            words.append("retired")
        elif offer.deprecated_on:
            words.append(f"retires on {offer.deprecated_on}")
        if offer.unconfirmed:
            words.append("unconfirmed")
        if offer.disputed:
            words.append("price is an estimate")
        if offer.declared and offer.price_source != DOCUMENT:
            words.append("declared")
        if varies := self.varies_with:
            words.append(f"price varies with {', '.join(varies)}")
        return words


def configured_rows(snapshot: Snapshot, at: float) -> list[Row]:
    """What the providers of a snapshot sell; ids that stand for any model are left out, but for the sandbox's, of which
    the models that behave are told."""
    first = [ones[0] for ids in snapshot.pins.values() for ones in ids.values()]
    first += [one for ones in snapshot.open_pins.values() for one in ones[:1] if one.offer.declared]
    rows = [Row(one.offer, one.upstream.lacks, True, at) for one in first]
    for one in snapshot.open_pins.get(SANDBOX.name, ())[:1]:
        rows += [Row(_of_the_sandbox(one.offer, name), one.upstream.lacks, True, at) for name in MODELS]
    return rows


def _of_the_sandbox(offer: Offer, name: str) -> Offer:
    slug = f"{offer.provider}/{name}"
    return msgspec.structs.replace(offer, upstream_id=name, model=slug, price_source=IN_PROCESS)


def catalogue_rows(besides: Iterable[str], at: float) -> list[Row]:
    """What the catalogue has of all providers but these."""
    left = [name for name in PROVIDERS if name not in frozenset(besides)]
    return [
        Row(offer, PROVIDERS[name].lacks, False, at) for name, offers in load_offers(left).items() for offer in offers
    ]
