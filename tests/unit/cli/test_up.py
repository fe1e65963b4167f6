"""What `headgate up` prints, and what it makes of an address. Starts and stops are in tests/process."""

from __future__ import annotations

import shlex
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from headgate.app import listen
from headgate.cli.up import banner
from headgate.config.compile import compile_snapshot
from headgate.config.issued import IssuedKey, KeyFileError, first_key
from headgate.config.load import Loaded, load_document
from headgate.types.secret import key_hash

SECRET = "hg-written-in-the-document"


def loaded(directory: Path, text: str, **env: str) -> Loaded:
    (directory / "headgate.yaml").write_text(text)
    return load_document(None, env, directory)


def printed(found: Loaded, key: IssuedKey | None, listener: socket.socket) -> str:
    issued = {} if key is None else {key.hash: key.principal}
    return banner(found, compile_snapshot(found.document, revision=1, created=0, issued_keys=issued), key, listener)


@contextmanager
def listening(host: str = "127.0.0.1") -> Iterator[socket.socket]:
    with closing(listen(host, 0)) as listener:
        yield listener


def test_the_curl_line_is_one_shell_command_of_the_right_words(tmp_path: Path) -> None:
    found = loaded(tmp_path, f"providers: {{sandbox: }}\nkeys: [{{name: dev, secret: {SECRET}}}]")
    with listening() as listener:
        text = printed(found, None, listener)
        port = listener.getsockname()[1]
    line = next(line for line in text.splitlines() if "curl" in line)
    words = shlex.split(line)
    assert words[:2] == ["curl", f"http://127.0.0.1:{port}/v1/chat/completions"]
    assert "Authorization: Bearer $HEADGATE_KEY" in words
    assert text.splitlines()[text.splitlines().index(line) + 2] == "  with HEADGATE_KEY set to the secret of key dev"
    assert SECRET not in text


def test_a_quote_in_a_models_name_does_not_end_the_shell_word(tmp_path: Path) -> None:
    name = "it's $(touch x) `id`"
    provider = "{dialect: openai, base_url: 'http://127.0.0.1:9/v1', models: [{id: m}]}"
    found = loaded(tmp_path, f'providers: {{p: {provider}}}\nmodels: {{"{name}": {{targets: [p/m]}}}}')
    with listening() as listener:
        line = next(line for line in printed(found, first_key(tmp_path), listener).splitlines() if "curl" in line)
    body = shlex.split(line)[-1]
    assert f'"model":"{name}"' in body


def test_the_example_is_a_model_that_can_chat(tmp_path: Path) -> None:
    models = "[{id: a-first, kind: embedding}, {id: b-second}]"
    found = loaded(
        tmp_path, f"providers: {{p: {{dialect: openai, base_url: 'http://127.0.0.1:9/v1', models: {models}}}}}"
    )
    with listening() as listener:
        assert '"model":"b-second"' in printed(found, first_key(tmp_path), listener)


def test_without_a_model_that_can_chat_there_is_no_curl_line(tmp_path: Path) -> None:
    models = "[{id: e, kind: embedding}]"
    found = loaded(
        tmp_path, f"providers: {{p: {{dialect: openai, base_url: 'http://127.0.0.1:9/v1', models: {models}}}}}"
    )
    with listening() as listener:
        assert "curl" not in printed(found, first_key(tmp_path), listener)


@pytest.mark.parametrize(
    ("host", "shown"), [("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "127.0.0.1"), ("::1", "[::1]"), ("localhost", None)]
)
def test_the_base_url_is_one_that_can_be_called(tmp_path: Path, host: str, shown: str | None) -> None:
    found = loaded(tmp_path, f"providers: {{sandbox: }}\nkeys: [{{name: dev, secret: {SECRET}}}]")
    try:
        with listening(host) as listener:
            text = printed(found, None, listener)
            port = listener.getsockname()[1]
    except OSError as error:
        pytest.skip(f"{host} cannot be listened on here: {error.strerror}")
    if shown is not None:
        assert f"http://{shown}:{port}/v1" in text


def test_a_connection_made_before_anybody_serves_waits(tmp_path: Path) -> None:
    with listening() as listener, socket.create_connection(listener.getsockname(), timeout=10) as early:
        listener.setblocking(True)
        accepted, _ = listener.accept()
        with accepted:
            early.sendall(b"x")
            assert accepted.recv(1) == b"x"


def test_an_address_in_use_is_told_when_it_is_listened_on_and_not_later() -> None:
    with listening() as listener, pytest.raises(OSError, match="in use"):
        listen("127.0.0.1", listener.getsockname()[1])


def test_the_first_key_is_made_once_and_renewed_when_asked(tmp_path: Path) -> None:
    data = tmp_path / "a" / "b"
    made = first_key(data)
    assert made.secret is not None
    secret = made.secret.reveal()
    assert secret.startswith("hg-")
    assert key_hash(secret.encode()) == made.hash
    again = first_key(data)
    assert (again.hash, again.secret) == (made.hash, None)
    renewed = first_key(data, renew=True)
    assert renewed.hash != made.hash
    assert first_key(data).hash == renewed.hash
    assert [file.name for file in data.iterdir()] == ["first-key.json"]
    assert secret not in repr(made) + str(made)


def test_a_damaged_key_file_is_replaced_only_when_that_is_asked_for(tmp_path: Path) -> None:
    file = tmp_path / "first-key.json"
    file.write_text("{}")
    with pytest.raises(KeyFileError, match="damaged"):
        first_key(tmp_path)
    assert file.read_text() == "{}"
    assert first_key(tmp_path, renew=True).secret is not None
    assert first_key(tmp_path).secret is None
