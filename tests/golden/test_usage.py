"""Replies as providers give them, with the token classes and the cost somebody worked out by hand.

Each file of `usage/` holds the reply as JSON and as the events of a stream; the arithmetic is in millionths of a
dollar: so many tokens times dollars per million tokens. A stream is read whole, cut in two at every byte, and byte by
byte.
"""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from headgate.catalog.cost import reckon, worst_case_pusd
from headgate.catalog.offers import parse_offer
from headgate.config.document import Document
from headgate.config.offering import offers_of
from headgate.dialects.openai.reply import read_reply
from headgate.dialects.openai.stream import StreamReader
from headgate.types.deployment import Offer, Operation
from headgate.types.money import Cost
from headgate.types.request import Envelope
from headgate.types.usage import Usage
from tests.unit.dialects.driving import envelope

CASES: dict[str, dict[str, Any]] = {
    path.stem: json.loads(path.read_text("utf-8")) for path in sorted((Path(__file__).parent / "usage").glob("*.json"))
}
KEYS = {"about", "arithmetic", "offer", "declared", "operation", "aside", "at", "reply", "events", "usage", "cost"}
MONDAY = "2026-11-23T08:00:00Z"
STREAMED = [name for name, case in CASES.items() if "events" in case]
REPLIED = [name for name, case in CASES.items() if "reply" in case]


def offer_of(case: dict[str, Any]) -> Offer:
    """The offer of a case: a line of the catalogue, or a model the operator declared."""
    if "declared" not in case:
        return parse_offer(json.dumps(case["offer"]).encode())
    provider, model = case["declared"]["provider"], case["declared"]["model"]
    document = Document.model_validate({"providers": {provider: {"api_key": "x", "models": [model]}}})
    return next(offer for offer in offers_of(document)[provider] if offer.upstream_id == model["id"])


def expected(case: dict[str, Any]) -> tuple[Usage, dict[str, Any]]:
    return Usage(**case["usage"]), case["cost"]


def reckoned(case: dict[str, Any], usage: Usage) -> dict[str, Any]:
    at = datetime.fromisoformat(case.get("at", MONDAY)).timestamp()
    cost: Cost = reckon(offer_of(case), usage, at)
    return {name: getattr(cost, name) for name in case["cost"]}


def wire_of(case: dict[str, Any]) -> bytes:
    lines = [
        event if isinstance(event, str) and event.startswith(":") else f"data: {_text(event)}"
        for event in case["events"]
    ]
    return "".join(f"{line}\n\n" for line in lines).encode()


def _text(event: Any) -> str:
    return event if isinstance(event, str) else json.dumps(event)


def read(case: dict[str, Any], *pieces: bytes) -> Usage:
    reader = StreamReader(envelope(), case.get("aside"))
    for piece in pieces:
        reader.feed(piece)
    assert reader.failure is None
    assert reader.ended
    return reader.settled_usage()


def test_every_provider_that_counts_in_its_own_way_has_a_case() -> None:
    assert len(CASES) >= 35
    assert all(set(case) <= KEYS and case["about"] and case["arithmetic"] for case in CASES.values())
    assert len({name.partition("-")[0] for name in CASES}) >= 17


@pytest.mark.parametrize("name", REPLIED)
def test_a_reply_is_counted_and_costs_what_was_worked_out(name: str) -> None:
    case = CASES[name]
    usage, cost = expected(case)
    operation = Operation(case.get("operation", "chat"))
    reply = read_reply(Envelope(operation=operation, model="m", fields={}, size=0), json.dumps(case["reply"]).encode())
    found = reply.usage
    assert (reply.failure, found) == (None, usage)
    assert found is not None
    assert reckoned(case, found) == cost


@pytest.mark.parametrize("name", STREAMED)
def test_a_stream_is_counted_and_costs_the_same_however_it_is_cut(name: str) -> None:
    case = CASES[name]
    usage, cost = expected(case)
    wire = wire_of(case)
    found = read(case, wire)
    assert found == usage
    assert reckoned(case, found) == cost
    for at in range(1, len(wire)):
        assert read(case, wire[:at], wire[at:]) == found
    assert read(case, *(wire[at : at + 1] for at in range(len(wire)))) == found


@pytest.mark.parametrize("name", CASES)
def test_the_worst_case_covers_what_each_request_cost_at_our_prices(name: str) -> None:
    case = CASES[name]
    usage, cost = expected(case)
    worst = worst_case_pusd(offer_of(case), usage.prompt_tokens, usage.completion_tokens, usage.service_tier)
    if cost["computed_pusd"] is None:
        assert worst is None
    else:
        assert worst is not None
        assert worst >= cost["computed_pusd"]
