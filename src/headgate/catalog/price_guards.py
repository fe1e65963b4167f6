"""Whether the prices of a provider's list can be prices: one figure by itself, and those of one model together.

A list may be wrong by a unit, a typo or a change of its format. What does not make sense is refused with a reason;
a refused price is never taken for 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import ROUND_HALF_EVEN, Decimal
from enum import StrEnum

import msgspec

from headgate.types.listing import ListedModel, ListedTier, Prices

INPUT = "input_usd_per_mtok"
OUTPUT = "output_usd_per_mtok"
CACHED = "cached_input_usd_per_mtok"
CACHE_WRITE = "cache_write_usd_per_mtok"
WRITTEN = frozenset({OUTPUT, "reasoning_usd_per_mtok", "audio_output_usd_per_mtok"})
FIGURES = frozenset({INPUT, CACHED, CACHE_WRITE, "audio_input_usd_per_mtok"}) | WRITTEN
"""The names of prices that a request's cost can be made of."""

EMBEDDING = "embedding"
OUTLIER_TIMES = 20
MEDIAN_TIMES = 100
FLOOR = Decimal("0.001")
CACHE_WRITE_TIMES = 3
MIN_TOKENS, MAX_TOKENS = 256, 20_000_000
_PICO = Decimal("1e-12")
_LEAST_OUTPUT = Decimal("0.9")
_CHATTY = (Decimal(200), Decimal(700))
_CHEAP = (Decimal(5), Decimal(5))
_OTHERS = (Decimal(50), Decimal(200))
_TALKS = frozenset({None, "any", "chat", "completion", "responses"})
"""Kinds that write text, and models of which nobody says what they are."""


class Reason(StrEnum):
    """Why one figure, or one model, of a list is refused."""

    NEGATIVE = "negative"
    NOT_FINITE = "not_finite"
    NOT_A_NUMBER = "not_a_number"
    FLOAT_TEXT = "float_text"
    ZERO = "zero"
    ABOVE_CEILING = "above_ceiling"
    BELOW_FLOOR = "below_floor"
    OUTLIER = "outlier"
    CACHED_NOT_BELOW_INPUT = "cached_not_below_input"
    OUTPUT_BELOW_INPUT = "output_below_input"
    OUTPUT_ON_EMBEDDING = "output_on_embedding"
    BAD_TIER = "bad_tier"
    WINDOW_OUT_OF_RANGE = "window_out_of_range"
    CAP_NOT_BELOW_WINDOW = "cap_not_below_window"
    HOSTILE_ID = "hostile_id"
    DUPLICATE_ID = "duplicate_id"
    BAD_DATE = "bad_date"
    BAD_WORD = "bad_word"
    UNREADABLE = "unreadable"
    UNKNOWN_FIGURE = "unknown_figure"


STRANGE = frozenset({Reason.OUTLIER, Reason.ABOVE_CEILING, Reason.BELOW_FLOOR})
"""Reasons that are those of a whole list in another unit, when many of its prices have them."""


class Refusal(msgspec.Struct, frozen=True):
    """A figure that is not used. `words` say what is wrong with it and are fit for the log."""

    id: str
    figure: str
    reason: Reason
    words: str


class Yardstick(msgspec.Struct, frozen=True, kw_only=True):
    """What the prices of one model are compared with; nothing where nothing is known.

    `last` are the last good prices, `tiers` the last good ones of long prompts, `usual` the medians elsewhere.
    """

    kind: str | None = None
    last: Mapping[str, Decimal] = {}
    tiers: Mapping[int, Mapping[str, Decimal]] = {}
    usual: Mapping[str, Decimal] = {}


class Weighed(msgspec.Struct, frozen=True, kw_only=True):
    """The prices of one model that may be used.

    Not `sound` means that nothing of them may: without a good base price, or with tiers that are none, what is left
    would be the price of something else.
    """

    prices: Prices
    tiers: tuple[ListedTier, ...]
    sound: bool
    refusals: tuple[Refusal, ...]


def rounded(usd_per_mtok: Decimal) -> Decimal:
    """A price to the pico-dollar, half to even, without exponent or trailing zeros. It must be finite."""
    exact = usd_per_mtok.quantize(_PICO, ROUND_HALF_EVEN)
    return Decimal(format(exact.normalize(), "f"))


def ceiling(figure: str, kind: str | None) -> Decimal:
    """The dearest that a figure of this kind of model can be, in US dollars for a million tokens."""
    entered, written = _CHATTY if kind in _TALKS else _CHEAP if kind in (EMBEDDING, "rerank") else _OTHERS
    if figure == CACHE_WRITE:
        return entered * CACHE_WRITE_TIMES
    return written if figure in WRITTEN else entered


def is_off(value: Decimal, known: Decimal | None, times: int) -> bool:
    """Whether a price is more than so many times above or below another; a price of 0 compares with nothing."""
    return known is not None and known > 0 and (value > known * times or value * times < known)


def weigh(model: ListedModel, yard: Yardstick) -> Weighed:
    """Judge the prices of one model."""
    refusals: list[Refusal] = []
    kept = _kept(model, yard, refusals)
    sound = not any(one.figure in (INPUT, OUTPUT) and one.reason is not Reason.OUTPUT_ON_EMBEDDING for one in refusals)
    refused = _compare(kept, yard.kind)
    refusals += [Refusal(model.id, figure, reason, words) for figure, reason, words in refused]
    for figure, _, _ in refused:
        del kept[figure]
    sound = sound and not any(reason is Reason.OUTPUT_BELOW_INPUT for _, reason, _ in refused)
    tiers = _tiers(model, kept, yard, refusals) if sound else ()
    if tiers is None:
        return Weighed(prices=(), tiers=(), sound=False, refusals=tuple(refusals))
    return Weighed(prices=tuple(kept.items()) if sound else (), tiers=tiers, sound=sound, refusals=tuple(refusals))


