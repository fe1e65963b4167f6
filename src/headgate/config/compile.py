"""Document → snapshot. Nothing here judges: the document has passed every check."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

from headgate.catalog.copies import CopyOf
from headgate.config.document import (
    Document,
    HealthPart,
    HedgePart,
    Policies,
    ProviderPart,
    RoutePart,
    RulePart,
    TimeoutsPart,
)
from headgate.config.entries import settled_row
from headgate.config.fields import split_auth_header
from headgate.config.keys import declared_keys
from headgate.config.meanings import Named
from headgate.config.offering import Choice, Offering, offers_of
from headgate.providers.provider import Provider
from headgate.providers.quirks import QUIRKS
from headgate.providers.sandbox import FAULTS, MODELS, SANDBOX, Pace, sandbox_scripts
from headgate.types.deployment import Candidate, Credential, Deployment, Offer, Quirk, ScriptFor, Upstream
from headgate.types.fault import FaultClass
from headgate.types.policy import RULES, HealthPolicy, HedgePolicy, Rule, Timeouts
from headgate.types.principal import Principal
from headgate.types.snapshot import ModelEntry, Route, Snapshot

DEFAULT_RETRIES = 2
_LISTED_KINDS = frozenset({"chat", "completion", "embedding", "any"})
_MEBIBYTE = 1024 * 1024

Deployments = Mapping[tuple[str, str], tuple[Deployment, ...]]
"""Provider and upstream id → one deployment for each credential."""


def compile_snapshot(
    document: Document,
    *,
    revision: int,
    created: int,
    issued_keys: Mapping[bytes, Principal],
    shelf: CopyOf | None = None,
) -> Snapshot:
    """Turn a checked document into what requests read.

    `created` is in seconds since the epoch. `issued_keys` are keys made outside the document, by hash; they count
    while the document declares none. Raises ValueError for a target that nobody offers, which a checked document
    does not hold.
    """
    offers = offers_of(document, shelf)
    offering = Offering(offers)
    deployments = _deployments(document, offers)
    routes = [_route(name, part, document, offering, deployments) for name, part in document.models.items()]
    patterns = [route for route in routes if "*" in route.name]
    models = _entries(offering.names, deployments)
    return Snapshot(
        revision=revision,
        created=created,
        keys=declared_keys(document) or issued_keys,
        routes={route.name: route for route in routes if "*" not in route.name},
        patterns=tuple(sorted(patterns, key=lambda route: -len(route.name))),
        pins={
            provider: {upstream_id: deployments[provider, upstream_id] for upstream_id in ids}
            for provider, ids in offering.pins.items()
        },
        open_pins={
            provider: tuple(one for offer in stars for one in deployments[provider, offer.upstream_id])
            for provider, stars in offering.open.items()
        },
        catch_all=_catch_all(document, patterns),
        models=models,
        aliases=_entries(offering.aliases, deployments),
        listed=_listed(document, routes, models),
        providers=tuple(document.providers),
        max_body_bytes=document.server.max_body_mb * _MEBIBYTE,
        body_timeout_s=document.server.body_timeout_s,
    )


def _deployments(document: Document, offers: Mapping[str, tuple[Offer, ...]]) -> Deployments:
    found: dict[tuple[str, str], tuple[Deployment, ...]] = {}
    for name, entry in document.providers.items():
        upstream = _upstream(name, entry, document)
        credentials = _credentials(entry)
        for offer in offers[name]:
            found[name, offer.upstream_id] = tuple(
                Deployment(offer=offer, credential=credential, upstream=upstream) for credential in credentials
            )
    return found


def _catch_all(document: Document, patterns: Iterable[Route]) -> dict[str, tuple[Deployment, ...]]:
    """Providers that a `*` target names: they are asked for ids that nobody has listed."""
    templates = [template for route in patterns for template in (*route.templates, *route.fallback_templates)]
    named = {template.partition("/")[0] for template in templates if "*" in template and "/" in template}
    made: dict[str, tuple[Deployment, ...]] = {}
    for name in named & document.providers.keys():
        entry = document.providers[name]
        upstream = _upstream(name, entry, document)
        offer = Offer(provider=name, upstream_id="*", model="*", kind="any")
        made[name] = tuple(
            Deployment(offer=offer, credential=credential, upstream=upstream) for credential in _credentials(entry)
        )
    return made


def _upstream(name: str, entry: ProviderPart, defaults: Policies) -> Upstream:
    row = settled_row(name, entry)
    hold, hedge = entry.hold or defaults.hold, entry.hedge or defaults.hedge
    return Upstream(
        provider=name,
        dialect=entry.dialect or row.dialect,
        base_url=entry.base_url or row.base_url,
        auth_header=split_auth_header(entry.auth_header) if entry.auth_header else row.auth_header,
        headers=tuple(entry.headers.items()),
        operations=row.operations,
        lacks=row.lacks,
        concurrent=row.concurrent,
        quirks=_quirks((*row.quirks, *entry.quirks)),
        stream_usage=row.stream_usage,
        usage_aside=row.usage_aside,
        script=_script(row, entry),
        proxy=entry.proxy,
        timeouts=_timeouts(entry.timeouts, defaults.timeouts),
        retries=_first(entry.retries, defaults.retries, DEFAULT_RETRIES),
        health=_health(entry.health, defaults.health),
        hold=hold,
        hedge=_hedge(hedge),
    )


def _script(row: Provider, entry: ProviderPart) -> ScriptFor | None:
    if row.script is None or entry.pace is None:
        return row.script
    return sandbox_scripts(Pace(**entry.pace.model_dump(exclude_none=True)))


def _quirks(names: Iterable[str]) -> tuple[Quirk, ...]:
    return tuple(QUIRKS[name] for name in dict.fromkeys(names))


def _credentials(entry: ProviderPart) -> list[Credential]:
    if entry.credentials:
        return [Credential(name=one.name, secret=one.api_key, weight=one.weight) for one in entry.credentials]
    return [Credential(name="default", secret=entry.api_key)]


def _route(name: str, part: RoutePart, document: Document, offering: Offering, deployments: Deployments) -> Route:
    """A route whose name holds a `*` keeps its targets as written; they mean something once a request names a model."""
    pattern = "*" in name
    timeouts = part.timeouts
    for target in () if pattern else (*part.targets, *part.fallback):
        if not _means_something(target, offering):
            raise ValueError(f"the document was not checked: nobody offers {target!r}")
    return Route(
        name=name,
        targets=() if pattern else _candidates(part.targets, offering.resolve, deployments, part.weights),
        fallback=() if pattern else _candidates(part.fallback, offering.resolve, deployments),
        variants=() if pattern else _candidates(part.targets, offering.variants, deployments, part.weights),
        admits=frozenset(part.variants),
        templates=tuple(part.targets) if pattern else (),
        fallback_templates=tuple(part.fallback) if pattern else (),
        order=part.policy,
        timeouts=_timeouts(timeouts, document.timeouts) if timeouts else None,
        provider_timeouts={
            provider: _timeouts(timeouts, entry.timeouts, document.timeouts)
            for provider, entry in document.providers.items()
            if entry.timeouts
        }
        if timeouts
        else {},
        retries=part.retries,
        rules={kind: _rule(kind, rule) for kind, rule in part.faults.items()},
        health=_health(part.health, document.health) if part.health else None,
        provider_health={
            provider: _health(part.health, entry.health, document.health)
            for provider, entry in document.providers.items()
            if entry.health
        }
        if part.health
        else {},
        hold=part.hold,
        hedge=_hedge(part.hedge),
    )


def _rule(kind: FaultClass, part: RulePart) -> Rule:
    usual = RULES[kind]
    return Rule(
        retry=usual.retry if part.retry is None else part.retry,
        fall_back=usual.fall_back if part.fallback is None else part.fallback,
        most=usual.most,
    )


def _means_something(target: str, offering: Offering) -> bool:
    return bool(offering.resolve(target) or offering.variants(target))


def _candidates(
    targets: Iterable[str],
    choices_of: Callable[[str], tuple[Choice, ...]],
    deployments: Deployments,
    weights: Mapping[str, float] = MappingProxyType({}),
) -> tuple[Candidate, ...]:
    """The deployments behind targets, each once. A target's weight is shared by the offers it stands for."""
    found: dict[tuple[int, str], Candidate] = {}
    for target in targets:
        choices = choices_of(target)
        weight = weights.get(target, 1.0) / max(len(choices), 1)
        for choice in choices:
            ones = deployments[choice.offer.provider, choice.offer.upstream_id]
            total = sum(one.credential.weight for one in ones)
            for one in ones:
                found.setdefault((id(one), choice.upstream_id), Candidate(one, choice.upstream_id, weight / total))
    return tuple(found.values())


