"""Entries that no database could keep: set aside beside the journal, so that they hold up nobody and are not lost."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from headgate.ledger.journal import JournalBroken
from headgate.ledger.segment import frame, scan

FILE = "rejected"
_SALT = 0
log = logging.getLogger("headgate")


def set_aside(directory: Path, payload: bytes, why: str) -> None:
    """Append an entry to the file of the rejected, and say so. Raises JournalBroken when that fails."""
    path = directory / FILE
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            record = frame(payload, _SALT)
            if os.write(descriptor, record) != len(record):
                raise JournalBroken(f"{path}: cannot be written: no space left for a whole record")
        finally:
            os.close(descriptor)
    except OSError as error:
        raise JournalBroken(f"{path}: cannot be written: {error.strerror or error}") from None
    log.error("ledger: an entry cannot be kept by the database and is set aside in %s: %s", path, why)


def rejected(directory: Path) -> list[bytes]:
    """The payloads that were set aside, each once. Raises OSError."""
    try:
        data = (directory / FILE).read_bytes()
    except FileNotFoundError:
        return []
    return list(dict.fromkeys(scan(data, _SALT).payloads))
