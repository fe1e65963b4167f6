"""The life of a request: admit → plan → pay for it → execute → relay → settle."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from headgate.errors import GatewayError, InvalidRequest, UpstreamFailed
from headgate.gateway.admit import admit
from headgate.gateway.afford import hold_budget
from headgate.gateway.booking import LEFT, Booking, Books
from headgate.gateway.execute import execute
from headgate.gateway.reply import Reply
from headgate.routing.plan import plan, why_nobody
from headgate.routing.resolve import Resolution, not_found, resolve
from headgate.types.deployment import Operation
from headgate.types.entry import Outcome
from headgate.types.fault import Fault
from headgate.types.principal import Principal
from headgate.types.request import Account, Plan, Request
from headgate.upstream.call import Caller


class Gateway:
    """Serves requests. Collaborators come from outside; everything else a request needs is in its snapshot.

    `clock` is the event loop's.
    """

    def __init__(self, caller: Caller, clock: Callable[[], float], books: Books) -> None:
        self._caller = caller
        self._clock = clock
        self._books = books

    async def serve(self, request: Request, reply: Reply) -> Account:
        """Answer one request into `reply`. Returns what became of it, which by then is in the ledger too.

        Raises GatewayError for anything that keeps it from being answered in full, also when part of the answer has
        gone out already (`reply.committed`); whoever holds the reply then says so in-band.
        """
        account = Account(request_id=request.id)
        arrived = self._clock() if request.arrived is None else request.arrived
        operation = request.envelope.operation
        booking = Booking(self._books, self._clock, account, request.principal, operation, request.at_us, arrived)
        booking.model, booking.stream = request.envelope.model, request.envelope.stream
        try:
            await self._answer(request, reply, booking)
        except GatewayError as error:
            if not isinstance(error, UpstreamFailed):
                # That one's reply is written from the account.
                error.headers = (*error.headers, *account.headers)
            outcome = Outcome.FAILED if account.tries else Outcome.REFUSED
            booking.close(outcome, 200 if reply.committed else error.status, error.code)
            raise
        except asyncio.CancelledError:
            booking.close(Outcome.DISCONNECTED, 200 if reply.committed else LEFT)
            raise
        finally:
            # Only a defect gets here with an open booking; what it held must not stay held.
            booking.close(Outcome.FAILED, 200 if reply.committed else 500, "internal_error")
        return account

    def refused(
        self, request_id: str, principal: Principal, operation: Operation, at_us: int, error: GatewayError
    ) -> None:
        """Note in the ledger a request that could not even be read."""
        now = self._clock()
        booking = Booking(self._books, self._clock, Account(request_id=request_id), principal, operation, at_us, now)
        booking.close(Outcome.REFUSED, error.status, error.code)

    async def _answer(self, request: Request, reply: Reply, booking: Booking) -> None:
        await admit(self._books, request, booking)
        resolution, candidates = self._plan(request)
        if request.principal.has_budget:
            candidates = await hold_budget(self._books, request, candidates, booking)
        try:
            await execute(self._caller, request, resolution, candidates, reply, booking)
        except Fault as fault:
            raise UpstreamFailed(fault, booking.account) from None

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
