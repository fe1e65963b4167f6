"""Who would serve a request that nobody has sent, in which order, and why the others would not."""

from __future__ import annotations

import time
from typing import Any, Literal

from pydantic import Field

from headgate.control.calls import InOne
from headgate.control.context import Control
from headgate.control.fields import MOST, Fields, LongLine, View, Whole
from headgate.control.key_shapes import PolicyName
from headgate.control.mount import Mount
from headgate.control.permissions import Permission
from headgate.control.store_failures import nothing_here
from headgate.errors import InvalidRequest, ModelNotFound
from headgate.routing.hypothetical import ASKABLE, NOBODY, Wish, answer, question, requirements_of
from headgate.routing.planner import Planner
from headgate.types.deployment import Operation
from headgate.types.policy import Order
from headgate.types.principal import Principal
from headgate.wire import json

MOST_ANSWERS = 1000
EVEN = 0.5
"""In the place of every throw of dice, so that the same question has the same answer."""


class ExplainBody(Fields):
    """A request as it might come: by what it needs, or as a whole body."""

    model: LongLine | None = Field(default=None, description="The model's name; may be left out beside a body.")
    tools: bool = Field(default=False, description="It has tools.")
    images: bool = Field(default=False, description="It has images.")
    # A field called `schema` would hide a method of pydantic's.
    json_schema: bool = Field(default=False, alias="schema", description="The answer must keep to a JSON schema.")
    audio: bool = Field(default=False, description="It has audio.")
    files: bool = Field(default=False, description="It has files.")
    reasoning: bool = Field(default=False, description="It names a reasoning effort.")
    logprobs: bool = Field(default=False, description="It wants logprobs.")
    prefill: bool = Field(default=False, description="Its last message is the beginning of the answer.")
    n: Whole | None = Field(default=None, ge=1, le=MOST_ANSWERS, description="How many answers.")
    context: Whole | None = Field(default=None, ge=0, le=MOST, description="Tokens of the prompt; 1000 if left out.")
    output: Whole | None = Field(default=None, ge=1, le=MOST, description="The most tokens of each answer.")
    policy: PolicyName | None = Field(default=None, description="As x-headgate-policy of a request.")
    operation: Literal["chat", "completion", "embedding"] | None = Field(
        default=None, description="What is wanted; chat, unless the body shows something else."
    )
    body: dict[str, Any] | None = Field(default=None, description="A request's whole body, as a client would send it.")
    key: LongLine | None = Field(default=None, description="Id or name of a key of the workspace that would ask.")

    def wish(self) -> Wish:
        asked = [name for name in ASKABLE if getattr(self, "json_schema" if name == "schema" else name)]
        return Wish(
            model=self.model,
            operation=None if self.operation is None else Operation(self.operation),
            requires=requirements_of(*asked, answers=self.n),
            context=self.context,
            output=self.output,
            answers=self.n,
            body=None if self.body is None else json.encode(self.body),
        )


class CandidateView(View):
    """A deployment that can serve the request."""

    deployment: str
    provider: str
    upstream_id: str
    expected_cost_pusd: int | None = Field(description="Pico-dollars (10^-12 USD); null is unknown.")
    expected_time_s: float | None = Field(description="Seconds to the end of the answer; null is unknown.")
    health: str = Field(
        description="unknown, healthy, failing or limited; cooling, probing, crowded, parked_credential or "
        "parked_offer where it sits out."
    )
    health_why: str | None = Field(
        default=None,
        description="Why it sits out, and until when; left out where it does not.",
        exclude_if=lambda why: why is None,
    )
    input_usd_per_mtok: str | None
    output_usd_per_mtok: str | None
    price_source: str | None
    estimate: bool = Field(description="The price is doubtful: its source is old, or sources disagree.")
    unconfirmed: bool = Field(description="Its only source is old: it does not win by its price.")
    variant: str | None = Field(description="The serving, where it is not the plain one.")
    unsure: list[str] = Field(description="Requirements of which nobody says whether it meets them.")
    retires_on: str | None
    retired: bool


class DroppedView(View):
    """A deployment that cannot, or must not, serve the request."""

    deployment: str
    reason: str


class ExplainView(View):
    """The plan."""

    policy: PolicyName
    candidates: list[CandidateView] = Field(description="In the order they would be tried.")
    dropped: list[DroppedView]
    expected_tokens: int = Field(description="Prompt and answers together, as costs and times are worked out.")
    advice: str | None = Field(description="Without candidates: what is missing, and the nearest model that could.")


class Explain:
    """The endpoint /api/explain."""

    def __init__(self, control: Control) -> None:
        self._control = control
        self._planner = Planner(control.observed, draw=lambda: EVEN)

    def mount(self, mount: Mount) -> None:
        mount.route("POST", "/explain", self.explain, permission=Permission.EXPLAIN_READ)

    # On the event loop: what traffic teaches changes there, and planning takes well under a millisecond.
    async def explain(self, call: InOne, body: ExplainBody) -> ExplainView:
        """Plan a request without sending it: candidates in order with cost and time, the others with reasons."""
        snapshot = self._control.snapshot_of(call.within)
        principal = NOBODY if body.key is None else self._principal(call.within, body.key)
        try:
            asked = question(body.wish())
        except InvalidRequest as error:
            where = f"body.{error.param}" if body.body is not None and error.param else error.param
            raise InvalidRequest(error.message, param=where, code="bad_request_body") from None
        if snapshot is None:
            raise ModelNotFound("nothing is configured in this workspace yet", param="model")
        made = answer(
            self._planner,
            snapshot,
            principal,
            asked,
            order=None if body.policy is None else Order(body.policy),
            at=time.time(),
            now=self._control.clock(),
            health=self._control.health,
        )
        return ExplainView.model_validate({**made.told, "advice": made.advice})

    def _principal(self, workspace: str, named: str) -> Principal:
        """The key of an id or a name, as it counts now. Raises NotFound, also for one that does not work."""
        keys = [one for one in self._control.snapshot().keys.values() if one.workspace == workspace]
        found = [one for one in keys if one.key_id == named] or [one for one in keys if one.key == named]
        if not found:
            raise nothing_here()
        return found[0]
