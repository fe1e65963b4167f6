"""A model name, as a client wrote it, → the candidates that can serve it."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from headgate.errors import ModelNotFound
from headgate.routing.names import matches, nearest, star
from headgate.types.deployment import Candidate, Deployment
from headgate.types.policy import Order
from headgate.types.principal import Principal
from headgate.types.snapshot import ModelEntry, Route, Snapshot
from headgate.types.suffixes import SUFFIXES

SUGGESTIONS = 5
LONGEST_NAME = 200


class Resolution(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """What a name stands for: candidates in written order, what to try when all have failed, and how to order them.

    `variants` are other servings of the same weights, which count only where route or request admit them. `named` when
    the order comes from the name itself, by a suffix.
    """

    targets: tuple[Candidate, ...]
    fallback: tuple[Candidate, ...] = ()
    variants: tuple[Candidate, ...] = ()
    order: Order = Order.CHEAPEST
    named: bool = False
    route: Route | None = None


def resolve(snapshot: Snapshot, name: str) -> Resolution | None:
    """Find what a name means; None when it means nothing here.

    Tried in this order: a route of that name, a route with a `*` in its name, `provider/upstream-id`, the route `*`,
    a slug or any provider's own id or another spelling of it, a declared id with a `*`. A `:suffix` is part of the name
    only where somebody has written it so: ids may hold colons themselves, but a `*` must not swallow it.
    """
    stem, colon, suffix = name.rpartition(":")
    order = SUFFIXES.get(suffix) if colon else None
    if order is not None and not _is_written(snapshot, name, suffix):
        found = _resolve(snapshot, stem)
        if found is not None:
            return msgspec.structs.replace(found, order=order, named=True)
    return _resolve(snapshot, name)


def _is_written(snapshot: Snapshot, name: str, suffix: str) -> bool:
    """Whether a route or an id spells out the suffix, which then is part of the name."""
    if name in snapshot.routes or name in snapshot.models or name in snapshot.aliases:
        return True
    provider, _, upstream_id = name.partition("/")
    if upstream_id in snapshot.pins.get(provider, {}):
        return True
    spelt_out = [(route.name, name) for route in snapshot.patterns]
    for seller, deployments in snapshot.open_pins.items():
        text = upstream_id if seller == provider else name
        spelt_out += [(deployment.offer.upstream_id, text) for deployment in deployments]
    return any(pattern.endswith(f":{suffix}") and matches(pattern, text) for pattern, text in spelt_out)


def _resolve(snapshot: Snapshot, name: str) -> Resolution | None:
    route = snapshot.routes.get(name)
    if route is not None:
        return Resolution(
            targets=route.targets,
            fallback=route.fallback,
            variants=route.variants,
            order=route.order,
            route=route,
        )
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
    entry = _entry(snapshot, name)
    if entry is not None:
        return Resolution(targets=_candidates(entry.deployments), variants=_candidates(entry.variants))
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


def not_found(snapshot: Snapshot, principal: Principal, name: str) -> ModelNotFound:
    """The 404 for a name nobody serves: the nearest names that would work for this key, and who serves them."""
    shown = name if len(name) <= LONGEST_NAME else name[:LONGEST_NAME] + "…"
    usable = [known for known in names(snapshot) if principal.may_use(known)]
    near = _nearest(snapshot, principal, name[:LONGEST_NAME], usable)
    pins = [] if name in snapshot.models else [known for known in _pins_of(snapshot, name) if principal.may_use(known)]
    if len(pins) > 1 and principal.may_use(name):
        return ModelNotFound(
            f"the model {shown!r} is not the same at every provider. Name one: {'; '.join(pins)}.", param="model"
        )
    if near:
        advice = _as_nearest(snapshot, near)
    elif usable:
        advice = "GET /v1/models lists the names that work."
    else:
        advice = "No model is configured for this key."
    provider = name.partition("/")[0]
    if not principal.may_use(name):
        # Who else is configured is none of its business.
        return ModelNotFound(f"no provider serves the model {shown!r}. {advice}", param="model")
    if provider in snapshot.pins and provider not in snapshot.open_pins and "/" in name:
        advice += f" {provider} may sell it all the same: declare the id under providers.{provider}.models."
    for open_provider in snapshot.open_pins:
        if not principal.may_use(f"{open_provider}/<id>"):
            continue
        advice += f" {open_provider} takes any id: {open_provider}/<id>."
    return ModelNotFound(f"no provider serves the model {shown!r}. {advice}", param="model")


def others_near(snapshot: Snapshot, principal: Principal, name: str, asked: Iterable[Candidate]) -> str:
    """The names nearest to one whose model is gone wherever it was `asked` for, as a sentence; empty when none is near.

    A name that stands for nothing else than what was asked for is none of them.
    """
    gone = {(one.deployment.upstream.provider, one.upstream_id) for one in asked}
    near = nearest(name[:LONGEST_NAME], filter(principal.may_use, names(snapshot)), 3 * SUGGESTIONS)
    others = [
        known
        for known in near
        if not {(one.deployment.upstream.provider, one.upstream_id) for one in _behind(snapshot, known)} <= gone
    ]
    return _as_nearest(snapshot, others[:SUGGESTIONS]) if others else ""


def _as_nearest(snapshot: Snapshot, near: list[str]) -> str:
    listed = "; ".join(f"{known} ({', '.join(served_by(snapshot, known))})" for known in near)
    return f"Nearest: {listed}."


def _nearest(snapshot: Snapshot, principal: Principal, name: str, usable: list[str]) -> list[str]:
    """What was most likely meant: the name in its right letter case, what is called so at a provider, then others."""
    stem, colon, suffix = name.rpartition(":")
    wanted = stem if colon and suffix in SUFFIXES else name
    folded = wanted.lower()
    exact = [known for known in (*usable, *snapshot.aliases) if known.lower() == folded and principal.may_use(known)]
    pins = [known for known in _pins_of(snapshot, wanted) if principal.may_use(known)]
    found = [] if exact else nearest(wanted, usable, SUGGESTIONS)
    return list(dict.fromkeys((*exact, *pins, *found)))[:SUGGESTIONS]


def _pins_of(snapshot: Snapshot, upstream_id: str) -> Iterable[str]:
    return (f"{provider}/{upstream_id}" for provider, ids in snapshot.pins.items() if upstream_id in ids)


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
    return list(dict.fromkeys(one.deployment.upstream.provider for one in _behind(snapshot, name)))


def _behind(snapshot: Snapshot, name: str) -> tuple[Candidate, ...]:
    found = resolve(snapshot, name)
    return () if found is None else (*found.targets, *found.fallback, *found.variants)


def _by_pattern(snapshot: Snapshot, route: Route, name: str) -> Resolution | None:
    text = star(route.name, name)
    if text is None:
        return None
    targets, variants = _by_templates(snapshot, route.templates, text)
    if not targets and not variants:
        return None
    fallback, _ = _by_templates(snapshot, route.fallback_templates, text)
    return Resolution(targets=targets, fallback=fallback, variants=variants, order=route.order, route=route)


def _by_templates(
    snapshot: Snapshot, templates: tuple[str, ...], text: str
) -> tuple[tuple[Candidate, ...], tuple[Candidate, ...]]:
    """What the templates come to, and the variants of it.

    Providers that do not list the id are asked for it only when none lists it.
    """
    names = [template.replace("*", text) for template in templates]
    found: list[Candidate] = []
    variants: list[Candidate] = []
    for name in names:
        pinned = pin(snapshot, name)
        entry = None if pinned else _entry(snapshot, name)
        found += pinned
        if entry is not None:
            found += _candidates(entry.deployments)
            variants += _candidates(entry.variants)
    if not found and not variants:
        found = [candidate for name in names for candidate in _unlisted(snapshot, name)]
    return tuple(found), tuple(variants)


def _entry(snapshot: Snapshot, name: str) -> ModelEntry | None:
    return snapshot.models.get(name) or snapshot.aliases.get(name)


def _candidates(deployments: Iterable[Deployment]) -> tuple[Candidate, ...]:
    return tuple(Candidate(deployment, deployment.offer.upstream_id) for deployment in deployments)


def _unlisted(snapshot: Snapshot, name: str) -> Iterable[Candidate]:
    """A `*` target stands for whatever the client wrote: the provider is asked, and knows better than any list."""
    provider, _, upstream_id = name.partition("/")
    for deployment in snapshot.catch_all.get(provider, ()):
        if upstream_id:
            yield Candidate(deployment, upstream_id)


def _open(snapshot: Snapshot, name: str) -> Iterable[Candidate]:
    """Declared ids with a `*` claim every name they match; an undeclared one is reached by its provider's name only."""
    for deployments in snapshot.open_pins.values():
        yield from _matching([d for d in deployments if d.offer.declared], name)


def _matching(deployments: Iterable[Deployment], upstream_id: str) -> Iterable[Candidate]:
    for deployment in deployments:
        if matches(deployment.offer.upstream_id, upstream_id):
            yield Candidate(deployment, upstream_id)
