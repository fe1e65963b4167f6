"""Where what traffic has taught is kept, and for how long."""

from __future__ import annotations

import gc
import weakref

import pytest

from headgate.routing.facts import Facts
from headgate.routing.observed import LONGEST_NAME, MOST_DEPLOYMENTS, MOST_LENGTHS, MOST_MODELS, Observed
from headgate.types.deployment import Credential, Deployment
from headgate.types.secret import Secret
from tests.unit.routing.snapshots import candidate, credentials


def answered(observed: Observed, key_id: str, model: str, tokens: int, slug: str = "m") -> None:
    observed.answered(key_id, model, slug, 400, 100, tokens, 0.0)


def made(upstream_id: str = "m") -> Deployment:
    return candidate("p", upstream_id=upstream_id).deployment


def test_a_deployment_has_the_same_facts_after_a_reload() -> None:
    observed = Observed()
    before, after = made(), made()
    assert before is not after
    assert observed.of(before) is observed.of(before)
    assert observed.of(before) is observed.of(after)


def test_whoever_is_called_another_way_has_facts_of_its_own() -> None:
    observed = Observed()
    elsewhere = candidate("p", called={"base_url": "http://elsewhere/v1"}).deployment
    different = [made(), made("other"), elsewhere, candidate("q").deployment]
    different += [one.deployment for one in credentials(candidate("p"), first=1.0, second=1.0)]
    assert len({id(observed.of(one)) for one in different}) == len(different)


def test_a_credential_with_another_secret_is_another_one_whatever_its_name() -> None:
    observed, one = Observed(), made()

    def facts(name: str, secret: str) -> Facts:
        credential = Credential(name=name, secret=Secret(secret))
        return observed.of(Deployment(offer=one.offer, upstream=one.upstream, credential=credential))

    assert facts("a", "x") is facts("a", "x")
    assert len({id(facts(name, secret)) for name, secret in (("a", "x"), ("a", "y"), ("b", "x"))}) == 3


def test_what_was_retired_is_not_kept_alive_by_what_is_known_of_it() -> None:
    observed, one = Observed(), made()
    observed.of(one)
    gone = weakref.ref(one)
    del one
    gc.collect()
    assert gone() is None


def test_the_length_of_answers_is_a_keys_own_and_a_models() -> None:
    observed = Observed()
    for _ in range(5):
        assert observed.length("k", "m") is None, "too few to know"
        answered(observed, "k", "m", 70)
    assert observed.length("k", "m") == pytest.approx(70)
    assert observed.length("k", "other") is None
    assert observed.length("another", "m") is None


@pytest.mark.parametrize("pause_s", [0.01, 60.0, 3_600.0, 86_400.0])
def test_a_key_that_asks_seldom_is_known_too(pause_s: float) -> None:
    observed = Observed()
    for number in range(8):
        observed.answered("k", "m", "m", 400, 100, 70, number * pause_s)
    assert observed.length("k", "m") == pytest.approx(70)
    assert observed.density("m").weight > 5


def test_answers_of_very_different_lengths_are_a_mean_all_the_same() -> None:
    observed = Observed()
    for number, tokens in enumerate([10, 10, 4_000, 4_000, 10, 4_000] * 20):
        observed.answered("k", "m", "m", 400, 100, tokens, float(number))
        assert number < 5 or observed.length("k", "m") is not None
    assert 1_000 < (observed.length("k", "m") or 0) < 3_000


def test_a_key_that_is_used_for_something_else_shows_after_some_dozens_of_answers() -> None:
    observed = Observed()
    for tokens in [10] * 1_000 + [1_000] * 60:
        answered(observed, "k", "m", tokens)
    assert (observed.length("k", "m") or 0) > 800


def test_the_density_of_prompts_is_a_models_whoever_asks() -> None:
    observed = Observed()
    answered(observed, "k", "m", 1, slug="org/M")
    answered(observed, "another", "x", 1, slug="org/M")
    assert observed.density("org/M").value == pytest.approx(4.0)
    assert observed.density("org/Other").value is None


def test_a_prompt_that_was_more_than_text_says_nothing_of_density() -> None:
    observed = Observed()
    observed.answered("k", "m", "org/M", 400, 0, 5, 0.0)
    assert observed.density("org/M").value is None


def test_what_is_remembered_is_bounded() -> None:
    observed = Observed()
    oldest = observed.of(made("0"))
    for number in range(1, MOST_DEPLOYMENTS):
        observed.of(made(str(number)))
    assert observed.of(made("0")) is oldest
    observed.of(made("one more"))
    assert observed.of(made("0")) is not oldest


def test_lengths_and_densities_that_are_remembered_are_bounded() -> None:
    observed = Observed()
    for _ in range(5):
        answered(observed, "k", "first", 70, slug="first")
    for number in range(MOST_LENGTHS - 1):
        answered(observed, "k", f"m{number}", 70, slug=f"s{number % (MOST_MODELS - 1)}")
    assert observed.length("k", "first") is not None
    assert observed.density("first").value is not None
    answered(observed, "k", "one more", 70, slug="one more")
    assert observed.length("k", "first") is None
    assert observed.density("first").value is None


def test_a_name_of_any_length_is_not_kept() -> None:
    observed = Observed()
    for length, kept in ((LONGEST_NAME, True), (LONGEST_NAME + 1, False)):
        for _ in range(5):
            answered(observed, "k", "x" * length, 70)
        assert (observed.length("k", "x" * length) is not None) is kept
