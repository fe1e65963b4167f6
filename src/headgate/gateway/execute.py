"""Fallback around retry around attempt, under one deadline.

The ladder has one rung so far: the first candidate gets one attempt. What comes next in a plan is already there to be
tried by whoever adds the rungs.
"""

from __future__ import annotations

from headgate.gateway.attempt import attempt
from headgate.gateway.booking import Booking
from headgate.gateway.learn import note
from headgate.gateway.reply import Reply
from headgate.routing.observed import Observed
from headgate.types.deployment import Upstream
from headgate.types.fault import Fault
from headgate.types.policy import Timeouts
from headgate.types.request import Plan, Request
from headgate.types.snapshot import Route
from headgate.upstream.call import Caller


async def execute(
    caller: Caller, observed: Observed, request: Request, plan: Plan, reply: Reply, booking: Booking
) -> None:
    """Serve the request by the plan's candidates. Raises Fault."""
    candidate = plan.candidates[0]
    timeouts = _timeouts(plan.routes[0], candidate.deployment.upstream)
    total_s = timeouts.total_s if request.total_s is None else min(request.total_s, timeouts.total_s)
    started = booking.clock()
    observed.of(candidate.deployment).begin(plan.tokens, started)
    wait_s: float | None = None
    try:
        await attempt(caller, request, candidate, timeouts, started + total_s, reply, booking)
    except Fault as fault:
        wait_s = fault.retry_after_s
        raise
    finally:
        note(observed, request, booking.extent, booking.account.tries[-1], wait_s, booking.clock())


def _timeouts(route: Route | None, upstream: Upstream) -> Timeouts:
    if route is None or route.timeouts is None:
        return upstream.timeouts
    return route.provider_timeouts.get(upstream.provider, route.timeouts)
