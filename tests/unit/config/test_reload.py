from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from headgate.config.compile import compile_snapshot
from headgate.config.document import Document
from headgate.config.load import Loaded, Loader
from headgate.config.reload import Watcher
from headgate.types.principal import Principal
from headgate.types.snapshot import Snapshot
from tests.unit.config.loading import FILE, MYBOX

HANG_S = 20.0
NEVER_S = 3600.0
SECRET = "s" * 20


class Bench:
    """A watcher over a real file, and what it published and complained about."""

    def __init__(self, folder: Path, interval_s: float) -> None:
        self.folder = folder
        self.file = folder / FILE
        self.env: dict[str, str] = {}
        self.issued: dict[bytes, Principal] = {bytes(32): Principal(key="first-run")}
        self.loader = Loader(None, self.env, folder)
        self._news = asyncio.Event()
        self.published: list[Snapshot] = []
        self.complaints: list[str] = []
        self.write(MYBOX)
        self.watcher = Watcher(
            self.load(),
            revision=1,
            load=self.load,
            build=self.build,
            publish=self.publish,
            complain=self.complain,
            interval_s=interval_s,
        )

    def load(self) -> Loaded:
        return self.loader()

    def build(self, document: Document, revision: int) -> Snapshot:
        return compile_snapshot(document, revision=revision, created=0, issued_keys=self.issued)

    def write(self, text: str) -> None:
        self.file.write_text(text)

    def publish(self, snapshot: Snapshot) -> None:
        self.published.append(snapshot)
        self._news.set()

    def complain(self, message: str) -> None:
        self.complaints.append(message)
        self._news.set()

    async def until(self, happened: Callable[[], bool]) -> None:
        async with asyncio.timeout(HANG_S):
            while not happened():
                await self._news.wait()
                self._news.clear()

    async def looks(self, count: int = 4) -> None:
        """Let the watcher look a few times."""
        await asyncio.sleep(0.01 * count)


def bench(folder: Path, interval_s: float = 0.01) -> Bench:
    return Bench(folder, interval_s)


def with_route(name: str) -> str:
    return f"{MYBOX}models: {{{name}: {{targets: [mybox/x]}}}}\n"


async def test_a_changed_file_is_published_with_the_next_revision(tmp_path: Path) -> None:
    b = bench(tmp_path)
    b.watcher.start()
    b.write(with_route("one"))
    await b.until(lambda: len(b.published) == 1)
    b.write(with_route("two"))
    await b.until(lambda: len(b.published) == 2)
    await b.watcher.stop()
    assert [list(made.routes) for made in b.published] == [["one"], ["two"]]
    assert [made.revision for made in b.published] == [2, 3]
    assert b.complaints == []


async def test_an_unchanged_file_publishes_nothing_even_when_it_is_touched(tmp_path: Path) -> None:
    b = bench(tmp_path)
    b.watcher.start()
    await b.looks()
    os.utime(b.file, (1, 1))
    await b.looks()
    os.utime(b.file)
    await b.looks()
    await b.watcher.stop()
    assert b.published == []


async def test_a_file_replaced_by_renaming_is_seen(tmp_path: Path) -> None:
    b = bench(tmp_path)
    b.watcher.start()
    new = tmp_path / "new"
    new.write_text(with_route("renamed"))
    new.replace(b.file)
    await b.until(lambda: len(b.published) == 1)
    await b.watcher.stop()
    assert list(b.published[0].routes) == ["renamed"]


async def test_a_link_that_is_pointed_elsewhere_is_seen(tmp_path: Path) -> None:
    b = bench(tmp_path)
    b.file.rename(tmp_path / "old.yaml")
    b.file.symlink_to("old.yaml")
    b.watcher.start()
    (tmp_path / "new.yaml").write_text(with_route("linked"))
    (tmp_path / "link").symlink_to("new.yaml")
    (tmp_path / "link").replace(b.file)
    await b.until(lambda: len(b.published) == 1)
    await b.watcher.stop()
    assert list(b.published[0].routes) == ["linked"]


