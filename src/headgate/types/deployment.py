"""What can be called: offers, credentials, and deployments, the unit of choice, health and limits."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from enum import StrEnum

import msgspec
from msgspec.structs import force_setattr

from headgate.types.money import Price, Terms
from headgate.types.policy import HealthPolicy, HedgePolicy, Timeouts
from headgate.types.script import Script
from headgate.types.secret import Secret

_EPOCH = date(1970, 1, 1).toordinal()

Body = dict[str, msgspec.Raw]
"""The top-level fields of a JSON request; each value keeps the client's bytes."""

Quirk = Callable[[Body, list[str]], None]
"""Edits a body in place for one provider; appends to the list the names of parameters it could not honour."""

ScriptFor = Callable[[str, bytes], Script]
"""An in-process provider: operation name and request body → what it would do on the wire."""


class Operation(StrEnum):
    """What a client wants done; the same word names the operation at the provider."""

    CHAT = "chat"
    COMPLETION = "completion"
    EMBEDDING = "embedding"


DOCUMENT = "document"
"""The source of prices the operator declared: they are the last word, also against a cost the provider reports."""


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """A provider selling one model under its own id at a price.

    `upstream_id` is what is sent; with a `*` in it, the star stands for whatever the client wrote there.
    `model` is the slug of the weights; `variant` names a serving that is not the plain one (turbo, fp8, …).
    An `unconfirmed` one rests on a single old source: it must not win on price alone. A `disputed` one has a price on
    which its sources are more than 10 % apart: what it costs is an estimate.
    `price` is the base price; `terms` are what else decides, None where nothing does. `price_source` says where the
    prices come from: `DOCUMENT`, or a source of the catalogue and its date. `dearest` is what a million tokens of input
    and of output cost at most, in pico-dollars, where nothing but the price decides.
    `context_tokens` holds prompt and answer together, `max_input_tokens` is the longest prompt where that is less.
    `usual_context_tokens` is the largest window any other offer of the same weights has, where this one's is unknown.
    `capabilities` are what somebody claims it can do, None when nobody says anything; `lacks` is what it cannot do, for
    certain. `unsaid` is what its sources do not mention and other offers of the same weights are said to do.
    `sources` says where the other figures come from, by name of the figure; those not named come from the price's
    source. `deprecated_on` is the day it retires, as YYYY-MM-DD; `retires_s` the same in Unix seconds.
    """

    provider: str
    upstream_id: str
    model: str
    kind: str = "chat"
    variant: str | None = None
    price: Price = Price()
    terms: Terms | None = None
    price_source: str = ""
    context_tokens: int | None = None
    max_input_tokens: int | None = None
    max_output_tokens: int | None = None
    capabilities: frozenset[str] | None = None
    lacks: frozenset[str] = frozenset()
    unsaid: frozenset[str] = frozenset()
    quantization: str | None = None
    retired: bool = False
    unconfirmed: bool = False
    disputed: bool = False
    deprecated_on: str | None = None
    rolling: bool = False
    declared: bool = False
    sources: tuple[tuple[str, str], ...] = ()
    dearest: tuple[int, int] | None = None
    retires_s: int | None = None
    usual_context_tokens: int | None = None

    def __post_init__(self) -> None:
        # Worked out once: every request of a key with a budget asks it of every candidate.
        force_setattr(self, "dearest", None if self.terms is not None else self.price.dearest)
        force_setattr(self, "retires_s", None if self.deprecated_on is None else _midnight_s(self.deprecated_on))

    def source_of(self, figure: str) -> str:
        """Where a figure comes from: the name of a source and the day it is as of, or `DOCUMENT`."""
        return next((source for name, source in self.sources if name == figure), self.price_source)


def _midnight_s(day: str) -> int:
    return (date.fromisoformat(day).toordinal() - _EPOCH) * 86_400


class Credential(msgspec.Struct, frozen=True, kw_only=True):
    """A secret the provider issued to the user, and its share of the traffic."""

    name: str
    secret: Secret | None
    weight: float = 1.0


class StreamUsage(StrEnum):
    """How a provider is brought to report usage in a stream."""

    ASK = "ask"  # by stream_options.include_usage
    ALWAYS = "always"  # it does so unasked, and may refuse to be asked


class Upstream(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Where and how a provider is called: a row of `providers` with the operator's settings laid over it."""

    provider: str
    dialect: str
    base_url: str
    auth_header: tuple[str, str] | None
    """Header name and value template; `{}` is where the credential's secret goes."""
    headers: tuple[tuple[str, Secret], ...] = ()
    operations: frozenset[Operation] = frozenset(Operation)
    lacks: frozenset[str] = frozenset()
    """What no model can do that is called this way."""
    concurrent: int | None = None
    """Requests at once that the provider takes for one model."""
    quirks: tuple[Quirk, ...] = ()
    stream_usage: StreamUsage = StreamUsage.ASK
    usage_aside: str | None = None
    """A top-level object of stream events that carries `usage` of its own."""
    script: ScriptFor | None = None
    """Set for a provider that lives in this process."""
    proxy: Secret | None = None
    timeouts: Timeouts = Timeouts()
    retries: int = 2
    health: HealthPolicy = HealthPolicy()
    hold: str | None = None
    hedge: HedgePolicy | None = None


class Deployment(msgspec.Struct, frozen=True, kw_only=True, eq=False, weakref=True):
    """Offer + credential + where to call it. Compared by identity: one object per snapshot.

    `name` is `provider/upstream-id`, with `#credential` when it is not the only one.
    """

    offer: Offer
    credential: Credential
    upstream: Upstream
    name: str = ""

    def __post_init__(self) -> None:
        # Put together once: the record of every request names every candidate.
        suffix = "" if self.credential.name == "default" else f"#{self.credential.name}"
        force_setattr(self, "name", f"{self.upstream.provider}/{self.offer.upstream_id}{suffix}")


class Candidate(msgspec.Struct, frozen=True):
    """A deployment chosen for one request, and the id to send (the offer's, or what a `*` stood for).

    `weight` is its share of the traffic beside other targets, where shares decide.
    """

    deployment: Deployment
    upstream_id: str
    weight: float = 1.0
