"""What one request cost: usage times price, in integers of pico-dollars."""

from __future__ import annotations

from headgate.types.money import TOKENS_PER_MTOK, Price
from headgate.types.usage import Usage


def cost_pusd(price: Price, usage: Usage) -> int | None:
    """Pico-dollars for the tokens used, rounded half up once at the end; None when a price that counts is unknown.

    Cached input and cache writes whose own price is unknown cost what input costs; reasoning costs what output costs.
    The output price does not count where nothing was written, as for embeddings.
    """
    entered = price.input_pusd_per_mtok
    written = price.output_pusd_per_mtok
    if entered is None or (written is None and usage.completion_tokens):
        return None
    cached = price.cached_input_pusd_per_mtok
    stored = price.cache_write_pusd_per_mtok
    total = (
        usage.input * entered
        + usage.cached_input * (entered if cached is None else cached)
        + usage.cache_write * (entered if stored is None else stored)
        + usage.completion_tokens * (written or 0)
    )
    return (total + TOKENS_PER_MTOK // 2) // TOKENS_PER_MTOK
