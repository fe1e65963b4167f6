"""What a request is expected to cost with one candidate. Pure."""

from __future__ import annotations

import msgspec

from headgate.catalog.cost import fee
from headgate.catalog.terms import at_service_tier, standing
from headgate.routing.facts import Facts
from headgate.types.deployment import DOCUMENT, Offer
from headgate.types.money import TOKENS_PER_MTOK

FACTOR_HALF_LIFE_S = 1_800.0
"""Without news for so long, half is forgotten of how a provider's bills differed from its list, up or down."""

_LEAST_FACTOR, _MOST_FACTOR = 0.1, 1_000.0


class Size(msgspec.Struct, frozen=True, gc=False):
    """How large a request is expected to be: tokens of prompt, and of all its answers together.

    `at` is when, in Unix seconds; `tier` the service tier it asks for by name.
    """

    prompt: int
    written: int
    at: float
    tier: str | None = None


def least_cost(offer: Offer, size: Size, facts: Facts, now: float) -> int | None:
    """What it may well cost if more of the prompt were in the deployment's cache than the little that is known says."""
    known = facts.cached_share
    return expected_cost(offer, size, facts, now, known.mean + known.doubt(now))


def expected_cost(offer: Offer, size: Size, facts: Facts, now: float, cached_share: float | None = None) -> int | None:
    """Pico-dollars; None when a price that counts is unknown.

    The part of the prompt that this deployment finds in its cache, as usually where none is given, costs what that
    costs. A deployment whose bills have differed from its list lately is expected to go on so, unless the operator
    declared the price.
    """
    price, terms = offer.price, offer.terms
    if terms is not None:
        price = standing(price, terms, size.prompt, size.at)
    if size.tier is not None:
        tiered, _ = at_service_tier(price, terms, size.tier, "")
        if tiered is None:
            return None
        price = tiered
    entered, written = price.input_pusd_per_mtok, price.output_pusd_per_mtok
    if entered is None or (written is None and size.written):
        return None
    total = size.prompt * entered + size.written * (written or 0)
    cached = price.cached_input_pusd_per_mtok
    if cached is not None:
        share = facts.cached_share.mean if cached_share is None else cached_share
        if share:
            total -= int(size.prompt * min(share, 1.0)) * (entered - cached)
    cost = (total + TOKENS_PER_MTOK // 2) // TOKENS_PER_MTOK
    if terms is not None and terms.request_fees:
        cost += fee(terms, None)
    if facts.cost_factor.weight and offer.price_source != DOCUMENT:
        cost = int(cost * cost_factor(facts, now))
    return cost


def cost_factor(facts: Facts, now: float) -> float:
    """What the provider is expected to charge, as a multiple of its list price.

    What it last charged counts less and less while nobody asks it: only so is a price noticed that has come down, and
    only so does a discount end that nobody bills any more. An attempt under way is the one that finds out, and until it
    has, others keep to what is known.
    """
    known = facts.cost_factor
    factor = min(max(known.mean, _LEAST_FACTOR), _MOST_FACTOR)
    if facts.in_flight:
        return factor
    faded: float = 0.5 ** (max(now - known.at, 0.0) / FACTOR_HALF_LIFE_S)
    return factor * faded + (1.0 - faded)
