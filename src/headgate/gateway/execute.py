"""Serve a request by its plan: climb to the first answer, hand it on, and carry on where it breaks off."""

from __future__ import annotations

from headgate.gateway.booking import Booking
from headgate.gateway.deliver import Sent, choose, deliver_stream, settle_whole
from headgate.gateway.ladder import Ladder, Means
from headgate.gateway.race import climb
from headgate.gateway.recover import go_on
from headgate.gateway.reply import Reply
from headgate.types.fault import Fault
from headgate.types.request import Plan, Request


async def execute(means: Means, request: Request, plan: Plan, reply: Reply, booking: Booking) -> None:
    """Serve the request by the plan's candidates. Raises Fault."""
    ladder = Ladder(means, request, plan, booking)
    running = await climb(ladder)
    choose(running.begun, booking)
    if not request.envelope.stream:
        settle_whole(running.begun, booking)
        ladder.whole(running)
        await reply.whole(running.begun.body, booking.account)
        return
    sent = Sent(keeps=len(plan.candidates) > 1)
    try:
        await deliver_stream(running.begun, booking, reply, sent)
    except BaseException as failure:  # noqa: BLE001  because whatever ends it is told to the deployment's health
        fault = ladder.broke(running, failure)
        assert isinstance(fault, Fault), "the first stream has nothing it would have to fit to"
        await go_on(ladder, running, sent, reply, fault)
    else:
        ladder.whole(running)
