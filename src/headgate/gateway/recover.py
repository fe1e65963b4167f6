"""A stream that broke after the client has seen part of it goes on with another candidate, or ends in an honest error.

The next candidate is asked to go on where the answer broke off, where it knows how to; else to answer anew, and what it
says is passed on from where it goes beyond what the client has, as long as both say the same up to there.
"""

from __future__ import annotations

import msgspec

from headgate.dialects.openai.prefill import prefill
from headgate.dialects.openai.said import Said
from headgate.dialects.openai.seam import Seam
from headgate.gateway.begin import Asking
from headgate.gateway.deliver import Sent, choose, deliver_stream
from headgate.gateway.ladder import Ladder
from headgate.gateway.pipe import Diverged
from headgate.gateway.reply import Reply
from headgate.routing.requirements import has
from headgate.types.fault import Fault

REPEATS = "prefix_prefill"
"""The quirk of providers that are told of a prefill, and repeat it."""


async def go_on(ladder: Ladder, sent: Sent, reply: Reply, fault: Fault) -> None:
    """Carry on an answer that broke off with a fault. Raises that fault when nobody can, or no budget pays for it."""
    while sent.keeps and await ladder.booking.set_aside_another():
        said = Said.of(sent.runs)
        if not said.recoverable or (place := await ladder.turns.next()) is None:
            break
        asking = _asking(ladder, place, said)
        assert asking.seam is not None, "an answer is only ever joined to another"
        before = ladder.booking.account.recovered
        ladder.booking.account.recovered = asking.seam.mode
        try:
            running = await ladder.once(place, asking)
        except (Fault, Diverged):
            ladder.booking.account.recovered = before
            continue
        try:
            choose(running.begun, ladder.booking)
            await deliver_stream(running.begun, ladder.booking, reply, sent)
        except BaseException as failure:  # noqa: BLE001  because whatever ends it is told to the deployment's health
            ladder.broke(running, failure)
            continue
        ladder.whole(running)
        return
    raise fault


def _asking(ladder: Ladder, place: int, said: Said) -> Asking:
    envelope, deployment = ladder.request.envelope, ladder.plan.candidates[place].deployment
    if has(deployment.offer, "prefill") is not True or not said.text:
        return ladder.asking(place, seam=Seam(said))
    begun = prefill(envelope.fields, said.text)
    if begun is None:
        return ladder.asking(place, seam=Seam(said))
    longer = msgspec.structs.replace(envelope, fields=begun.fields, size=envelope.size + len(said.text.encode()))
    repeats = any(quirk.__name__ == REPEATS for quirk in deployment.upstream.quirks) or None
    return ladder.asking(place, envelope=longer, seam=Seam(said, begun, repeats))
