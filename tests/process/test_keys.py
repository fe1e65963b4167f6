"""Keys and credentials made on the command line, as a running gateway takes them up."""

from __future__ import annotations

import asyncio
import json
import subprocess
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.fakes.provider import FakeProvider, json_reply
from tests.process.headgate import HEADGATE, TIMEOUT_S, Home, Process

# A gateway looks for changes a few times a second. Here it may take longer, because a busy machine may.
SEEN_WITHIN_S = 20.0
QUESTION = {"messages": [{"role": "user", "content": "Say hello."}]}
ANSWER = {
    "id": "x",
    "object": "chat.completion",
    "model": "one",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello."}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
}


def gives(home: Home, *arguments: str, stdin: str = "") -> Any:
    ended = subprocess.run(
        [HEADGATE, *arguments, "--json"],
        cwd=home.directory,
        env=home.env,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert ended.returncode == 0, (arguments, ended.stdout, ended.stderr)
    return json.loads(ended.stdout)


def ask(process: Process, secret: str, model: str = "sandbox/hello") -> httpx.Response:
    return httpx.post(
        f"http://127.0.0.1:{process.port}/v1/chat/completions",
        headers={"authorization": f"Bearer {secret}"},
        json={"model": model, **QUESTION},
        timeout=60,
        trust_env=False,
    )


def until(true: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + SEEN_WITHIN_S
    while not true():
        assert time.monotonic() < deadline, f"{what} did not come true"
        time.sleep(0.05)


@pytest.fixture
def documented(home: Home) -> Home:
    (home.directory / "headgate.yaml").write_text("providers: {sandbox: {}}\n")
    return home


def test_a_running_gateway_takes_up_what_happens_to_a_key(documented: Home) -> None:
    with documented.up("--port", "0") as process:
        first = gives(documented, "keys", "create", "app")["secret"]
        until(lambda: ask(process, first).status_code == 200, "the new key works")

        second = gives(documented, "keys", "rotate", "app", "--grace", "1h")["secret"]
        until(lambda: ask(process, second).status_code == 200, "the new secret works")
        assert ask(process, first).status_code == 200, "the old secret has its grace"

        third = gives(documented, "keys", "rotate", "app", "--grace", "0")["secret"]
        until(lambda: ask(process, third).status_code == 200, "the third secret works")
        assert ask(process, second).status_code == 401, "without a grace the old secret ends at once"
        assert ask(process, first).status_code == 401

        gives(documented, "keys", "disable", "app")
        until(lambda: ask(process, third).status_code == 401, "the disabled key is refused")
        gives(documented, "keys", "enable", "app")
        until(lambda: ask(process, third).status_code == 200, "the enabled key works")

        gives(documented, "keys", "update", "app", "--models", "sandbox/echo")
        until(lambda: ask(process, third).status_code in (403, 404), "the model is out of its reach")

        gives(documented, "keys", "delete", "app")
        until(lambda: ask(process, third, "sandbox/echo").status_code == 401, "the deleted key is refused")


def test_a_key_that_was_made_while_no_gateway_ran_works_from_the_start(documented: Home) -> None:
    secret = gives(documented, "keys", "create", "app")["secret"]
    with documented.up("--port", "0") as process:
        assert ask(process, secret).status_code == 200


async def test_a_credential_is_sent_to_its_provider_and_no_longer_once_it_is_disabled(home: Home) -> None:
    def secrets_seen(fake: FakeProvider) -> set[str]:
        return {
            value.decode() for one in fake.requests for name, value in one.headers if name.lower() == b"authorization"
        }

    async with FakeProvider() as fake:
        fake.always(json_reply(ANSWER))
        (home.directory / "headgate.yaml").write_text(
            f"providers: {{fake: {{dialect: openai, base_url: '{fake.base_url}', models: [{{id: one}}]}}}}\n"
        )

        def use() -> None:
            with home.up("--port", "0") as process:
                secret = gives(home, "keys", "create", "app")["secret"]
                gives(home, "credentials", "add", "fake", "--name", "main", stdin="sk-from-the-command-line\n")
                sent = "Bearer sk-from-the-command-line"
                until(
                    lambda: ask(process, secret, "one").status_code == 200 and sent in secrets_seen(fake), "it is sent"
                )

                gives(home, "secrets", "rotate")
                fake.requests.clear()
                until(lambda: ask(process, secret, "one").status_code == 200, "it is sent after a rotation")
                assert secrets_seen(fake) == {sent}

                gives(home, "credentials", "disable", "main")

                def left_out() -> bool:
                    fake.requests.clear()
                    ask(process, secret, "one")
                    return sent not in secrets_seen(fake)

                until(left_out, "it is left out")
                assert "sk-from-the-command-line" not in process.printed + process.errors

        await asyncio.to_thread(use)


def test_what_a_key_spent_stands_in_the_list_and_in_the_ledger(home: Home) -> None:
    (home.directory / "headgate.yaml").write_text(
        "providers: {sandbox: {models: [{id: hello, input_usd_per_mtok: '1', output_usd_per_mtok: '2'}]}}\n"
    )
    with home.up("--port", "0") as process:
        secret = gives(home, "keys", "create", "app", "--budget", "5/month")["secret"]
        until(lambda: ask(process, secret).status_code == 200, "the new key works")

        def spent() -> bool:
            return any(
                float(one["budgets"][0]["spent_usd"]) > 0 for one in gives(home, "keys", "list") if one["name"] == "app"
            )

        until(spent, "what it spent is listed")
        summed = subprocess.run(
            [HEADGATE, "ledger"], cwd=home.directory, env=home.env, capture_output=True, text=True, timeout=TIMEOUT_S
        )
        assert summed.returncode == 0, summed.stderr
        assert "app (key_" in summed.stdout
