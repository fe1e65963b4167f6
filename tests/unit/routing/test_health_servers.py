"""What all credentials of a model at one address share, and what stays each one's own."""

from __future__ import annotations

import tracemalloc

import pytest

from headgate.routing.health import FROM_THE_LIVING, Health
from headgate.routing.standing import OK, Condition
from headgate.types.fault import FaultClass
from tests.unit.routing.test_health import POLICY, condition, ends, served


@pytest.mark.parametrize("fault", sorted(FROM_THE_LIVING))
def test_a_probe_that_is_told_what_is_wrong_with_its_request_has_found_somebody_alive(fault: FaultClass) -> None:
    health, one = Health(), served()
    for _ in range(5):
        ends(health, one, FaultClass.RESET)
    probed_at = health.standing(one, 1, POLICY).until
    assert probed_at is not None
    ends(health, one, fault, probed_at)
    assert health.standing(one, probed_at + 1, POLICY) is OK


def test_a_dead_server_is_not_asked_once_more_for_each_credential() -> None:
    health, keys = Health(), [served(secret=f"s{number}", name=f"n{number}") for number in range(5)]
    begun_ones = [one for one in keys * 10 if health.begin(one, 0, POLICY) is not None]
    assert len(begun_ones) == 10


def test_limits_and_parked_credentials_are_still_each_ones_own() -> None:
    health, one, other = Health(), served(), served(secret="t", name="other")
    ends(health, one, FaultClass.RATE_LIMITED, 0, 60)
    assert condition(health, one, 1) is Condition.LIMITED
    assert health.standing(other, 1, POLICY) is OK


def test_names_that_clients_make_up_do_not_fill_the_memory() -> None:
    health = Health()
    tracemalloc.start()
    for number in range(50):
        one = served("*", asked=f"{number}" + "x" * 100_000)
        ends(health, one, FaultClass.SERVER_ERROR)
        assert health.standing(one, 1, POLICY) is OK
    del one
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 1_000_000


def test_what_is_forgotten_does_not_come_back_with_attempts_that_began_before() -> None:
    health, one = Health(), served()
    late = [health.begin(one, 0, POLICY) for _ in range(8)]
    health.forget(one)
    for permit in late:
        assert permit is not None
        health.failed(permit, FaultClass.RESET, 1, POLICY, 0.5)
    assert health.standing(one, 2, POLICY) is OK
    assert sum(health.begin(one, 2, POLICY) is not None for _ in range(50)) == 10
