"""What the configured providers sell, and what a name means among them.

`check` asks it whether a target exists and `compile` which deployments it is, so the two cannot disagree. A name
means the same here as in `routing.resolve`: first `provider/upstream-id`, then a slug or a provider's own id.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from decimal import Decimal
from typing import NamedTuple

import msgspec

from headgate.catalog.copies import CopyOf
from headgate.catalog.identity import Identity, load_identity, own_slug
from headgate.catalog.offers import load_offers
from headgate.catalog.overlay import overlay
from headgate.catalog.servings import serving
from headgate.config.document import Document, ProviderPart
from headgate.config.entries import row_of
from headgate.config.meanings import Meanings, Named
from headgate.config.model_parts import ModelPart, PricesPart, TierPart
from headgate.routing.names import matches
from headgate.routing.requirements import WORDS
from headgate.types.deployment import DOCUMENT, Offer
from headgate.types.money import Price, Terms, Tier, pusd_per_mtok

CAPABILITIES = frozenset(WORDS)
"""Everything a request may require."""

SYNONYMS = {"images": "vision", "audio": "audio_in", "files": "pdf"}
"""Words a document may use for the catalogue's."""

_FREE = Price(input_pusd_per_mtok=0, output_pusd_per_mtok=0)
"""What an answer costs that is made in this process."""


class Choice(NamedTuple):
    """An offer, and the id to send: the offer's own, or what its `*` stands for."""

    offer: Offer
    upstream_id: str


NOTHING = Named()


class Offering:
    """Offers by provider and by name."""

    def __init__(self, offers: Mapping[str, tuple[Offer, ...]]) -> None:
        self.pins: dict[str, dict[str, Offer]] = {}
        self.open: dict[str, tuple[Offer, ...]] = {}
        for provider, sold in offers.items():
            self.pins[provider] = {offer.upstream_id: offer for offer in sold if "*" not in offer.upstream_id}
            if stars := tuple(offer for offer in sold if "*" in offer.upstream_id):
                self.open[provider] = stars
        named = [offer for provider, ids in self.pins.items() if not _is_in_process(provider) for offer in ids.values()]
        served = Meanings(named, load_identity({offer.model for offer in named}))
        self.names = served.names()
        self.aliases = served.aliases(self.names)

    def pin(self, target: str) -> tuple[Choice, ...]:
        """What `provider/upstream-id` means; empty when the provider is unknown or does not offer the id."""
        provider, slash, upstream_id = target.partition("/")
        if not slash or not upstream_id or provider not in self.pins:
            return ()
        exact = self.pins[provider].get(upstream_id)
        if exact is not None:
            return (Choice(exact, upstream_id),)
        stars = self.open.get(provider, ())
        return tuple(Choice(offer, upstream_id) for offer in stars if matches(offer.upstream_id, upstream_id))

    def resolve(self, target: str) -> tuple[Choice, ...]:
        """The offers behind a target without a `*`, in written order; retired ones last."""
        found = self.pin(target)
        if found:
            return found
        return tuple(Choice(offer, offer.upstream_id) for offer in self.meant(target).plain)

    def variants(self, target: str) -> tuple[Choice, ...]:
        """Other servings of the weights behind a target that is no pin: those that have to be admitted."""
        if self.pin(target):
            return ()
        return tuple(Choice(offer, offer.upstream_id) for offer in self.meant(target).variants)

    def meant(self, name: str) -> Named:
        """What a slug, a provider's own id or another spelling of it stands for; nothing for any other name, and for
        one by which providers mean different models."""
        return self.names.get(name) or self.aliases.get(name) or NOTHING

    def pins_of(self, name: str) -> list[str]:
        """The pins of everything that is called so, whatever it is: what to choose from where a name means nothing."""
        return [f"{provider}/{name}" for provider, ids in self.pins.items() if name in ids]

    def can_match(self, target: str) -> bool:
        """Whether a target with a `*` can come to mean anything these providers offer."""
        provider, slash, pattern = target.partition("/")
        if slash and pattern and provider in self.pins:
            return True
        return any(matches(target, name) for names in (self.names, self.aliases) for name in names)


