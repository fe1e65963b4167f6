"""What a client is told when nobody who serves a model can serve the request: what it asks for, and who could."""

from __future__ import annotations

from collections.abc import Iterator

from headgate.errors import InvalidRequest
from headgate.routing.names import nearest
from headgate.routing.preferences import admits_serving, why_unwanted
from headgate.routing.requirements import PARAMS, WORDS, Extent, overlong, verdict
from headgate.routing.resolve import LONGEST_NAME, resolve
from headgate.routing.shortlist import KINDS
from headgate.types.deployment import Deployment
from headgate.types.principal import Principal
from headgate.types.request import Envelope, Plan
from headgate.types.snapshot import Snapshot

MOST_LOOKED_AT = 3_000
"""Models that are asked whether they could serve, so that a refusal never holds up other requests for long."""
_REASONS = 5
_PROMPTS = ("messages", "prompt", "input")


def nobody_can(
    snapshot: Snapshot, principal: Principal, envelope: Envelope, extent: Extent, made: Plan
) -> InvalidRequest:
    """The error for a plan without candidates. It names what the request needs and the nearest model that has it."""
    deployments = _asked(snapshot, envelope)
    param, code, needs = _missing(envelope, extent, deployments)
    shown = envelope.model[:LONGEST_NAME]
    reasons = "; ".join(f"{one.deployment}: {one.reason}" for one in made.dropped[:_REASONS])
    needed = f" The request needs {needs}." if needs else ""
    near = _nearest_able(snapshot, principal, envelope, extent, deployments)
    advice = f" The nearest model that can serve it: {near}." if near else " No model of this key's can serve it."
    return InvalidRequest(
        f"nobody who serves {shown!r} can do this: {reasons}.{needed}{advice}", param=param, code=code
    )


def _asked(snapshot: Snapshot, envelope: Envelope) -> list[Deployment]:
    names = (envelope.model, *(envelope.preferences.models if envelope.preferences is not None else ()))
    found = [resolution for name in names if (resolution := resolve(snapshot, name)) is not None]
    asked: list[Deployment] = []
    for each in found:
        asked += [one.deployment for one in (*each.targets, *each.fallback)]
        admitted = frozenset() if each.route is None else each.route.admits
        variants = [one.deployment for one in each.variants]
        asked += [one for one in variants if admits_serving(one, envelope.preferences, admitted)]
    return asked


def _missing(envelope: Envelope, extent: Extent, deployments: list[Deployment]) -> tuple[str, str, str]:
    """The field that asks for too much, the code of the error, and what is asked for, in words."""
    served = [one for one in deployments if _does(one, envelope)]
    lacking = sorted({need for one in served for need in verdict(one, envelope.requires)[0]})
    if lacking:
        return PARAMS.get(lacking[0], "model"), "unsupported_parameter", " and ".join(WORDS[need] for need in lacking)
    if not served:
        return "model", "unsupported_model", ""
    wanted = [one for one in served if _wants(envelope, one)]
    if not wanted:
        return "provider", "invalid_value", "a provider that its own `provider` field admits"
    # They can do it and are wanted: so it is too long for them.
    longest = max(one.offer.max_output_tokens or 0 for one in wanted)
    if extent.each is not None and extent.each > longest > 0:
        field = "max_tokens" if "max_tokens" in envelope.fields else "max_completion_tokens"
        return field, "max_tokens_too_large", f"answers of up to {extent.each} tokens"
    field = next((name for name in _PROMPTS if name in envelope.fields), "messages")
    return field, "context_length_exceeded", "a longer context window"


def _nearest_able(
    snapshot: Snapshot, principal: Principal, envelope: Envelope, extent: Extent, refused: list[Deployment]
) -> str | None:
    able = {
        name: deployment.upstream.provider for name, deployment in _able(snapshot, principal, envelope, extent, refused)
    }
    near = nearest(envelope.model[:LONGEST_NAME], able, 1) or sorted(able)[:1]
    return f"{near[0]} ({able[near[0]]})" if near else None


def _able(
    snapshot: Snapshot, principal: Principal, envelope: Envelope, extent: Extent, refused: list[Deployment]
) -> Iterator[tuple[str, Deployment]]:
    """Names that are listed and the key may use, each with a deployment that can serve for certain.

    Retired ones do not count, nor those that have been refused already.
    """
    gone = {id(one) for one in refused}
    for name in snapshot.listed[:MOST_LOOKED_AT]:
        found = resolve(snapshot, name) if principal.may_use(name) else None
        for candidate in (*found.targets, *found.fallback) if found is not None else ():
            one = candidate.deployment
            if id(one) not in gone and _certainly_can(one, envelope, extent):
                yield name, one
                break


def _certainly_can(deployment: Deployment, envelope: Envelope, extent: Extent) -> bool:
    if deployment.offer.retired or not _does(deployment, envelope) or any(verdict(deployment, envelope.requires)):
        return False
    reason, doubtful = overlong(deployment.offer, extent, None)
    return reason is None and not doubtful and _wants(envelope, deployment)


def _does(deployment: Deployment, envelope: Envelope) -> bool:
    operation = envelope.operation
    return operation in deployment.upstream.operations and deployment.offer.kind in KINDS[operation]


def _wants(envelope: Envelope, deployment: Deployment) -> bool:
    preferences = envelope.preferences
    return preferences is None or why_unwanted(deployment, preferences, envelope.fields) is None
