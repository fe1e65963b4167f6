"""`headgate models`: lists, filters, one model, fetched lists, and models in use that retire."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import pytest

from tests.process.headgate import HEADGATE, TIMEOUT_S
from tests.unit.cli.verbs import Verbs

AT = ("--at", "2026-12-01T12:00:00Z")
DOCUMENT = """\
providers:
  deepinfra: {api_key: made-up}
  groq: {api_key: made-up}
  openai: {api_key: made-up}
  mybox: {dialect: openai, base_url: "http://127.0.0.1:9/v1", models: [
    {id: cheap, input_usd_per_mtok: "0.01", output_usd_per_mtok: "0.02", capabilities: [tools, images]},
    {id: half, input_usd_per_mtok: "0.01"},
    {id: big, model: openai/gpt-oss-120b, context_tokens: 9000000, input_usd_per_mtok: "3", output_usd_per_mtok: "3"}]}
"""


@pytest.fixture
def documented(verbs: Verbs) -> Verbs:
    verbs.write(DOCUMENT)
    return verbs


def listed(verbs: Verbs, *arguments: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = verbs.gives("models", *AT, *arguments)
    return found


def names(rows: list[dict[str, Any]]) -> list[str]:
    return [row["deployment"] for row in rows]


def test_a_row_has_its_price_source_and_age(documented: Verbs) -> None:
    [row] = listed(documented, "--model", "groq/openai/gpt-oss-120b")
    assert (row["model"], row["provider"], row["kind"]) == ("openai/gpt-oss-120b", "groq", "chat")
    assert (row["input_usd_per_mtok"], row["output_usd_per_mtok"]) == ("0.15", "0.6")
    assert (row["price_source"], row["price_as_of"], row["age_days"]) == ("litellm 1.109.1", "2026-11-12", 19)
    assert "tools" in row["capabilities"]
    lines = documented.does("models", *AT, "--model", "groq/openai/gpt-oss-120b").stdout.splitlines()
    assert lines[0].split()[:3] == ["model", "deployment", "kind"]
    assert "\x1b" not in "".join(lines)
    assert lines[1].split()[:6] == ["openai/gpt-oss-120b", "groq/openai/gpt-oss-120b", "chat", "0.15", "0.6", "131072"]
    assert " 19 d " in lines[1]


def test_declared_prices_say_so_and_unknown_ones_are_not_zero(documented: Verbs) -> None:
    rows = {row["deployment"]: row for row in listed(documented, "--provider", "mybox")}
    assert rows["mybox/cheap"]["price_source"] == "document"
    assert rows["mybox/half"]["output_usd_per_mtok"] is None
    shown = documented.does("models", "--model", "mybox/half").stdout
    assert "unknown" in shown.splitlines()[1]


def test_where_only_the_sandbox_is_configured_its_models_are_listed_and_the_way_to_all_others_is_told(
    verbs: Verbs,
) -> None:
    (verbs.home.directory / "headgate.yaml").unlink()
    ended = verbs.does("models")
    assert [line.split()[1] for line in ended.stdout.splitlines()[1:]] == [
        f"sandbox/{name}" for name in ("echo", "embed", "fast", "hello", "parallel-tools")
    ]
    assert ended.stderr == "only sandbox is configured, which is free; --all lists the whole catalogue\n"
    [row] = listed(verbs, "--model", "sandbox/hello")
    assert (row["input_usd_per_mtok"], row["price_source"], row["configured"]) == ("0", "in process", True)
    assert verbs.does("models", "--model", "gpt").stdout == "nothing fits\n"
    assert verbs.does("models", "--all").stderr == ""
    assert verbs.does("models", "show", "sandbox/hello").stdout.startswith("sandbox/hello\n")


def test_where_nobody_says_what_is_sold_the_way_to_the_whole_catalogue_is_told(verbs: Verbs) -> None:
    verbs.write('providers: {mybox: {dialect: openai, base_url: "http://127.0.0.1:9/v1"}}\n')
    assert "--all lists the whole catalogue" in verbs.does("models").stdout


def test_every_filter_leaves_only_what_passes_it(documented: Verbs) -> None:
    assert names(listed(documented, "--provider", "mybox", "--can", "images, tools")) == ["mybox/cheap"]
    able = listed(documented, "--can", "tools,json_schema")
    assert able
    assert all({"tools", "json_schema"} <= set(row["capabilities"]) for row in able)
    cheap = listed(documented, "--max-price", "0.05/0.15")
    assert "mybox/cheap" in names(cheap)
    assert "mybox/half" not in names(cheap)
    assert all(float(row["input_usd_per_mtok"]) <= 0.05 and float(row["output_usd_per_mtok"]) <= 0.15 for row in cheap)
    assert any(float(row["output_usd_per_mtok"]) > 0.05 for row in cheap)
    assert all(float(row["output_usd_per_mtok"]) <= 0.05 for row in listed(documented, "--max-price", "0.05"))
    assert names(listed(documented, "--min-context", "5000000")) == ["mybox/big"]
    assert {row["kind"] for row in listed(documented, "--kind", "embedding")} == {"embedding"}
    assert {row["model"] for row in listed(documented, "--model", "GPT-OSS-120")} == {"openai/gpt-oss-120b"}
    assert set(names(listed(documented, "--model", "groq/*-120b"))) == {"groq/openai/gpt-oss-120b"}


def test_the_order_is_as_asked_and_unknown_comes_last(documented: Verbs) -> None:
    by_price = names(listed(documented, "--provider", "mybox", "--sort", "price"))
    assert by_price == ["mybox/cheap", "mybox/big", "mybox/half"]
    assert names(listed(documented, "--sort", "context"))[0] == "mybox/big"
    by_name = [row["model"] for row in listed(documented)]
    assert by_name == sorted(by_name)


def test_the_whole_catalogue_is_there_on_demand(documented: Verbs) -> None:
    everything = listed(documented, "--all")
    assert {row["provider"] for row in everything if not row["configured"]} >= {"together", "fireworks", "cerebras"}
    assert {row["provider"] for row in listed(documented)} == {"deepinfra", "groq", "openai", "mybox"}
    assert {row["provider"] for row in listed(documented, "--all", "--provider", "cerebras")} == {"cerebras"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--can", "tols"), "--can: nobody is asked for 'tols'; did you mean tools?"),
        (("--can", ","), "--can: name one or more of tools"),
        (("--provider", "grok"), "there is no provider 'grok'; did you mean groq?"),
        (("--provider", "cerebras"), "cerebras is not configured; with --all"),
        (("--max-price", "cheap"), "--max-price: 'cheap' is no price"),
        (("--max-price", "-1"), "--max-price"),
        (("--kind", "chatty"), "did you mean chat?"),
        (("--sort", "cost"), "--sort: 'cost' is none of name, price, context"),
        (("--json", "show", "x"), "options go behind the verb show"),
        (("show", "gpt-oss-120bb"), "did you mean"),
        (("refresh", "--provider", "grok"), "'grok' is not configured; did you mean groq?"),
    ],
)
def test_what_makes_no_sense_is_one_line_and_exit_code_2(
    documented: Verbs, arguments: tuple[str, ...], words: str
) -> None:
    (line,) = documented.refuses("models", *arguments)
    assert words in line


def test_a_reader_that_leaves_is_no_traceback(documented: Verbs) -> None:
    with subprocess.Popen(
        [HEADGATE, "models", "--all", "--json"],
        cwd=documented.home.directory,
        env=documented.home.env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdout.read(10)
        running.stdout.close()
        assert running.stderr.read() == b""
        assert running.wait(TIMEOUT_S) == 141


def test_models_in_use_that_retire_are_warned_of_with_what_to_use(documented: Verbs) -> None:
    documented.write(
        DOCUMENT
        + """models:
  soon: {targets: [openai/gpt-5-mini]}
  later: {targets: [openai/gpt-5.4-nano]}
  shared: {targets: [openai/gpt-oss-120b]}
  past: {targets: [groq/openai/gpt-oss-120b], fallback: [groq/meta-llama/llama-4-scout-17b-16e-instruct]}
