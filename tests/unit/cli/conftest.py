"""A home for each test of a verb."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.process.headgate import Home
from tests.unit.cli.verbs import Verbs


@pytest.fixture
def verbs(tmp_path: Path) -> Verbs:
    return Verbs(Home(tmp_path))