async def test_a_second_write_of_the_same_size_and_time_is_seen(tmp_path: Path) -> None:
    b = bench(tmp_path)
    b.watcher.start()
    b.write(with_route("one"))
    before = b.file.stat()
    await b.until(lambda: len(b.published) == 1)
    b.write(with_route("two"))
    os.utime(b.file, ns=(before.st_atime_ns, before.st_mtime_ns))
    await b.until(lambda: len(b.published) == 2)
    await b.watcher.stop()
    assert list(b.published[1].routes) == ["two"]


async def test_a_broken_file_keeps_the_old_snapshot_and_says_why_once(tmp_path: Path) -> None:
    b = bench(tmp_path)
    b.watcher.start()
    b.write(MYBOX + "modls: {}\n")
    await b.until(lambda: len(b.complaints) == 1)
    await b.looks()
    assert b.published == []
    assert b.complaints == [
        "the configuration was not changed; the running one is kept:\n"
        "headgate.yaml:2: modls: unknown key; did you mean models?"
    ]
    b.write(with_route("mended"))
    await b.until(lambda: len(b.published) == 1)
    await b.watcher.stop()
    assert b.published[0].revision == 2


async def test_a_file_that_disappears_keeps_the_old_snapshot_and_is_taken_up_when_it_is_back(tmp_path: Path) -> None:
    b = bench(tmp_path)
    b.env["GROQ_API_KEY"] = "would be the configuration if there were no file"
    b.watcher.start()
    b.file.unlink()
    await b.until(lambda: len(b.complaints) == 1)
    await b.looks()
    assert b.published == []
    assert len(b.complaints) == 1
    assert b.complaints[0].endswith("headgate.yaml: cannot be read: no such file or directory")
    b.write(with_route("back"))
    await b.until(lambda: len(b.published) == 1)
    await b.watcher.stop()
    assert list(b.published[0].routes) == ["back"]


async def test_a_defect_while_building_does_not_end_the_watch(tmp_path: Path) -> None:
    b = bench(tmp_path)
    good = b.build
    fail = True

    def build(document: Document, revision: int) -> Snapshot:
        if fail:
            raise RuntimeError("a defect")
        return good(document, revision)

    watcher = Watcher(
        b.load(),
        revision=1,
        load=b.load,
        build=build,
        publish=b.publish,
        complain=b.complain,
        interval_s=0.01,
    )
    watcher.start()
    b.write(with_route("one"))
    await b.until(lambda: len(b.complaints) == 1)
    assert b.complaints[0].endswith("RuntimeError: a defect")
    fail = False
    b.write(with_route("two"))
    await b.until(lambda: len(b.published) == 1)
    await watcher.stop()


async def test_a_poke_reloads_at_once_and_even_what_has_not_changed(tmp_path: Path) -> None:
    b = bench(tmp_path, interval_s=NEVER_S)
    b.watcher.start()
    b.watcher.poke()
    await b.until(lambda: len(b.published) == 1)
    b.write(with_route("poked"))
    b.watcher.poke()
    await b.until(lambda: len(b.published) == 2)
    await b.watcher.stop()
    assert list(b.published[1].routes) == ["poked"]


async def test_a_device_in_place_of_the_file_is_refused_without_reading_it(tmp_path: Path) -> None:
    b = bench(tmp_path)
    b.watcher.start()
    (tmp_path / "device").symlink_to("/dev/null")
    (tmp_path / "device").replace(b.file)
    await b.until(lambda: len(b.complaints) == 1)
    assert b.complaints[0].endswith("headgate.yaml: cannot be read: not a regular file")
    b.file.unlink()
    b.write(with_route("back"))
    await b.until(lambda: len(b.published) == 1)
    await b.watcher.stop()


