"""The requests of a scenario, and what chance holds ready for each of them at each provider.

Both are drawn before anything runs, so that every policy and the oracle meet the same requests and the same luck:
what they differ in is choice alone.
"""

from __future__ import annotations

import random

import msgspec

from headgate.simulation.scenario import MixPart, ProviderPart, Scenario, StepPart


class Arrival(msgspec.Struct, frozen=True, eq=False):
    """A request: when it comes, its tokens, the prefix it begins with (None: its own), whether it is streamed."""

    index: int
    at: float
    prompt: int
    written: int
    prefix: int | None
    stream: bool


class Luck(msgspec.Struct, frozen=True, eq=False):
    """What a provider has in store for each request, while nothing has changed: a draw from 0 to 1 that is compared
    with its error rate, seconds to the first token, seconds for each further token."""

    error: list[float]
    first_s: list[float]
    per_token_s: list[float]


class Traffic(msgspec.Struct, frozen=True, eq=False):
    """All requests, oldest first, and the luck of each provider in the scenario's order."""

    arrivals: list[Arrival]
    luck: list[Luck]
    mean_written: float


def traffic_of(scenario: Scenario, seed: int) -> Traffic:
    """Draw the traffic of a scenario: the same for the same seed."""
    dice = random.Random(f"arrivals {seed}")
    times = list(_times(scenario.arrivals_per_s, scenario.duration_s, dice))
    arrivals = [_arrival(index, at, scenario.mix, dice) for index, at in enumerate(times)]
    luck = [_luck(one, len(arrivals), random.Random(f"{one.name} {seed}")) for one in scenario.providers]
    written = sum(one.written for one in arrivals)
    return Traffic(arrivals, luck, written / len(arrivals) if arrivals else 0.0)


def _times(steps: tuple[StepPart, ...], duration_s: float, dice: random.Random) -> list[float]:
    """When requests arrive: a Poisson process whose rate changes step by step."""
    found: list[float] = []
    for place, step in enumerate(steps):
        end = min(steps[place + 1].from_s if place + 1 < len(steps) else duration_s, duration_s)
        at = step.from_s + dice.expovariate(step.per_s)
        while at < end:
            found.append(at)
            at += dice.expovariate(step.per_s)
    return found


def _arrival(index: int, at: float, mix: MixPart, dice: random.Random) -> Arrival:
    prompt = max(round(mix.prompt_tokens.at(dice.random())), 1)
    written = max(round(mix.output_tokens.at(dice.random())), 1)
    if mix.max_tokens is not None:
        written = min(written, mix.max_tokens)
    repeated = dice.random() < mix.prefix.share
    prefix = dice.randrange(mix.prefix.prefixes)
    return Arrival(index, at, prompt, written, prefix if repeated else None, dice.random() < mix.stream_share)


def _luck(provider: ProviderPart, count: int, dice: random.Random) -> Luck:
    draw, first, pace = dice.random, provider.first_token_s.at, provider.tokens_per_s.at
    return Luck(
        error=[draw() for _ in range(count)],
        first_s=[first(draw()) for _ in range(count)],
        per_token_s=[1.0 / pace(draw()) for _ in range(count)],
    )
