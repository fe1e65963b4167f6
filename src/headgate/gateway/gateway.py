"""The life of a request: admit → plan → pay for it → execute → relay → settle."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

from headgate.errors import GatewayError, UpstreamFailed
from headgate.gateway.admit import admit
from headgate.gateway.afford import hold_budget
from headgate.gateway.booking import LEFT, Booking, Books
from headgate.gateway.execute import execute
from headgate.gateway.ladder import Means
from headgate.gateway.patience import Patience
from headgate.gateway.reply import Reply
from headgate.routing.health import Health
from headgate.routing.nobody import nobody_can
from headgate.routing.observed import Observed
from headgate.routing.planner import Planner, extent_of
from headgate.routing.resolve import not_found, others_near
from headgate.types.deployment import Operation
from headgate.types.entry import Outcome
from headgate.types.fault import Fault, FaultClass
from headgate.types.principal import Principal
from headgate.types.request import Account, Plan, Request
from headgate.upstream.call import Caller


class Gateway:
    """Serves requests. Collaborators come from outside; everything else a request needs is in its snapshot.

    `clock` is the event loop's, `observed` what traffic has taught of deployments, `health` what it has met there.
    """

    def __init__(
        self, caller: Caller, clock: Callable[[], float], books: Books, observed: Observed, health: Health | None = None
    ) -> None:
        self._clock = clock
        self._books = books
        self._means = Means(caller, observed, health or Health(), Patience(), random.random)
        self._planner = Planner(observed)

    async def serve(self, request: Request, reply: Reply) -> Account:
        """Answer one request into `reply`. Returns what became of it, which by then is in the ledger too.

        Raises GatewayError for anything that keeps it from being answered in full, also when part of the answer has
        gone out already (`reply.committed`); whoever holds the reply then says so in-band.
        """
        account, envelope, principal = Account(request_id=request.id), request.envelope, request.principal
        booking = Booking(
            self._books,
            self._clock,
            account,
            principal,
            envelope.operation,
            request.at_us,
            self._clock() if request.arrived is None else request.arrived,
            envelope.model,
            envelope.stream,
        )
        try:
            await admit(self._books, request, booking)
            made = booking.plan = self._plan(request, booking)
            if principal.has_budget:
                made = booking.plan = await hold_budget(self._books, request, made, booking)
            await execute(self._means, request, made, reply, booking)
        except Fault as fault:
            failed = UpstreamFailed(fault, account, _advice(fault, request, account))
            _close_failed(booking, reply, failed)
            raise failed from None
        except GatewayError as error:
            # Of an upstream's failure the reply is written from the account.
            error.headers = (*error.headers, *account.headers)
            _close_failed(booking, reply, error)
            raise
        except asyncio.CancelledError:
            booking.close(Outcome.DISCONNECTED, 200 if reply.committed else LEFT)
            raise
        finally:
            if not booking.closed:
                # Only a defect gets here; what the booking held must not stay held.
                booking.close(Outcome.FAILED, 200 if reply.committed else 500, "internal_error")
        return account

    def refused(
        self, request_id: str, principal: Principal, operation: Operation, at_us: int, error: GatewayError
    ) -> None:
        """Note in the ledger a request that could not even be read."""
        now = self._clock()
        booking = Booking(self._books, self._clock, Account(request_id=request_id), principal, operation, at_us, now)
        booking.close(Outcome.REFUSED, error.status, error.code)

    def _plan(self, request: Request, booking: Booking) -> Plan:
        envelope = request.envelope
        extent = booking.extent = extent_of(envelope)
        made = self._planner.plan(request, self._clock(), extent)
        if made is None:
            raise not_found(request.snapshot, request.principal, envelope.model)
        if not made.candidates:
            raise nobody_can(request.snapshot, request.principal, envelope, extent, made)
        return made


def _close_failed(booking: Booking, reply: Reply, error: GatewayError) -> None:
    outcome = Outcome.FAILED if booking.account.tries else Outcome.REFUSED
    booking.close(outcome, 200 if reply.committed else error.status, error.code)


def _advice(fault: Fault, request: Request, account: Account) -> str:
    """What a client can do about the fault that the provider does not know of."""
    if fault.kind is not FaultClass.MODEL_NOT_FOUND:
        return ""
    asked = [one.candidate for one in account.tries]
    return others_near(request.snapshot, request.principal, request.envelope.model, asked)