def offers_of(document: Document, shelf: CopyOf | None = None) -> dict[str, tuple[Offer, ...]]:
    """Every provider of the document with what it sells: the catalog's offers, what the provider's list says of them,
    and the declared ones laid over both. `shelf` has the lists.

    A provider of which nothing is known for certain offers `*`: any id, reached by the provider's name alone. So does
    the one in this process, whatever is declared for it.
    """
    known = load_offers([name for name in document.providers if row_of(name) is not None])
    table = _table_for(document)
    result: dict[str, tuple[Offer, ...]] = {}
    for name, entry in document.providers.items():
        packaged = known.get(name, ())
        offers = {offer.upstream_id: offer for offer in _with_list(name, entry, packaged, shelf)}
        for part in entry.models:
            slug = _model_of(name, part, table, document.providers)
            offers[part.id] = _declared(name, part, offers.get(part.id), slug)
        in_process = _is_in_process(name)
        is_known = any(not offer.unconfirmed and not offer.retired for offer in packaged)
        if in_process or not (is_known or entry.models):
            price = _FREE if in_process else Price()
            offers["*"] = Offer(provider=name, upstream_id="*", model="*", kind="any", price=price)
        result[name] = tuple(offers.values())
    return result


def _with_list(name: str, entry: ProviderPart, offers: tuple[Offer, ...], shelf: CopyOf | None) -> tuple[Offer, ...]:
    """The packaged offers with the last good copy of the provider's list laid over them, where there is one."""
    own = () if entry.api_key is None else (entry.api_key,)
    secrets = tuple(one.api_key for one in entry.credentials or ()) or own
    listed = None if shelf is None else shelf(name, entry.base_url or "", secrets)
    return offers if listed is None else _recognised(overlay(offers, listed, name), offers)


def _recognised(offers: tuple[Offer, ...], packaged: tuple[Offer, ...]) -> tuple[Offer, ...]:
    """Offers that only the provider's list knows, under the slug of a model where they are called exactly so.

    Nothing less than the whole name, `org/name`, makes it that model, and nothing said of how its weights are stored.
    A server on the operator's machine may call anything by such a name: it is the operator who knows.
    """
    known = {offer.upstream_id for offer in packaged}
    new = {
        offer.upstream_id
        for offer in offers
        if offer.upstream_id not in known and "/" in offer.upstream_id and offer.quantization is None
    }
    row = row_of(offers[0].provider) if offers else None
    if not new or row is None or row.local:
        return offers
    slugs = load_identity(new)
    return tuple(
        msgspec.structs.replace(offer, model=offer.upstream_id)
        if offer.upstream_id in new and slugs.slug_of(offer.upstream_id) == offer.upstream_id
        else offer
        for offer in offers
    )


def _is_in_process(provider: str) -> bool:
    row = row_of(provider)
    return row is not None and row.script is not None


def _table_for(document: Document) -> Identity:
    """The identity table, where a declared model could be in it; else an empty one."""
    parts = [part for entry in document.providers.values() for part in entry.models]
    return load_identity(None if any("/" in part.id or part.model for part in parts) else ())


def _model_of(provider: str, part: ModelPart, table: Identity, providers: Collection[str]) -> str:
    """The slug of a declared model: the one it names, the one it is called by exactly, else its id.

    A bare id makes it no other model: somebody's short name is not everybody's. Nor does the slug of what another
    provider alone sells.
    """
    if part.model is not None:
        return table.slug_of(part.model) or part.model
    if part.id.count("/") == 1 and (slug := table.slug_of(part.id)) is not None:
        return slug
    scope = part.id.partition(":")[0]
    is_anothers = scope != part.id and scope != provider and (scope in providers or row_of(scope) is not None)
    return own_slug(provider, part.id) if is_anothers else part.id


