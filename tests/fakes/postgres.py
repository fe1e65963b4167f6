"""A Postgres server of our own: real, on 127.0.0.1, gone with the tests. It can be stopped, killed, started again."""

from __future__ import annotations

import getpass
import glob
import itertools
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from urllib.parse import quote

import psycopg
import pytest

from tests.fakes.ports import free_port

ROLE = "headgate"
PASSWORD = "canary/pass:word@1%"
PATIENCE_S = 60.0

_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "60",
    "shared_buffers": "16MB",
    # What is lost in a power cut is no loss here; what a killed server loses is not changed by these.
    "fsync": "off",
    "full_page_writes": "off",
}


def find_binary(name: str) -> str | None:
    """The server's programs are often not on PATH: Debian keeps each version's apart."""
    found = shutil.which(name)
    if found is not None:
        return found
    versions = sorted(glob.glob(f"/usr/lib/postgresql/*/bin/{name}"), key=lambda path: int(path.split("/")[4]))
    return versions[-1] if versions else None


class Postgres:
    """A running server. `stop` and `kill` end it, `start` brings it back on the same port with the same data."""

    def __init__(self) -> None:
        initdb, postgres = find_binary("initdb"), find_binary("postgres")
        if initdb is None or postgres is None:
            pytest.fail("Postgres is missing: tools/bootstrap.sh clients installs it")
        self._postgres = postgres
        # Not below pytest's own directory, which only root may enter when root runs the tests.
        self.directory = Path(tempfile.mkdtemp(prefix="headgate-postgres-"))
        self._user = _unprivileged_user()
        self._log = self.directory / "log"
        self._process: subprocess.Popen[bytes] | None = None
        self._numbers = itertools.count(1)
        self.port = free_port()
        self._make(initdb)

    def _make(self, initdb: str) -> None:
        password = self.directory / "password"
        password.write_text(PASSWORD)
        if self._user is not None:
            entry = pwd.getpwnam(self._user)
            for path in (self.directory, password):
                os.chown(path, entry.pw_uid, entry.pw_gid)
        subprocess.run(
            [
                initdb,
                f"--pgdata={self.directory / 'data'}",
                f"--username={ROLE}",
                f"--pwfile={password}",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--no-locale",
                "--no-sync",
            ],
            user=self._user,
            group=None if self._user is None else pwd.getpwnam(self._user).pw_gid,
            extra_groups=None if self._user is None else [],
            cwd=self.directory,
            check=True,
            capture_output=True,
            timeout=PATIENCE_S * 3,
        )

    def start(self) -> None:
        settings = [word for name, value in _SETTINGS.items() for word in ("-c", f"{name}={value}")]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [self._postgres, "-D", str(self.directory / "data"), "-p", str(self.port), *settings],
                user=self._user,
                group=None if self._user is None else pwd.getpwnam(self._user).pw_gid,
                extra_groups=None if self._user is None else [],
                cwd=self.directory,
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + PATIENCE_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"Postgres did not start: {self._log.read_text()[-2000:]}")
            time.sleep(0.05)

    def stop(self) -> None:
        """An orderly end: whoever is connected is told, and cut off."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """As in a crash: every process of it ends at once, and the next start has to recover."""
        self._end(signal.SIGQUIT)

    def pause(self) -> None:
        """Nobody new is answered, though the port is open; those who are connected go on."""
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self._signal(signal.SIGCONT)

    def make_database(self) -> str:
        """A new and empty database; its address."""
        name = f"test_{next(self._numbers)}_{secrets.token_hex(3)}"
        with psycopg.connect(self._dsn("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return self.url(name)

    def url(self, database: str, password: str = PASSWORD) -> str:
        return f"postgresql://{ROLE}:{quote(password, safe='')}@127.0.0.1:{self.port}/{database}"

    def remove(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._end(signal.SIGINT)
        shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self) -> Postgres:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.remove()

    def _dsn(self, database: str) -> str:
        return psycopg.conninfo.make_conninfo(
            host="127.0.0.1", port=self.port, user=ROLE, password=PASSWORD, dbname=database, connect_timeout=5
        )

    def _answers(self) -> bool:
        try:
            psycopg.connect(self._dsn("postgres")).close()
        except psycopg.OperationalError:
            return False
        return True

    def _signal(self, number: int) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def _end(self, number: int) -> None:
        assert self._process is not None
        self._process.send_signal(number)
        try:
            self._process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(PATIENCE_S)


def _unprivileged_user() -> str | None:
    """Who the server runs as: it refuses to be root. None for the user we are."""
    if os.getuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    for name in ("postgres", "nobody"):
        if name in names:
            return name
    pytest.fail(f"Postgres does not run as {getpass.getuser()}, and there is no other user to run it as")


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """One server for all tests; a test that stops it starts it again, or has one of its own: `with Postgres() as …`."""
    with Postgres() as server:
        yield server
