"""Secrets and what people write appear nowhere but where they belong: in no log, error, export, database or journal."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.fakes.postgres import PASSWORD, Postgres
from tests.fakes.provider import json_reply
from tests.fakes.replies import RawReply, Reply, Request
from tests.process.books import ledger
from tests.process.headgate import HEADGATE, Home, Process
from tests.process.load import counting_provider

DECLARED_KEY = "hg-canary-declared-key-51c0a7"
DECLARED_CREDENTIAL = "canary-declared-credential-7f3a9c"
STORED_CREDENTIAL = "canary-stored-credential-b82e41"
OTHER_CREDENTIAL = "canary-credential-of-the-api-4d9f02"
ADMIN = "hga-canary-admin-token-e6710b"
MASTER_KEY = "canary-master-key-of-many-characters-93ad"
PROMPT = "canary-of-a-prompt-0f8e2c"
ANSWER = "canary-of-an-answer-a1947d"
WRONG_KEY = "hg-canary-of-a-wrong-key-5b6c88"

DOCUMENT = """\
{store}
retries: 0
health: {{failures: 100}}
keys: [{{name: declared, secret: {key}, budget: {{usd: "100", per: day}}}}]
providers:
  one:
    dialect: openai
    base_url: {base_url}
    api_key: {credential}
    models: [{{id: m, input_usd_per_mtok: "1", output_usd_per_mtok: "2"}}, {{id: "wild-*"}}]
  two:
    dialect: openai
    base_url: {base_url}
    models: [{{id: n, input_usd_per_mtok: "1", output_usd_per_mtok: "2"}}]
