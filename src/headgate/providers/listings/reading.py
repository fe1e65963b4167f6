"""Reading a list without believing it: an answer that is none is refused, a model with a bad figure is kept without."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl, urlencode

import msgspec

from headgate.providers.listings.figures import NoFigure, figure, times
from headgate.providers.listings.words import day_of
from headgate.types.listing import Ask, ListedModel, ListUnreadable, Prices
from headgate.wire import json

Names = tuple[tuple[str, str], ...]
"""Fields of a list → names of prices in the catalogue."""

_LONGEST = 512
"""Characters of an id, a cursor or a word; nobody's are longer."""

_MOST_TOKENS = 2**53
_ERRORS = ("error", "errors", "detail", "message")


class Fields:
    """One object of a list, read field by field. What cannot be read is left out and told in `problems`."""

    __slots__ = ("problems", "values", "within")

    def __init__(self, values: Mapping[str, Any], problems: list[str], within: str = "") -> None:
        self.values = values
        self.problems = problems
        self.within = within

    def tell(self, name: str, reason: str) -> None:
        """Note that a field cannot be read."""
        self.problems.append(f"{self.within}{name}: {reason}")

    def text(self, name: str) -> str | None:
        """A text; None when there is none or it is empty."""
        value = self.values.get(name)
        if value is None or value == "":
            return None
        if is_word(value):
            return str(value)
        self.tell(name, "not a text")
        return None

    def flag(self, name: str) -> bool | None:
        """True or false; None when the provider does not say."""
        value = self.values.get(name)
        if value is None or isinstance(value, bool):
            return value
        self.tell(name, "neither true nor false")
        return None

    def words(self, name: str) -> tuple[str, ...]:
        """The texts of an array."""
        value = self.values.get(name)
        if value is None:
            return ()
        if not isinstance(value, list):
            self.tell(name, "not an array")
            return ()
        return tuple(item for item in value if is_word(item))

    def inner(self, name: str) -> Fields:
        """An object in this one; an empty one when there is none."""
        value = self.values.get(name)
        if value is not None and not isinstance(value, dict):
            self.tell(name, "not an object")
        return Fields(value if isinstance(value, dict) else {}, self.problems, f"{self.within}{name}.")

    def objects(self, name: str) -> tuple[Fields, ...]:
        """The objects of an array."""
        value = self.values.get(name)
        if value is not None and not isinstance(value, list):
            self.tell(name, "not an array")
        items = value if isinstance(value, list) else ()
        return tuple(Fields(item, self.problems, f"{self.within}{name}.") for item in items if isinstance(item, dict))

    def tokens(self, *names: str) -> int | None:
        """A number of tokens: the first of the fields that has one. Nobody means it by 0."""
        for name in names:
            count = self._count(name)
            if count:
                return count
        return None

    def _count(self, name: str) -> int | None:
        value = self.values.get(name)
        if value is None:
            return None
        try:
            count = figure(value)
        except NoFigure as error:
            self.tell(name, str(error))
            return None
        if not 0 <= count < _MOST_TOKENS or count != count.to_integral_value():
            self.tell(name, "not a number of tokens")
            return None
        return int(count)

    def day(self, name: str) -> str | None:
        """A date as YYYY-MM-DD; None when there is none."""
        value = self.values.get(name)
        if not value:
            return None
        found = day_of(value)
        if found is None:
            self.tell(name, "not a date")
        return found

    def figure(self, name: str) -> Decimal | None:
        """A number as it is written, or None."""
        value = self.values.get(name)
        if value is None:
            return None
        try:
            return figure(value)
        except NoFigure as error:
            self.tell(name, str(error))
            return None

    def price(self, name: str, unit: Decimal) -> Decimal | None:
        """A price in US dollars for a million tokens. 0 and less are given as they stand, for others to refuse."""
        found = self.figure(name)
        return None if found is None else times(found, unit)

    def prices(self, names: Names, unit: Decimal, *, unset: Decimal | None = None) -> Prices:
        """The prices of these fields, as far as they are there; `unset` is what stands where the provider has none."""
        found = ((price, self.price(name, unit)) for name, price in names)
        return tuple((price, usd) for price, usd in found if usd is not None and usd != unset)

    def switches(self, table: Mapping[str, str]) -> tuple[frozenset[str], frozenset[str]]:
        """Fields that are true or false → the capabilities the model has, and those it has not."""
        said = {name: self.flag(name) for name in table}
        return (
            frozenset(table[name] for name, value in said.items() if value is True),
            frozenset(table[name] for name, value in said.items() if value is False),
        )


