from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from headgate.cli.check import check, report
from tests.unit.config.loading import load
from tests.unit.config.test_load import ARCHITECTURE_EXAMPLE, FULL_ENV


def test_the_report_says_what_would_run_without_any_secret() -> None:
    lines = report(load(ARCHITECTURE_EXAMPLE, FULL_ENV))
    assert lines[:4] == [
        "configuration: headgate.yaml",
        "server: http://127.0.0.1:8080, bodies up to 32 MB",
        "keys:",
        "  dev: $HEADGATE_KEY, may use *, 600 rpm, 1000000 tpm, 50 concurrent, $25 per month",
    ]
    text = "\n".join(lines)
    assert re.search(
        r"^  deepinfra: https://api\.deepinfra\.com, \d+ offers, credential \$DEEPINFRA_API_KEY$", text, re.M
    )
    assert "  mybox: http://127.0.0.1:8000, 1 offer, credential written in the document\n" in text
    assert "credential $GROQ_API_KEY from the environment\n" in text
    assert lines[-4:] == [
        "  fast-llama (cheapest):",
        "    deepinfra/meta-llama/Meta-Llama-3.1-8B-Instruct",
        "    groq/llama-3.1-8b-instant",
        "    openai/gpt-4o-mini (fallback)",
    ]
    assert not any(secret in text for secret in FULL_ENV.values())


def test_the_report_tells_credentials_open_offers_and_patterns_apart() -> None:
    lines = report(
        load(
            """
        providers:
          ollama: {credentials: [{name: one, api_key: "${A}"}, {name: two, api_key: hidden}]}
        models:
          "x-*": {targets: ["ollama/*"], fallback: [ollama/big]}
          big: {targets: [ollama/big:70b]}
        server: {host: "::1"}
        """,
            {"A": "hush"},
        )
    )
    text = "\n".join(lines)
    assert "server: http://[::1]:8080" in text
    assert "none here; one is made at the first start" in text
    assert "any model as ollama/<id>, credentials one ($A), two (written in the document)" in text
    assert lines[-6:] == [
        "  x-* (cheapest):",
        "    ollama/*",
        "    ollama/big (fallback)",
        "  big (cheapest):",
        "    ollama/big:70b#one",
        "    ollama/big:70b#two",
    ]
    assert "hidden" not in text
    assert "hush" not in text


def test_the_report_counts_what_is_declared_beside_an_open_offer() -> None:
    lines = report(load("providers: {sandbox: {models: [{id: a}, {id: b}]}}"))
    assert "  sandbox: inside Headgate, any model as sandbox/<id>, 2 offers, no credential" in lines


def test_a_good_file_ends_well_with_warnings_beside_the_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "h.yaml"
    file.write_text("shared: redis://h:6379/0\nproviders: {sandbox: {}}\n")
    assert check(file, schema=False) == 0
    out, err = capsys.readouterr()
    assert "sandbox: inside Headgate, any model as sandbox/<id>, no credential" in out
    assert err == f"warning: {file}:1: shared: not used yet: every process counts for itself\n"


def test_a_bad_file_ends_with_two_and_every_problem_on_stderr(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "h.yaml"
    file.write_text("servr: 1\nproviders: {sandbox: {}}\nkeys: 1\n")
    assert check(file, schema=False) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        f"{file}:1: servr: unknown key; did you mean server?",
        f"{file}:3: keys: must be a list",
    ]


def test_the_schema_is_printed_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert check(None, schema=True) == 0
    printed = capsys.readouterr().out
    assert len(printed.splitlines()) > 100, "nobody can read it"
    schema = json.loads(printed)
    assert schema["properties"]["providers"]["description"]