def _declared(provider: str, part: ModelPart, known: Offer | None, slug: str) -> Offer:
    """The operator's word on a model; what it leaves open stays as the catalog has it.

    `slug` is the model it is where the catalog does not know the id, or where the document names one.
    """
    kind = part.kind or (known.kind if known else "any")
    can = None if part.capabilities is None else frozenset(SYNONYMS.get(word, word) for word in part.capabilities)
    base = known or Offer(provider=provider, upstream_id=part.id, model=slug, terms=_usual_terms(provider))
    base = base if part.model is None else msgspec.structs.replace(base, model=slug)
    return msgspec.structs.replace(
        base,
        kind=kind,
        price=_price(part, base.price, kind),
        terms=_terms(part, base.terms),
        price_source=DOCUMENT if _names_a_price(part) or part.tiers is not None else base.price_source,
        context_tokens=part.context_tokens or base.context_tokens,
        max_output_tokens=part.max_output_tokens or base.max_output_tokens,
        capabilities=base.capabilities if can is None else can | _implied(can),
        # What the operator lists is all of it.
        lacks=base.lacks if can is None else CAPABILITIES - can - _implied(can),
        unsaid=base.unsaid if can is None else frozenset(),
        quantization=part.quantization or base.quantization,
        variant=serving(base, part.quantization),
        retired=False,
        unconfirmed=False,
        declared=True,
    )


def _implied(can: frozenset[str]) -> frozenset[str]:
    """Whoever keeps to a schema writes JSON."""
    return frozenset({"json_object"}) if "json_schema" in can else frozenset()


def _price(part: PricesPart, known: Price, kind: str) -> Price:
    price = _laid_over(part, known)
    if kind == "embedding" and price.input_pusd_per_mtok is not None and price.output_pusd_per_mtok is None:
        # Embeddings have no output tokens. Left unknown, the whole price would count as unknown.
        return msgspec.structs.replace(price, output_pusd_per_mtok=0)
    return price


def _usual_terms(provider: str) -> Terms | None:
    """What holds for every model of a provider, also for one the catalog does not know."""
    row = row_of(provider)
    return Terms(tier_percent=row.tier_percent) if row is not None and row.tier_percent else None


def _terms(part: ModelPart, known: Terms | None) -> Terms | None:
    """What the price depends on. A price the operator declares holds at every length, hour and date they do not except.

    Fees and the shares of service tiers, which are not prices of tokens, stay as the catalog has them.
    """
    base = known or Terms()
    kept = Terms(tier_percent=base.tier_percent, request_fees=base.request_fees) if _names_a_price(part) else base
    tiers = kept.tiers if part.tiers is None else _tiers(part.tiers)
    service = tuple((name, _laid_over(prices, Price())) for name, prices in (part.service_tiers or {}).items())
    terms = msgspec.structs.replace(kept, tiers=tiers, service_tiers=service)
    return None if terms == Terms() else terms


def _tiers(parts: Iterable[TierPart]) -> tuple[Tier, ...]:
    tiers = [Tier(part.above_tokens, _laid_over(part, Price())) for part in parts]
    return tuple(sorted(tiers, key=lambda tier: tier.above_tokens))


def _laid_over(part: PricesPart, known: Price) -> Price:
    return Price(
        input_pusd_per_mtok=_either(part.input_usd_per_mtok, known.input_pusd_per_mtok),
        output_pusd_per_mtok=_either(part.output_usd_per_mtok, known.output_pusd_per_mtok),
        cached_input_pusd_per_mtok=_either(part.cached_input_usd_per_mtok, known.cached_input_pusd_per_mtok),
        cache_write_pusd_per_mtok=_either(part.cache_write_usd_per_mtok, known.cache_write_pusd_per_mtok),
        audio_input_pusd_per_mtok=_either(part.audio_input_usd_per_mtok, known.audio_input_pusd_per_mtok),
        reasoning_pusd_per_mtok=_either(part.reasoning_usd_per_mtok, known.reasoning_pusd_per_mtok),
        audio_output_pusd_per_mtok=_either(part.audio_output_usd_per_mtok, known.audio_output_pusd_per_mtok),
    )


def _names_a_price(part: PricesPart) -> bool:
    return any(getattr(part, name) is not None for name in PricesPart.model_fields)


def _either(usd: Decimal | None, known_pusd: int | None) -> int | None:
    return known_pusd if usd is None else pusd_per_mtok(usd)
