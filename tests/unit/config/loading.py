"""Loading a document from text, as the tests of this package do it."""

from __future__ import annotations

import tempfile
import textwrap
from collections.abc import Mapping
from pathlib import Path

from headgate.config.compile import compile_snapshot
from headgate.config.load import Loaded, load_document
from headgate.config.problems import ConfigError
from headgate.types.snapshot import Snapshot

FILE = "headgate.yaml"
MYBOX = "providers: {mybox: {dialect: openai, base_url: 'http://127.0.0.1:8000/v1'}}\n"


def load(text: str | bytes, env: Mapping[str, str] | None = None) -> Loaded:
    """Load a document from text that stands in `headgate.yaml`."""
    data = textwrap.dedent(text).encode() if isinstance(text, str) else text
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / FILE).write_bytes(data)
        return load_document(None, env or {}, Path(folder))


def problems(text: str | bytes, env: Mapping[str, str] | None = None) -> list[str]:
    """The printed problems of a document; empty when it loads."""
    try:
        load(text, env)
    except ConfigError as error:
        return str(error).splitlines()
    return []


def warnings(text: str, env: Mapping[str, str] | None = None) -> list[str]:
    return [str(warning) for warning in load(text, env).warnings]


def snapshot(text: str, env: Mapping[str, str] | None = None) -> Snapshot:
    """The compiled snapshot of a document."""
    return compile_snapshot(load(text, env).document, revision=1, created=0, issued_keys={})
