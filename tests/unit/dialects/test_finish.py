"""Finish reasons: what a stream does with those that mean no end."""

from __future__ import annotations

import pytest

from headgate.dialects.openai.finish import COMPLETE, CUT_OFF, FAILED
from tests.unit.dialects.driving import envelope, read, rendered
from tests.unit.dialects.streams import DONE, HE, ROLE, chunk


@pytest.mark.parametrize("reason", sorted(FAILED))
def test_a_finish_reason_that_means_the_provider_gave_up_breaks_the_stream(reason: str) -> None:
    outcome = read([rendered(ROLE, HE, chunk("llo", reason), DONE)], envelope())
    assert (outcome.ended, outcome.text) == ("broken_stream", "he")


def test_a_reason_says_one_thing() -> None:
    assert len(FAILED | CUT_OFF | COMPLETE) == len(FAILED) + len(CUT_OFF) + len(COMPLETE)