Read = Callable[[Fields, str], ListedModel | None]
"""An entry and its id → a model; None when it is not to be listed."""


def is_word(value: Any) -> bool:
    """Whether it is a text that can be an id."""
    return isinstance(value, str) and 0 < len(value) <= _LONGEST and value.isprintable() and value == value.strip()


def decode(data: bytes) -> Any:
    """Any JSON with exact numbers. Raises ListUnreadable."""
    text = data.strip()
    if not text:
        raise ListUnreadable("the answer is empty")
    if text.startswith(b"<"):
        raise ListUnreadable("the answer is HTML or XML, not a list of models")
    try:
        return json.parse_exact(text)
    except json.DecodeError:
        raise ListUnreadable("the answer is not JSON") from None


def top_of(data: bytes) -> Fields:
    """An answer that is an object and not an error. Raises ListUnreadable."""
    value = decode(data)
    if not isinstance(value, dict):
        raise ListUnreadable("the answer is not an object")
    return Fields(value, [])


def items_of(value: Any, under: str) -> list[Any]:
    """The entries of a list: the array itself, or the one under a name of an object. Raises ListUnreadable."""
    if isinstance(value, list):
        return value
    if not isinstance(value, dict):
        raise ListUnreadable("the answer is neither an array nor an object")
    items = value.get(under)
    if isinstance(items, list):
        return items
    if any(value.get(name) for name in _ERRORS):
        raise ListUnreadable("the answer is an error, not a list of models")
    raise ListUnreadable(f"the answer has no array `{under}`")


def models_of(items: Sequence[Any], read: Read, named: str = "id") -> tuple[ListedModel, ...]:
    """The models of a list, without entries that have no id. Raises ListUnreadable when none has.

    One that stands there twice is given twice, unless both say the same: which is right is not for a reader to say.
    """
    found: dict[ListedModel, None] = {}
    have_ids = False
    for item in items:
        if not isinstance(item, dict) or not is_word(item.get(named)):
            continue
        have_ids = True
        problems: list[str] = []
        model = read(Fields(item, problems), item[named])
        if model is not None:
            found.setdefault(_finished(model, problems))
    if items and not have_ids:
        raise ListUnreadable(f"no entry of the list has a text `{named}`")
    return tuple(found)


def _finished(model: ListedModel, problems: list[str]) -> ListedModel:
    """With what follows from the rest: whoever has a price for cached tokens has a cache, whoever has no tools cannot
    call two at once, and the window given again is no limit of the answer. What a list both says and denies is said."""
    can, lacks = model.capabilities, model.lacks - model.capabilities
    if any(name == "cached_input_usd_per_mtok" and usd > 0 for name, usd in model.prices):
        can |= {"prompt_cache"}
    if "tools" in lacks:
        lacks |= {"parallel_tools"} - can
    return msgspec.structs.replace(
        model,
        max_output_tokens=None if model.max_output_tokens == model.context_tokens else model.max_output_tokens,
        capabilities=can,
        lacks=lacks,
        aliases=tuple(dict.fromkeys(alias for alias in model.aliases if alias != model.id)),
        problems=tuple(dict.fromkeys(problems)),
    )


def next_page(ask: Ask, parameter: str, value: Any) -> tuple[Ask, ...]:
    """The same request with a query parameter changed; nothing when that is no value, or the one it had."""
    if not is_word(value):
        return ()
    path, _, query = ask.path.partition("?")
    kept = [(name, held) for name, held in parse_qsl(query, keep_blank_values=True) if name != parameter]
    following = Ask(f"{path}?{urlencode([*kept, (parameter, value)])}")
    return () if following.path == ask.path else (following,)
