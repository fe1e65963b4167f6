"""What quirks are made of: the registry, and edits of fields, arrays and objects that keep every other byte.

A value that is not what its name promises (`messages` that is no array, a message that is no object) is left for the
provider to refuse.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from headgate.types.deployment import Body, Quirk
from headgate.wire import json

QUIRKS: dict[str, Quirk] = {}
"""Every quirk by name."""

TOUCHES: dict[str, frozenset[str]] = {}
"""Which top-level fields each quirk may change."""

# Bytes that are not UTF-8 are only found where a key is decoded.
_UNREADABLE = (json.DecodeError, UnicodeDecodeError)


def touching(*fields: str) -> Callable[[Quirk], Quirk]:
    """Register a quirk under its function's name, with the top-level fields it may change."""

    def register(quirk: Quirk) -> Quirk:
        QUIRKS[quirk.__name__] = quirk
        TOUCHES[quirk.__name__] = frozenset(fields)
        return quirk

    return register


def report(dropped: list[str], name: str) -> None:
    """Put a name on the list once."""
    if name not in dropped:
        dropped.append(name)


def remove(fields: Body, dropped: list[str], name: str, *neutral: bytes, within: str = "") -> None:
    """Take a field out; it is reported unless it said what its absence says: null, or one of `neutral`."""
    value = fields.pop(name, None)
    if value is not None and bytes(value) not in (b"null", *neutral):
        report(dropped, within + name)


def rename(fields: Body, old: str, new: str) -> None:
    """Move a field to another name; where both are present the old one's value wins unless it is null."""
    value = fields.pop(old, None)
    if value is not None and bytes(value) != b"null":
        fields[new] = value


def holds(fields: Body, name: str, value: bytes) -> bool:
    """Whether the field's bytes are exactly these."""
    found = fields.get(name)
    return found is not None and bytes(found) == value


def mentions(fields: Body, name: str, mark: bytes) -> bool:
    """Whether the mark occurs anywhere in the field's bytes."""
    found = fields.get(name)
    return found is not None and mark in bytes(found)


def items_of(value: msgspec.Raw | None) -> list[msgspec.Raw] | None:
    """The items of an array; None for anything else."""
    if value is None:
        return None
    try:
        return json.parse_items(value)
    except _UNREADABLE:
        return None


def fields_of(value: msgspec.Raw | None) -> Body | None:
    """The fields of an object; None for anything else."""
    if value is None:
        return None
    try:
        return json.parse_body(value)
    except _UNREADABLE:
        return None


def edit_items(fields: Body, name: str, mark: bytes, edit: Callable[[Body], bool]) -> bool:
    """Run `edit` over each object of an array that contains `mark`, and tell whether anything changed.

    `edit` changes the object in place and says whether it did; objects it leaves alone keep their bytes.
    """
    if not mentions(fields, name, mark) or (items := items_of(fields[name])) is None:
        return False
    changed = False
    for index, item in enumerate(items):
        if mark in bytes(item) and (inner := fields_of(item)) is not None and edit(inner):
            items[index] = json.raw(inner)
            changed = True
    if changed:
        fields[name] = json.raw(items)
    return changed
