"""What an attempt that is over teaches: the one way from its figures to what plans are made from. Pure."""

from __future__ import annotations

import msgspec

from headgate.routing.facts import Facts
from headgate.routing.observed import Observed
from headgate.types.deployment import Deployment
from headgate.types.fault import FaultClass
from headgate.types.headroom import Headroom
from headgate.types.money import Cost
from headgate.types.usage import Usage

OURS = frozenset(
    {
        FaultClass.UNSUPPORTED,
        FaultClass.CONTEXT_TOO_LONG,
        FaultClass.CONTENT_FILTERED,
        FaultClass.BAD_REQUEST,
    }
)
"""Faults that say something of the request and nothing of the deployment."""


class Lesson(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """How an attempt went.

    `fault` is why it failed, and `wait_s` how long the provider then asks to wait. `usage` is there for whole answers
    alone, which have no fault. `first_token_s` is None where only the end of the answer could be seen, `total_s` where
    the time says nothing of the provider. `answers` are those the request asked for. `text` are the prompt's bytes, 0
    where it was more than text. `key_id` and `model` are who asked, and for what name.
    """

    deployment: Deployment
    fault: FaultClass | None = None
    wait_s: float | None = None
    headroom: Headroom | None = None
    usage: Usage | None = None
    cost: Cost = Cost()
    first_token_s: float | None = None
    total_s: float | None = None
    text: int = 0
    answers: int = 1
    key_id: str = ""
    model: str = ""


def learn(observed: Observed, lesson: Lesson, now: float) -> None:
    """Note how an attempt went, at a time of the facts' clock."""
    deployment, usage, headroom = lesson.deployment, lesson.usage, lesson.headroom
    facts = observed.of(deployment)
    facts.end()
    if headroom is not None:
        facts.told(headroom, now)
    if usage is None:
        _learn_failure(facts, lesson, now)
        return
    written, total_s = usage.completion_tokens, lesson.total_s
    if total_s is not None:
        facts.answered(lesson.first_token_s, total_s, written, now)
    if usage.estimated:
        # Our own guesses teach nothing.
        return
    cost, prompt, text = lesson.cost, usage.prompt_tokens, lesson.text
    facts.billed(usage.cached_input, prompt, cost.reported_pusd, cost.computed_pusd, now)
    observed.answered(
        lesson.key_id,
        lesson.model,
        deployment.offer.model,
        text,
        prompt if text else 0,
        written / max(lesson.answers, 1),
        now,
    )


def _learn_failure(facts: Facts, lesson: Lesson, now: float) -> None:
    fault = lesson.fault
    if fault is FaultClass.RATE_LIMITED:
        # It works, and says when it will work again.
        facts.refused(lesson.wait_s, now)
    elif fault is not None and fault not in OURS:
        facts.failed(now)
