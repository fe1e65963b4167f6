"""Where the database and the data directory of a gateway are, for verbs that look into them."""

from __future__ import annotations

import os
from pathlib import Path

from headgate.config.document import Document
from headgate.config.problems import ConfigError
from headgate.ledger.journal import DIRECTORY
from headgate.settings import Settings, SettingsError, read_settings
from headgate.store.engine import Store, open_store
from headgate.store.errors import StoreError

OPENING_ERRORS = (ConfigError, SettingsError, StoreError)
"""What opening raises: each prints as what the operator must mend."""


def open_store_of(document: Document, settings: Settings) -> Store:
    """The database the document names. Raises StoreError."""
    url = None if document.store is None else document.store.reveal()
    return open_store(url, data_dir=settings.data_dir)


def journal_directory() -> Path:
    """Where the gateway of this environment keeps its journal. Raises SettingsError."""
    return read_settings(os.environ).data_dir / DIRECTORY
