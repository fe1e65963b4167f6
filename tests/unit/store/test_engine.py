"""Opening a store: what is made, what is refused and in which words, what is not imported."""

from __future__ import annotations

import re
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import event, text

from headgate.store.engine import Store, open_store
from headgate.store.errors import StoreError, StoreUnavailable
from headgate.store.records import KeyFields
from headgate.store.transactions import writing
from tests.fakes.ports import refused_port
from tests.fakes.postgres import PASSWORD, Postgres

ME = "tester"


def refused(url: str | None, data_dir: Path) -> str:
    with pytest.raises(StoreError) as caught:
        open_store(url, data_dir=data_dir, env={})
    message = str(caught.value)
    assert message.isprintable()
    assert PASSWORD not in message
    return message


def test_without_an_address_the_database_is_in_the_data_directory_for_its_owner_alone(data_dir: Path) -> None:
    store = open_store(None, data_dir=data_dir, env={})
    store.workspaces.create("acme", actor=ME)
    for path in data_dir.iterdir():
        assert path.stat().st_mode & 0o777 == 0o600, path
    assert data_dir.stat().st_mode & 0o777 == 0o700
    store.close()
    assert {path.name for path in data_dir.iterdir()} == {"headgate.db", "headgate.db.lock"}


def test_a_data_directory_may_be_called_anything(tmp_path: Path) -> None:
    data_dir = tmp_path / "a b?c#d%20é:"
    store = open_store(None, data_dir=data_dir, env={})
    store.close()
    assert (data_dir / "headgate.db").is_file()


def test_a_relative_address_is_one_of_the_current_directory(tmp_path: Path) -> None:
    script = "from headgate.store.engine import open_store; from pathlib import Path; import sys;"
    script += "open_store(sys.argv[1], data_dir=Path('data'), env={}).close()"
    for url in ("sqlite:///./one.db", "sqlite:///two.db"):
        subprocess.run([sys.executable, "-c", script, url], cwd=tmp_path, check=True, timeout=120)
    assert {path.name for path in tmp_path.glob("*.db")} == {"one.db", "two.db"}


def test_what_was_written_is_there_after_the_store_is_opened_again(
    store: Store, open_another: Callable[..., Store]
) -> None:
    key, _ = store.keys.create("default", KeyFields(name="a"), actor=ME)
    before = store.load()
    store.close()
    again = open_another()
    assert again.load() == before
    assert again.keys.get("default", key.id) == key


def test_a_change_by_another_process_shows_in_the_revision(store: Store, open_another: Callable[..., Store]) -> None:
    other = open_another()
    before = store.revision()
    other.keys.create("default", KeyFields(name="a"), actor=ME)
    assert store.revision() == before + 1
    assert store.load().revision == before + 1


def test_a_load_is_of_one_moment(store: Store, open_another: Callable[..., Store]) -> None:
    other = open_another()
    loading, stop = store.load, threading.Event()
    failures: list[str] = []

    def change() -> None:
        while not stop.is_set():
            key, _ = other.keys.create("default", KeyFields(name="a"), actor=ME)
            other.keys.delete("default", key.id, actor=ME)

    thread = threading.Thread(target=change)
    first = loading().revision
    thread.start()
    for _ in range(60):
        found = loading()
        # Each key is made in an even change after the first and deleted in an odd one.
        if len(found.keys) != (found.revision - first) % 2:
            failures.append(f"{found.revision}: {len(found.keys)} keys")
    stop.set()
    thread.join()
    assert failures == []


