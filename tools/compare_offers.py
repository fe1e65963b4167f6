"""Compares what is said of the offers of each model: run it when `offers.jsonl` has changed.

- What a model can read is a property of its weights. Where a source denies that an offer reads images (or audio), and
  none says that another offer of the model does, an offer of which no source says anything `lacks` it too.
- Where the window of an offer is not known, `usual_context_tokens` is the largest any other offer of the model has.
- An offer that is described without what another offer of the same model is said to have leaves it `unsaid`: its
  sources may just not have mentioned it.

    .venv/bin/python tools/compare_offers.py [FILE]
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

OFFERS = Path(__file__).resolve().parents[1] / "src" / "headgate" / "catalog" / "data" / "offers.jsonl"
READ = ("audio_in", "vision")
MENTIONED = ("audio_in", "pdf", "tools", "vision")
"""What a description that leaves it out is taken to deny."""

SAYS_NOTHING = {"streaming", "prompt_cache"}


def compared(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows, in their order, with `lacks`, `unsaid` and `usual_context_tokens` filled in; doing it twice changes
    nothing more."""
    rows = list(rows)
    claimed: set[tuple[str, str]] = set()
    denied: set[tuple[str, str]] = set()
    windows: dict[str, int] = {}
    for row in rows:
        windows[row["model"]] = max(windows.get(row["model"], 0), row.get("context_tokens", 0))
        claimed.update((row["model"], word) for word in row.get("capabilities", ()))
        denied.update((row["model"], word) for word in row.get("lacks", ()))
    for row in rows:
        if row["kind"] != "chat":
            continue
        _put_usual_window(row, windows[row["model"]])
        if _is_described(row):
            known = {*row["capabilities"], *row.get("lacks", ())}
            _put(row, "unsaid", [word for word in MENTIONED if word not in known and (row["model"], word) in claimed])
            continue
        found = [word for word in READ if (row["model"], word) in denied - claimed]
        _put(row, "lacks", sorted({*row.get("lacks", ()), *found}))
    return rows


def _is_described(row: dict[str, Any]) -> bool:
    return bool(set(row.get("capabilities", ())) - SAYS_NOTHING)


def _put_usual_window(row: dict[str, Any], window: int) -> None:
    """Behind the fields that say which offer it is, where its own window would be."""
    row.pop("usual_context_tokens", None)
    if not window or "context_tokens" in row:
        return
    items = list(row.items())
    place = 1 + max(at for at, (key, _) in enumerate(items) if key in ("kind", "variant", "snapshot"))
    row.clear()
    row.update([*items[:place], ("usual_context_tokens", window), *items[place:]])


def _put(row: dict[str, Any], name: str, words: list[str]) -> None:
    """Set a field, behind the capabilities; without words there is none."""
    if words == row.get(name, []):
        return
    items = [(key, held) for key, held in row.items() if key != name]
    place = max((at for at, (key, _) in enumerate(items) if key in ("capabilities", "lacks")), default=len(items) - 1)
    row.clear()
    row.update([*items[: place + 1], *([(name, words)] if words else []), *items[place + 1 :]])


def main() -> None:
    file = Path(sys.argv[1]) if len(sys.argv) > 1 else OFFERS
    rows = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in compared(rows)), "utf-8")


if __name__ == "__main__":
    main()
