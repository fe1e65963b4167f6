"""A request that nobody has sent: who would serve it, in which order, at what price. Pure.

`headgate explain` and `POST /api/explain` ask here, and the planner that serves traffic answers.
"""

from __future__ import annotations

from typing import Any

import msgspec

from headgate.catalog.estimate import asked_tier
from headgate.catalog.terms import at_service_tier, standing
from headgate.dialects.openai.request import parse_request
from headgate.errors import InvalidRequest
from headgate.routing.explain import explained
from headgate.routing.health import Health
from headgate.routing.nobody import nobody_can
from headgate.routing.plan import BYTES_PER_TOKEN
from headgate.routing.planner import Planner, extent_of
from headgate.routing.requirements import Extent
from headgate.routing.resolve import not_found
from headgate.routing.standing import Condition
from headgate.types.deployment import Body, Offer, Operation
from headgate.types.money import Price, render_usd
from headgate.types.policy import Order
from headgate.types.principal import Principal
from headgate.types.request import Envelope, Plan
from headgate.types.snapshot import Snapshot
from headgate.wire import json

USUAL_CONTEXT = 1_000
"""Tokens of prompt where nobody says how many."""

ASKABLE = {
    "tools": "tools",
    "images": "vision",
    "schema": "json_schema",
    "audio": "audio_in",
    "files": "pdf",
    "reasoning": "reasoning",
    "logprobs": "logprobs",
    "prefill": "prefill",
}
"""What people ask for, by its short name, and the requirement that it is."""

NOBODY = Principal(key="nobody", key_id="")
"""Asks where no key is named: it may use every model, and has never had an answer."""

