"""The life of a request: admit → plan → execute → relay → settle."""

from __future__ import annotations

from collections.abc import Callable

from headgate.errors import GatewayError, InvalidRequest, UpstreamFailed
from headgate.gateway.admit import admit
from headgate.gateway.execute import execute
from headgate.gateway.reply import Reply
from headgate.routing.plan import plan, why_nobody
from headgate.routing.resolve import Resolution, not_found, resolve
from headgate.types.fault import Fault
from headgate.types.request import Account, Plan, Request
from headgate.upstream.call import Caller


class Gateway:
    """Serves requests. Collaborators come from outside; everything else a request needs is in its snapshot."""

    def __init__(self, caller: Caller, clock: Callable[[], float]) -> None:
        self._caller = caller
        self._clock = clock

    async def serve(self, request: Request, reply: Reply) -> Account:
        """Answer one request into `reply`. Returns what became of it.

        Raises GatewayError for anything that keeps it from being answered in full, also when part of the answer has
        gone out already (`reply.committed`); whoever holds the reply then says so in-band.
        """
        account = Account(request_id=request.id)
        admit(request)
        resolution, candidates = self._plan(request)
        try:
            await execute(self._caller, request, resolution, candidates, self._clock(), reply, account)
        except Fault as fault:
            account.fault = fault.kind
            raise UpstreamFailed(fault, account) from None
        return account

    def _plan(self, request: Request) -> tuple[Resolution, Plan]:
        envelope = request.envelope
        resolution = resolve(request.snapshot, envelope.model)
        if resolution is None:
            raise not_found(request.snapshot, request.principal, envelope.model)
        made = plan(resolution, envelope, request.order)
        if not made.candidates:
            raise _nobody(envelope.model, made)
        return resolution, made


def _nobody(model: str, made: Plan) -> GatewayError:
    return InvalidRequest(
        f"nobody who serves {model!r} can do this: {why_nobody(made)}", param="model", code="unsupported_model"
    )
