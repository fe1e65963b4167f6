"""What the tests of the journal share."""

from __future__ import annotations

from pathlib import Path

from hypothesis import strategies as st

from headgate.ledger.journal import Journal
from headgate.ledger.segment import HEADER, MAGIC, find_segments, frame

SALT = 0x12345678


def drain(journal: Journal, limit: int = 7) -> list[bytes]:
    """Everything in the journal, read in small bites."""
    found: list[bytes] = []
    position = journal.start
    while True:
        payloads, position = journal.read(position, limit)
        if not payloads:
            return found
        found += payloads


def segments(directory: Path) -> list[Path]:
    return [path for _, path in find_segments(directory)]


payload_lists = st.lists(st.binary(max_size=40) | st.just(MAGIC * 3) | st.just(frame(b"x", 1)), min_size=1, max_size=12)


def places(payloads: list[bytes]) -> list[tuple[int, int]]:
    """Where each record begins and ends."""
    found: list[tuple[int, int]] = []
    at = 0
    for payload in payloads:
        found.append((at, at + HEADER.size + len(payload)))
        at = found[-1][1]
    return found