"""
    )
    warnings = documented.does("models", *AT, "--provider", "mybox").stderr.splitlines()
    [soon] = [line for line in warnings if "'soon'" in line]
    assert soon.startswith(
        "warning: the route 'soon' uses openai/gpt-5-mini, which retires on 2026-12-11 (in 9 days); "
    )
    assert soon.endswith("openrouter/openai/gpt-5-mini would serve the same model, and is not configured")
    assert not [line for line in warnings if "'later'" in line or "'shared'" in line]
    gone = documented.does("models", "--at", "2026-12-12", "--provider", "mybox").stderr
    assert "uses openai/gpt-5-mini, which has retired on 2026-12-11; " in gone
    documented.write(DOCUMENT + "  openrouter: {api_key: made-up}\nmodels: {soon: {targets: [openai/gpt-5-mini]}}\n")
    (line,) = documented.does("models", *AT, "--provider", "mybox").stderr.splitlines()
    assert line.endswith("; openrouter/openai/gpt-5-mini serves the same model")


def test_show_tells_every_offer_with_all_prices_and_sources(documented: Verbs) -> None:
    for name in ("openai/gpt-5.4", "gpt-5.4", "openai/gpt-5.4"):
        shown = documented.does("models", "show", name, *AT).stdout
        assert shown.startswith("openai/gpt-5.4\n")
    assert "\nopenai/gpt-5.4  chat\n  price in USD/Mtok: in 2.5, out 15, cached in 0.25\n" in shown
    assert "  prompts above 272000 tokens: in 5, out 22.5, cached in 0.5\n" in shown
    assert "\nopenrouter/openai/gpt-5.4  chat  not configured\n" in shown
    assert "  context 1050000 tokens (litellm 1.109.1, 2026-11-12)\n" in shown
    told = documented.gives("models", "show", "gpt-oss-120b", *AT)
    assert told["model"] == "openai/gpt-oss-120b"
    assert "gpt-oss-120b" in told["aliases"]
    [declared] = [one for one in told["offers"] if one["deployment"] == "mybox/big"]
    assert declared["sources"]["price"] == "document"
    assert told["changes"] == []


class _List(BaseHTTPRequestHandler):
    models: tuple[str, ...] = ("one", "two")
    prompts: ClassVar[dict[str, str]] = {}

    def do_GET(self) -> None:
        rows: list[dict[str, Any]] = [{"id": id, "object": "model"} for id in self.models]
        for row in rows:
            if row["id"] in self.prompts:
                row["pricing"] = {"prompt": self.prompts[row["id"]], "completion": "0.000002"}
        body = json.dumps({"object": "list", "data": rows}).encode()
        self.send_response(200 if self.path == "/v1/models" else 404)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def own_list() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _List)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()
    _List.models, _List.prompts = ("one", "two"), {}


def test_refresh_fetches_a_list_that_then_counts(verbs: Verbs, own_list: int) -> None:
    verbs.write(
        f"""providers:
  mybox: {{dialect: openai, base_url: "http://127.0.0.1:{own_list}/v1", models: [{{id: one}}]}}
  away: {{dialect: openai, base_url: "http://127.0.0.1:9/v1", models: [{{id: one}}]}}
