"""Scenarios for tests: the smallest that runs, with what a test says laid over it."""

from __future__ import annotations

from typing import Any

from headgate.simulation.scenario import Scenario

PRICE = {"input_usd_per_mtok": "0.10", "output_usd_per_mtok": "0.40"}


def provider(name: str, usd: str = "0.10", first_token_s: Any = 0.5, tokens_per_s: Any = 100, **more: Any) -> Any:
    price = {"input_usd_per_mtok": usd, "output_usd_per_mtok": usd}
    return {"name": name, "price": price, "first_token_s": first_token_s, "tokens_per_s": tokens_per_s} | more


def scenario(*providers: Any, **more: Any) -> Scenario:
    whole = {
        "duration_s": 600,
        "arrivals_per_s": 1,
        "mix": {"prompt_tokens": 1000, "output_tokens": 200},
        "providers": providers or [provider("only")],
    }
    return Scenario.model_validate(whole | more)
