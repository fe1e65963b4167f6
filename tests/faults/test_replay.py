"""The corpus in front of a gateway that runs: what a client sees of each reply, and who is asked after it."""

from __future__ import annotations

import asyncio
import itertools
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio

from headgate.types.fault import FaultClass
from headgate.types.policy import RULES
from headgate.types.script import Script, Step
from tests.faults.bench import Bench, Case, Row, bench, run
from tests.faults.corpus import CASES, bytes_of
from tests.faults.forms import CHAT, TEXT
from tests.faults.shapes import Shape

AT_ONCE = 32
KEPT_S = 120.0
"""A limit that is longer than this still stands when the next request comes, however long the others take."""


@dataclass(frozen=True)
class Seen:
    """How the cases of one file went, and the requests that reached the provider afterwards: for the same model, and
    for another of the same credential."""

    rows: list[Row]
    same: int
    other: int


def shape_of(name: str) -> Shape:
    case = CASES[name]
    reply = Script(status=case["status"], headers=tuple(case["headers"].items()), steps=(Step(0.0, bytes_of(case)),))
    kind = FaultClass(case["expect"]["class"])
    text = _said(case) + TEXT if case["stream"] else None
    return Shape(None if case["stream"] else reply, reply, text=text, kind=kind, final=not RULES[kind].fall_back)


def _said(case: dict[str, Any]) -> str:
    """What the client has of an answer when it breaks off."""
    events = [event for event in case.get("body", ()) if isinstance(event, dict)]
    return "".join(CHAT.said(choice) for event in events for choice in event.get("choices") or ())


def cases() -> Iterator[tuple[str, Case]]:
    number = itertools.count(1)
    for name in CASES:
        shape = shape_of(name)
        for streamed in (False, True):
            if (shape.sse if streamed else shape.json) is not None:
                for backed in (True, False):
                    yield name, Case(name, CHAT, shape, streamed, backed, next(number))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def seen() -> AsyncIterator[dict[str, Seen]]:
    by_name: dict[str, list[Case]] = defaultdict(list)
    for name, case in cases():
        by_name[name].append(case)
    every = [case for group in by_name.values() for case in group]
    async with bench(every) as there:
        rows: dict[str, list[Row]] = defaultdict(list)
        for row in await run(there, every, AT_ONCE):
            rows[row.case.fault].append(row)
        gate = asyncio.Semaphore(AT_ONCE)

        async def after(name: str) -> Seen:
            async with gate:
                (*_, case) = by_name[name]
                same = await _arrives(there, case, f"{case.provider}/m")
                return Seen(rows[name], same, await _arrives(there, case, f"{case.provider}/other"))

        found = await asyncio.gather(*(after(name) for name in by_name))
        yield dict(zip(by_name, found, strict=True))


async def _arrives(there: Bench, case: Case, model: str) -> int:
    """The requests that a provider gets when a client asks for a model of it, and for nothing else."""
    before = there.arrived(case)
    await there.ask(case, model)
    return there.arrived(case) - before


@pytest.mark.parametrize("name", CASES)
@pytest.mark.asyncio(loop_scope="module")
async def test_a_client_gets_another_answer_or_an_honest_error(seen: dict[str, Seen], name: str) -> None:
    assert seen[name].rows
    for row in seen[name].rows:
        assert row.verdict.honest, row
        assert row.passed, row


@pytest.mark.parametrize("name", CASES)
@pytest.mark.asyncio(loop_scope="module")
async def test_who_is_asked_next_follows_from_the_scope(seen: dict[str, Seen], name: str) -> None:
    expect, then = CASES[name]["expect"], seen[name]
    assert (then.other > 0) == (expect["scope"] != "credential")
    limited = expect["class"] == "rate_limited" and (expect["wait_s"] or 0.0) > KEPT_S
    if limited or expect["scope"] in ("credential", "offer"):
        assert then.same == 0
    elif expect["class"] in ("bad_request", "content_filtered", "context_too_long", "unsupported"):
        assert then.same > 0
