"""What an attempt teaches about the deployment it went to."""

from __future__ import annotations

from headgate.routing.lesson import Lesson, learn
from headgate.routing.observed import Observed
from headgate.routing.requirements import Extent
from headgate.types.entry import SUCCESS
from headgate.types.fault import FaultClass
from headgate.types.request import Attempt, Request


def note(observed: Observed, request: Request, extent: Extent, one: Attempt, wait_s: float | None, now: float) -> None:
    """Note how an attempt that is over went. `wait_s` is how long its fault asks to wait, `now` the loop's time."""
    deployment = one.candidate.deployment
    if one.result != SUCCESS or one.usage is None:
        fault = one.result if isinstance(one.result, FaultClass) else None
        learn(observed, Lesson(deployment=deployment, fault=fault, wait_s=wait_s, headroom=one.headroom), now)
        if fault is None and one.first_token is None:
            observed.of(deployment).outlasted(now - one.started, stream=request.envelope.stream)
        return
    envelope = request.envelope
    # A JSON answer comes when it is whole: its head says nothing of its first token.
    first = one.first_token - one.started if one.first_token is not None and envelope.stream else None
    learn(
        observed,
        Lesson(
            deployment=deployment,
            headroom=one.headroom,
            usage=one.usage,
            cost=one.cost,
            first_token_s=first,
            total_s=None if one.held or one.done is None else one.done - one.started,
            text=0 if extent.other else extent.text,
            answers=extent.answers,
            key_id=request.principal.key_id,
            model=envelope.model,
        ),
        now,
    )