def _kept(model: ListedModel, yard: Yardstick, refusals: list[Refusal]) -> dict[str, Decimal]:
    kept: dict[str, Decimal] = {}
    for figure, value in model.prices:
        on_embedding = yard.kind == EMBEDDING and figure in WRITTEN
        if value.is_finite() and value == 0 and (model.free or on_embedding or _is_unsold(figure, yard.last)):
            continue
        fault = _fault(figure, value, yard.kind, yard.last.get(figure), yard.usual.get(figure))
        if on_embedding:
            fault = Reason.OUTPUT_ON_EMBEDDING, "an embedding writes no tokens that could cost anything"
        if fault is None:
            kept[figure] = rounded(value)
        else:
            refusals.append(Refusal(model.id, figure, *fault))
    return kept


def _is_unsold(figure: str, last: Mapping[str, Decimal]) -> bool:
    """Whether 0 says no more than that there is no such price: lists write it for all that a model does not do."""
    return figure not in (INPUT, OUTPUT) and figure not in last


def _fault(
    figure: str, value: Decimal, kind: str | None, last: Decimal | None, usual: Decimal | None
) -> tuple[Reason, str] | None:
    """What is wrong with one price by itself, None when nothing is."""
    if figure not in FIGURES:
        return Reason.UNKNOWN_FIGURE, "no cost is made of a price of this name"
    if not value.is_finite():
        return Reason.NOT_FINITE, "is no number"
    shown = f"{value:.6g}"
    if value < 0:
        return Reason.NEGATIVE, f"{shown} is less than nothing"
    if value == 0:
        return Reason.ZERO, "a price of 0 is none where the provider does not say that it is free"
    if value > (most := ceiling(figure, kind)):
        return Reason.ABOVE_CEILING, f"{shown} is above {most}, the most a model of its kind can cost"
    if rounded(value) == 0 or (value < FLOOR and figure != CACHED):
        return Reason.BELOW_FLOOR, f"{shown} is below {FLOOR}, the least a price can be"
    if is_off(value, last, OUTLIER_TIMES):
        return Reason.OUTLIER, f"{shown} is more than {OUTLIER_TIMES} times off {last:.6g}, its last good price"
    if is_off(value, usual, MEDIAN_TIMES):
        return Reason.OUTLIER, f"{shown} is more than {MEDIAN_TIMES} times off {usual:.6g}, the usual price elsewhere"
    return None


def _compare(prices: Mapping[str, Decimal], kind: str | None) -> list[tuple[str, Reason, str]]:
    """What is wrong with prices that are good by themselves, beside each other."""
    entered, written, cached = (prices.get(figure) for figure in (INPUT, OUTPUT, CACHED))
    found: list[tuple[str, Reason, str]] = []
    if entered is None:
        return found
    if cached is not None and cached >= entered:
        words = f"{cached:.6g} is not below {entered:.6g}, the price of other input"
        found.append((CACHED, Reason.CACHED_NOT_BELOW_INPUT, words))
    if written is not None and kind in _TALKS and written < entered * _LEAST_OUTPUT:
        words = f"output for {written:.6g} is cheaper than input for {entered:.6g}"
        found += [(figure, Reason.OUTPUT_BELOW_INPUT, words) for figure in (INPUT, OUTPUT)]
    return found


def _tiers(
    model: ListedModel, base: Mapping[str, Decimal], yard: Yardstick, refusals: list[Refusal]
) -> tuple[ListedTier, ...] | None:
    """The tiers of a model, None when one of them makes no sense: a price without its tiers is another price."""
    kept: list[ListedTier] = []
    passed = MIN_TOKENS - 1
    for tier in model.tiers:
        above = tier.above_tokens
        if not passed < above <= MAX_TOKENS:
            words = f"a tier above {above} tokens cannot follow one above {passed}"
            refusals.append(Refusal(model.id, "tiers", Reason.BAD_TIER, words))
            return None
        passed = above
        prices: dict[str, Decimal] = {}
        last = yard.tiers.get(above, {})
        for figure, value in tier.prices:
            if value.is_finite() and value == 0 and _is_unsold(figure, last):
                continue
            fault = _fault(figure, value, yard.kind, last.get(figure), base.get(figure))
            if fault is None and is_off(value, base.get(figure), OUTLIER_TIMES):
                fault = (
                    Reason.BAD_TIER,
                    f"{value:.6g} is more than {OUTLIER_TIMES} times off the price of short prompts",
                )
            if fault is not None:
                refusals.append(Refusal(model.id, f"tiers.{above}.{figure}", *fault))
                return None
            prices[figure] = rounded(value)
        refused = _compare(prices, yard.kind)
        refusals += [Refusal(model.id, f"tiers.{above}.{figure}", reason, words) for figure, reason, words in refused]
        if any(reason is Reason.OUTPUT_BELOW_INPUT for _, reason, _ in refused):
            return None
        dropped = {figure for figure, _, _ in refused}
        kept.append(ListedTier(above, tuple(one for one in prices.items() if one[0] not in dropped)))
    return tuple(kept)


def usable(prices: Iterable[tuple[str, Decimal]], kind: str | None) -> bool:
    """Whether prices that were judged once are still prices: what comes from a file may have been changed there."""
    return all(_fault(figure, value, kind, None, None) is None and value == rounded(value) for figure, value in prices)
