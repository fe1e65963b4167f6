"""Where what traffic has taught is kept: by deployment, by key and model, by model. Bounded, and in memory only."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from headgate.routing.averages import HALF_LIFE_S, Average, Ratio
from headgate.routing.facts import Facts
from headgate.types.by_identity import ByIdentity
from headgate.types.deployment import Deployment
from headgate.types.secret import Secret

MOST_DEPLOYMENTS = 10_000
MOST_LENGTHS = 20_000
MOST_MODELS = 5_000
LONGEST_NAME = 300
"""Names longer than this are not remembered: some servers answer to whatever a client calls a model."""

ENOUGH = 4.5
"""So many answers and a mean is better than a guess: five, that need not be of this very moment."""

_SLOWLY = HALF_LIFE_S / (7 * 86_400.0)
"""What keys are used for and how models read text stays as it is for weeks: it grows old so much more slowly than what
is known of a provider's speed. A key that asks once an hour would never be known otherwise."""

Key = TypeVar("Key")
Value = TypeVar("Value")


class Observed:
    """All that is known of deployments, of the length of answers, and of how dense the text of a model's prompts is.

    A reload makes new deployments; those that are called like old ones inherit what was known of them.
    """

    def __init__(self) -> None:
        self._here: ByIdentity[Deployment, Facts] = ByIdentity()
        self._facts: _Recent[tuple[str, str, str, str, Secret | None], Facts] = _Recent(MOST_DEPLOYMENTS, Facts)
        self._lengths: _Recent[tuple[str, str], Average] = _Recent(MOST_LENGTHS, Average)
        self._densities: _Recent[str, Ratio] = _Recent(MOST_MODELS, Ratio)

    def of(self, deployment: Deployment) -> Facts:
        """What is known of a deployment: the same object for as long as it is called the same way."""
        facts = self._here.get(deployment)
        if facts is None:
            upstream, credential = deployment.upstream, deployment.credential
            called = upstream.provider, upstream.base_url, deployment.offer.upstream_id
            facts = self._facts[(*called, credential.name, credential.secret)]
            self._here.set(deployment, facts)
        return facts

    @property
    def in_flight(self) -> int:
        """Attempts that are under way."""
        return sum(facts.in_flight for facts in self._here.values())

    def answered(
        self, key_id: str, model: str, slug: str, size: int, prompt_tokens: int, written_tokens: float, now: float
    ) -> None:
        """An answer to a key that asked for a model by this name, of the weights of this slug.

        `size` bytes of text came to so many tokens of prompt; 0 tokens where the prompt was more than text. What was
        written counts for each of the answers.
        """
        if len(model) <= LONGEST_NAME:
            # Some answers are ten times as long as others, and that is no surprise.
            self._lengths[key_id, model].add(written_tokens, now * _SLOWLY, surprising=False)
        if prompt_tokens > 0:
            self._densities[slug].add(size, prompt_tokens, now * _SLOWLY)

    def length(self, key_id: str, model: str) -> float | None:
        """How many tokens the answers to a key have had from a model, on average; None when too few have come."""
        known = self._lengths.get((key_id, model))
        return known.mean if known is not None and known.weight >= ENOUGH else None

    def density(self, model: str) -> Ratio:
        """How many bytes of text come to one token of a model's prompts."""
        return self._densities[model]


class _Recent(dict[Key, Value]):
    """A mapping that makes what it does not have, and forgets what was made longest ago when there is too much."""

    __slots__ = ("_make", "_most")

    def __init__(self, most: int, make: Callable[[], Value]) -> None:
        super().__init__()
        self._most = most
        self._make = make

    def __missing__(self, key: Key) -> Value:
        if len(self) >= self._most:
            del self[next(iter(self))]
        value = self[key] = self._make()
        return value
