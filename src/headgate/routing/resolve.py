"""A model name, as a client wrote it, → the candidates that can serve it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

import msgspec

from headgate.errors import ModelNotFound
from headgate.types.deployment import Candidate, Deployment
from headgate.types.policy import Order
from headgate.types.principal import Principal
from headgate.types.snapshot import Route, Snapshot

SUFFIXES = {
    "cheapest": Order.CHEAPEST,
    "floor": Order.CHEAPEST,
    "fastest": Order.FASTEST,
    "nitro": Order.FASTEST,
    "balanced": Order.BALANCED,
}
SUGGESTIONS = 5
LONGEST_NAME = 200


class Resolution(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """What a name stands for: candidates in written order, what to try when all have failed, and how to order them."""

    targets: tuple[Candidate, ...]
    fallback: tuple[Candidate, ...] = ()
    order: Order = Order.CHEAPEST
    route: Route | None = None


def resolve(snapshot: Snapshot, name: str) -> Resolution | None:
    """Find what a name means; None when it means nothing here.

    Tried in this order: a route of that name, a route with a `*` in its name, `provider/upstream-id`, the route `*`,
    a slug or any provider's own id, a declared id with a `*`. Then the same without a `:suffix`, because ids may hold
    colons themselves.
    """
    found = _resolve(snapshot, name)
    if found is not None:
        return found
    stem, colon, suffix = name.rpartition(":")
    order = SUFFIXES.get(suffix)
    if colon and order is not None:
        found = _resolve(snapshot, stem)
        if found is not None:
            return msgspec.structs.replace(found, order=order)
    return None


def _resolve(snapshot: Snapshot, name: str) -> Resolution | None:
    route = snapshot.routes.get(name)
    if route is not None:
        return Resolution(targets=route.targets, fallback=route.fallback, order=route.order, route=route)
    for route in snapshot.patterns:
        if route.name != "*" and (found := _by_pattern(snapshot, route, name)) is not None:
            return found
    pinned = pin(snapshot, name)
    if pinned:
        return Resolution(targets=pinned)
    for route in snapshot.patterns:
        # Last among routes: it would otherwise hide every pin.
        if route.name == "*" and (found := _by_pattern(snapshot, route, name)) is not None:
            return found
    entry = snapshot.models.get(name)
    if entry is not None:
        return Resolution(targets=tuple(Candidate(d, d.offer.upstream_id) for d in entry.deployments))
    open_offers = tuple(_open(snapshot, name))
    return Resolution(targets=open_offers) if open_offers else None


def pin(snapshot: Snapshot, name: str) -> tuple[Candidate, ...]:
    """The deployments of `provider/upstream-id`; empty when the provider is unknown or does not offer the id."""
    provider, slash, upstream_id = name.partition("/")
    if not slash or not upstream_id:
        return ()
    exact = snapshot.pins.get(provider, {}).get(upstream_id)
    if exact:
        return tuple(Candidate(d, d.offer.upstream_id) for d in exact)
    return tuple(_matching(snapshot.open_pins.get(provider, ()), upstream_id))


def star(pattern: str, text: str) -> str | None:
    """What the `*` of a pattern stands for in a text; None when it does not match or the star would be empty."""
    before, _, after = pattern.partition("*")
    if len(text) <= len(before) + len(after) or not text.startswith(before) or not text.endswith(after):
        return None
    return text[len(before) : len(text) - len(after)]


def not_found(snapshot: Snapshot, principal: Principal, name: str) -> ModelNotFound:
    """The 404 for a name nobody serves: the nearest names that would work for this key, and who serves them."""
    shown = name if len(name) <= LONGEST_NAME else name[:LONGEST_NAME] + "…"
    usable = [known for known in names(snapshot) if principal.may_use(known)]
    near = _nearest(name[:LONGEST_NAME], usable)
    if near:
        listed = "; ".join(f"{known} ({', '.join(served_by(snapshot, known))})" for known in near)
        advice = f"Nearest: {listed}."
    elif usable:
        advice = "GET /v1/models lists the names that work."
    else:
        advice = "No model is configured for this key."
    provider = name.partition("/")[0]
    if provider in snapshot.pins and provider not in snapshot.open_pins and "/" in name:
        advice += f" {provider} may sell it all the same: declare the id under providers.{provider}.models."
    for open_provider in snapshot.open_pins:
        advice += f" {open_provider} takes any id: {open_provider}/<id>."
    return ModelNotFound(f"no provider serves the model {shown!r}. {advice}", param="model")


def names(snapshot: Snapshot) -> Iterable[str]:
    """Every name that means something exactly as it stands; some more than once."""
    yield from snapshot.listed
    yield from snapshot.routes
    yield from snapshot.models
    for provider, ids in snapshot.pins.items():
        for upstream_id in ids:
            yield f"{provider}/{upstream_id}"


def served_by(snapshot: Snapshot, name: str) -> list[str]:
    """The providers behind a name, each once, in order."""
    found = resolve(snapshot, name)
    if found is None:
        return []
    return list(dict.fromkeys(c.deployment.upstream.provider for c in (*found.targets, *found.fallback)))


def _nearest(name: str, known: list[str]) -> list[str]:
    """Near by spelling, letter case and provider prefix aside."""
    by_folded: dict[str, str] = {}
    for candidate in known:
        by_folded.setdefault(candidate.lower(), candidate)
        # `llama-3.1-8b` should find `meta-llama/Llama-3.1-8B`.
        by_folded.setdefault(candidate.lower().rpartition("/")[2], candidate)
    folded = name.lower()
    near = difflib.get_close_matches(folded, by_folded, n=3 * SUGGESTIONS, cutoff=0.6)
    near += difflib.get_close_matches(folded.rpartition("/")[2], by_folded, n=SUGGESTIONS, cutoff=0.6)
    return list(dict.fromkeys(by_folded[key] for key in near))[:SUGGESTIONS]


def _by_pattern(snapshot: Snapshot, route: Route, name: str) -> Resolution | None:
    text = star(route.name, name)
    if text is None:
        return None
    targets = _by_templates(snapshot, route.templates, text)
    if not targets:
        return None
    fallback = _by_templates(snapshot, route.fallback_templates, text)
    return Resolution(targets=targets, fallback=fallback, order=route.order, route=route)


def _by_templates(snapshot: Snapshot, templates: tuple[str, ...], text: str) -> tuple[Candidate, ...]:
    found: list[Candidate] = []
    for template in templates:
        name = template.replace("*", text)
        candidates = pin(snapshot, name)
        if not candidates and (entry := snapshot.models.get(name)) is not None:
            candidates = tuple(Candidate(d, d.offer.upstream_id) for d in entry.deployments)
        found.extend(candidates)
    return tuple(found)


def _open(snapshot: Snapshot, name: str) -> Iterable[Candidate]:
    """Declared ids with a `*` claim every name they match; an undeclared one is reached by its provider's name only."""
    for deployments in snapshot.open_pins.values():
        yield from _matching([d for d in deployments if d.offer.declared], name)


def _matching(deployments: Iterable[Deployment], upstream_id: str) -> Iterable[Candidate]:
    for deployment in deployments:
        pattern = deployment.offer.upstream_id
        if pattern == "*" or star(pattern, upstream_id) is not None:
            yield Candidate(deployment, upstream_id)
