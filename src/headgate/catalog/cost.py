"""What one request cost, and the most one can cost: usage times price, in integers of pico-dollars."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from headgate.catalog.estimate import Writing
from headgate.catalog.terms import at_service_tier, is_free, named, share, standing
from headgate.types.deployment import DOCUMENT, Candidate, Offer
from headgate.types.money import PUSD_PER_USD, TOKENS_PER_MTOK, Cost, CostSource, Price, Terms
from headgate.types.usage import Usage, service_tier

MAX_COST_PUSD = 1_000_000 * PUSD_PER_USD
"""No request costs more. A larger product of counts and price is a mistake of one of them, and would not fit the
counters it is added to."""

_UNKNOWN = Cost()


def cost_pusd(price: Price, usage: Usage) -> int | None:
    """Pico-dollars for the tokens used, rounded half up once at the end; None when a price that counts is unknown.

    A class whose own price is unknown costs what its side costs: cached, written and spoken input what input costs,
    reasoning and spoken output what output costs. The output price does not count where nothing was written, as for
    embeddings.
    """
    entered = price.input_pusd_per_mtok
    written = price.output_pusd_per_mtok
    if entered is None or (written is None and usage.completion_tokens):
        return None
    total = usage.input * entered + usage.output * (written or 0)
    if tokens := usage.cached_input:
        own = price.cached_input_pusd_per_mtok
        total += tokens * (entered if own is None else own)
    if tokens := usage.cache_write:
        own = price.cache_write_pusd_per_mtok
        total += tokens * (entered if own is None else own)
    if tokens := usage.audio_input:
        own = price.audio_input_pusd_per_mtok
        total += tokens * (entered if own is None else own)
    if tokens := usage.reasoning:
        own = price.reasoning_pusd_per_mtok
        total += tokens * ((written or 0) if own is None else own)
    if tokens := usage.audio_output:
        own = price.audio_output_pusd_per_mtok
        total += tokens * ((written or 0) if own is None else own)
    return (total + TOKENS_PER_MTOK // 2) // TOKENS_PER_MTOK


def reckon(offer: Offer, usage: Usage, at: float) -> Cost:
    """What an attempt cost at a time, in Unix seconds.

    A price the operator declared is the last word. Else the cost the provider reports counts, where it reports one:
    it knows what we cannot, such as discounts and fees. Else tokens times price. An unknown price is an unknown cost,
    and so is a product beyond `MAX_COST_PUSD`.
    """
    price: Price | None = offer.price
    source = offer.price_source
    terms = offer.terms
    if terms is not None:
        price = standing(offer.price, terms, usage.prompt_tokens, at)
    if usage.service_tier is not None and price is not None:
        price, source = at_service_tier(price, terms, usage.service_tier, source)
    computed = None if price is None else cost_pusd(price, usage)
    if computed is not None:
        if terms is not None and terms.request_fees:
            computed += fee(terms, usage.search_size)
        if computed > MAX_COST_PUSD:
            computed = None
    reported = usage.reported_pusd
    if computed is None:
        if reported is None:
            return _UNKNOWN
        return Cost(pusd=reported, source=CostSource.REPORTED, reported_pusd=reported)
    counted = CostSource.ESTIMATED if usage.estimated else CostSource.COMPUTED
    if reported is None:
        return Cost(pusd=computed, source=counted, computed_pusd=computed, price=price, price_source=source)
    is_declared = source == DOCUMENT
    return Cost(
        pusd=computed if is_declared else reported,
        source=counted if is_declared else CostSource.REPORTED,
        computed_pusd=computed,
        reported_pusd=reported,
        disagree=_disagree(computed, reported),
        price=price,
        price_source=source,
    )


class Dearest(NamedTuple):
    """What a million tokens of input and of output cost at most, and the request itself, in pico-dollars."""

    entered: int
    written: int
    fee: int = 0


def worst_of(
    candidates: Sequence[Candidate], input_tokens: int, asked: Writing, asked_tier: str | None
) -> tuple[int | None, list[int]]:
    """The most a request can cost with any of these candidates, and the places of those of which nobody knows it.

    None when it is known of none.
    """
    worst = -1
    unpriced: list[int] = []
    longest: int | None = -1
    written = 0
    is_usual = asked_tier is None
    for place, one in enumerate(candidates):
        offer = one.deployment.offer
        # Candidates are mostly of one model, and agree about its longest answer.
        if offer.max_output_tokens != longest:
            longest, written = offer.max_output_tokens, asked.bound(offer)
        pusd: int | None
        if is_usual and offer.dearest is not None:
            entered_at, written_at = offer.dearest
            pusd = -(-(input_tokens * entered_at + written * written_at) // TOKENS_PER_MTOK)
        else:
            pusd = worst_case_pusd(offer, input_tokens, written, asked_tier)
            if pusd is None:
                unpriced.append(place)
                continue
        if pusd > worst:
            worst = pusd
    return (worst if worst >= 0 else None), unpriced


def worst_case_pusd(offer: Offer, input_tokens: int, output_tokens: int, asked_tier: str | None = None) -> int | None:
    """The most a request can cost that has at most so many tokens; None when a price is unknown."""
    price = dearest(offer, input_tokens, asked_tier, writes=output_tokens > 0)
    if price is None:
        return None
    return -(-(input_tokens * price.entered + output_tokens * price.written) // TOKENS_PER_MTOK) + price.fee


def dearest(offer: Offer, input_tokens: int, asked_tier: str | None, *, writes: bool = True) -> Dearest | None:
    """The dearest prices a request can meet; None when one that counts is unknown.

    Every token costs as the dearest class of its side, at the dearest tier such a prompt can reach, at whatever hour
    and date, at the service tier asked for or the usual one, whichever is dearer.
    """
    price, terms = offer.price, offer.terms
    if price.input_pusd_per_mtok is None or (price.output_pusd_per_mtok is None and writes):
        return None
    prices = [price]
    if terms is not None:
        prices += [tier.price for tier in terms.tiers if tier.above_tokens < input_tokens]
        prices += [window.price for window in terms.windows]
        prices += [change.price for change in terms.changes]
    percent = 100
    tier = service_tier(asked_tier)
    if tier is not None and not is_free(price):
        declared = None if terms is None else named(terms.service_tiers, tier)
        part = None if terms is None else named(terms.tier_percent, tier)
        if declared is not None:
            prices.append(declared)
        elif part is not None:
            percent = max(percent, part)
        else:
            return None
    entered = max(map(_dearest_input, prices))
    written = max(map(_dearest_output, prices))
    if percent > 100:
        entered, written = share(entered, percent), share(written, percent)
    fees = terms.request_fees if terms is not None else ()
    return Dearest(entered, written, max((fee for _, fee in fees), default=0))


def fee(terms: Terms, search_size: str | None) -> int:
    """What the request itself costs, in pico-dollars, under terms that have fees.

    The highest where nobody says how much was searched.
    """
    known = None if search_size is None else named(terms.request_fees, search_size)
    return max(each for _, each in terms.request_fees) if known is None else known


# Inside


def _dearest_input(price: Price) -> int:
    return max(
        price.input_pusd_per_mtok or 0,
        price.cached_input_pusd_per_mtok or 0,
        price.cache_write_pusd_per_mtok or 0,
        price.audio_input_pusd_per_mtok or 0,
    )


def _dearest_output(price: Price) -> int:
    return max(
        price.output_pusd_per_mtok or 0, price.reasoning_pusd_per_mtok or 0, price.audio_output_pusd_per_mtok or 0
    )


def _disagree(computed: int, reported: int) -> bool:
    """Whether two figures are more than 1 % apart, beyond what rounding to a pico-dollar does."""
    apart = abs(computed - reported)
    return apart > 1 and apart * 100 > max(computed, reported)
