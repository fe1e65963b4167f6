"""What attempts teach about deployments, answers and prompts."""

from __future__ import annotations

import json
from typing import Any

import pytest

from headgate.dialects.openai.request import parse_request
from headgate.gateway.learn import note
from headgate.routing.facts import Facts
from headgate.routing.observed import Observed
from headgate.routing.planner import extent_of
from headgate.types.deployment import Candidate, Operation
from headgate.types.entry import SUCCESS
from headgate.types.fault import FaultClass
from headgate.types.headroom import Headroom
from headgate.types.money import Cost
from headgate.types.principal import Principal
from headgate.types.request import Attempt, Request
from headgate.types.usage import Usage
from tests.surface.gateway import snapshot_of
from tests.unit.routing.snapshots import candidate

USAGE = Usage(input=60, cached_input=40, output=50, reasoning=50)
HI: list[dict[str, Any]] = [{"role": "user", "content": "x" * 400}]
SNAPSHOT = snapshot_of("providers: {sandbox: {}}")


def request(key_id: str = "1", **fields: Any) -> Request:
    body = json.dumps({"model": "m", "messages": HI, **fields}).encode()
    return Request(
        id="r",
        snapshot=SNAPSHOT,
        principal=Principal(key="k", key_id=key_id),
        envelope=parse_request(Operation.CHAT, body),
    )


class School:
    """Attempts at one deployment, each of which starts and ends."""

    def __init__(self) -> None:
        self.observed = Observed()
        self.candidate: Candidate = candidate("p", model="org/M")

    @property
    def facts(self) -> Facts:
        return self.observed.of(self.candidate.deployment)

    def attempt(
        self, asked: Request | None = None, *, wait_s: float | None = None, now: float = 103.0, **fields: Any
    ) -> Facts:
        came: dict[str, Any] = {"result": SUCCESS, "usage": USAGE, "first_token": 101.0, "done": 103.0}
        one = Attempt(candidate=self.candidate, started=100.0, **came | fields)
        self.facts.begin(10, 100.0)
        asked = asked or request(stream=True)
        note(self.observed, asked, extent_of(asked.envelope), one, wait_s, now)
        return self.facts

    def failed(self, kind: str, **more: Any) -> Facts:
        return self.attempt(result=kind, usage=None, first_token=None, done=None, **more)


def test_a_stream_shows_its_first_token_and_its_pace_in_seconds() -> None:
    facts = School().attempt()
    assert facts.expected_s(0) == pytest.approx(1.0)
    assert facts.expected_s(100) == pytest.approx(3.0)


def test_an_answer_in_one_piece_shows_its_end_alone() -> None:
    facts = School().attempt(request())
    assert facts.expected_s(100) == pytest.approx(3.0)
    assert facts.first_token_s.weight == 0, "the head of a JSON answer is no first token"


def test_a_client_that_was_slow_says_nothing_of_the_provider() -> None:
    facts = School().attempt(held=True)
    assert facts.expected_s(100) is None
    assert facts.cached_share.mean == pytest.approx(0.4), "what was billed is told all the same"


@pytest.mark.parametrize("kind", [*FaultClass, "cancelled", SUCCESS])
def test_whatever_became_of_it_an_attempt_that_is_over_runs_no_longer(kind: str) -> None:
    school = School()
    facts = school.attempt() if kind == SUCCESS else school.failed(kind)
    assert facts.in_flight == 0


REQUESTS_OWN = [
    FaultClass.UNSUPPORTED,
    FaultClass.CONTEXT_TOO_LONG,
    FaultClass.CONTENT_FILTERED,
    FaultClass.BAD_REQUEST,
]


@pytest.mark.parametrize("kind", [*REQUESTS_OWN, "cancelled"])
def test_what_the_request_is_to_blame_for_says_nothing_of_the_deployment(kind: str) -> None:
    school = School()
    for _ in range(10):
        school.failed(kind)
    assert school.facts.health() == "unknown"
    assert school.facts.expected_s(10) is None


@pytest.mark.parametrize("kind", [FaultClass.SERVER_ERROR, FaultClass.CONNECT_FAILED, FaultClass.NO_FIRST_TOKEN])
def test_a_deployment_that_goes_on_failing_is_said_to_and_one_answer_makes_it_good(kind: FaultClass) -> None:
    school = School()
    for _ in range(10):
        school.failed(kind)
    assert school.facts.health() == "failing"
    assert school.attempt().health() == "healthy"


def test_a_refusal_for_too_many_requests_keeps_the_others_away_for_as_long_as_it_says() -> None:
    school = School()
    school.failed(FaultClass.RATE_LIMITED, wait_s=30.0)
    assert [school.facts.has_room(1, None, now) for now in (104.0, 132.0, 133.0)] == [False, False, True]
    school.failed(FaultClass.RATE_LIMITED, now=200.0)
    assert not school.facts.has_room(1, None, 201.0)


def test_what_a_reply_says_is_left_counts_whatever_the_reply_was() -> None:
    for kind in (SUCCESS, FaultClass.SERVER_ERROR):
        school = School()
        told = Headroom(requests=0, requests_reset_s=20.0)
        facts = school.attempt(result=kind, headroom=told)
        assert [facts.has_room(1, None, now) for now in (104.0, 122.0, 123.0)] == [False, False, True]


def test_what_was_billed_shows_the_cache_and_how_far_the_list_is_off() -> None:
    facts = School().attempt(cost=Cost(pusd=300, reported_pusd=300, computed_pusd=100))
    assert facts.cached_share.mean == pytest.approx(0.4)
    assert facts.cost_factor.mean == pytest.approx(3.0)


def test_answers_teach_how_long_they_are_and_how_dense_the_prompts() -> None:
    school = School()
    for _ in range(5):
        school.attempt()
    assert school.observed.length("1", "m") == pytest.approx(100)
    assert school.observed.length("2", "m") is None
    assert school.observed.density("org/M").value == pytest.approx(
        len(json.dumps({"model": "m", "messages": HI, "stream": True})) / 100
    )


def test_our_own_guesses_teach_nothing_of_lengths_and_densities() -> None:
    school = School()
    for _ in range(9):
        school.attempt(usage=Usage(input=100, output=100, estimated=True))
    assert school.observed.length("1", "m") is None
    assert school.observed.density("org/M").value is None
    assert not school.facts.cached_share.weight


@pytest.mark.parametrize(
    "part",
    [
        {"type": "image_url", "image_url": {"url": "https://example.invalid/a"}},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "QUJD" * 5_000}},
        {"type": "input_audio", "input_audio": {"data": "QUJD" * 5_000, "format": "wav"}},
        {"type": "file", "file": {"file_id": "f"}},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64," + "QUJD" * 5_000}},
    ],
)
def test_a_prompt_that_is_more_than_text_says_nothing_of_how_dense_text_is(part: dict[str, Any]) -> None:
    school = School()
    for _ in range(5):
        school.attempt(request(messages=[{"role": "user", "content": [part, {"type": "text", "text": "what is it?"}]}]))
    assert school.observed.density("org/M").value is None
    assert school.observed.length("1", "m") == pytest.approx(100)


def test_an_answer_without_usage_teaches_nothing_and_breaks_nothing() -> None:
    facts = School().attempt(usage=None)
    assert facts.in_flight == 0
    assert facts.expected_s(10) is None
