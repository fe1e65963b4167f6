"""Finish reasons: what a stream does with those that mean no end."""

from __future__ import annotations

import pytest

from headgate.dialects.openai.finish import COMPLETE, CUT_OFF, FAILED
from tests.unit.dialects.driving import envelope, read, rendered
from tests.unit.dialects.streams import DONE, HE, ROLE, chunk


@pytest.mark.parametrize("reason", [*sorted(FAILED), "ERROR", "function_call_filter: MALFORMED_FUNCTION_CALL"])
def test_a_finish_reason_that_means_the_provider_gave_up_breaks_the_stream(reason: str) -> None:
    outcome = read([rendered(ROLE, HE, chunk("llo", reason), DONE)], envelope())
    assert (outcome.ended, outcome.text) == ("broken_stream", "he")


def test_a_reason_says_one_thing() -> None:
    assert len(FAILED | CUT_OFF | COMPLETE) == len(FAILED) + len(CUT_OFF) + len(COMPLETE)


@pytest.mark.parametrize("reason", ["STOP", "COMPLETE", "end_turn", "stop_sequence"])
def test_an_empty_answer_that_is_called_complete_is_none_however_that_is_written(reason: str) -> None:
    assert read([rendered(ROLE, chunk(None, reason), DONE)], envelope()).ended == "soft_error"


@pytest.mark.parametrize(
    ("reason", "among"),
    [
        ("Timeout", FAILED),
        ("CANCELLED", FAILED),
        ("MAX_TOKENS", CUT_OFF),
        ("max_tokens", CUT_OFF),
        ("Complete", COMPLETE),
        ("", COMPLETE),
    ],
)
def test_capitals_mean_nothing(reason: str, among: frozenset[str]) -> None:
    assert [reason in reasons for reasons in (FAILED, CUT_OFF, COMPLETE)] == [
        reasons is among for reasons in (FAILED, CUT_OFF, COMPLETE)
    ]


def test_what_is_no_text_is_no_reason() -> None:
    assert None not in COMPLETE
