"""A provider that lives in this process and costs nothing: it answers, and it fails on request.

The same request always gets the same bytes. A model that is named in `FAULTS` misbehaves in that way; `fast` answers
without any delay, `echo` repeats what it is told, `parallel-tools` calls all the tools it is given; every other name
answers in a friendly way.
"""

from __future__ import annotations

from headgate.providers.provider import ALL, Provider
from headgate.providers.sandbox.breakages import BREAKAGES
from headgate.providers.sandbox.chat import chat_draft
from headgate.providers.sandbox.completions import completion_draft
from headgate.providers.sandbox.draft import Pace, play
from headgate.providers.sandbox.embeddings import embedding_draft
from headgate.providers.sandbox.refusals import REFUSALS
from headgate.providers.sandbox.request import Refused, parse_request, seed_of
from headgate.providers.sandbox.tools import PARALLEL_MODEL
from headgate.types.deployment import Operation, ScriptFor
from headgate.types.script import Script

__all__ = ["FAULTS", "MODELS", "SANDBOX", "Pace", "sandbox_scripts", "script_for"]

NAME = "sandbox"
FAST_MODEL = "fast"

FAULTS: dict[str, str] = {
    **{name: refusal.description for name, refusal in REFUSALS.items()},
    **{name: breakage.description for name, breakage in BREAKAGES.items()},
}
"""Models that misbehave: name → what it does, in one line."""

MODELS: dict[str, str] = {
    "hello": "answers in a friendly way, at the pace of a real model",
    "echo": "repeats what it is told",
    FAST_MODEL: "answers without any delay",
    PARALLEL_MODEL: "calls every tool it is given at once",
    "embed": "turns texts into vectors; texts that share words come out near each other",
}
"""Models worth listing that behave; any name that is not a fault does."""

_DRAFTS = {
    Operation.CHAT: chat_draft,
    Operation.COMPLETION: completion_draft,
    Operation.EMBEDDING: embedding_draft,
}


def sandbox_scripts(pace: Pace | None = None) -> ScriptFor:
    """The sandbox at a pace of its own (the default one when None): operation and request body → script."""
    usual = pace or Pace()

    def scripts(operation: str, body: bytes) -> Script:
        try:
            request = parse_request(body)
            model = request["model"].removeprefix(f"{NAME}/")
            refusal = REFUSALS.get(model)
            if refusal is not None:
                return refusal.script
            request["model"] = model
            chosen = Pace(first_token_s=0.0, per_token_s=0.0) if model == FAST_MODEL else usual
            draft = _DRAFTS[Operation(operation)](request, seed_of(body), chosen)
        except Refused as refused:
            return refused.script()
        breakage = BREAKAGES.get(model)
        return play(draft) if breakage is None else breakage.play(draft)

    return scripts


script_for: ScriptFor = sandbox_scripts()
"""The sandbox at its default pace."""

SANDBOX = Provider(
    name=NAME,
    docs="answers made up inside the gateway, for first steps and rehearsed outages",
    base_url="sandbox:",
    auth_header=None,
    operations=ALL,
    local=True,
    script=script_for,
)
