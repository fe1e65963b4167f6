"""What a newcomer sees: the first start, the second, and every start that cannot be."""

from __future__ import annotations

import json
import os
import socket
import stat
import subprocess
from pathlib import Path

import httpx
import pytest

from tests.fakes.ports import free_port, refused_port
from tests.process.headgate import Home, Process

CANARY = "canary-of-the-environment-2b81"
KEYED = "keys: [{name: dev, secret: hg-written-in-the-document}]\nproviders: {sandbox: {}}\n"


def status(process: Process, key: str | None) -> int:
    headers = {} if key is None else {"authorization": f"Bearer {key}"}
    return httpx.get(f"http://127.0.0.1:{process.port}/v1/models", headers=headers, trust_env=False).status_code


def everything_in(directory: Path) -> str:
    return "\n".join(f"{file}: {file.read_text('latin-1')}" for file in directory.rglob("*") if file.is_file())


def test_the_first_start_shows_what_a_newcomer_needs_and_the_curl_line_works(home: Home) -> None:
    with home.up("--port", "0") as process:
        assert process.key is not None
        assert "sandbox" in process.printed
        assert "shown this once" in process.printed
        done = subprocess.run(["bash", "-c", process.curl], capture_output=True, text=True, timeout=60, check=True)
        assert json.loads(done.stdout)["choices"][0]["message"]["content"]
        assert status(process, process.key) == 200
        assert status(process, None) == 401


def test_the_key_is_kept_as_a_hash_that_only_its_owner_can_read(home: Home) -> None:
    old = os.umask(0)
    try:
        with home.up("--port", "0") as process:
            key = process.key
    finally:
        os.umask(old)
    assert key is not None
    files = [path for path in home.data.rglob("*") if path.is_file()]
    assert {"first-key.json", "headgate.db"} <= {path.name for path in files}
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert stat.S_IMODE(home.data.stat().st_mode) == 0o700
    assert key not in everything_in(home.directory)
    assert key.removeprefix("hg-") not in everything_in(home.directory)


def test_a_second_start_does_not_show_the_key_and_it_still_opens(home: Home) -> None:
    with home.up("--port", "0") as first:
        key = first.key
    with home.up("--port", "0") as second:
        assert second.key is None
        assert key is not None
        assert key not in second.printed + second.errors
        assert "--new-key" in second.printed
        assert "$HEADGATE_KEY" in second.curl
        assert status(second, key) == 200
        shell = {"PATH": os.environ["PATH"], "HEADGATE_KEY": key}
        done = subprocess.run(["bash", "-c", second.curl], env=shell, capture_output=True, timeout=60, check=True)
        assert "choices" in json.loads(done.stdout)


def test_new_key_shows_another_one_and_revokes_the_old(home: Home) -> None:
    with home.up("--port", "0") as first:
        old = first.key
    with home.up("--port", "0", "--new-key") as second:
        assert second.key not in (None, old)
        assert status(second, second.key) == 200
        assert status(second, old) == 401
        new = second.key
    with home.up("--port", "0") as third:
        assert status(third, new) == 200


def test_a_start_that_fails_makes_no_key_that_nobody_has_seen(home: Home) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        home.refused("--port", str(taken.getsockname()[1]))
        assert not home.data.exists()
    with home.up("--port", "0") as first:
        key = first.key
        assert key is not None, "the first key that works was never shown"
        home.refused("--port", str(first.port), "--new-key")
        assert status(first, key) == 200
    with home.up("--port", "0") as second:
        assert status(second, key) == 200, "a failed start revoked the key"


