"""What has changed in the lists that providers publish, as far as it was written down."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from headgate.catalog.copies import DIRECTORY, HISTORY, OLDER_HISTORY, Seen
from headgate.wire import json

MOST_TOLD = 200


_line = json.Decoder[Seen](Seen)


def history(data_dir: Path, offered: Collection[tuple[str, str]]) -> list[Seen]:
    """The changes of these models (provider and its id), the latest first and at most `MOST_TOLD` of them.

    A line that a crash cut off is passed over.
    """
    found: list[Seen] = []
    ids = [json.encode(id) for _, id in offered]
    for name in (OLDER_HISTORY, HISTORY):
        path = data_dir / DIRECTORY / name
        if not path.exists():
            continue
        with path.open("rb") as file:
            for data in file:
                if not any(id in data for id in ids):
                    continue
                try:
                    one = _line.decode(data)
                except json.DecodeError:
                    continue
                if (one.provider, one.id) in offered:
                    found.append(one)
        del found[:-MOST_TOLD]
    return sorted(found, key=lambda one: one.at, reverse=True)
