"""A stream that broke after the client has seen part of it goes on with another candidate, or ends in an honest error.

The next candidate is asked to go on where the answer broke off, where it knows how to; else to answer anew, and what it
says is passed on from where it goes beyond what the client has, as long as both say the same up to there.
"""

from __future__ import annotations

import msgspec

from headgate.dialects.openai.prefill import prefill
from headgate.dialects.openai.said import Said
from headgate.dialects.openai.seam import Mode, Seam
from headgate.gateway.begin import Asking
from headgate.gateway.deliver import Sent, choose, deliver_stream
from headgate.gateway.ladder import Ladder, Running
from headgate.gateway.pipe import Diverged, Pipe
from headgate.gateway.reply import Reply
from headgate.routing.requirements import has
from headgate.types.deployment import Operation
from headgate.types.fault import Fault, FaultClass

REFUSES = frozenset({FaultClass.BAD_REQUEST, FaultClass.UNSUPPORTED})

REPEATS = "prefix_prefill"
"""The quirk of providers that are told of a prefill, and repeat it."""


async def go_on(ladder: Ladder, broken: Running, sent: Sent, reply: Reply, fault: Fault) -> None:
    """Carry on an answer that broke off with a fault.

    Raises the fault that ends it: the first one when nobody can carry it on or no budget pays for it, or one after
    which nobody else may be asked.
    """
    account, ended, last = ladder.booking.account, fault, broken
    while not ladder.ends(ended, last.place) and sent.keeps and await ladder.affords():
        said = Said.of((bytes(sent.events),))
        turn = (ladder.turns.take() or await ladder.turns.next()) if said.recoverable else None
        if turn is None:
            break
        place, permit = turn
        asking = _asking(ladder, place, said, last.begun.pipe)
        assert asking.seam is not None, "an answer is only ever joined to another"
        before, account.recovered = account.recovered, asking.seam.mode
        try:
            running = await ladder.once(place, permit, asking)
        except (Fault, Diverged) as failure:
            account.recovered = before
            if isinstance(failure, Fault) and ladder.ends(failure, place) and not _is_ours(failure, asking.seam):
                raise
            continue
        try:
            choose(running.begun, ladder.booking)
            await deliver_stream(running.begun, ladder.booking, reply, sent)
        except BaseException as failure:  # noqa: BLE001  because whatever ends it is told to the deployment's health
            last, why = running, ladder.broke(running, failure)
            if isinstance(why, Fault):
                ended = why
            continue
        ladder.whole(running)
        return
    raise ended if ladder.ends(ended, last.place) else fault


def _is_ours(failure: Fault, seam: Seam) -> bool:
    """Whether it may be the prefill that was refused, which says nothing against the request itself."""
    return seam.mode is Mode.CONTINUE and failure.kind in REFUSES


def _asking(ladder: Ladder, place: int, said: Said, broken: Pipe | None) -> Asking:
    """How to ask for the rest. One who had begun to call a tool is not told to go on: others say the same text, then
    call."""
    envelope, deployment = ladder.request.envelope, ladder.plan.candidates[place].deployment
    # To a text completion what was written is more of the prompt, which any provider takes.
    goes_on = envelope.operation is Operation.COMPLETION or has(deployment.offer, "prefill") is True
    begun = prefill(envelope.fields, said.text) if goes_on and said.text and not (broken and broken.holding) else None
    if begun is None:
        return ladder.asking(place, seam=Seam(said))
    longer = msgspec.structs.replace(envelope, fields=begun.fields, size=envelope.size + len(said.text.encode()))
    repeats = any(quirk.__name__ == REPEATS for quirk in deployment.upstream.quirks) or None
    return ladder.asking(place, envelope=longer, seam=Seam(said, begun, repeats))
