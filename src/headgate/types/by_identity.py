"""Values kept by an object's identity, for as long as the object lives."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Generic, TypeVar
from weakref import ref

Key = TypeVar("Key")
Value = TypeVar("Value")


class ByIdentity(Generic[Key, Value]):
    """What a `WeakKeyDictionary` is to objects that are equal only to themselves, at a third of its time a look."""

    __slots__ = ("_kept",)

    def __init__(self) -> None:
        self._kept: dict[int, tuple[ref[Key], Value]] = {}

    def get(self, key: Key) -> Value | None:
        """The value of an object; None when it has none."""
        try:
            held, value = self._kept[id(key)]
        except KeyError:
            return None
        # An identity may be taken anew before the callback of the one that had it has run.
        return value if held() is key else None

    def set(self, key: Key, value: Value) -> None:
        number = id(key)
        kept = self._kept

        def gone(dead: ref[Key]) -> None:
            entry = kept.get(number)
            if entry is not None and entry[0] is dead:
                del kept[number]

        kept[number] = ref(key, gone), value

    def values(self) -> Iterator[Value]:
        return (value for _, value in list(self._kept.values()))
