"""What a request says about who may serve it, applied to candidates. Pure.

The fields are those of OpenRouter's `provider` object: https://openrouter.ai/docs/features/provider-routing
"""

from __future__ import annotations

from collections.abc import Sequence

from headgate.catalog.terms import at_service_tier, standing
from headgate.routing.score import Size
from headgate.types.deployment import Body, Deployment, Offer
from headgate.types.money import Price
from headgate.types.policy import Preferences

MOST_NAMED = 5
"""So many of a client's names are repeated to it, and a reason stays short whatever the request lists."""

UNKNOWN = "unknown"
"""The quantization of an offer of which nobody says how its weights are stored."""

_ABOVE = "its {} price is above the highest the request allows"
_NOT_KNOWN = "its {} price is not known, and the request sets a highest one"
TOO_DEAR = frozenset(reason.format(side) for reason in (_ABOVE, _NOT_KNOWN) for side in ("input", "output"))
"""What is said of an offer whose price is too high for the request, or may be."""


def admits_serving(deployment: Deployment, preferences: Preferences | None, admitted: frozenset[str]) -> bool:
    """Whether a serving other than the plain one may be used: `admitted` by the route, or named by the request."""
    offer = deployment.offer
    named = {word.lower() for word in (offer.variant, offer.quantization) if word is not None}
    if "*" in admitted or not named.isdisjoint(map(str.lower, admitted)):
        return True
    wanted = None if preferences is None else preferences.quantizations
    return wanted is not None and bool(named & wanted)


def why_unwanted(deployment: Deployment, preferences: Preferences, fields: Body) -> str | None:
    """Why the request does not want a deployment; None when it takes it.

    Where a price depends on the request's length, its time or its service tier, `too_dear` says the rest.
    """
    provider = deployment.upstream.provider.lower()
    if preferences.only and provider not in preferences.only:
        return f"the request wants only {_listed(preferences.only)}"
    if provider in preferences.ignore:
        return "the request ignores this provider"
    if preferences.order and not preferences.allow_fallbacks and provider not in preferences.order:
        return f"the request allows no fallback beyond {_listed(preferences.order)}"
    return (
        _wrong_quantization(deployment, preferences)
        or _too_dear_always(deployment.offer, preferences)
        or (_drops_parameters(deployment, fields) if preferences.require_parameters else None)
    )


def place_in_order(deployment: Deployment, preferences: Preferences) -> int:
    """Where the request has put a provider: its own order first, then everybody else."""
    provider = deployment.upstream.provider.lower()
    return preferences.order.index(provider) if provider in preferences.order else len(preferences.order)


def _wrong_quantization(deployment: Deployment, preferences: Preferences) -> str | None:
    wanted = preferences.quantizations
    if wanted is None:
        return None
    offer = deployment.offer
    quantization = offer.quantization or UNKNOWN
    if quantization.lower() in wanted or (offer.variant is not None and offer.variant.lower() in wanted):
        return None
    return f"its quantization is {quantization}, and the request admits {_listed(sorted(wanted))}"


def too_dear(offer: Offer, preferences: Preferences, size: Size) -> str | None:
    """Why an offer costs more than the request allows, at the price that applies to its length, time and tier."""
    price, terms = offer.price, offer.terms
    if terms is not None:
        price = standing(price, terms, size.prompt, size.at)
    if size.tier is not None:
        price = at_service_tier(price, terms, size.tier, "")[0] or Price()
    return _above(price, preferences)


def limits_price(preferences: Preferences | None) -> bool:
    """Whether the request sets a highest price for tokens."""
    return preferences is not None and (
        preferences.max_input_pusd_per_mtok is not None or preferences.max_output_pusd_per_mtok is not None
    )


def _too_dear_always(offer: Offer, preferences: Preferences) -> str | None:
    terms = offer.terms
    if terms is None:
        return _above(offer.price, preferences)
    if preferences.max_request_pusd is not None:
        dearest = max((each for _, each in terms.request_fees), default=0)
        if dearest > preferences.max_request_pusd:
            return "its fee for a request is above the highest the request allows"
    return None


def _above(price: Price, preferences: Preferences) -> str | None:
    for side, most, asked in (
        ("input", preferences.max_input_pusd_per_mtok, price.input_pusd_per_mtok),
        ("output", preferences.max_output_pusd_per_mtok, price.output_pusd_per_mtok),
    ):
        if most is None:
            continue
        if asked is None:
            return _NOT_KNOWN.format(side)
        if asked > most:
            return _ABOVE.format(side)
    return None


def _drops_parameters(deployment: Deployment, fields: Body) -> str | None:
    """What the provider's quirks would have to leave out, found by applying them to a copy."""
    copy = dict(fields)
    dropped: list[str] = []
    for quirk in deployment.upstream.quirks:
        quirk(copy, dropped)
    return f"it cannot honour {', '.join(dropped)}, and the request requires its parameters" if dropped else None


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:MOST_NAMED])
    return f"{shown} and others" if len(names) > MOST_NAMED else shown
