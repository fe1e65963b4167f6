"""How the process stops, and how it takes over a changed document."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import httpx
import pytest

from tests.fakes.provider import FakeProvider, event_reply
from tests.process.headgate import SHORT_DRAIN, Home, Process

KEY = "hg-written-in-the-document"
DOCUMENT = f"""\
keys: [{{name: dev, secret: {KEY}}}]
providers: {{sandbox: {{}}}}
models:
  first: {{targets: [sandbox/hello]}}
"""
LONG = {"model": "sandbox/hello", "stream": True, "messages": [{"role": "user", "content": "Tell me a long story."}]}


@pytest.fixture
def documented(home: Home) -> Home:
    (home.directory / "headgate.yaml").write_text(DOCUMENT)
    return home


def client(process: Process) -> httpx.Client:
    return httpx.Client(
        base_url=f"http://127.0.0.1:{process.port}/v1",
        headers={"authorization": f"Bearer {KEY}"},
        trust_env=False,
        timeout=60,
    )


@contextmanager
def open_stream(process: Process, body: dict[str, Any]) -> Iterator[Iterator[str]]:
    """A stream whose first content has come; gives its further lines."""
    with client(process) as http, http.stream("POST", "/chat/completions", json=body) as reply:
        assert reply.status_code == 200
        lines = (line for line in reply.iter_lines() if line)
        while '"content"' not in next(lines):
            pass
        yield lines


def refuses_connections(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=10) as probe:
            # One that got into the queue just before it closed is reset.
            return probe.recv(1) == b""
    except OSError:
        return True


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_open_streams_finish_and_ends_with_zero(documented: Home, number: signal.Signals) -> None:
    with documented.up("--port", "0") as process, open_stream(process, LONG) as lines:
        process.send(number)
        deadline = time.monotonic() + 30
        while not refuses_connections(process.port):
            assert time.monotonic() < deadline, "it still takes connections"
            time.sleep(0.02)
        rest = list(lines)
        assert rest[-1] == "data: [DONE]"
        assert process.wait() == 0
    assert "Traceback" not in process.errors


def test_an_idle_process_stops_at_once_also_with_idle_connections(documented: Home) -> None:
    with documented.up("--port", "0") as process, client(process) as http:
        assert http.get("/models").status_code == 200
        started = time.monotonic()
        assert process.stop() == 0
        assert time.monotonic() - started < 9, "it waited for a connection that nobody uses"
    assert process.errors == ""


def test_streams_longer_than_the_drain_end_with_an_error_event(documented: Home) -> None:
    command = (sys.executable, "-c", SHORT_DRAIN, "headgate.yaml")
    body = LONG | {"model": "sandbox/stall"}
    with documented.up(command=command) as process:
        with open_stream(process, body) as one, open_stream(process, body) as other:
            process.send(signal.SIGTERM)
            for lines in (one, other):
                rest = list(lines)
                assert "data: [DONE]" not in rest
                error = json.loads(rest[-1].removeprefix("data: "))["error"]
                assert error["code"] == "shutting_down"
        assert process.wait() == 0
        process.until_it_says("stopping: requests that the drain left unfinished are cut off: 2\n")
    assert len(process.errors.splitlines()) == 1, process.errors


def test_a_json_request_longer_than_the_drain_is_told_so(documented: Home) -> None:
    command = (sys.executable, "-c", SHORT_DRAIN, "headgate.yaml")
    with documented.up(command=command) as process, socket.create_connection(("127.0.0.1", process.port)) as sock:
        body = json.dumps({**LONG, "model": "sandbox/hang", "stream": False}).encode()
        sock.settimeout(60)
        sock.sendall(
            b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %b\r\nContent-Length: %d\r\n\r\n%b"
            % (KEY.encode(), len(body), body)
        )
        time.sleep(0.3)
        process.send(signal.SIGTERM)
        reply = b""
        while data := sock.recv(65536):
            reply += data
        assert process.wait() == 0
    assert reply.startswith(b"HTTP/1.1 503 ")
    assert b"connection: close" in reply.lower()
    assert b'"shutting_down"' in reply


def test_a_client_that_reads_nothing_does_not_keep_the_process_alive(documented: Home) -> None:
    command = (sys.executable, "-c", SHORT_DRAIN, "headgate.yaml")
    with documented.up(command=command) as process, socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.connect(("127.0.0.1", process.port))
        # Eight megabytes of answer, which no socket buffer holds.
        body = json.dumps({"model": "sandbox/embed", "input": ["word"] * 100, "dimensions": 4096}).encode()
        head = f"POST /v1/embeddings HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\n"
        sock.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        assert sock.recv(1, socket.MSG_PEEK) == b"H"
        assert process.stop() == 0
    assert "Traceback" not in process.errors, process.errors


async def test_a_client_that_stopped_reading_its_stream_does_not_keep_the_process_alive(home: Home) -> None:
    command = (sys.executable, "-c", SHORT_DRAIN, "headgate.yaml")
    async with FakeProvider() as fake:
        fake.always(event_reply(*[{"choices": [{"index": 0, "delta": {"content": "x" * 50_000}}]}] * 1000))
        providers = f"providers: {{fake: {{dialect: openai, base_url: '{fake.base_url}', models: [{{id: m}}]}}}}"
        (home.directory / "headgate.yaml").write_text(f"{DOCUMENT.splitlines()[0]}\n{providers}\n")
        with home.up(command=command) as process, socket.socket() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sock.connect(("127.0.0.1", process.port))
            body = json.dumps(LONG | {"model": "m"}).encode()
            head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\n"
            sock.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
            await fake.until(lambda fake: fake.requests)
            await asyncio.sleep(0.5)
            assert await asyncio.to_thread(process.stop) == 0
            await fake.until(lambda fake: fake.open_connections == 0)
    assert "Traceback" not in process.errors, process.errors


def test_a_second_interrupt_does_not_wait_for_the_drain(documented: Home) -> None:
    with documented.up("--port", "0") as process, open_stream(process, LONG | {"model": "sandbox/stall"}) as lines:
        process.send(signal.SIGINT)
        while not refuses_connections(process.port):
            time.sleep(0.02)
        started = time.monotonic()
        process.send(signal.SIGINT)
        assert process.wait() == 0
        assert time.monotonic() - started < 9
        with suppress(httpx.HTTPError):
            assert "data: [DONE]" not in list(lines)
    assert "Traceback" not in process.errors, process.errors


def test_a_hangup_publishes_the_changed_document_while_a_stream_goes_on(documented: Home) -> None:
    file = documented.directory / "headgate.yaml"
    with (
        documented.up("--port", "0") as process,
        client(process) as http,
        open_stream(process, LONG | {"model": "first"}) as lines,
    ):
        # Same size and time, so that only the signal can tell of the change.
        before = file.stat()
        file.write_text(DOCUMENT.replace("first:", "other:"))
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
        process.send(signal.SIGHUP)
        process.until_it_says("revision 2")
        assert http.get("/models/other").status_code == 200
        assert http.get("/models/first").status_code == 404
        assert list(lines)[-1] == "data: [DONE]", "the reload broke a stream that was open"


def test_a_changed_file_is_taken_over_by_itself(documented: Home) -> None:
    file = documented.directory / "headgate.yaml"
    with documented.up("--port", "0") as process, client(process) as http:
        fresh = file.with_name("fresh.yaml")
        fresh.write_text(DOCUMENT.replace("first:", "renamed:"))
        fresh.replace(file)
        process.until_it_says("revision 2")
        assert http.get("/models/renamed").status_code == 200
        assert http.get(f"http://127.0.0.1:{process.port}/readyz").json()["revision"] == 2


def test_a_broken_file_keeps_the_old_document_and_says_why(documented: Home) -> None:
    file = documented.directory / "headgate.yaml"
    with documented.up("--port", "0") as process, client(process) as http:
        file.write_text(DOCUMENT.replace("targets", "tragets"))
        process.until_it_says("did you mean targets")
        assert "the running one is kept" in process.errors
        assert http.get("/models/first").status_code == 200
        assert http.get(f"http://127.0.0.1:{process.port}/readyz").json()["revision"] == 1
        file.write_text(DOCUMENT.replace("first:", "mended:"))
        process.until_it_says("revision 2")
        assert http.get("/models/mended").status_code == 200


def test_a_removed_file_keeps_the_old_document_and_is_taken_up_when_it_is_back(documented: Home) -> None:
    file = documented.directory / "headgate.yaml"
    with documented.up("--port", "0", GROQ_API_KEY="not to be used") as process, client(process) as http:
        aside = file.rename(file.with_name("aside.yaml"))
        process.until_it_says("headgate.yaml: cannot be read: no such file or directory")
        assert http.get("/models/first").status_code == 200
        process.send(signal.SIGHUP)
        deadline = time.monotonic() + 30
        while process.errors.count("no such file") < 2:
            assert time.monotonic() < deadline, "nothing was said to the signal"
            time.sleep(0.02)
        assert http.get("/models/first").status_code == 200
        aside.rename(file)
        process.until_it_says("revision 2")
        assert http.get("/models/first").status_code == 200
        assert process.errors.count("no such file") == 2


def test_a_document_without_its_keys_is_not_taken_over(documented: Home) -> None:
    file = documented.directory / "headgate.yaml"
    with documented.up("--port", "0") as process, client(process) as http:
        file.write_text(DOCUMENT.partition("\n")[2])
        process.until_it_says("headgate.yaml: keys: holds no key any more")
        assert http.get("/models/first").status_code == 200


def test_keys_that_come_into_the_document_take_the_place_of_the_first_run_key_until_they_leave(home: Home) -> None:
    file = home.directory / "headgate.yaml"
    file.write_text(DOCUMENT.partition("\n")[2])
    with home.up("--port", "0") as process, client(process) as http:
        first = {"authorization": f"Bearer {process.key}"}
        assert [http.get("/models").status_code, http.get("/models", headers=first).status_code] == [401, 200]
        file.write_text(DOCUMENT)
        process.until_it_says("revision 2")
        assert [http.get("/models").status_code, http.get("/models", headers=first).status_code] == [200, 401]
        file.write_text(DOCUMENT.partition("\n")[2])
        process.until_it_says("revision 3")
        assert [http.get("/models").status_code, http.get("/models", headers=first).status_code] == [401, 200]


def test_a_key_that_leaves_the_document_opens_nothing_any_more(documented: Home) -> None:
    file = documented.directory / "headgate.yaml"
    with documented.up("--port", "0") as process, client(process) as http:
        file.write_text(DOCUMENT.replace(KEY, "hg-another-key-altogether"))
        process.send(signal.SIGHUP)
        process.until_it_says("revision 2")
        assert http.get("/models").status_code == 401


def test_requests_write_nothing_to_the_log_and_no_secret_gets_there(documented: Home) -> None:
    with documented.up("--port", "0") as process, client(process) as http:
        for model in ("first", "sandbox/429", "sandbox/500", "no-such-model"):
            http.post("/chat/completions", json=LONG | {"model": model, "stream": False})
        http.get("/models", headers={"authorization": "Bearer hg-a-wrong-key-that-was-tried"})
    assert process.errors == ""