def test_providers_come_from_the_environment_and_their_credentials_are_never_printed(home: Home) -> None:
    with home.up("--port", "0", DEEPINFRA_API_KEY=CANARY, OPENAI_API_KEY=CANARY) as process:
        listed = next(line for line in process.printed.splitlines() if line.strip().startswith("providers"))
        assert "deepinfra" in listed
        assert "openai" in listed
        assert "sandbox" not in listed
        models = httpx.get(
            f"http://127.0.0.1:{process.port}/v1/models",
            headers={"authorization": f"Bearer {process.key}"},
            trust_env=False,
        ).text
        process.stop()
    assert CANARY not in process.printed + process.errors + models + everything_in(home.directory)


def test_a_key_of_the_document_is_named_and_not_shown(home: Home) -> None:
    (home.directory / "headgate.yaml").write_text(KEYED)
    with home.up("--port", "0") as process:
        assert "dev" in process.printed
        assert "hg-written-in-the-document" not in process.printed
        assert status(process, "hg-written-in-the-document") == 200
        assert not (home.data / "first-key.json").exists(), "a key was made that nobody asked for"
        assert "with HEADGATE_KEY set to the secret of key dev" in process.printed
        shell = {"PATH": os.environ["PATH"], "HEADGATE_KEY": "hg-written-in-the-document"}
        done = subprocess.run(["bash", "-c", process.curl], env=shell, capture_output=True, timeout=60, check=True)
        assert "choices" in json.loads(done.stdout)


def test_with_keys_in_the_document_the_first_run_key_opens_nothing_and_no_new_one_is_made(home: Home) -> None:
    with home.up("--port", "0") as first:
        key = first.key
    (home.directory / "headgate.yaml").write_text(KEYED)
    with home.up("--port", "0") as second:
        assert status(second, key) == 401
    line = home.refused("--port", "0", "--new-key")
    assert "--new-key" in line
    assert "headgate.yaml declares keys" in line


def test_a_pipe_in_place_of_the_document_is_one_line_and_does_not_hang(home: Home) -> None:
    os.mkfifo(home.directory / "pipe")
    assert "pipe: cannot be read: not a regular file" in home.refused("--config", "pipe", "--port", "0")


def test_a_key_of_the_document_from_the_environment_is_in_the_curl_line_by_its_name(home: Home) -> None:
    (home.directory / "my.yaml").write_text(KEYED.replace("hg-written-in-the-document", "${MY_KEY}"))
    key = "hg-out-of-the-environment"
    with home.up("--port", "0", "--config", "my.yaml", MY_KEY=key) as process:
        assert key not in process.printed
        assert '"Authorization: Bearer $MY_KEY"' in process.curl
        shell = {"PATH": os.environ["PATH"], "MY_KEY": key}
        done = subprocess.run(["bash", "-c", process.curl], env=shell, capture_output=True, timeout=60, check=True)
        assert "choices" in json.loads(done.stdout)


def test_flags_win_over_the_environment_and_that_over_the_document(home: Home) -> None:
    flag, variable, written = free_port(), free_port(), free_port()
    (home.directory / "headgate.yaml").write_text(f"{KEYED}server: {{port: {written}}}\n")
    with home.up() as process:
        assert process.port == written
    with home.up(HEADGATE_PORT=str(variable)) as process:
        assert process.port == variable
    with home.up("--port", str(flag), HEADGATE_PORT=str(variable)) as process:
        assert process.port == flag


def test_host_is_taken_from_the_flag_and_the_environment_too(home: Home) -> None:
    # Refused at 127.0.0.1, so that nobody else can listen there under the same number.
    with home.up("--port", str(refused_port()), HEADGATE_HOST="127.0.0.2") as process:
        assert f"http://127.0.0.2:{process.port}/v1" in process.printed
        with pytest.raises(httpx.ConnectError):
            status(process, process.key)
    with home.up("--port", "0", "--host", "127.0.0.1", HEADGATE_HOST="127.0.0.2") as process:
        assert status(process, None) == 401


def test_a_taken_port_is_one_line_that_says_what_to_do(home: Home) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        line = home.refused("--port", str(port))
    assert f"127.0.0.1:{port}" in line
    assert "already in use" in line.lower()
    assert "--port" in line


