"""`headgate explain`: one request offline or by a running gateway, and files of requests."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from tests.process.headgate import HEADGATE, TIMEOUT_S
from tests.unit.cli.verbs import Verbs

DOCUMENT = """\
keys:
  - {name: app, secret: hg-written-in-the-document, models: [small]}
providers:
  near: {dialect: openai, base_url: "http://127.0.0.1:9/v1", models: [
    {id: a, model: llama, input_usd_per_mtok: "1", output_usd_per_mtok: "2", context_tokens: 8000,
     capabilities: [tools, n]}]}
  far: {dialect: openai, base_url: "http://127.0.0.1:9/v1", models: [
    {id: b, model: llama, input_usd_per_mtok: "0.5", output_usd_per_mtok: "8", capabilities: []},
    {id: c, model: mystery}]}
models:
  small: {targets: [near/a, far/b], policy: ordered}
"""
TURNS = [{"role": "user", "content": "x" * 40}]


@pytest.fixture
def documented(verbs: Verbs) -> Verbs:
    verbs.write(DOCUMENT)
    return verbs


def names(plan: dict[str, Any]) -> list[str]:
    return [one["deployment"] for one in plan["candidates"]]


def test_the_order_is_the_policy_s_and_costs_are_tokens_times_price(documented: Verbs) -> None:
    plan = documented.gives("explain", "-m", "llama", "--context", "4000", "--output", "100")
    assert [(one["deployment"], one["expected_cost_pusd"]) for one in plan["candidates"]] == [
        ("far/b", 4000 * 500_000 + 100 * 8_000_000),
        ("near/a", 4000 * 1_000_000 + 100 * 2_000_000),
    ]
    assert names(documented.gives("explain", "-m", "llama", "--context", "100", "--output", "100")) == [
        "near/a",
        "far/b",
    ]
    assert names(documented.gives("explain", "-m", "small")) == ["near/a", "far/b"]
    assert names(documented.gives("explain", "-m", "small", "--context", "7000", "--policy", "cheapest")) == [
        "far/b",
        "near/a",
    ]
    assert documented.gives("explain", "-m", "small:fastest")["policy"] == "fastest"


def test_what_cannot_serve_is_dropped_with_the_reason(documented: Verbs) -> None:
    plan = documented.gives("explain", "-m", "llama", "--tools")
    assert names(plan) == ["near/a"]
    assert plan["dropped"] == [{"deployment": "far/b", "reason": "does not do tools"}]


def test_nobody_is_exit_code_1_with_the_reason_on_stderr(documented: Verbs) -> None:
    ended = documented.run("explain", "-m", "llama", "--images", "--json")
    assert ended.returncode == 1
    assert json.loads(ended.stdout)["candidates"] == []
    (line,) = ended.stderr.splitlines()
    assert "The request needs images." in line
    assert "far/c" not in line


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("-m", "lama"), "Nearest: llama"),
        (("-m", "llama", "--policy", "cheapst"), "did you mean cheapest?"),
        ((), "say which model"),
        (("-m", "llama", "--at", "soon"), "--at: 'soon' is no time"),
        (("-m", "llama", "--key", "ap"), "did you mean app?"),
        (("-m", "llama", "--workspace", "blue"), "names no workspace 'blue'"),
        (("-m", "llama", "--body", "nothing.json"), "--body: nothing.json cannot be read: No such file"),
        (("--file", "nothing.jsonl"), "--file: nothing.jsonl cannot be read: No such file"),
        (("--file", "x", "--tools"), "--tools makes no sense beside --file"),
        (("-m", "llama", "--url", "ftp://x"), "must be the gateway's address"),
        (("-m", "llama", "--n", "0"), "--n"),
    ],
)
def test_what_makes_no_sense_is_one_line_and_exit_code_2(
    documented: Verbs, arguments: tuple[str, ...], words: str
) -> None:
    (line,) = documented.refuses("explain", *arguments, HEADGATE_ADMIN_TOKEN="a-token-that-is-long-enough")
    assert words in line


def test_a_key_of_the_document_may_use_only_its_models(documented: Verbs) -> None:
    assert names(documented.gives("explain", "-m", "small", "--key", "app")) == ["near/a", "far/b"]
    ended = documented.run("explain", "-m", "llama", "--key", "app")
    assert ended.returncode == 1
    assert "the key 'app' may not use 'llama'" in ended.stderr


def test_a_body_from_standard_input_says_what_it_needs(documented: Verbs) -> None:
    body = json.dumps({"model": "llama", "messages": TURNS, "tools": [{"type": "function"}]})
    plan = documented.gives("explain", "--body", "-", stdin=body)
    assert names(plan) == ["near/a"]
    assert plan["expected_tokens"] < 600
    assert (
        documented.gives("explain", "--body", "-", "--context", "70", "-m", "far/c", stdin=body)["expected_tokens"]
        == 570
    )


def test_the_cheapest_is_known_at_a_time(documented: Verbs) -> None:
    documented.write("providers: {openai: {api_key: made-up}, openrouter: {api_key: made-up}}\n")
    before = documented.gives("explain", "-m", "openai/gpt-5-mini", "--at", "2026-12-01")
    after = documented.gives("explain", "-m", "openai/gpt-5-mini", "--at", "1799000000")
    assert not any(one["retired"] for one in before["candidates"])
    assert [one["retired"] for one in after["candidates"]][-1] is True


def lines(*values: object) -> str:
    return "".join(f"{value if isinstance(value, str) else json.dumps(value)}\n" for value in values)


def test_a_file_is_priced_under_every_policy(documented: Verbs) -> None:
    body = {"model": "small", "messages": TURNS, "max_tokens": 10}
    used = {"prompt_tokens": 7000, "completion_tokens": 777}
    file = lines(
        {"body": body, "usage": used},
        {"custom_id": "1", "method": "POST", "url": "/v1/chat/completions", "body": body},
        {**body, "usage": {"input_tokens": 10, "output_tokens": 1}, "n": 3},
        "",
        {"model": "far/c", "messages": TURNS},
    )
    sums = documented.gives("explain", "--file", "-", stdin=file)
    assert (sums["requests"], sums["with_recorded_usage"]) == (4, 2)
    recorded = 7000 * 1_000_000 + 777 * 2_000_000 + 10 * 1_000_000 + 1 * 2_000_000
    ordered = sums["policies"]["ordered"]
    assert set(ordered["deployments"]) == {"near/a", "far/c"}
    near = ordered["deployments"]["near/a"]
    assert near["requests"] == 3
    # The second request has no recorded usage: about its bytes over four, and ten tokens of answer.
    assert 10 * 2_000_000 < near["expected_cost_pusd"] - recorded < 10 * 2_000_000 + 60 * 1_000_000
    unknown = {"requests": 1, "expected_cost_pusd": None, "known_cost_pusd": 0, "unknown_price": 1}
    assert ordered["deployments"]["far/c"] == unknown
    assert near["known_cost_pusd"] == near["expected_cost_pusd"]
    assert (ordered["unknown_price"], ordered["expected_cost_pusd"]) == (1, None)
    assert ordered["known_cost_pusd"] == near["known_cost_pusd"]
    assert sums["policies"]["cheapest"]["known_cost_pusd"] <= ordered["known_cost_pusd"]
    assert sums["unreadable"] == {"lines": 0, "first": []}


def test_what_nobody_serves_and_what_cannot_be_read_are_counted_apart(documented: Verbs) -> None:
    image = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "http://x/y"}}]}]
    file = lines(
        "no json",
        {"model": "llama", "messages": image},
        {"model": "llama", "messages": image},
        {"model": "nothing", "messages": TURNS},
        {"url": "/v1/images/generations", "body": {}},
        {"body": {"model": "llama", "messages": TURNS}, "usage": {"prompt_tokens": "many"}},
        {"model": "llama", "messages": []},
        {"model": "llama", "messages": TURNS},
    )
    sums = documented.gives("explain", "--file", "-", stdin=file)
    assert sums["requests"] == 4
    assert sums["nobody"]["requests"] == 3
    assert sums["nobody"]["reasons"][0] == {"reason": "llama: does not do images", "requests": 2}
    assert [one["line"] for one in sums["unreadable"]["first"]] == [1, 5, 6, 7]
    assert sums["policies"]["cheapest"]["requests"] == 1
    shown = documented.does("explain", "--file", "-", stdin=file).stdout
    assert "4 lines could not be read:\n  line 1: it is no JSON object\n" in shown
    assert "nobody can serve 3:\n  2 llama: does not do images\n" in shown


def test_a_file_can_be_priced_for_another_model(documented: Verbs) -> None:
    file = lines({"model": "gpt-of-yesterday", "messages": TURNS}, {"body": {"messages": TURNS}})
    sums = documented.gives("explain", "--file", "-", "-m", "near/a", stdin=file)
    assert set(sums["policies"]["balanced"]["deployments"]) == {"near/a"}
    assert sums["requests"] == 2


def test_a_file_in_which_nothing_can_be_read_is_exit_code_1(documented: Verbs) -> None:
    assert documented.run("explain", "--file", "-", stdin="a\nb\n").returncode == 1
    assert documented.run("explain", "--file", "-", stdin="").returncode == 0


def test_a_long_file_takes_no_more_memory_than_a_short_one(documented: Verbs) -> None:
    line = lines({"model": "small", "messages": [{"role": "user", "content": "x" * 20_000}]})
    measured = "import resource,sys; sys.argv=['headgate','explain','--file','-','--json']\n"
    measured += "from headgate.cli import main\ntry: main()\nexcept SystemExit: pass\n"
    measured += "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)"

    def kilobytes(count: int) -> int:
        python = HEADGATE.removesuffix("headgate") + "python"
        ended = subprocess.run(
            [python, "-c", measured],
            cwd=documented.home.directory,
            env=documented.home.env,
            input=line * count,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=True,
        )
        assert json.loads(ended.stdout)["requests"] == count
        return int(ended.stderr)

    # 60 MB of requests.
    assert kilobytes(3000) - kilobytes(10) < 20_000


def test_a_running_gateway_answers_the_same(documented: Verbs) -> None:
    token = "an-owner-of-everything-from-the-environment"
    offline = documented.gives("explain", "-m", "llama", "--tools")
    with documented.home.up("--port", "0", HEADGATE_ADMIN_TOKEN=token) as gateway:
        url = f"http://127.0.0.1:{gateway.port}/v1"
        asked = ("explain", "-m", "llama", "--tools", "--url", url)
        assert documented.gives(*asked, HEADGATE_ADMIN_TOKEN=token) == offline
        assert documented.gives(*asked, "--token", token, "--workspace", "default") == offline
        nobody = documented.run("explain", "-m", "llama", "--images", "--url", url, "--token", token)
        assert nobody.returncode == 1
        assert "The request needs images." in nobody.stderr
        (line,) = documented.refuses(*asked, "--token", "hga-wrong")
        assert "answers 401: this is no admin token that counts" in line
        (line,) = documented.refuses("explain", "-m", "lama", "--url", url, "--token", token)
        assert "answers 404: no provider serves the model 'lama'" in line
        (line,) = documented.refuses(*asked)
        assert "an admin token is needed" in line
    (line,) = documented.refuses(*asked, "--token", token)
    assert line == f"--url: no gateway can be asked at 127.0.0.1:{gateway.port}: Connection refused"


class _Page(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"<html>hello</html>")

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def web_page() -> Iterator[int]:
    server = HTTPServer(("127.0.0.1", 0), _Page)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_web_page_is_no_plan(documented: Verbs, web_page: int) -> None:
    (line,) = documented.refuses("explain", "-m", "llama", "--url", f"127.0.0.1:{web_page}", "--token", "x")
    assert f"127.0.0.1:{web_page} answers 200 with a web page, not with a plan" in line
