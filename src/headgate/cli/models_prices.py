"""All prices of an offer, in words: by length, hour, date and service tier."""

from __future__ import annotations

from datetime import UTC, datetime

from headgate.types.deployment import Offer
from headgate.types.money import Price, render_usd

_CLASSES = {
    "input_pusd_per_mtok": "in",
    "output_pusd_per_mtok": "out",
    "cached_input_pusd_per_mtok": "cached in",
    "cache_write_pusd_per_mtok": "cache write",
    "audio_input_pusd_per_mtok": "audio in",
    "reasoning_pusd_per_mtok": "reasoning",
    "audio_output_pusd_per_mtok": "audio out",
}
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def price_lines(offer: Offer) -> dict[str, str]:
    """When a price applies → US dollars for a million tokens of each class that it names."""
    lines = {"price in USD/Mtok": _figures(offer.price) or "unknown"}
    terms = offer.terms
    if terms is None:
        return lines
    lines |= {f"prompts above {tier.above_tokens} tokens": _figures(tier.price) for tier in terms.tiers}
    for window in terms.windows:
        spans = ", ".join(f"{_clock(start)}-{_clock(end)}" for start, end in window.minutes)
        days = ", ".join(_DAYS[day - 1] for day in sorted(window.weekdays))
        lines[f"{spans} UTC on {days}"] = _figures(window.price)
    for change in terms.changes:
        lines[f"from {datetime.fromtimestamp(change.from_s, UTC):%Y-%m-%d}"] = _figures(change.price)
    lines |= {f"service tier {name}": _figures(price) for name, price in terms.service_tiers}
    lines |= {f"service tier {name}": f"{percent} % of the usual price" for name, percent in terms.tier_percent}
    lines |= {f"a request with {size} search": f"{render_usd(fee)} USD" for size, fee in terms.request_fees}
    return lines


def _figures(price: Price) -> str:
    named = ((words, getattr(price, name)) for name, words in _CLASSES.items())
    return ", ".join(f"{words} {render_usd(value)}" for words, value in named if value is not None)


def _clock(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"
