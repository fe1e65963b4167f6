"""Lists in pages: what the document declares first, then what is in the store, behind one opaque cursor."""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from typing import Annotated, Generic, TypeVar

from fastapi import Query
from pydantic import Field

from headgate.control.fields import View
from headgate.errors import InvalidRequest

MOST_ITEMS = 500
_BATCH = 100

Item = TypeVar("Item")

PageSize = Annotated[int, Query(ge=1, le=MOST_ITEMS, description="How many to send at most.")]
Cursor = Annotated[str | None, Query(max_length=200, description="`next` of the page before.")]


class Page(View, Generic[Item]):
    """A part of a list."""

    data: list[Item]
    next: str | None = Field(description="Send it as `after` to get the next page; null on the last one.")


def write_cursor(place: str) -> str:
    """A place in a list as text that says nothing to anybody else."""
    return urlsafe_b64encode(place.encode()).decode().rstrip("=")


def read_cursor(after: str | None) -> str:
    """The place a cursor stands for, empty for the beginning. Raises InvalidRequest."""
    if after is None:
        return ""
    try:
        place = urlsafe_b64decode(after + "=" * (-len(after) % 4)).decode("ascii")
    except (binascii.Error, ValueError):
        place = "\n"
    if not place.isprintable() or write_cursor(place) != after:
        raise _bad_cursor()
    return place


def number_cursor(after: str | None) -> int | None:
    """The same for lists whose places are numbers."""
    place = read_cursor(after)
    if not place:
        return None
    if not place.isdigit() or len(place) > 18:
        raise _bad_cursor()
    return int(place)


def numbered_page(
    fetch: Callable[[int | None, int], Sequence[tuple[int, Item]]], after: str | None, limit: int
) -> Page[Item]:
    """A page of a list that the store sorts by number."""
    rows = fetch(number_cursor(after), limit + 1)
    shown = rows[:limit]
    return Page(data=[item for _, item in shown], next=write_cursor(str(shown[-1][0])) if len(rows) > limit else None)


def merged_page(
    declared: Sequence[Item],
    stored: Callable[[str, int], Sequence[tuple[str, Item]]],
    *,
    after: str | None,
    limit: int,
    keep: Callable[[Item], bool] = lambda _: True,
) -> tuple[list[Item], str | None]:
    """A page of what the document declares followed by what is in the store, and the cursor of the next one.

    `stored` gives items with their ids, those that follow an id, at most so many.
    """
    place = read_cursor(after)
    found: list[tuple[str, Item]] = []
    if not place.startswith("s"):
        start = int(place[1:]) if place[1:].isdigit() and len(place) < 10 else 0
        kept = [(f"d{number}", item) for number, item in enumerate(declared, start=1) if keep(item)]
        found = [entry for entry in kept if int(entry[0][1:]) > start][: limit + 1]
        place = "s"
    last = place[1:]
    # A filter that keeps few of many must not read them one by one.
    batch = max(limit + 1, _BATCH)
    while len(found) <= limit:
        rows = stored(last, batch)
        found += [(f"s{id}", item) for id, item in rows if keep(item)]
        if len(rows) < batch:
            break
        last = rows[-1][0]
    shown = found[:limit]
    return [item for _, item in shown], write_cursor(shown[-1][0]) if len(found) > limit else None


def _bad_cursor() -> InvalidRequest:
    return InvalidRequest(
        "after is no cursor of this list; send the `next` of a page", param="after", code="bad_cursor"
    )
