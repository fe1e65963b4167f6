"""Which figures of a provider's list may be used, and whether the list as a whole can be believed.

Pure: what a list is compared with is handed in. A figure that is refused stays unknown, or as it was; it never
becomes 0, and what was good before is never lost to a list that is damaged.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from enum import StrEnum

import msgspec

from headgate.catalog.market import Market, usd_prices
from headgate.catalog.price_guards import (
    FIGURES,
    INPUT,
    MAX_TOKENS,
    MIN_TOKENS,
    OUTPUT,
    STRANGE,
    Reason,
    Refusal,
    Weighed,
    Yardstick,
    usable,
    weigh,
)
from headgate.providers.builtin import PROVIDERS
from headgate.providers.listings.figures import FLOAT_TEXT, NOT_A_NUMBER, NOT_FINITE
from headgate.types.deployment import Offer
from headgate.types.listing import ListedModel, ListedTier, Prices
from headgate.types.suffixes import SUFFIXES

__all__ = ["Distrust", "Judged", "Known", "ListRefused", "Reason", "Refusal", "gather", "is_sound", "judge"]

MAX_MODELS = 20_000
MAX_ID = 256
MAX_ALIASES = 64
SHRINKS_FROM = 10
STRANGE_FROM = 5
STRANGE_SHARE = 5
_MAX_WORD = 40
_SUFFIXES = tuple(f":{word}" for word in SUFFIXES)
_UNREAD = {
    NOT_A_NUMBER: Reason.NOT_A_NUMBER,
    FLOAT_TEXT: Reason.FLOAT_TEXT,
    NOT_FINITE: Reason.NOT_FINITE,
}
_FIRST_YEAR, _LAST_YEAR = 2020, 2100


class Distrust(StrEnum):
    """Why a whole list is refused."""

    EMPTY = "empty"
    TOO_MANY = "too_many"
    SHRUNK = "shrunk"
    UNIT_CHANGED = "unit_changed"


class ListRefused(Exception):
    """The whole list is refused; the message is fit for the log."""

    def __init__(self, reason: Distrust, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


class Known(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """What a list is compared with.

    `last` are the models of the last good copy by id, `offers` the catalogue's of the same provider by upstream id,
    `market` the prices of models at all providers.
    """

    provider: str = ""
    last: Mapping[str, ListedModel] = {}
    offers: Mapping[str, Offer] = {}
    market: Market = Market(())


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """The models of a list with the figures that may be used.

    `carried` are ids whose prices were refused and are those of the last good copy instead; a model that the list has
    twice, with different figures, is as a whole as it was there.
    """

    models: tuple[ListedModel, ...]
    refusals: tuple[Refusal, ...]
    carried: frozenset[str] = frozenset()


def gather(pages: Iterable[Iterable[ListedModel]]) -> tuple[ListedModel, ...]:
    """The models of several answers; what a later answer says is laid over an earlier one.

    An answer that has two different models of one id contradicts itself: both stay, for `judge` to refuse.
    """
    found: dict[str, list[ListedModel]] = {}
    for page in pages:
        here: dict[str, list[ListedModel]] = {}
        for model in map(_tame, page):
            versions = here.setdefault(model.id, [])
            if model not in versions:
                versions.append(model)
        for id, versions in here.items():
            before = found.get(id, [])
            if len(before) == 1 and len(versions) == 1:
                found[id] = [_laid_over(before[0], versions[0])]
            elif len(before) < 2:
                found[id] = versions[:2]
    return tuple(model for versions in found.values() for model in versions)


def judge(listed: Iterable[ListedModel], known: Known) -> Judged:
    """Decide which figures may be used. Raises ListRefused when the list as a whole cannot be believed."""
    refusals: list[Refusal] = []
    distinct, contradicted = _distinct(listed, known.provider, refusals)
    # The list still names them, and what it said when it did not contradict itself is better than nothing.
    models = [last for id in contradicted if (last := known.last.get(id)) is not None and is_sound(last)]
    carried = {model.id for model in models}
    prices = 0
    for model in distinct:
        kept, kept_as_it_was = _judge_model(model, known, refusals)
        models.append(kept)
        prices += sum(value != 0 for _, value in model.prices)
        if kept_as_it_was:
            carried.add(model.id)
    if not models:
        raise ListRefused(Distrust.EMPTY, "it names no model")
    before = len(known.last)
    if before >= SHRINKS_FROM and len(models) * 2 < before:
        raise ListRefused(Distrust.SHRUNK, f"it names {len(models)} models; the last good copy has {before}")
    strange = sum(one.reason in STRANGE and one.figure in FIGURES for one in refusals)
    if strange >= STRANGE_FROM and strange * STRANGE_SHARE > prices:
        words = f"{strange} of its {prices} prices are far off; the unit may have changed"
        raise ListRefused(Distrust.UNIT_CHANGED, words)
    return Judged(models=tuple(models), refusals=tuple(refusals), carried=frozenset(carried))


def is_sound(model: ListedModel) -> bool:
    """Whether a model that was judged once is still as `judge` lets one out."""
    tokens = (model.context_tokens, model.max_input_tokens, model.max_output_tokens)
    return (
        not _is_hostile(model.id)
        and all(usable(prices, model.kind) for prices in _all_prices(model))
        and all(tier.above_tokens >= MIN_TOKENS for tier in model.tiers)
        and all(value is None or 0 < value <= MAX_TOKENS for value in tokens)
        and (model.retires_on is None or _is_date(model.retires_on))
    )


def _can_stay(last: ListedModel, kind: str | None) -> bool:
    return is_sound(last) and all(usable(prices, kind) for prices in _all_prices(last))


def _distinct(
    listed: Iterable[ListedModel], provider: str, refusals: list[Refusal]
) -> tuple[list[ListedModel], list[str]]:
    """The models with an id that can be one, and that no other model of the list has; and the ids that differ."""
    by_id: dict[str, list[ListedModel]] = {}
    for count, model in enumerate(map(_tame, listed)):
        if count >= MAX_MODELS:
            raise ListRefused(Distrust.TOO_MANY, f"it names more than {MAX_MODELS} models")
        by_id.setdefault(model.id, []).append(model)
    kept: list[ListedModel] = []
    contradicted: list[str] = []
    for id, versions in by_id.items():
        if _is_hostile(id) or _is_anothers(id, provider):
            shown = id[:60].encode("unicode_escape").decode()
            refusals.append(Refusal(shown, "id", Reason.HOSTILE_ID, "no model can be asked for by such an id"))
        elif any(version != versions[0] for version in versions):
            refusals.append(Refusal(id, "id", Reason.DUPLICATE_ID, "is there twice, with different figures"))
            contradicted.append(id)
        else:
            kept.append(versions[0])
    return kept, contradicted


def _all_prices(model: ListedModel) -> tuple[Prices, ...]:
    return (model.prices, *(tier.prices for tier in model.tiers))


def _tame(model: ListedModel) -> ListedModel:
    """The same model, without the kind of NaN that cannot even be compared."""
    if not any(value.is_snan() for prices in _all_prices(model) for _, value in prices):
        return model
    tiers = tuple(ListedTier(tier.above_tokens, _tamed(tier.prices)) for tier in model.tiers)
    return msgspec.structs.replace(model, prices=_tamed(model.prices), tiers=tiers)


def _tamed(prices: Prices) -> Prices:
    return tuple((figure, Decimal("NaN") if value.is_snan() else value) for figure, value in prices)


def _is_hostile(id: str) -> bool:
    return (
        not id
        or len(id) > MAX_ID
        or not id.isprintable()
        or any(character.isspace() or character in "*#" for character in id)
        or id.startswith("/")
        or id.endswith("/")
        or ".." in id.split("/")
        or id.endswith(_SUFFIXES)
    )


def _is_anothers(id: str, provider: str) -> bool:
    """Whether an id is spelt like the slug of what another provider alone sells.

    On the operator's own machine a colon stands between a model and its size or version.
    """
    row, (scope, colon, _) = PROVIDERS.get(provider), id.partition(":")
    return bool(colon) and scope in PROVIDERS and scope != provider and row is not None and not row.local


def _judge_model(model: ListedModel, known: Known, refusals: list[Refusal]) -> tuple[ListedModel, bool]:
    """The model with what may be used of it; and whether its prices are those of the last good copy."""
    last, offer = known.last.get(model.id), known.offers.get(model.id)
    yard = _yardstick(model, last, offer, known)
    weighed = weigh(model, yard)
    refusals += weighed.refusals
    refusals += [_unread(model.id, problem) for problem in model.problems]
    free = model.free and not weighed.prices
    if free and any(price > 0 for price in yard.last.values()):
        refusals.append(Refusal(model.id, "free", Reason.OUTLIER, "is said to be free, and had a price before"))
        free, weighed = False, msgspec.structs.replace(weighed, sound=False)
    stay = _stay(weighed, last) if last is not None and _can_stay(last, yard.kind) else {}
    prices, tiers, carried = weighed.prices + tuple(stay.items()), weighed.tiers, bool(stay)
    if not weighed.sound or _was_lost(model, weighed.prices, last):
        # What was good before stays, as a whole: half of a new price beside half of an old one is neither.
        carried = last is not None and bool(last.prices) and _can_stay(last, yard.kind)
        prices, tiers = (last.prices, last.tiers) if carried and last is not None else ((), ())
    judged = msgspec.structs.replace(
        model,
        prices=prices,
        tiers=tiers,
        free=free,
        aliases=tuple(alias for alias in model.aliases[:MAX_ALIASES] if not _is_hostile(alias)),
        problems=(),
        **_windows(model, offer, refusals),
        **_words(model, refusals),
    )
    return judged, carried


def _unread(id: str, problem: str) -> Refusal:
    """What the reader of a list could not read (`pricing.input: not a number`), under the name of its reason."""
    figure, colon, words = problem.partition(": ")
    if not colon:
        figure, words = "", problem
    return Refusal(id, figure[:_MAX_WORD], _UNREAD.get(words, Reason.UNREADABLE), words[:200])


def _stay(weighed: Weighed, last: ListedModel) -> dict[str, Decimal]:
    """What the last good copy had of refused figures, where the base price is still the one they were beside.

    Beside another one they are unknown: half of a new price and half of an old one are neither.
    """
    prices, before = dict(weighed.prices), dict(last.prices)
    if not prices or any(prices.get(figure) != before.get(figure) for figure in (INPUT, OUTPUT)):
        return {}
    refused = [one.figure for one in weighed.refusals if one.reason is not Reason.OUTPUT_ON_EMBEDDING]
    return {figure: before[figure] for figure in refused if figure in before}


def _was_lost(model: ListedModel, prices: Prices, last: ListedModel | None) -> bool:
    """Whether the base price is no longer whole, and the model has figures that could not be read."""
    before = {} if last is None else dict(last.prices)
    return bool(model.problems) and any(name in before and name not in dict(prices) for name in (INPUT, OUTPUT))


def _yardstick(model: ListedModel, last: ListedModel | None, offer: Offer | None, known: Known) -> Yardstick:
    packaged = {} if offer is None else usd_prices(offer.price)
    tiers: dict[int, dict[str, Decimal]] = {}
    if offer is not None and offer.terms is not None:
        tiers = {tier.above_tokens: usd_prices(tier.price) for tier in offer.terms.tiers}
    if last is not None:
        packaged |= dict(last.prices)
        tiers |= {tier.above_tokens: dict(tier.prices) for tier in last.tiers}
    kind = model.kind or (None if offer is None else offer.kind)
    slug = model.id if offer is None else offer.model
    return Yardstick(kind=kind, last=packaged, tiers=tiers, usual=known.market.medians(slug, known.provider))


def _windows(model: ListedModel, offer: Offer | None, refusals: list[Refusal]) -> dict[str, int | None]:
    """The sizes that can be sizes."""
    kept: dict[str, int | None] = {}
    for figure in ("context_tokens", "max_input_tokens", "max_output_tokens"):
        value: int | None = getattr(model, figure)
        least = 1 if figure == "max_output_tokens" else MIN_TOKENS
        if value is not None and not least <= value <= MAX_TOKENS:
            words = f"{value:.6g} is not between {least} and {MAX_TOKENS}"
            refusals.append(Refusal(model.id, figure, Reason.WINDOW_OUT_OF_RANGE, words))
            value = None
        kept[figure] = value
    window = kept["context_tokens"] or (None if offer is None else offer.context_tokens)
    prompt, answer = kept["max_input_tokens"], kept["max_output_tokens"]
    if window is not None and prompt is not None and prompt >= window:
        if prompt > window:
            words = f"{prompt} is more than {window}, which the window holds"
            refusals.append(Refusal(model.id, "max_input_tokens", Reason.CAP_NOT_BELOW_WINDOW, words))
        kept["max_input_tokens"] = None
    if window is not None and answer is not None and answer >= window:
        words = f"{answer} leaves no room for a prompt in a window of {window}"
        refusals.append(Refusal(model.id, "max_output_tokens", Reason.CAP_NOT_BELOW_WINDOW, words))
        kept["max_output_tokens"] = None
    return kept


def _words(model: ListedModel, refusals: list[Refusal]) -> dict[str, str | None]:
    """The date and the name of the quantization, where they can be one."""
    day, stored_as = model.retires_on, model.quantization
    if day is not None and not _is_date(day):
        refusals.append(Refusal(model.id, "retires_on", Reason.BAD_DATE, f"{day[:_MAX_WORD]!a} is no date"))
        day = None
    if stored_as is not None and not (stored_as.isascii() and stored_as.isprintable() and len(stored_as) <= _MAX_WORD):
        words = f"{stored_as[:_MAX_WORD]!a} is no name"
        refusals.append(Refusal(model.id, "quantization", Reason.BAD_WORD, words))
        stored_as = None
    return {"retires_on": day, "quantization": stored_as}


def _is_date(day: str) -> bool:
    try:
        return len(day) == len("YYYY-MM-DD") and _FIRST_YEAR <= date.fromisoformat(day).year <= _LAST_YEAR
    except ValueError:
        return False


def _laid_over(below: ListedModel, over: ListedModel) -> ListedModel:
    """One model of two answers: what the later one does not say stays as the earlier one has it."""
    said = {name: value for name in ListedModel.__struct_fields__ if (value := getattr(over, name))}
    said["prices"] = tuple({**dict(below.prices), **dict(over.prices)}.items())
    said["capabilities"] = (below.capabilities | over.capabilities) - over.lacks
    said["lacks"] = (below.lacks | over.lacks) - over.capabilities
    said["problems"] = (*below.problems, *over.problems)
    return msgspec.structs.replace(below, **said)