async def test_a_document_that_leaves_nobody_a_key_is_not_taken_over(tmp_path: Path) -> None:
    b = bench(tmp_path)
    b.issued.clear()
    b.write(f"keys: [{{name: a, secret: {SECRET}}}]\n{MYBOX}")
    watcher = Watcher(
        b.load(), revision=1, load=b.load, build=b.build, publish=b.publish, complain=b.complain, interval_s=0.01
    )
    watcher.start()
    b.write(MYBOX)
    await b.until(lambda: len(b.complaints) == 1)
    assert b.published == []
    assert b.complaints[0].splitlines()[1] == (
        "headgate.yaml: keys: holds no key any more, and nobody could use the gateway; declare one, or restart to use"
        " the first-run key"
    )
    b.write(f"keys: [{{name: b, secret: {SECRET}}}]\n{MYBOX}")
    await b.until(lambda: len(b.published) == 1)
    await watcher.stop()
    assert [principal.key for principal in b.published[0].keys.values()] == ["b"]


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="there is no SIGHUP here")
async def test_sighup_reloads(tmp_path: Path) -> None:
    b = bench(tmp_path, interval_s=NEVER_S)
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGHUP, b.watcher.poke)
    b.watcher.start()
    b.write(with_route("hup"))
    os.kill(os.getpid(), signal.SIGHUP)
    await b.until(lambda: len(b.published) == 1)
    await b.watcher.stop()
    loop.remove_signal_handler(signal.SIGHUP)
    assert list(b.published[0].routes) == ["hup"]


async def test_without_a_file_a_poke_finds_one_that_was_made_since(tmp_path: Path) -> None:
    b = bench(tmp_path)
    b.file.unlink()
    b.loader = Loader(None, b.env, tmp_path)
    watcher = Watcher(
        b.load(),
        revision=1,
        load=b.load,
        build=b.build,
        publish=b.publish,
        complain=b.complain,
        interval_s=0.01,
    )
    watcher.start()
    await b.looks()
    assert b.published == []
    b.write(with_route("made"))
    watcher.poke()
    await b.until(lambda: len(b.published) == 1)
    b.write(with_route("again"))
    await b.until(lambda: len(b.published) == 2)
    await watcher.stop()
    assert list(b.published[1].routes) == ["again"]


async def test_a_new_address_is_told_to_need_a_restart_and_the_rest_is_published(tmp_path: Path) -> None:
    b = bench(tmp_path)
    b.watcher.start()
    b.write("server: {port: 9999}\n" + with_route("one"))
    await b.until(lambda: len(b.complaints) == 1)
    await b.watcher.stop()
    assert list(b.published[0].routes) == ["one"]
    assert b.complaints == [
        "server: host and port changed from 127.0.0.1:8080 to 127.0.0.1:9999; restart to listen there"
    ]


async def test_what_is_read_at_the_start_alone_is_told_to_need_a_restart_without_its_password(tmp_path: Path) -> None:
    b = bench(tmp_path)
    b.watcher.start()
    b.write("store: postgresql://u:canary@h/d\nledger: {retention_days: 7}\n" + with_route("one"))
    await b.until(lambda: len(b.complaints) == 2)
    await b.watcher.stop()
    assert b.complaints == [
        "store: changed; restart to use the other database",
        "ledger: changed; restart to make it count",
    ]


async def test_only_new_warnings_are_told(tmp_path: Path) -> None:
    b = bench(tmp_path)
    b.watcher.start()
    b.write("shared: redis://h:6379/0\n" + with_route("one"))
    await b.until(lambda: len(b.published) == 1)
    b.write("shared: redis://h:6379/0\n" + with_route("two"))
    await b.until(lambda: len(b.published) == 2)
    await b.watcher.stop()
    assert len(b.complaints) == 1
    assert "shared: not used yet" in b.complaints[0]


async def test_stopping_ends_the_task_and_may_be_repeated(tmp_path: Path) -> None:
    b = bench(tmp_path)
    await b.watcher.stop()
    b.watcher.start()
    b.watcher.start()
    tasks = [task for task in asyncio.all_tasks() if task.get_name() == "config watcher"]
    assert len(tasks) == 1
    await b.watcher.stop()
    assert tasks[0].cancelled()
    await b.watcher.stop()
    b.write(with_route("late"))
    await b.looks()
    assert b.published == []
