"""Whether every route leads somewhere, and what to say when it does not."""

from __future__ import annotations

from collections.abc import Iterable

from headgate.catalog.offers import load_offers
from headgate.config.document import Document, RoutePart
from headgate.config.entries import is_hosted, row_of
from headgate.config.findings import Findings
from headgate.config.offering import Offering
from headgate.config.problems import Path, shorten
from headgate.providers.builtin import PROVIDERS
from headgate.providers.provider import Provider
from headgate.routing.names import nearest
from headgate.types.deployment import Offer

_LONGEST_NAME = 256
_SUGGESTIONS = 3


def check_routes(document: Document, offering: Offering, findings: Findings) -> None:
    """Find routes that lead nowhere, that lead to something retired, or whose `*` makes no sense."""
    for name, route in document.models.items():
        _check_name(name, findings)
        for key, targets in (("targets", route.targets), ("fallback", route.fallback)):
            for index, target in enumerate(targets):
                _check_target(name, ("models", name, key, index), target, document, offering, findings)
        _check_repeats(name, route, findings)
        _check_weights(name, route, findings)


def targets_of(document: Document) -> list[str]:
    """Every target and fallback of every route, in written order."""
    return [target for route in document.models.values() for target in (*route.targets, *route.fallback)]


def _check_name(name: str, findings: Findings) -> None:
    path: Path = ("models", name)
    if not name or len(name) > _LONGEST_NAME:
        findings.problem(path, f"a model name has 1 to {_LONGEST_NAME} characters")
    elif name != name.strip() or not name.isprintable():
        findings.problem(path, "a model name holds no line break and no spaces around it")
    elif name.count("*") > 1:
        findings.problem(path, "holds more than one *")


def _check_repeats(name: str, route: RoutePart, findings: Findings) -> None:
    seen: set[str] = set()
    for key, targets in (("targets", route.targets), ("fallback", route.fallback)):
        for index, target in enumerate(targets):
            if target in seen:
                path: Path = ("models", name, key, index)
                findings.warn(path, f"{findings.shown(path, target)} stands here a second time")
            seen.add(target)


def _check_weights(name: str, route: RoutePart, findings: Findings) -> None:
    for target in route.weights:
        if target not in route.targets:
            path: Path = ("models", name, "weights", target)
            findings.problem(
                path, f"{findings.shown(path, target)} is none of the targets{_near(target, route.targets)}"
            )


def _check_admitted(path: Path, target: str, variants: list[Offer], route: RoutePart, findings: Findings) -> None:
    """A target of which nobody has the plain serving leads somewhere only where the route admits another."""
    kinds = sorted({offer.variant for offer in variants if offer.variant is not None})
    if "*" in route.variants or set(kinds) & {*route.variants}:
        _warn_of_age(path, variants, findings)
        return
    named = ", ".join(_served(offer) for offer in variants[:_SUGGESTIONS])
    findings.problem(
        path,
        f"{findings.shown(path, target)} is served only as a variant here ({', '.join(kinds)}): name it ({named}), or "
        f"admit it with variants: [{', '.join(kinds)}]",
    )


def _check_target(
    name: str, path: Path, target: str, document: Document, offering: Offering, findings: Findings
) -> None:
    if "*" in target:
        if "*" not in name:
            findings.problem(path, "holds a *, which only has a meaning in a route whose name holds one")
        elif not offering.can_match(target) and not _cannot_judge(target, findings):
            shown = findings.shown(path, target)
            findings.problem(path, f"no configured provider offers anything that fits {shown}")
        return
    choices = offering.resolve(target)
    variants = offering.variants(target)
    if choices:
        _warn_of_age(path, [choice.offer for choice in choices], findings)
    elif variants:
        _check_admitted(path, target, [choice.offer for choice in variants], document.models[name], findings)
    elif not _cannot_judge(target, findings):
        if findings.comes_from_variables(path):
            # Every part of it may be a secret in the wrong place: no part is named, only what is near.
            near = _near(target, offering.names)
            findings.problem(path, f"no configured provider offers {findings.shown(path, target)}{near}")
            return
        findings.problem(path, _why_nobody(target, document, offering))


