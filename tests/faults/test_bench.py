"""Whatever a provider does, the client gets a whole answer where anybody has one, else an honest error."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.faults.bench import Case, Row, cases, rows_of, table
from tests.faults.forms import CHAT, TEXT
from tests.faults.verdict import judge
from tests.surface.stage import chunk, event
from tests.surface.wire import Answer

CASES = list(cases())


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def rows() -> AsyncIterator[dict[Case, Row]]:
    yield {row.case: row for row in await rows_of(CASES)}


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
@pytest.mark.asyncio(loop_scope="module")
async def test_a_fault_is_not_the_clients(rows: dict[Case, Row], case: Case) -> None:
    row = rows[case]
    assert row.verdict.honest, row
    assert row.verdict.served or not (case.backed or case.shape.fine), row
    assert row.passed, row


@pytest.mark.asyncio(loop_scope="module")
async def test_an_odd_answer_that_is_whole_is_not_asked_for_again(rows: dict[Case, Row]) -> None:
    assert [row for case, row in rows.items() if case.shape.fine and row.attempts != 1] == []


@pytest.mark.asyncio(loop_scope="module")
async def test_without_anybody_else_a_fault_is_an_error_and_the_table_says_so(rows: dict[Case, Row]) -> None:
    alone = [row for case, row in rows.items() if not case.backed and not case.shape.fine]
    assert alone
    assert [row for row in alone if row.verdict.served] == []
    assert table(list(rows.values())).endswith(f"{len(rows)} of {len(rows)} passed")


def _stream(*pieces: bytes) -> Answer:
    return Answer(200, {}, b"".join(pieces), b"")


@pytest.mark.parametrize(
    "deception",
    [
        _stream(event(chunk(TEXT[:9])), event(chunk(None, "stop")), b"data: [DONE]\n\n"),
        _stream(event(chunk(TEXT)), b"data: [DONE]\n\n"),
        _stream(event(chunk(TEXT[:9]))),
        _stream(event(chunk("other")), event({"error": {"message": "m", "code": "c"}})),
        _stream(),
        Answer(502, {}, b'{"error": {"message": "m", "code": null}}', b""),
    ],
)
def test_the_bench_is_not_deceived(deception: Answer) -> None:
    assert not judge(deception, CHAT, TEXT, streamed=True).honest


@pytest.mark.parametrize(
    "choices",
    [[], [{}], [None], [{"message": {"content": TEXT}}], [{"message": {"content": ""}, "finish_reason": "stop"}]],
)
def test_the_bench_is_not_deceived_by_json(choices: list[Any]) -> None:
    answer = Answer(200, {}, json.dumps({"choices": choices}).encode(), b"")
    assert not judge(answer, CHAT, TEXT, streamed=False).honest
