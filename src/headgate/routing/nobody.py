"""What a client is told when nobody who serves a model can serve the request: what it asks for, and who could."""

from __future__ import annotations

import time
from collections.abc import Iterator

from headgate.catalog.estimate import asked_tier
from headgate.errors import InvalidRequest
from headgate.routing.facts import NOTHING_KNOWN
from headgate.routing.names import nearest
from headgate.routing.plan import BYTES_PER_TOKEN, EXPECTED_TOKENS
from headgate.routing.preferences import TOO_DEAR, admits_serving, too_dear, why_unwanted
from headgate.routing.requirements import PARAMS, WORDS, Extent, overlong, verdict
from headgate.routing.resolve import LONGEST_NAME, resolve
from headgate.routing.score import Size, expected_cost
from headgate.routing.shortlist import KINDS
from headgate.types.deployment import Deployment
from headgate.types.principal import Principal
from headgate.types.request import Envelope, Plan
from headgate.types.snapshot import Snapshot

MOST_LOOKED_AT = 3_000
"""Models that are asked whether they could serve, so that a refusal never holds up other requests for long."""
_REASONS = 5
_LENGTH = frozenset({"context_length_exceeded", "max_tokens_too_large"})
_PROMPTS = ("messages", "prompt", "input")


def nobody_can(
    snapshot: Snapshot, principal: Principal, envelope: Envelope, extent: Extent, made: Plan
) -> InvalidRequest:
    """The error for a plan without candidates. It names what the request needs and the nearest model that has it."""
    deployments = _asked(snapshot, envelope)
    dear = {one.deployment for one in made.dropped if one.reason in TOO_DEAR}
    param, code, needs = _missing(envelope, extent, deployments, dear)
    shown = envelope.model[:LONGEST_NAME]
    reasons = "; ".join(f"{one.deployment}: {one.reason}" for one in made.dropped[:_REASONS])
    needed = f" The request needs {needs}." if needs else ""
    near = _nearest_able(snapshot, principal, envelope, extent, deployments, sized=code in _LENGTH)
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


def _missing(envelope: Envelope, extent: Extent, deployments: list[Deployment], dear: set[str]) -> tuple[str, str, str]:
    """The field that asks for too much, the code of the error, and what is asked for, in words.

    `dear` are the names of those that cost more than the request allows.
    """
    served = [one for one in deployments if _does(one, envelope)]
    lacking = sorted({need for one in served for need in verdict(one, envelope.requires)[0]})
    if lacking:
        return PARAMS.get(lacking[0], "model"), "unsupported_parameter", " and ".join(WORDS[need] for need in lacking)
    if not served:
        return "model", "unsupported_model", ""
    wanted = [one for one in served if one.name not in dear and _wants(envelope, one)]
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
    snapshot: Snapshot,
    principal: Principal,
    envelope: Envelope,
    extent: Extent,
    refused: list[Deployment],
    *,
    sized: bool,
) -> str | None:
    """The name nearest in spelling; where none is near, the cheapest. `sized` when a known window is needed."""
    size = _size(envelope, extent)
    able = {
        name: deployment
        for name, deployment in _able(snapshot, principal, envelope, extent, refused)
        if not (sized and deployment.offer.context_tokens is None) and not _is_too_dear(envelope, deployment, size)
    }
    if not able:
        return None
    near = nearest(envelope.model[:LONGEST_NAME], able, 1)
    name = near[0] if near else min(able, key=lambda name: (*_price_rank(able[name], size), name))
    return f"{name} ({able[name].upstream.provider})"


def _size(envelope: Envelope, extent: Extent) -> Size:
    written = EXPECTED_TOKENS if extent.each is None else min(extent.each, EXPECTED_TOKENS)
    return Size(extent.tokens(BYTES_PER_TOKEN), int(written * extent.answers), time.time(), asked_tier(envelope))


def _is_too_dear(envelope: Envelope, deployment: Deployment, size: Size) -> bool:
    preferences = envelope.preferences
    return preferences is not None and too_dear(deployment.offer, preferences, size) is not None


def _price_rank(deployment: Deployment, size: Size) -> tuple[bool, bool, int]:
    """Confirmed prices before doubtful ones, and unknown ones last."""
    cost = expected_cost(deployment.offer, size, NOTHING_KNOWN, 0.0)
    return cost is None, deployment.offer.unconfirmed, cost or 0


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
    # Where no window is known a long prompt is always in doubt; that counts only when a longer window is looked for.
    return reason is None and not (doubtful and _says_how_long(deployment)) and _wants(envelope, deployment)


def _says_how_long(deployment: Deployment) -> bool:
    return deployment.offer.context_tokens is not None or deployment.offer.max_input_tokens is not None


def _does(deployment: Deployment, envelope: Envelope) -> bool:
    operation = envelope.operation
    return operation in deployment.upstream.operations and deployment.offer.kind in KINDS[operation]


def _wants(envelope: Envelope, deployment: Deployment) -> bool:
    preferences = envelope.preferences
    return preferences is None or why_unwanted(deployment, preferences, envelope.fields) is None
