"""Real client libraries, each a program of its own, against a gateway that was started as a newcomer starts it."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from .gateway import ROOT, Gateway, headgate_up

pytestmark = pytest.mark.clients

CLIENT_TIMEOUT_S = 180.0
PROGRAM = {".py", ".mjs", ".sh"}

CLIENTS = ROOT / ".venv-clients/bin/python"
LLAMA = ROOT / ".venv-llama/bin/python"
NODE_MODULES = ROOT / "tests/clients/js/node_modules"

SCRIPTS: dict[str, Path | str] = {
    "scripts/openai_python.py": CLIENTS,
    "scripts/openai_python_async.py": CLIENTS,
    "scripts/raw_http.py": CLIENTS,
    "scripts/langchain_openai_client.py": CLIENTS,
    "scripts/instructor_client.py": CLIENTS,
    "scripts/llamaindex_client.py": LLAMA,
    "js/openai_javascript.mjs": "node",
}
EXAMPLES: dict[str, Path | str] = {
    "curl.sh": "sh",
    "instructor_extract.py": CLIENTS,
    "javascript_openai.mjs": "node",
    "langchain_chat.py": CLIENTS,
    "llamaindex_chat.py": LLAMA,
    "python_openai.py": CLIENTS,
    "python_openai_stream.py": CLIENTS,
}


@pytest.fixture(scope="session")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with headgate_up(tmp_path_factory.mktemp("gateway")) as running:
        yield running


def run(program: Path | str, arguments: list[str], gateway: Gateway, directory: Path) -> str:
    """What the program prints; it must end well. A missing program fails the test: `make test` installs them all."""
    found = shutil.which(program)
    assert found is not None, f"{program} is not installed; `make test` does that"
    ended = subprocess.run(
        [found, *arguments],
        cwd=directory,
        env=gateway.environment(directory),
        capture_output=True,
        text=True,
        timeout=CLIENT_TIMEOUT_S,
        check=False,
    )
    assert ended.returncode == 0, f"{ended.stdout}\n{ended.stderr}"
    return ended.stdout


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_real_client_finds_all_it_needs(script: str, gateway: Gateway, tmp_path: Path) -> None:
    shown = run(SCRIPTS[script], [str(ROOT / "tests/clients" / script)], gateway, tmp_path)
    assert [line for line in shown.splitlines() if line.startswith("ok: ")], shown


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_runs_and_prints_an_answer(example: str, gateway: Gateway, tmp_path: Path) -> None:
    # Node.js looks for packages beside the program, and a user's own project has them there too.
    (tmp_path / "node_modules").symlink_to(NODE_MODULES)
    program = shutil.copy(ROOT / "examples" / example, tmp_path)
    assert run(EXAMPLES[example], [str(program)], gateway, tmp_path).strip()


def test_no_script_and_no_example_is_left_out() -> None:
    clients = ROOT / "tests/clients"
    programs = {
        f"{folder}/{path.name}"
        for folder in ("scripts", "js")
        for path in (clients / folder).iterdir()
        if path.suffix in PROGRAM
    }
    assert programs - {"scripts/behaviours.py", "js/behaviours.mjs"} == SCRIPTS.keys()
    examples = {path.name for path in (ROOT / "examples").iterdir() if path.suffix in PROGRAM}
    assert examples == EXAMPLES.keys()


def test_the_printed_curl_line_works_when_pasted(gateway: Gateway, tmp_path: Path) -> None:
    shown = run("sh", ["-c", gateway.curl], gateway, tmp_path)
    if shown.startswith("data: "):
        assert shown.rstrip().endswith("data: [DONE]")
    else:
        assert json.loads(shown)["choices"][0]["message"]["content"]
