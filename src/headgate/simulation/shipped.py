"""The scenarios that come with Headgate, by name."""

from __future__ import annotations

from pathlib import Path

_FOLDER = Path(__file__).with_name("scenarios")


def names() -> list[str]:
    """What they are called."""
    return sorted(path.stem for path in _FOLDER.glob("*.yaml"))


def file_of(name: str) -> Path | None:
    """The file of a scenario that comes with Headgate; None when there is none of this name."""
    return _FOLDER / f"{name}.yaml" if name in names() else None
