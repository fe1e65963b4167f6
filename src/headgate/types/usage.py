"""Token counts of one request, in classes that never overlap."""

from __future__ import annotations

import msgspec


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens by class. Classes are disjoint: the input a provider bills in full is `input`, what it read from its
    prompt cache is `cached_input`; `reasoning` is not contained in `output`."""

    input: int = 0
    cached_input: int = 0
    cache_write: int = 0
    output: int = 0
    reasoning: int = 0
    estimated: bool = False

    @property
    def prompt_tokens(self) -> int:
        return self.input + self.cached_input + self.cache_write

    @property
    def completion_tokens(self) -> int:
        return self.output + self.reasoning
