"""Snapshots for tests of routing: from a document's text, or built by hypothesis."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from hypothesis import strategies as st

from headgate.routing.observed import Observed
from headgate.routing.plan import Asked, plan
from headgate.routing.requirements import WORDS, Extent
from headgate.routing.resolve import Resolution
from headgate.routing.shortlist import Shortlist, Wanted, shortlist
from headgate.types.deployment import Body, Candidate, Credential, Deployment, Offer, Operation, Upstream
from headgate.types.money import Price
from headgate.types.policy import Order
from headgate.types.request import Envelope, Plan
from headgate.types.secret import Secret

NAME = st.text("abcAB-._:/", min_size=1, max_size=12)
PRICE = st.none() | st.integers(0, 10**15)
MTOK = 10**6
CHAT = Wanted(Operation.CHAT)


def even() -> float:
    """In the place of every throw of dice: never so small that anything is explored."""
    return 0.5


def envelope(operation: Operation = Operation.CHAT, *, size: int = 400, cap: int | None = None) -> Envelope:
    return Envelope(operation=operation, model="m", fields={}, size=size, output_cap=cap)


def candidate(
    name: str = "p",
    *,
    price: tuple[int | None, int | None] = (None, None),
    operations: frozenset[Operation] = frozenset(Operation),
    weight: float = 1.0,
    called: dict[str, Any] | None = None,
    **said: Any,
) -> Candidate:
    """A deployment of a provider's; `said` are further fields of its offer, `called` of how it is called."""
    entered, written = price
    known = Price(input_pusd_per_mtok=entered, output_pusd_per_mtok=written)
    fields: dict[str, Any] = {"upstream_id": "m", "model": "m", "price": known}
    offer = Offer(provider=name, **fields | said)
    where: dict[str, Any] = {"dialect": "openai", "base_url": "http://h/v1", "auth_header": None}
    upstream = Upstream(provider=name, operations=operations, **where | (called or {}))
    credential = Credential(name="default", secret=None)
    return Candidate(Deployment(offer=offer, credential=credential, upstream=upstream), offer.upstream_id, weight)


def sold(name: str, pusd: int, **more: Any) -> Candidate:
    """A deployment at so many pico-dollars for a token, whichever way it goes."""
    return candidate(name, price=(pusd * MTOK, pusd * MTOK), **more)


def credentials(one: Candidate, **weights: float) -> list[Candidate]:
    """The same offer with credentials of these names and weights."""
    called = one.deployment
    return [
        Candidate(
            Deployment(
                offer=called.offer,
                credential=Credential(name=name, secret=Secret(name), weight=weight),
                upstream=called.upstream,
            ),
            one.upstream_id,
        )
        for name, weight in weights.items()
    ]


def resolution(
    *targets: Candidate, fallback: Iterable[Candidate] = (), variants: Iterable[Candidate] = (), **more: Any
) -> Resolution:
    return Resolution(targets=targets, fallback=tuple(fallback), variants=tuple(variants), **more)


def listed(
    *resolutions: Resolution, wanted: Wanted = CHAT, fields: Body | None = None, observed: Observed | None = None
) -> Shortlist:
    observed = observed or Observed()
    return shortlist(resolutions, wanted, fields or {}, observed.of, observed.density)


def asked(extent: Extent | None = None, *, draw: Callable[[], float] = even, **more: Any) -> Asked:
    """A request of about a hundred tokens, at the beginning of all time."""
    return Asked(extent=extent or Extent(text=400), draw=draw, **{"at": 0.0, "now": 0.0} | more)


def planned(
    *targets: Candidate,
    request: Asked | None = None,
    observed: Observed | None = None,
    wanted: Wanted = CHAT,
    **more: Any,
) -> Plan:
    """The plan for a name that means these targets."""
    return plan(listed(resolution(*targets, **more), wanted=wanted, observed=observed), request or asked())


def providers(made: Plan) -> list[str]:
    return [one.deployment.upstream.provider for one in made.candidates]


def reasons(made: Plan) -> dict[str, str]:
    return {one.deployment: one.reason for one in made.dropped}


def seen(observed: Observed, one: Candidate, first_s: float, per_token_s: float = 0.0, now: float = 0.0) -> None:
    """Traffic has shown how fast a deployment is, just now."""
    observed.of(one.deployment).answered(first_s, first_s + 100 * per_token_s, 100, now)


def those(everybody: Sequence[Candidate], made: Plan) -> list[Candidate]:
    """Of everybody, those that a plan has."""
    chosen = {id(one.deployment) for one in made.candidates}
    return [one for one in everybody if id(one.deployment) in chosen]


CANDIDATE = st.builds(
    candidate,
    st.sampled_from("pqrs"),
    price=st.tuples(PRICE, PRICE),
    kind=st.sampled_from(["chat", "any", "completion", "embedding", "responses"]),
    retired=st.booleans(),
    unconfirmed=st.booleans(),
    operations=st.frozensets(st.sampled_from(Operation)),
)
CANDIDATES = st.lists(CANDIDATE, max_size=8)

NEEDS = st.frozensets(st.sampled_from(sorted(WORDS)), max_size=4)
LIMIT = st.none() | st.integers(1, 300)
CAPABLE = st.builds(
    candidate,
    st.sampled_from("abcdefghijklmnopqrs"),
    price=st.tuples(PRICE, PRICE),
    retired=st.booleans(),
    unconfirmed=st.booleans(),
    capabilities=st.none() | NEEDS,
    lacks=NEEDS,
    context_tokens=LIMIT,
    max_input_tokens=LIMIT,
    max_output_tokens=LIMIT,
    called=st.fixed_dictionaries({"lacks": NEEDS}),
)
"""Can serve chats, and may lack this or that, or be too small."""


def capable(*, least: int = 0, most: int = 7) -> st.SearchStrategy[list[Candidate]]:
    """Several of them, each another provider's, so that what is known of one says nothing of the others."""
    return st.lists(CAPABLE, min_size=least, max_size=most, unique_by=lambda one: one.deployment.upstream.provider)


ORDERS = st.sampled_from(Order)
EXTENTS = st.builds(
    Extent,
    text=st.integers(1, 3000),
    other=st.sampled_from([0, 3000]),
    each=LIMIT,
    answers=st.integers(1, 3),
    exact=st.none() | st.integers(0, 400),
)
