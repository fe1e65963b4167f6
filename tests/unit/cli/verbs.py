"""The `headgate` command as a process of its own, in a home of its own."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from tests.process.headgate import HEADGATE, TIMEOUT_S, Home

DECLARED_KEY = "hg-written-in-the-document"
DOCUMENT = f"""\
keys:
  - {{name: dev, secret: {DECLARED_KEY}, budget: {{usd: "5", per: day}}}}
providers:
  sandbox: {{}}
  fake: {{dialect: openai, base_url: "http://127.0.0.1:9/v1", api_key: written-in-the-document, models: [{{id: one}}]}}
models:
  first: {{targets: [fake/one]}}
"""


class Verbs:
    """Runs verbs, one after the other, on the same document and database."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.write(DOCUMENT)

    @property
    def data(self) -> Path:
        return self.home.data

    def write(self, document: str) -> None:
        (self.home.directory / "headgate.yaml").write_text(document)

    def run(self, *arguments: str | bytes, stdin: str | None = None, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [HEADGATE, *arguments],
            cwd=self.home.directory,
            env=self.home.env | env,
            input=stdin or "",
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )

    def does(self, *arguments: str, stdin: str | None = None, **env: str) -> subprocess.CompletedProcess[str]:
        """A verb that must succeed."""
        ended = self.run(*arguments, stdin=stdin, **env)
        assert ended.returncode == 0, (arguments, ended.stdout, ended.stderr)
        return ended

    def gives(self, *arguments: str, stdin: str | None = None, **env: str) -> Any:
        """What a verb that must succeed prints as JSON."""
        return json.loads(self.does(*arguments, "--json", stdin=stdin, **env).stdout)

    def refuses(self, *arguments: str | bytes, stdin: str | None = None, **env: str) -> list[str]:
        """The lines with which a verb says what the operator must mend."""
        ended = self.run(*arguments, stdin=stdin, **env)
        assert ended.returncode == 2, (arguments, ended.returncode, ended.stdout, ended.stderr)
        assert ended.stdout == ""
        lines = ended.stderr.splitlines()
        assert lines
        assert all(line.startswith("headgate: ") for line in lines), ended.stderr
        return [line.removeprefix("headgate: ") for line in lines]
