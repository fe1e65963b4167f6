"""`headgate up` as a process of its own, in a directory of its own."""

from __future__ import annotations

import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

HEADGATE = str(Path(sys.executable).with_name("headgate"))
ROOT = Path(__file__).resolve().parents[2]
TIMEOUT_S = 60.0
_BASE_URL = re.compile(r"http://[^\s/]+:(\d+)/v1\b")
_KEY = re.compile(r"\bhg-[A-Za-z0-9_-]{20,}")
# The same command, but open streams get one second to finish instead of ten.
SHORT_DRAIN = (
    "import sys; from pathlib import Path; from headgate.cli.up import up; "
    "sys.exit(up(Path(sys.argv[1]), None, 0, False, drain_s=1))"
)


class Home:
    """A directory to start in, and an environment with nothing of the user's in it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.data = directory / "data"
        self.env = {
            "PATH": os.environ["PATH"],
            "HOME": str(directory),
            "LANG": "C.UTF-8",
            "HEADGATE_DATA_DIR": str(self.data),
        }

    def refused(self, *arguments: str, **env: str) -> str:
        """Run a start that must fail with exit code 2; the one line it says."""
        done = subprocess.run(
            [HEADGATE, "up", *arguments],
            cwd=self.directory,
            env=self.env | env,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        assert done.returncode == 2, (done.returncode, done.stdout, done.stderr)
        assert done.stdout == ""
        lines = done.stderr.splitlines()
        assert len(lines) == 1, done.stderr
        assert "Traceback" not in lines[0]
        return lines[0]

    @contextmanager
    def up(self, *arguments: str, command: Sequence[str] = (HEADGATE, "up"), **env: str) -> Iterator[Process]:
        """Run until the block ends. A process that is still there then is stopped, and has to end well."""
        with subprocess.Popen(
            [*command, *arguments],
            cwd=self.directory,
            env=self.env | env,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as popen:
            process = Process(popen)
            try:
                process.until_up()
                yield process
                if popen.poll() is None:
                    assert process.stop() == 0, process.errors
            finally:
                popen.kill()


class Process:
    """A running `headgate up`: what it has printed, and how to reach it."""

    def __init__(self, popen: subprocess.Popen[str]) -> None:
        self._popen = popen
        self._lines: queue.Queue[str | None] = queue.Queue()
        self.printed = ""
        self.errors = ""
        assert popen.stdout is not None
        assert popen.stderr is not None
        threading.Thread(target=self._read, args=(popen.stdout,), daemon=True).start()
        threading.Thread(target=self._read_errors, args=(popen.stderr,), daemon=True).start()

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def port(self) -> int:
        found = _BASE_URL.search(self.printed)
        assert found is not None, self.printed
        return int(found[1])

    @property
    def key(self) -> str | None:
        found = _KEY.search(self.printed)
        return found[0] if found else None

    @property
    def curl(self) -> str:
        return next(line.strip() for line in self.printed.splitlines() if line.strip().startswith("curl "))

    def until_up(self) -> None:
        deadline = time.monotonic() + TIMEOUT_S
        while "Stop with Ctrl-C." not in self.printed:
            try:
                line = self._lines.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"headgate up says nothing more after:\n{self.printed}{self.errors}") from None
            if line is None:
                self._popen.wait(TIMEOUT_S)
                raise AssertionError(f"headgate up ended: {self._popen.returncode}\n{self.printed}{self.errors}")
            self.printed += line

    def until_it_says(self, words: str) -> None:
        """Wait for words on standard error."""
        deadline = time.monotonic() + TIMEOUT_S
        while words not in self.errors:
            assert time.monotonic() < deadline, f"{words!r} does not come after:\n{self.errors}"
            time.sleep(0.02)

    def send(self, number: signal.Signals) -> None:
        self._popen.send_signal(number)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.send(number)
        return self.wait()

    def wait(self) -> int:
        """The exit code, once it has ended."""
        return self._popen.wait(TIMEOUT_S)

    def _read(self, stream: IO[str]) -> None:
        for line in stream:
            self._lines.put(line)
        self._lines.put(None)

    def _read_errors(self, stream: IO[str]) -> None:
        for line in stream:
            self.errors += line