def test_many_threads_change_at_once_and_no_change_is_lost(store: Store, open_another: Callable[..., Store]) -> None:
    stores, errors = [store, open_another()], []

    def change(number: int) -> None:
        try:
            for turn in range(5):
                stores[number % 2].keys.create("default", KeyFields(name=f"{number}.{turn}"), actor=ME)
        except StoreError as error:
            errors.append(error)

    before = store.revision()
    threads = [threading.Thread(target=change, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert store.revision() == before + 30
    assert len(store.load().keys) == 30


def test_only_one_of_many_who_want_a_name_gets_it(store: Store) -> None:
    made: list[str] = []
    refusals: list[str] = []

    def create() -> None:
        try:
            made.append(store.keys.create("default", KeyFields(name="a"), actor=ME)[0].id)
        except StoreError as error:
            refusals.append(type(error).__name__)

    threads = [threading.Thread(target=create) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1
    assert refusals == ["Duplicate"] * 5


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("", "cannot be read"),
        ("headgate.db", "cannot be read"),
        ("mysql://root@localhost/x", "mysql"),
        ("postgresql+asyncpg://u@h/d", "asyncpg"),
        ("sqlite+aiosqlite:///x.db", "aiosqlite"),
        ("sqlite://", "names a file"),
        ("sqlite:///:memory:", "names a file"),
        ("sqlite:///file:x?mode=memory", "no options"),
        ("sqlite:///x.db?mode=ro", "no options"),
        ("sqlite://host/x.db", "three slashes"),
        ("postgresql://u@h", "names no database"),
        ("postgresql://u@h:notaport/d", "cannot be read"),
        ("postgresql://u:" + "canary%2Fpass%3Aword%401%25" + "@127.0.0.1:1/d?nonsense=1", "nonsense"),
        ("postgresql://u:" + "canary%2Fpass%3Aword%401%25" + "@127.0.0.1:99999/d", "port"),
    ],
)
def test_an_address_that_is_none_is_refused(url: str, why: str, tmp_path: Path) -> None:
    assert why in refused(url, tmp_path)


def test_a_file_that_is_no_database_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("dear diary\n" * 1000)
    assert "not a database" in refused(f"sqlite:///{path}", tmp_path)
    assert path.read_text() == "dear diary\n" * 1000


def test_a_directory_or_a_file_in_a_missing_one_is_refused(tmp_path: Path) -> None:
    assert "is a directory" in refused(f"sqlite:///{tmp_path}", tmp_path)
    assert "No such file" in refused(f"sqlite:///{tmp_path}/missing/x.db", tmp_path)
    (tmp_path / "file").write_text("")
    assert "data directory" in refused(None, tmp_path / "file")


AS_NOBODY = """
import os, pwd, sys
from headgate.store.connect import make_engine
from headgate.store.errors import StoreError
if os.getuid() == 0:
    nobody = pwd.getpwnam("nobody")
    os.setgroups([])
    os.setgid(nobody.pw_gid)
    os.setuid(nobody.pw_uid)
try:
    make_engine(sys.argv[1])
except StoreError as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("directory_mode", "file_mode", "why"),
    [(0o555, 0o666, "read-only"), (0o555, None, "Permission denied"), (0o755, 0o444, "may not read and write")],
)
def test_what_cannot_be_written_is_refused(directory_mode: int, file_mode: int | None, why: str) -> None:
    # Not below pytest's own directory, which only its owner may enter: root may write everywhere, and so is somebody
    # else here.
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "headgate.db"
        if file_mode is not None:
            path.touch()
            path.chmod(file_mode)
        Path(name).chmod(directory_mode)
        ended = subprocess.run(
            [sys.executable, "-c", AS_NOBODY, f"sqlite:///{path}"],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        Path(name).chmod(0o755)
    assert why in ended.stdout, ended.stdout + ended.stderr


def test_a_full_disk_is_said_to_be_one_and_may_be_emptied(tmp_path: Path, data_dir: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/headgate.db", data_dir=data_dir, env={})
    # The database may use no page more than it has.
    event.listen(
        store.engine, "checkout", lambda connection, *_: connection.execute("PRAGMA max_page_count = 1").fetchall()
    )
    big = KeyFields(name="a", metadata={"a": "x" * 100_000})
    with pytest.raises(StoreUnavailable, match="full"):
        store.keys.create("default", big, actor=ME)
    store.close()
    again = open_store(f"sqlite:///{tmp_path}/headgate.db", data_dir=data_dir, env={})
    assert again.load().keys == ()
    again.keys.create("default", big, actor=ME)
    again.close()


def test_a_lock_that_another_process_holds_is_waited_for_and_then_named(tmp_path: Path, data_dir: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/headgate.db", data_dir=data_dir, env={})
    holder = sqlite3.connect(tmp_path / "headgate.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    assert store.revision() == 1
    with pytest.raises(StoreUnavailable, match="locked"):
        store.workspaces.create("acme", actor=ME)
    holder.close()
    store.workspaces.create("acme", actor=ME)
    store.close()


def test_a_damaged_database_is_said_to_be_one(tmp_path: Path, data_dir: Path) -> None:
    path = tmp_path / "headgate.db"
    store = open_store(f"sqlite:///{path}", data_dir=data_dir, env={})
    store.close()
    data = bytearray(path.read_bytes())
    data[200:] = b"\xa5" * (len(data) - 200)
    path.write_bytes(data)
    assert re.search("damaged|not a database|malformed", refused(f"sqlite:///{path}", data_dir))


def test_references_are_held_to_and_the_log_is_written_ahead(store: Store) -> None:
    with pytest.raises(StoreError), writing(store.engine) as connection:
        connection.execute(
            text("INSERT INTO routes VALUES ('r', 'nowhere', 'n', '{}', 0, 'x')"),
        )
    if store.engine.dialect.name == "sqlite":
        with store.engine.connect() as connection:
            assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
            assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 1


def test_nothing_heavy_is_imported_to_open_a_database(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from headgate.store.engine import open_store\n"
        "for _ in range(2):\n"
        "    store = open_store(None, data_dir=Path(sys.argv[1]), env={}); store.load(); store.close()\n"
        "print([name for name in ('alembic', 'psycopg', 'cryptography', 'fastapi', 'sqlalchemy.orm')"
        " if name in sys.modules])"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "d")], capture_output=True, text=True, timeout=120, check=False
    )
    assert ended.stdout.strip() == "[]", ended.stderr


def test_the_address_is_shown_without_its_password(store: Store) -> None:
    assert store.address.startswith(("sqlite:///", "postgresql"))
    assert PASSWORD not in store.address
    assert "canary" not in store.address


def test_what_cannot_be_reached_is_unavailable_and_what_is_refused_is_not(postgres: Postgres, data_dir: Path) -> None:
    with pytest.raises(StoreUnavailable) as caught:
        open_store(f"postgresql://u:canary@127.0.0.1:{refused_port()}/d", data_dir=data_dir, env={})
    assert "canary" not in str(caught.value)
    assert str(caught.value).isprintable()
    for url, why in (
        (postgres.url("nothing"), "does not exist"),
        (postgres.url("postgres", password="wrong canary"), "authentication failed"),
    ):
        message = refused(url, data_dir)
        assert why in message
        assert "canary" not in message
        with pytest.raises(StoreError) as lasting:
            open_store(url, data_dir=data_dir, env={})
        assert not isinstance(lasting.value, StoreUnavailable)
