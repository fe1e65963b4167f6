"""What a client is told when nobody who serves a model can serve the request: what it asks for, and who could."""

from __future__ import annotations

from collections.abc import Iterator

from headgate.errors import InvalidRequest
from headgate.routing.names import nearest
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


def nobody_can(
    snapshot: Snapshot, principal: Principal, envelope: Envelope, extent: Extent, made: Plan
) -> InvalidRequest:
    """The error for a plan without candidates. It names what the request needs and the nearest model that has it."""
    deployments = _asked(snapshot, envelope)
    param, code, needs = _missing(envelope, extent, deployments)
    shown = envelope.model[:LONGEST_NAME]
    reasons = "; ".join(f"{one.deployment}: {one.reason}" for one in made.dropped[:_REASONS])
    needed = f" The request needs {needs}." if needs else ""
    near = _nearest_able(snapshot, principal, envelope, extent)
    advice = f" The nearest model that can serve it: {near}." if near else " No model of this key's can serve it."
    return InvalidRequest(
        f"nobody who serves {shown!r} can do this: {reasons}.{needed}{advice}", param=param, code=code
    )


def _asked(snapshot: Snapshot, envelope: Envelope) -> list[Deployment]:
    names = (envelope.model, *(envelope.preferences.models if envelope.preferences is not None else ()))
    found = [resolution for name in names if (resolution := resolve(snapshot, name)) is not None]
    return [one.deployment for each in found for one in (*each.targets, *each.fallback)]


def _missing(envelope: Envelope, extent: Extent, deployments: list[Deployment]) -> tuple[str, str, str]:
    """The field that asks for too much, the code of the error, and what is asked for, in words."""
    served = [one for one in deployments if _does(one, envelope)]
    lacking = sorted({need for one in served for need in verdict(one, envelope.requires)[0]})
    if lacking:
        return PARAMS.get(lacking[0], "model"), "unsupported_parameter", " and ".join(WORDS[need] for need in lacking)
    if any(overlong(one.offer, extent, None)[0] for one in served):
        longest = max((one.offer.max_output_tokens or 0 for one in served), default=0)
        if extent.each is not None and extent.each > longest > 0:
            field = "max_tokens" if "max_tokens" in envelope.fields else "max_completion_tokens"
            return field, "max_tokens_too_large", f"answers of up to {extent.each} tokens"
        return "messages", "context_length_exceeded", "a longer context window"
    return "model", "unsupported_model", ""


def _nearest_able(snapshot: Snapshot, principal: Principal, envelope: Envelope, extent: Extent) -> str | None:
    able = {
        name: deployment.upstream.provider
        for name, deployment in _able(snapshot, envelope, extent)
        if principal.may_use(name)
    }
    near = nearest(envelope.model[:LONGEST_NAME], able, 1) or sorted(able)[:1]
    return f"{near[0]} ({able[near[0]]})" if near else None


def _able(snapshot: Snapshot, envelope: Envelope, extent: Extent) -> Iterator[tuple[str, Deployment]]:
    """Names that are listed, each with a deployment that can serve for certain; retired ones do not count."""
    for name in snapshot.listed[:MOST_LOOKED_AT]:
        entry = snapshot.models.get(name)
        route = snapshot.routes.get(name)
        deployments = entry.deployments if entry is not None else ()
        if route is not None:
            deployments = tuple(one.deployment for one in (*route.targets, *route.fallback))
        for one in deployments:
            if _does(one, envelope) and not one.offer.retired and not any(verdict(one, envelope.requires)):
                reason, doubtful = overlong(one.offer, extent, None)
                if reason is None and not doubtful:
                    yield name, one
                    break


def _does(deployment: Deployment, envelope: Envelope) -> bool:
    operation = envelope.operation
    return operation in deployment.upstream.operations and deployment.offer.kind in KINDS[operation]
