"""A gateway as a newcomer starts it: `headgate up` in an empty directory, and what it prints."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.fakes.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 30.0

_BASE_URL = re.compile(r"http://127\.0\.0\.1:\d+/v1\b")
_KEY = re.compile(r"\bhg-[A-Za-z0-9_-]{20,}")
_CURL = re.compile(r"^\s*(curl (?:.*\\\n)*.*)$", re.MULTILINE)


@dataclass(frozen=True)
class Gateway:
    """What a client needs, all of it read from the screen."""

    base_url: str
    key: str
    curl: str

    def environment(self, home: Path) -> dict[str, str]:
        """For a program that is to use this gateway and nothing else: any other address is behind a dead proxy."""
        return {
            **plain_environment(home),
            "LLM_BASE_URL": self.base_url,
            "LLM_API_KEY": self.key,
            "LLM_MODEL": "sandbox/hello",
            "LLM_EMBEDDING_MODEL": "sandbox/embed",
            "HTTP_PROXY": "http://127.0.0.1:9",
            "HTTPS_PROXY": "http://127.0.0.1:9",
            "NO_PROXY": "127.0.0.1",
        }


def plain_environment(home: Path) -> dict[str, str]:
    """No provider's keys, no settings of the user: what a program sees on a machine that is new."""
    return {"PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8"}


@contextmanager
def headgate_up(directory: Path) -> Iterator[Gateway]:
    """Run `headgate up` in `directory` until the block ends. If it does not start, AssertionError holds its output."""
    command = [str(ROOT / ".venv/bin/headgate"), "up", "--port", str(free_port())]
    environment = {**plain_environment(directory), "HEADGATE_DATA_DIR": str(directory / "data")}
    with subprocess.Popen(
        command, cwd=directory, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        screen = _Screen(process)
        try:
            yield screen.gateway()
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                raise


class _Screen:
    """Reads what a process prints to its end, so that it never blocks on a full pipe."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._text = ""
        self._changed = threading.Condition()
        self._ended = False
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with self._changed:
                self._text += line
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def gateway(self) -> Gateway:
        with self._changed:
            self._changed.wait_for(lambda: self._ended or self._printed() is not None, START_TIMEOUT_S)
            found = self._printed()
            assert found is not None, f"headgate up did not print base URL, key and curl line, but:\n{self._text}"
            return found

    def _printed(self) -> Gateway | None:
        base_url, key, curl = _BASE_URL.search(self._text), _KEY.search(self._text), _CURL.search(self._text)
        if base_url is None or key is None or curl is None or curl[1].endswith("\\"):
            return None
        return Gateway(base_url=base_url[0], key=key[0], curl=curl[1])
