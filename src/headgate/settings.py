"""What the environment says about the process itself: where to listen, and where things are kept."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from headgate.types.secret import key_hash

MIN_TOKEN_CHARACTERS = 20
DEFAULT_DATA_DIR = Path(".headgate")


class SettingsError(Exception):
    """A setting has a value that makes no sense; the message is one line, ready to print."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The `HEADGATE_…` variables; None is not set, and the document or a default decides."""

    host: str | None = None
    port: int | None = None
    data_dir: Path = DEFAULT_DATA_DIR
    admin_token_hash: bytes | None = None
    """SHA-256 of HEADGATE_ADMIN_TOKEN, which owns everything."""


def read_settings(env: Mapping[str, str]) -> Settings:
    """Read the settings from an environment; a variable that is set but empty counts as not set.

    Raises SettingsError.
    """
    data_dir = env.get("HEADGATE_DATA_DIR", "")
    if "\0" in data_dir:
        raise SettingsError(f"HEADGATE_DATA_DIR: {data_dir!r} is not a path")
    port, host = env.get("HEADGATE_PORT", ""), env.get("HEADGATE_HOST", "")
    if host and (not host.isascii() or not host.isprintable() or " " in host):
        raise SettingsError(f"HEADGATE_HOST: {host!r} is not an address or a host name")
    token = env.get("HEADGATE_ADMIN_TOKEN", "").strip()
    if token and (len(token) < MIN_TOKEN_CHARACTERS or not token.isascii() or not token.isprintable()):
        raise SettingsError(f"HEADGATE_ADMIN_TOKEN: must be {MIN_TOKEN_CHARACTERS} characters or more, all of ASCII")
    return Settings(
        host=host or None,
        port=parse_port(port, "HEADGATE_PORT") if port else None,
        data_dir=Path(data_dir) if data_dir else DEFAULT_DATA_DIR,
        admin_token_hash=key_hash(token.encode()) if token else None,
    )


def parse_port(text: str, name: str) -> int:
    """A port number, 0 for any free one. Raises SettingsError that names where the text came from."""
    shown = text if len(text) <= 40 else text[:39] + "…"
    if not (text.isascii() and text.isdigit()) or len(text) > 5 or int(text) > 65535:
        raise SettingsError(f"{name}: {shown!r} is not a port (0–65535)")
    return int(text)