def _cannot_judge(target: str, findings: Findings) -> bool:
    """Whether a provider that could not be read might offer it."""
    provider, slash, _ = target.partition("/")
    if slash and row_of(provider) is not None:
        return findings.is_spoilt("providers", provider)
    return findings.spoilt_providers


def _warn_of_age(path: Path, offers: list[Offer], findings: Findings) -> None:
    if all(offer.retired for offer in offers):
        findings.warn(path, f"{_served(offers[0])} is retired, as far as we know; requests to it will likely fail")
        return
    for offer in offers:
        if offer.deprecated_on and not offer.retired:
            findings.warn(path, f"{_served(offer)} is to be retired on {offer.deprecated_on}")


def _served(offer: Offer) -> str:
    return f"{offer.provider}/{offer.upstream_id}"


def _why_nobody(target: str, document: Document, offering: Offering) -> str:
    shown = f"'{shorten(target)}'"
    if target in document.models:
        return f"{shown} is itself a route; a target is what a provider offers"
    if pins := offering.pins_of(target):
        return f"{shown} means nothing without its provider's name; name one: {', '.join(pins)}"
    provider, slash, upstream_id = target.partition("/")
    if slash and provider in offering.pins:
        known = list(offering.pins[provider])
        declare = f"; if it is new, declare it under providers.{provider}.models"
        return f"{provider} does not offer '{shorten(upstream_id)}'{_near(upstream_id, known)}{declare}"
    if slash and (row := row_of(provider)) is not None:
        return f"{shown} needs {_how_to_add(row)}"
    if slash and (meant := _typo_of_provider(provider, upstream_id, offering)):
        return f"{shown}: no provider is called {shorten(provider)}; {meant}"
    near = _near(target, offering.names)
    if slash and not near and (known := [*nearest(provider, offering.pins, 1), *nearest(provider, PROVIDERS, 1)]):
        return f"{shown}: no provider is called {shorten(provider)}; did you mean {known[0]}?"
    return f"no configured provider offers {shown}{near}"


def _typo_of_provider(provider: str, upstream_id: str, offering: Offering) -> str | None:
    """What was meant, when the part before the slash is nobody's name; a provider that is configured comes first."""
    for near in nearest(provider, offering.pins, _SUGGESTIONS):
        if offering.pin(f"{near}/{upstream_id}"):
            return f"did you mean {near}/{shorten(upstream_id)}?"
    rows = [PROVIDERS[near] for near in nearest(provider, PROVIDERS, _SUGGESTIONS) if near not in offering.pins]
    for row in rows:
        if _would_offer(row, upstream_id):
            return f"did you mean {row.name}/{shorten(upstream_id)}? It needs {_how_to_add(row)}"
    if choices := offering.resolve(upstream_id):
        sellers = ", ".join(dict.fromkeys(choice.offer.provider for choice in choices))
        return f"'{shorten(upstream_id)}' is offered by {sellers}"
    return None


def _would_offer(row: Provider, upstream_id: str) -> bool:
    """Whether a provider that is not configured sells an id, as far as the catalog knows."""
    return any(offer.upstream_id == upstream_id for offer in load_offers([row.name])[row.name])


def _how_to_add(row: Provider) -> str:
    needed = f"the provider {row.name}, which is not configured"
    if not is_hosted(row):
        return f"{needed}; add {row.name}: {{}} under providers"
    variable = row.env[0] if row.env else f"{row.name.upper()}_API_KEY"
    return f"{needed}; set {variable}, or add {row.name}: {{api_key: …}} under providers"


def _near(word: str, known: Iterable[str]) -> str:
    names = nearest(word, known, _SUGGESTIONS)
    return f"; nearest: {', '.join(names)}" if names else ""