"""
    )
    assert "mybox/two" not in names(verbs.gives("models"))
    done = verbs.does("models", "refresh", "--provider", "mybox")
    assert done.stdout.startswith(f"the list of mybox (127.0.0.1:{own_list}) has 2 models, 1 changes\n")
    assert "mybox/two" in names(verbs.gives("models"))
    _List.models = ("one", "two", "three")
    [again] = verbs.gives("models", "refresh", "--provider", "mybox")
    assert again["models"] == 3
    assert [(one["id"], one["after"]) for one in again["changes"]] == [("three", "listed")]
    [change] = verbs.gives("models", "show", "mybox/three")["changes"]
    assert (change["provider"], change["figure"], change["before"]) == ("mybox", "model", None)
    assert "mybox/three  model  - → listed" in verbs.does("models", "show", "mybox/three").stdout


def test_refresh_names_the_figures_that_are_not_used_and_why(verbs: Verbs, own_list: int) -> None:
    address = f"http://127.0.0.1:{own_list}/v1"
    verbs.write(f"providers: {{sambanova: {{api_key: made-up, base_url: '{address}', dialect: openai}}}}\n")
    wrong = [("-0.000001", "input_usd_per_mtok"), ("1e-6", "pricing.prompt"), ("NaN", "pricing.prompt")]
    reasons = ["negative", "float_text", "not_finite"]
    _List.prompts = {f"m{number}": prompt for number, (prompt, _) in enumerate(wrong)}
    _List.models = (*_List.prompts, *(f"m{number}" for number in range(3, 12)))
    _List.prompts |= {id: "0" for id in _List.models[3:]}
    lines = verbs.does("models", "refresh").stdout.splitlines()
    told = [line for line in lines if line.startswith("  not used: ")]
    for number, ((_, figure), reason) in enumerate(zip(wrong, reasons, strict=True)):
        assert told[number].startswith(f"  not used: m{number} {figure}, {reason}: ")
    assert len(told) == 10
    assert "  and 2 more that are not used; --verbose prints all" in lines
    every = verbs.does("models", "refresh", "--verbose").stdout
    assert every.count("  not used: ") == 12
    [report] = verbs.gives("models", "refresh")
    assert [one["reason"] for one in report["refusals"]] == [*reasons, *["zero"] * 9]
    assert {*report["refusals"][0]} == {"id", "figure", "reason", "words"}


def test_a_list_that_cannot_be_fetched_is_exit_code_1(verbs: Verbs, own_list: int) -> None:
    verbs.write('providers: {away: {dialect: openai, base_url: "http://127.0.0.1:9/v1", models: [{id: one}]}}\n')
    ended = verbs.run("models", "refresh", "--json")
    assert ended.returncode == 1
    [report] = json.loads(ended.stdout)
    assert report["failed"]["reason"] == "no_connection"
    assert report["age_s"] is None