@pytest.mark.parametrize("value", ["http", "-1", "65536", "8080 ", "8_080", "٨", "1" * 50])
def test_a_port_that_is_none_is_one_line_naming_the_variable(home: Home, value: str) -> None:
    line = home.refused(HEADGATE_PORT=value)
    assert "HEADGATE_PORT" in line
    assert len(line) < 200


@pytest.mark.parametrize("host", ["no such host", "host.invalid", "256.0.0.1", "a" * 70 + ".example", "192.0.2.1"])
def test_a_host_that_is_not_ours_is_one_line(home: Home, host: str) -> None:
    (home.directory / "headgate.yaml").write_text(KEYED)
    assert "--host" in home.refused("--port", "0", "--host", host) or host in home.refused(
        "--port", "0", "--host", host
    )


def test_nothing_listens_beyond_this_machine_while_nobody_said_who_may_use_it(home: Home) -> None:
    line = home.refused("--port", "0", "--host", "0.0.0.0")
    assert "keys" in line


def test_listening_beyond_this_machine_is_told_once_wherever_it_was_asked_for(home: Home) -> None:
    file = home.directory / "headgate.yaml"
    file.write_text(KEYED)
    with home.up("--port", "0", "--host", "0.0.0.0") as process:
        assert process.printed.count("0.0.0.0 can be reached from other machines") == 1
    file.write_text(f"{KEYED}server: {{host: 0.0.0.0}}\n")
    with home.up("--port", "0", "--host", "0.0.0.0") as process:
        assert process.printed.count("0.0.0.0 can be reached from other machines") == 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "cannot be read"),
        (b"", "is empty"),
        (b"\xff\xfe", "not UTF-8"),
        (b"providers: [", "headgate.yaml:"),
        (b"providers: {sandbox: {}}\nprovidres: {}", "did you mean providers"),
        (b"providers: {sandbox: {}}\nserver: {port: eighty}", "server.port"),
        (b"providers: {sandbox: {}}\nkeys: [{name: a, secret: '${NOT_SET_ANYWHERE}'}]", "NOT_SET_ANYWHERE"),
        (b"providers: {sandbox: {}}\nmodels: {a: {targets: [nobody/x]}}", "nobody/x"),
    ],
)
def test_a_document_that_cannot_be_used_is_one_line_naming_what_is_wrong(
    home: Home, text: bytes | None, words: str
) -> None:
    file = home.directory / "headgate.yaml"
    if text is not None:
        file.write_bytes(text)
    line = home.refused("--config", str(file), "--port", "0")
    assert "headgate.yaml" in line
    assert words in line


def test_a_directory_in_place_of_the_document_is_one_line(home: Home) -> None:
    (home.directory / "headgate.yaml").mkdir()
    assert "headgate.yaml" in home.refused("--port", "0")


def test_a_data_directory_that_cannot_be_made_is_one_line_naming_the_variable(home: Home) -> None:
    home.data.write_text("a file")
    assert "HEADGATE_DATA_DIR" in home.refused("--port", "0")
    assert "HEADGATE_DATA_DIR" in home.refused("--port", "0", HEADGATE_DATA_DIR=str(home.data / "below"))


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b'{"name":"x"}', b'{"name":"x","sha256":"12"}', b'{"name":"x","sha256":"zz"}', b"\xff" * 40],
)
def test_a_damaged_key_file_is_one_line_and_says_how_to_get_a_new_key(home: Home, content: bytes) -> None:
    home.data.mkdir()
    file = home.data / "first-key.json"
    file.write_bytes(content)
    line = home.refused("--port", "0")
    assert str(file) in line
    assert "damaged" in line
    assert file.read_bytes() == content


def test_a_directory_in_place_of_the_key_file_is_one_line(home: Home) -> None:
    (home.data / "first-key.json").mkdir(parents=True)
    assert "first-key.json" in home.refused("--port", "0")
