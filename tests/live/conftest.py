from __future__ import annotations

from pathlib import Path

import pytest

HERE = Path(__file__).parent


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """These tests spend somebody's money, so they run only when asked for by `-m live`."""
    if "live" in config.option.markexpr.split():
        return
    live = [item for item in items if HERE in item.path.parents]
    if live:
        config.hook.pytest_deselected(items=live)
        items[:] = [item for item in items if item not in live]
