"""Snapshots for tests of routing: from a document's text, or built by hypothesis."""

from __future__ import annotations

from hypothesis import strategies as st

from headgate.types.deployment import Candidate, Credential, Deployment, Offer, Operation, Upstream
from headgate.types.money import Price
from headgate.types.request import Envelope

NAME = st.text("abcAB-._:/", min_size=1, max_size=12)
PRICE = st.none() | st.integers(0, 10**15)


def envelope(operation: Operation = Operation.CHAT, *, size: int = 400, cap: int | None = None) -> Envelope:
    return Envelope(operation=operation, model="m", fields={}, size=size, output_cap=cap)


def candidate(
    name: str = "p",
    *,
    price: tuple[int | None, int | None] = (None, None),
    kind: str = "chat",
    retired: bool = False,
    unconfirmed: bool = False,
    operations: frozenset[Operation] = frozenset(Operation),
) -> Candidate:
    entered, written = price
    offer = Offer(
        provider=name,
        upstream_id="m",
        model="m",
        kind=kind,
        price=Price(input_pusd_per_mtok=entered, output_pusd_per_mtok=written),
        retired=retired,
        unconfirmed=unconfirmed,
    )
    upstream = Upstream(
        provider=name, dialect="openai", base_url="http://h/v1", auth_header=None, operations=operations
    )
    return Candidate(
        Deployment(offer=offer, credential=Credential(name="default", secret=None), upstream=upstream), "m"
    )


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
