"""Token counts of one request, in classes that never overlap, and what else the provider says about the bill."""

from __future__ import annotations

import msgspec

USUAL_TIERS = frozenset({"auto", "default", "standard", "on_demand"})
"""What providers call the service tier that everybody gets who asks for no other."""

_MAX_TIER_CHARACTERS = 32


class Usage(msgspec.Struct, frozen=True, kw_only=True, array_like=True, gc=False):
    """Tokens by class. Classes are disjoint: the input a provider bills in full is `input`, what it read from its
    prompt cache is `cached_input`, spoken input is `audio_input`; `reasoning` is not contained in `output`.

    `estimated` when no provider counted, or only one side of it. `reported_pusd` is the cost the provider itself
    names, in pico-dollars. `service_tier` is the tier it says it billed (priority, flex, batch …), None for the usual
    one. `search_size` is how much of the web it says it searched (low, medium, high), where it charges by that.
    """

    input: int = 0
    cached_input: int = 0
    cache_write: int = 0
    audio_input: int = 0
    output: int = 0
    reasoning: int = 0
    audio_output: int = 0
    estimated: bool = False
    reported_pusd: int | None = None
    service_tier: str | None = None
    search_size: str | None = None

    @property
    def prompt_tokens(self) -> int:
        return self.input + self.cached_input + self.cache_write + self.audio_input

    @property
    def completion_tokens(self) -> int:
        return self.output + self.reasoning + self.audio_output

    @property
    def tokens(self) -> int:
        entered = self.input + self.cached_input + self.cache_write + self.audio_input
        return entered + self.output + self.reasoning + self.audio_output


def service_tier(named: object) -> str | None:
    """The service tier a request or a reply names, in lower case; None for the usual one, and for what is no name."""
    if not isinstance(named, str) or len(named) > _MAX_TIER_CHARACTERS:
        return None
    tier = named.strip().lower()
    if tier in USUAL_TIERS or not (tier.isascii() and tier.replace("_", "").replace("-", "").isalnum()):
        return None
    return tier
