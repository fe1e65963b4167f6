"""What an attempt teaches about the deployment it went to."""

from __future__ import annotations

from headgate.routing.observed import Observed
from headgate.routing.planner import extent_of
from headgate.types.entry import SUCCESS
from headgate.types.fault import FaultClass
from headgate.types.request import Attempt, Request

OURS = frozenset(
    {
        FaultClass.UNSUPPORTED,
        FaultClass.CONTEXT_TOO_LONG,
        FaultClass.CONTENT_FILTERED,
        FaultClass.BAD_REQUEST,
    }
)
"""Faults that say something of the request and nothing of the deployment."""


def learn(observed: Observed, request: Request, one: Attempt, wait_s: float | None, now: float) -> None:
    """Note how an attempt that is over went. `wait_s` is how long its fault asks to wait, `now` the loop's time."""
    facts = observed.of(one.candidate.deployment)
    facts.end()
    if one.headroom is not None:
        facts.told(one.headroom, now)
    if one.result != SUCCESS:
        if one.result == FaultClass.RATE_LIMITED:
            facts.refused(wait_s, now)
        if isinstance(one.result, FaultClass) and one.result not in OURS:
            facts.failed()
        return
    usage = one.usage
    if usage is None:
        return
    if not one.held and one.done is not None:
        # A JSON answer comes when it is whole: its head says nothing of its first token.
        first = one.first_token - one.started if one.first_token is not None and request.envelope.stream else None
        facts.answered(first, one.done - one.started, usage.completion_tokens, now)
    if usage.estimated:
        # Our own guesses teach nothing.
        return
    facts.billed(usage.cached_input, usage.prompt_tokens, one.cost.reported_pusd, one.cost.computed_pusd, now)
    envelope = request.envelope
    extent = extent_of(envelope)
    prompt = usage.prompt_tokens if not extent.other else 0
    observed.answered(
        request.principal.key_id,
        envelope.model,
        one.candidate.deployment.offer.model,
        extent.text,
        prompt,
        usage.completion_tokens,
        now,
    )