_MEANT_BY = {"messages": Operation.CHAT, "prompt": Operation.COMPLETION, "input": Operation.EMBEDDING}
"""Fields that only one kind of request has."""


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked for. `context` are tokens of the prompt, `output` the most an answer may have (None: no cap).

    `body` is a request as a client would send it; what is said beside it counts in the place of what it says, and
    requirements count together.
    """

    model: str | None = None
    operation: Operation | None = None
    requires: frozenset[str] = frozenset()
    context: int | None = None
    output: int | None = None
    answers: int | None = None
    body: bytes | None = None


class Question(msgspec.Struct, frozen=True, eq=False):
    """A wish as the planner takes it."""

    envelope: Envelope
    extent: Extent


class Answer(msgspec.Struct, frozen=True, eq=False):
    """A plan as the object that people and programs read. `advice` is why nobody can serve, None where somebody can."""

    plan: Plan
    told: dict[str, Any]
    advice: str | None


def requirements_of(*asked: str, answers: int | None = None) -> frozenset[str]:
    """The requirements behind short names of `ASKABLE`, and behind a number of answers."""
    several = {"n"} if answers is not None and answers > 1 else set()
    return frozenset({ASKABLE[name] for name in asked} | several)


def question(wish: Wish) -> Question:
    """Turn a wish into what the planner takes. Raises InvalidRequest for a body that no endpoint would take."""
    if wish.body is not None:
        return _from_body(wish, wish.body)
    operation = wish.operation or Operation.CHAT
    embeds = operation is Operation.EMBEDDING
    answers = wish.answers or 1
    envelope = Envelope(
        operation=operation,
        model=_named(wish.model),
        fields={},
        size=0,
        output_cap=None if wish.output is None else wish.output * answers,
        answers=answers,
        requires=wish.requires,
    )
    context = USUAL_CONTEXT if wish.context is None else wish.context
    return Question(envelope, Extent(text=0, each=0 if embeds else wish.output, answers=answers, exact=context))


def _from_body(wish: Wish, body: bytes) -> Question:
    fields = _fields(body)
    operation = wish.operation or operation_of(fields)
    if wish.model is not None:
        fields["model"] = json.raw(wish.model)
        body = json.encode(fields)
    envelope = parse_request(operation, body)
    extent = extent_of(envelope)
    answers = wish.answers or extent.answers
    each = extent.each if wish.output is None or operation is Operation.EMBEDDING else wish.output
    return Question(
        msgspec.structs.replace(envelope, requires=envelope.requires | wish.requires, answers=answers),
        msgspec.structs.replace(extent, exact=wish.context, each=each, answers=answers),
    )


def _fields(body: bytes) -> Body:
    try:
        return json.parse_body(body)
    except json.DecodeError:
        raise InvalidRequest("the body must be a JSON object", param="body", code="invalid_json") from None


def _named(model: str | None) -> str:
    if not model:
        raise InvalidRequest("say which model", param="model", code="missing_required_parameter")
    return model


def operation_of(fields: Body) -> Operation:
    """What a body asks for, by the field that only such a request has; chat where none says."""
    return next((operation for field, operation in _MEANT_BY.items() if field in fields), Operation.CHAT)


def answer(
    planner: Planner,
    snapshot: Snapshot,
    principal: Principal,
    asked: Question,
    *,
    order: Order | None,
    at: float,
    now: float,
    health: Health | None = None,
) -> Answer:
    """Plan a request and tell of the plan: the object of `explained`, with the prices that would apply.

    `at` is Unix time, `now` that of the planner's facts and of `health`, what a running gateway has met. Raises
    ModelNotFound for a name that means nothing here.
    """
    envelope, extent = asked.envelope, asked.extent
    made = planner.plan_for(snapshot, principal, envelope, extent, order=order, at=at, now=now)
    if made is None:
        raise not_found(snapshot, principal, envelope.model)
    advice = None
    if not made.candidates:
        advice = str(nobody_can(snapshot, principal, envelope, extent, made))
    refused = _may_not(principal, envelope)
    if refused is not None:
        made, advice = made.only((), refused), f"nobody is asked: {refused}"
    told = _with_prices(made, asked, at)
    if health is not None:
        _tell_health(told, made, health, now)
    return Answer(made, told, advice)


def _may_not(principal: Principal, envelope: Envelope) -> str | None:
    """Why a key is refused before anybody is asked; None when it is not."""
    further = envelope.preferences.models if envelope.preferences is not None else ()
    refused = next((name for name in (envelope.model, *further) if not principal.may_use(name)), None)
    return None if refused is None else f"the key {principal.key!r} may not use {refused[:200]!r}"


def _tell_health(told: dict[str, Any], made: Plan, health: Health, now: float) -> None:
    """Say of candidates that are not well what they are instead, and why."""
    for one, candidate, treatment in zip(told["candidates"], made.candidates, made.treatments, strict=False):
        stands = health.standing(candidate, now, treatment.health)
        if stands.condition is not Condition.OK:
            one["health"] = str(stands.condition)
            one["health_why"] = stands.told(now)


def _with_prices(made: Plan, asked: Question, at: float) -> dict[str, Any]:
    told = explained(made)
    prompt = asked.extent.tokens(BYTES_PER_TOKEN)
    tier = asked_tier(asked.envelope)
    for one, candidate in zip(told["candidates"], made.candidates, strict=False):
        offer = candidate.deployment.offer
        price = price_of(offer, prompt, at, tier) or Price()
        one["input_usd_per_mtok"] = usd(price.input_pusd_per_mtok)
        one["output_usd_per_mtok"] = usd(price.output_pusd_per_mtok)
        one["variant"] = offer.variant
        one["unconfirmed"] = offer.unconfirmed
        one.setdefault("unsure", [])
        one.setdefault("retires_on", None)
        one["retired"] = has_retired(offer, at)
    told["expected_tokens"] = made.tokens
    return told


def price_of(offer: Offer, prompt_tokens: int, at: float, tier: str | None = None) -> Price | None:
    """The price of a request with such a prompt at a Unix time; None at a service tier of which nobody told one."""
    terms = offer.terms
    price = offer.price if terms is None else standing(offer.price, terms, prompt_tokens, at)
    return price if tier is None else at_service_tier(price, terms, tier, "")[0]


def has_retired(offer: Offer, at: float) -> bool:
    """Whether an offer has retired by a Unix time, as far as anybody has said."""
    return offer.retired or (offer.retires_s is not None and offer.retires_s <= at)


def usd(pusd: int | None) -> str | None:
    """Pico-dollars as decimal text in dollars; None for unknown."""
    return None if pusd is None else render_usd(pusd)
