"""The bench runs from end to end on a load too small to measure anything, and tells a wrong answer from a right one."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from bench import load, proc, report, wire  # noqa: E402
from bench.measure import Measured, Shape  # noqa: E402
from bench.programs import PROGRAMS  # noqa: E402

WHOLE_STREAM = wire.STREAM_HEAD + wire.ROLE_EVENT + wire.CONTENT_EVENT * 3 + wire.FINISH_EVENT + wire.STREAM_DONE


def processes_naming(text: str) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if text.encode() in command:
                found.append(int(entry.name))
    return found


def test_a_tiny_run_measures_every_installed_program_without_an_error_and_leaves_nothing_running(
    tmp_path: Path,
) -> None:
    result = tmp_path / "result.json"
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-m", "bench", "--tiny", "--json", str(result)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    read = json.loads(result.read_text())
    assert read["valid"] is True
    assert "headgate" in read["programs"]
    for program in PROGRAMS:
        if program.find() is None:
            assert "not installed" in done.stdout
            print(f"{program.name} is not installed: not measured")
            continue
        least = read["programs"][program.name]["least"]
        for figure in ("json_us", "event_us", "idle_rss_mb", "open_rss_mb", "start_s", "p50_ms", "direct_p50_ms"):
            assert least[figure] > 0, (program.name, figure)
        assert least["complete"] == least["open_streams"]
    assert processes_naming(str(tmp_path)) == []


def test_an_interrupted_run_stops_what_it_started(tmp_path: Path) -> None:
    bench = subprocess.Popen(
        [sys.executable, "-m", "bench", "--tiny", "--requests", "1000000", "--json", str(tmp_path / "result.json")],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        patience = time.monotonic() + 60
        while not (folders := list(tmp_path.glob("bench-*"))) and time.monotonic() < patience:
            time.sleep(0.05)
        assert folders
        time.sleep(0.3)
        children = proc.tree(bench.pid)[1:]
        assert children
        bench.send_signal(signal.SIGINT)
        assert bench.wait(60) == 130
    finally:
        bench.kill()
        bench.communicate()
    assert [pid for pid in children if Path(f"/proc/{pid}").exists()] == []
    assert list(tmp_path.glob("bench-*")) == []


@asynccontextmanager
async def answering(reply: bytes, *, split: int | None = None) -> AsyncIterator[int]:
    """A server that sends those bytes to each request (in pieces of `split`), then closes; yields its port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            step = split or len(reply)
            for at in range(0, len(reply), step):
                writer.write(reply[at : at + step])
                await writer.drain()
                await asyncio.sleep(0)
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


@pytest.mark.parametrize("split", [None, 1, 7, 100])
async def test_a_whole_stream_counts_as_complete_however_it_is_split(split: int | None) -> None:
    async with answering(WHOLE_STREAM, split=split) as port:
        tally = await load.streams(port, 1, 3, 1, 20)
    assert (tally.done, tally.events, tally.failed) == (1, 3, 0), tally.faults


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (lambda whole: whole.replace(b"e\r\ndata: [DONE]\n\n\r\n", b""), "without [DONE]"),
        (lambda whole: whole.replace(wire.CONTENT_EVENT, b"", 1), "2 events instead of 3"),
        (lambda whole: whole + b"", "usage event missing"),
        (lambda whole: whole[:-5], "connection lost"),
        (lambda whole: whole.replace(b"200 OK", b"500 No"), "not a 200"),
    ],
    ids=["no-done", "event-missing", "usage-missing", "cut", "status-500"],
)
async def test_a_broken_stream_is_a_fault(broken: Callable[[bytes], bytes], said: str) -> None:
    async with answering(broken(WHOLE_STREAM)) as port:
        tally = await load.streams(port, 1, 3, 1, 20, usage=True)
    assert (tally.done, tally.failed) == (0, 1)
    assert said in tally.faults[0]


@pytest.mark.parametrize(
    "broken",
    [
        lambda whole: whole.replace(b"lighthouse", b"glasshouse"),
        lambda whole: whole.replace(b"200 OK", b"429 No"),
        lambda whole: whole[:-20],
    ],
    ids=["other-text", "status-429", "cut"],
)
async def test_a_wrong_json_answer_is_a_fault(broken: Callable[[bytes], bytes]) -> None:
    async with answering(wire.json_reply()) as port:
        assert (await load.closed_loop(port, 1, 1, 20)).failed == 0
    async with answering(broken(wire.json_reply())) as port:
        tally = await load.closed_loop(port, 1, 1, 20)
    assert (tally.done, tally.failed) == (0, 1)


@pytest.mark.parametrize(("ours", "verdict"), [(80.0, "aim met"), (120.0, "in budget"), (170.0, "over budget")])
def test_the_verdict_on_cpu_is_the_ratio_to_nginx_of_the_least_turns(ours: float, verdict: str) -> None:
    row = next(row for row in report.rows(Shape()) if row.figure == "json_us")
    nginx = Measured(turns=[{"json_us": 25.0}, {"json_us": 20.0}])
    headgate = Measured(turns=[{"json_us": ours}, {"json_us": ours + 300}])
    line = report.judge(row, {"nginx": nginx, "headgate": headgate})
    assert (line.ratio, line.verdict) == (ours / 20, verdict)


def test_one_incomplete_stream_is_over_budget() -> None:
    row = next(row for row in report.rows(Shape()) if row.figure == "complete")
    headgate = Measured(turns=[{"complete": 2000}, {"complete": 1999}])
    assert report.judge(row, {"headgate": headgate}).verdict == "over budget"