def _entries(names: Mapping[str, Named], deployments: Deployments) -> dict[str, ModelEntry]:
    def of(offers: Iterable[Offer]) -> tuple[Deployment, ...]:
        return tuple(one for offer in offers for one in deployments[offer.provider, offer.upstream_id])

    return {
        name: ModelEntry(
            name=name,
            model=(*named.plain, *named.variants)[0].model,
            deployments=of(named.plain),
            variants=of(named.variants),
        )
        for name, named in names.items()
    }


def _listed(document: Document, routes: Iterable[Route], models: Mapping[str, ModelEntry]) -> tuple[str, ...]:
    """Route names as written, then every name somebody can be expected to answer to, sorted; faults come last."""
    written = [route.name for route in routes if "*" not in route.name]
    names = [
        name
        for name, entry in models.items()
        if any(
            not one.offer.retired and one.offer.kind in _LISTED_KINDS for one in (*entry.deployments, *entry.variants)
        )
    ]
    tame, faulty = (MODELS, FAULTS) if SANDBOX.name in document.providers else ({}, {})
    return tuple(
        dict.fromkeys(
            (
                *written,
                *(f"{SANDBOX.name}/{model}" for model in tame),
                *sorted(names),
                *(f"{SANDBOX.name}/{model}" for model in faulty),
            )
        )
    )


def _first(*values: int | None) -> int:
    return next(value for value in values if value is not None)


def _timeouts(*levels: TimeoutsPart | None) -> Timeouts:
    """Each clock from the first level that sets it, else the default."""
    chosen: dict[str, float] = {}
    for level in levels:
        if level is not None:
            for clock, seconds in level.model_dump(exclude_none=True).items():
                chosen.setdefault(clock, seconds)
    return Timeouts(**chosen, patient="first_token_s" not in chosen)


def _health(*levels: HealthPart | None) -> HealthPolicy:
    failures = [level.failures for level in levels if level and level.failures is not None]
    cooldowns = [level.cooldown_s for level in levels if level and level.cooldown_s is not None]
    default = HealthPolicy()
    return HealthPolicy(
        failures=failures[0] if failures else default.failures,
        cooldown_s=cooldowns[0] if cooldowns else default.cooldown_s,
    )


def _hedge(part: HedgePart | None) -> HedgePolicy | None:
    return HedgePolicy(after=part.after, budget=part.budget) if part else None
