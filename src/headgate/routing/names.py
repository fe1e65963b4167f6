"""Model names as text: what a `*` stands for, and which names are near a wrong one."""

from __future__ import annotations

import difflib
import heapq
from collections.abc import Iterable

_CUTOFF = 0.6
_LIKELY = 150
_PAIRS = 16


def star(pattern: str, text: str) -> str | None:
    """What the `*` of a pattern stands for in a text; None when it does not match or the star would be empty."""
    before, _, after = pattern.partition("*")
    if len(text) <= len(before) + len(after) or not text.startswith(before) or not text.endswith(after):
        return None
    return text[len(before) : len(text) - len(after)]


def matches(pattern: str, text: str) -> bool:
    """Whether a pattern matches a text; without a `*` it has to be the text."""
    return pattern == text if "*" not in pattern else star(pattern, text) is not None


def nearest(word: str, known: Iterable[str], most: int) -> list[str]:
    """The known names nearest in spelling, letter case and vendor prefix aside; the nearest first."""
    folded: dict[str, str] = {}
    for name in known:
        folded.setdefault(name.lower(), name)
        # `llama-3.1-8b` should find `meta-llama/Llama-3.1-8B`.
        folded.setdefault(name.lower().rpartition("/")[2], name)
    text = word.lower()
    likely = _likely(text, folded)
    found = difflib.get_close_matches(text, likely, n=3 * most, cutoff=_CUTOFF)
    found += difflib.get_close_matches(text.rpartition("/")[2], likely, n=most, cutoff=_CUTOFF)
    return list(dict.fromkeys(folded[name] for name in found))[:most]


def _likely(word: str, known: Iterable[str]) -> list[str]:
    """The names that share most pairs of letters: comparing all of some thousands exactly would hold up every other
    request for a tenth of a second."""
    pairs = {word[at : at + 2] for at in range(0, len(word) - 1, max(1, len(word) // _PAIRS))}
    return heapq.nlargest(_LIKELY, known, key=lambda name: sum([pair in name for pair in pairs]))