"""


def provider_that_tells_all(request: Request) -> Reply:
    """Answers with the answer, or fails in a way that the prompt asks for; failures repeat all that was sent."""
    text = request.body.decode()
    everything = f"{request.header('authorization')} sent {text}"
    if "fail-401" in text:
        return json_reply({"error": {"message": f"Incorrect API key provided: {everything}", "code": "bad"}}, 401)
    if "fail-400" in text:
        return json_reply({"error": {"message": everything, "type": "invalid_request_error"}}, 400)
    if "fail-500" in text:
        return RawReply([f"HTTP/1.1 500 Oops\r\ncontent-length: {len(everything)}\r\n\r\n{everything}".encode()])
    if "fail-garbage" in text:
        return RawReply([f"{everything}\r\n\r\n".encode()], then="close")
    if "fail-cut" in text:
        head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n"
        first = b"data: " + json.dumps(chunk(ANSWER)).encode() + b"\n\n"
        error = b"data: " + json.dumps({"error": {"message": everything}}).encode() + b"\n\n"
        return RawReply([head, first, error], then="close")
    return json_reply(
        {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1,
            "model": "m",
            "choices": [{"index": 0, "message": {"role": "assistant", "content": ANSWER}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15},
        }
    )


def chunk(content: str) -> dict[str, Any]:
    choice = {"index": 0, "delta": {"content": content}, "finish_reason": None}
    return {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}


class Watched:
    """A gateway under traffic, and everything it said on the way."""

    def __init__(self, home: Home, process: Process) -> None:
        self.home = home
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{process.port}", trust_env=False, timeout=60)
        self.errors: list[str] = []

    def chat(self, key: str, model: str, prompt: str, stream: bool = False) -> int:
        """One request; what it says beside a whole answer is kept as an error."""
        body = {"model": model, "stream": stream, "messages": [{"role": "user", "content": f"{PROMPT} {prompt}"}]}
        reply = self.http.post("/v1/chat/completions", headers={"authorization": f"Bearer {key}"}, json=body)
        heads = "\n".join(f"{name}: {value}" for name, value in reply.headers.items())
        # What was answered before a stream broke off is the client's.
        self.errors.append(heads if reply.status_code == 200 and not stream else heads + reply.text.replace(ANSWER, ""))
        return reply.status_code

    def leave(self, key: str) -> None:
        """Ask, and go away before the answer is whole."""
        body = {"model": "one/m", "stream": True, "messages": [{"role": "user", "content": f"{PROMPT} fail-cut"}]}
        with self.http.stream("POST", "/v1/chat/completions", headers={"authorization": f"Bearer {key}"}, json=body):
            pass

    def operate(self, method: str, path: str, token: str = ADMIN, **body: Any) -> httpx.Response:
        return self.http.request(method, f"/api{path}", headers={"authorization": f"Bearer {token}"}, json=body or None)

    def close(self) -> None:
        self.http.close()


def traffic(watched: Watched) -> str:
    """Everything that may leave a trace; returns the key that was made on the way, shown once."""
    made = watched.operate("POST", "/keys", name="made")
    assert made.status_code == 201, made.text
    key: str = made.json()["secret"]
    added = watched.operate("POST", "/credentials", provider="two", name="api", secret=OTHER_CREDENTIAL)
    assert added.status_code == 201, added.text
    watched.errors.append(added.text)
    for path in (
        "/keys",
        "/credentials",
        "/tokens",
        "/audit",
        "/events",
        "/config",
        "/ledger/requests",
        "/budgets",
        "/health",
    ):
        watched.errors.append(watched.operate("GET", path).text)
    watched.errors.append(watched.operate("POST", "/credentials", provider="two", secret=OTHER_CREDENTIAL, x=1).text)
    watched.errors.append(watched.operate("GET", "/keys", token=WRONG_KEY).text)
    for one in (DECLARED_KEY, key):
        for model in ("one/m", "two/n"):
            assert watched.chat(one, model, "hello") == 200
            for failure in ("fail-400", "fail-500", "fail-garbage"):
                assert watched.chat(one, model, failure) >= 400
            watched.chat(one, model, "fail-cut", stream=True)
        assert watched.chat(one, "nobody-serves-this", "hello") == 404
        watched.leave(one)
    # Last of all: a credential that was refused is not used again.
    assert watched.chat(key, "two/n", "fail-401") >= 400
    assert watched.chat(WRONG_KEY, "one/m", "hello") == 401
    return key


def add_stored_credential(home: Home) -> str:
    done = subprocess.run(
        [HEADGATE, "credentials", "add", "two"],
        cwd=home.directory,
        env=home.env,
        input=f"{STORED_CREDENTIAL}\n",
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout + done.stderr


@contextmanager
def watched(home: Home, store: str = "") -> Iterator[tuple[Watched, Process]]:
    home.env |= {"HEADGATE_ADMIN_TOKEN": ADMIN, "HEADGATE_SECRET_KEY": MASTER_KEY}
    with counting_provider() as provider:
        provider.always(provider_that_tells_all)
        text = DOCUMENT.format(
            key=DECLARED_KEY, credential=DECLARED_CREDENTIAL, base_url=provider.base_url, store=store
        )
        (home.directory / "headgate.yaml").write_text(text)
        said = add_stored_credential(home)
        with home.up("--port", "0") as process:
            one = Watched(home, process)
            one.errors.append(said)
            with closing(one):
                yield one, process
        sent = {request.header("authorization") for request in provider.requests}
        assert {f"Bearer {STORED_CREDENTIAL}", f"Bearer {DECLARED_CREDENTIAL}"} <= sent, "the secrets were not in use"


def bytes_of(directory: Path) -> bytes:
    return b"\n".join(file.read_bytes() for file in sorted(directory.rglob("*")) if file.is_file())


def test_no_secret_and_no_word_of_a_conversation_is_anywhere_it_can_be_read(home: Home) -> None:
    with watched(home) as (one, process):
        key = traffic(one)
        # While it runs: journal, database and its log are all there.
        kept = bytes_of(home.data)
        assert b"HGj1" in kept, "the journal was empty when it was searched"
        assert b"fail" not in kept.replace(b"failed", b"").replace(b"failing", b""), "something of a prompt is kept"
    kept += bytes_of(home.data)
    exports = "".join(ledger(home, *verb).stdout for verb in (["export"], ["export", "--format", "csv"], ["sums"]))
    assert exports.count("req_") > 20, "the export was empty when it was searched"
    told = "\n".join([process.printed, process.errors, exports, ledger(home, "verify").stdout, *one.errors])
    for secret in (
        DECLARED_KEY,
        DECLARED_CREDENTIAL,
        STORED_CREDENTIAL,
        OTHER_CREDENTIAL,
        ADMIN,
        MASTER_KEY,
        WRONG_KEY,
        ANSWER,
        key,
    ):
        assert secret not in told, f"{secret} was told{where(secret, told)}"
        assert secret.encode() not in kept, f"{secret} is on the disk{where(secret, kept.decode('latin-1'))}"
    assert PROMPT.encode() not in kept, where(PROMPT, kept.decode("latin-1"))
    assert PROMPT not in process.printed + process.errors + exports


def where(secret: str, text: str) -> str:
    at = text.find(secret)
    return f": …{text[max(0, at - 200) : at + 100]}…"


def test_the_password_of_the_database_is_told_to_nobody_even_when_the_database_is_away(home: Home) -> None:
    with Postgres() as server:
        url = server.make_database()
        with watched(home, f"store: {json.dumps(url)}") as (one, process):
            traffic(one)
            for path in ("/config", "/health"):
                one.errors.append(one.operate("GET", path).text)
            server.kill()
            assert one.chat(DECLARED_KEY, "one/m", "hello") == 200
            process.until_it_says("entries do not reach the database")
            one.errors.append(one.operate("GET", "/ledger/requests").text)
            kept = bytes_of(home.data)
        refused = home.refused("--port", "0")
    told = "\n".join([process.printed, process.errors, refused, *one.errors])
    for form in (PASSWORD, url, url.partition("://")[2].partition("@")[0], url.split(":")[2].split("@")[0]):
        assert form not in told, where(form, told)
        assert form.encode() not in kept


def test_what_is_shown_once_is_shown_in_one_line_and_kept_nowhere(home: Home) -> None:
    with home.up("--port", "0") as process:
        key = process.key
        assert key is not None
        lines = [line for line in process.printed.splitlines() if key in line]
        (token,) = {word for word in process.printed.split() if word.startswith("hga-")}
        kept = bytes_of(home.data)
    assert len([line for line in lines if "curl" not in line]) == 1
    assert len([line for line in process.printed.splitlines() if token in line]) == 1
    for secret in (key, token):
        assert secret not in process.errors
        assert secret.encode() not in kept + bytes_of(home.data)
        assert secret[-43:].encode() not in kept
