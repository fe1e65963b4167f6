"""Fallback around retry around attempt, under one deadline.

The ladder has one rung so far: the first candidate gets one attempt. What comes next in a plan is already there to be
tried by whoever adds the rungs.
"""

from __future__ import annotations

from headgate.gateway.attempt import attempt
from headgate.gateway.booking import Booking
from headgate.gateway.reply import Reply
from headgate.routing.resolve import Resolution
from headgate.types.deployment import Upstream
from headgate.types.policy import Timeouts
from headgate.types.request import Plan, Request
from headgate.upstream.call import Caller


async def execute(
    caller: Caller, request: Request, resolution: Resolution, plan: Plan, reply: Reply, booking: Booking
) -> None:
    """Serve the request by the plan's candidates. Raises Fault."""
    candidate = plan.candidates[0]
    timeouts = _timeouts(resolution, candidate.deployment.upstream)
    total_s = timeouts.total_s if request.total_s is None else min(request.total_s, timeouts.total_s)
    await attempt(caller, request, candidate, timeouts, booking.clock() + total_s, reply, booking)


def _timeouts(resolution: Resolution, upstream: Upstream) -> Timeouts:
    route = resolution.route
    if route is None or route.timeouts is None:
        return upstream.timeouts
    return route.provider_timeouts.get(upstream.provider, route.timeouts)
