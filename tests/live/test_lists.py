"""What real providers publish about their models: `.venv/bin/pytest -m live tests/live/test_lists.py`. It is free."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from headgate.config.entries import Found, found_in
from headgate.config.load import load_document
from headgate.providers.builtin import PROVIDERS
from headgate.refreshing import refresh_once, words

pytestmark = pytest.mark.live

FOUND = [found for found in found_in(os.environ) if not found.missing and PROVIDERS[found.name].listings]


@pytest.mark.parametrize("found", FOUND, ids=lambda found: found.name)
async def test_the_list_of_a_provider_can_be_read_and_most_of_it_believed(found: Found, tmp_path: Path) -> None:
    names = {found.variable, *(name for name in os.environ if name.endswith("_ACCOUNT_ID"))}
    document = load_document(None, {name: os.environ[name] for name in names}, tmp_path).document
    reports = await refresh_once(document, os.environ, tmp_path)
    (report,) = [one for one in reports if one.provider == found.name]
    assert report.failed is None, words(report)
    assert report.models > 0
    assert len(report.refusals) < report.models / 5, words(report)
